"""Names that people give keys and teams: of each kind one name means one, in reports, in the audit trail and on the command line.

As at LiteLLM (https://docs.litellm.ai/docs/proxy/virtual_keys), which refuses a second key of a name. Of end users several may be
called the same. A document claims a name for an account before that is written, so that of two who want it at the same moment one
is refused; what nobody has any more is left as a claim of nobody. Accounts that are older than this are claimed for when a name is
first wanted, some at a time; where two of them have the same, both keep it.
"""

import time
from collections.abc import Iterator
from hashlib import sha256

from haimaker.accounts.cache import FROM_SETTINGS
from haimaker.accounts.kinds import KEY, TEAM, kind_of
from haimaker.http.errors import BadRequestError, ConflictError
from haimaker.store import SUCCESSOR, Account, Balance, Store
from haimaker.store.documents import Document

FIELDS = {KEY.name: "key_alias", TEAM.name: "team_alias"}
"""By the kind of an account, the field of a body that gives it a name."""
CLAIMS = "alias "
"""And the kind of an account: the kind of its documents, which have the SHA-256 of a name."""
OLDER = "older"
"""The document that says how far accounts were claimed for that are older than claims."""
NOBODY = ""
CLAIM_S = 60
"""After this, a claim of an account that does not have the name is of a request that ended before it gave the name."""
PAGE = 100
INDEX_S = 1.0
"""How long one request claims names for older accounts."""
TRIES = 5


def claim(store: Store, account: Account, instead_of: str = "") -> None:
    """Takes an account's name for it, before it is written; from `instead_of` too, the account that it replaces. Raises
    BadRequestError where another one has the name."""
    kind = kind_of(account.id)
    if not account.alias or kind not in FIELDS:
        return
    if not index_older(store, kind, INDEX_S) and _is_used(store, account, instead_of):
        raise _taken(account)
    documents, kind, name = store.documents, CLAIMS + kind, _name(account.alias)
    for _ in range(TRIES):
        now_s = int(time.time())
        found = documents.get(kind, name) or Document(name, {"id": NOBODY, "at": now_s}, 0)
        owner = found.body["id"]
        if owner == account.id:
            return
        is_free = owner in (NOBODY, instead_of) or _is_stale(store, found, account.alias, now_s)
        if not is_free:
            raise _taken(account)
        if documents.put(kind, found._replace(body={"id": account.id, "at": now_s})):
            return
    raise ConflictError(f"The name {account.alias!r} was taken by somebody else at the same moment; try again.")


def release(store: Store, account: Account) -> None:
    """Lets others have the name of an account that was deleted, or has another one now."""
    if not account.alias or kind_of(account.id) not in FIELDS:
        return
    kind = CLAIMS + kind_of(account.id)
    found = store.documents.get(kind, _name(account.alias))
    if found and found.body["id"] == account.id:
        store.documents.put(kind, found._replace(body={"id": NOBODY, "at": int(time.time())}))


def index_older(store: Store, kind: str, limit_s: float) -> bool:
    """Claims for accounts that were made before names were claimed, going on where it was stopped; whether that is done now."""
    begun = store.documents.get(CLAIMS + kind, OLDER) or Document(OLDER, {"after": None, "done": False}, 0)
    if begun.body["done"]:
        return True
    until_s, after = time.monotonic() + limit_s, begun.body["after"]
    while True:
        page, after = store.accounts(kind, after, PAGE)
        for balance in page:
            if _has_name(balance):
                name = _name(balance.account.alias or "")
                store.documents.put(CLAIMS + kind, Document(name, {"id": balance.account.id, "at": 0}, 0))
        if after is None or time.monotonic() >= until_s:
            store.documents.put(CLAIMS + kind, begun._replace(body={"after": after, "done": after is None}))
            return after is None


def _is_used(store: Store, account: Account, instead_of: str) -> bool:
    return any(
        balance.account.alias == account.alias and balance.account.id not in (account.id, instead_of)
        for balance in _all(store, kind_of(account.id))
        if _has_name(balance)
    )


def _all(store: Store, kind: str) -> Iterator[Balance]:
    after: str | None = None
    while True:
        page, after = store.accounts(kind, after)
        yield from page
        if after is None:
            return


def _has_name(balance: Balance) -> bool:
    """Whether an account keeps an alias to itself: the settings' own key does not, nor one that only stands for another key for a
    while."""
    metadata = balance.account.metadata
    return bool(balance.account.alias) and SUCCESSOR not in metadata and metadata.get("source") != FROM_SETTINGS


def _is_stale(store: Store, found: Document, alias: str, now_s: int) -> bool:
    owner = store.get(found.body["id"])
    return (owner is None or owner.account.alias != alias) and bool(found.body["at"] + CLAIM_S <= now_s)


def _taken(account: Account) -> BadRequestError:
    kind = kind_of(account.id)
    message = f"There is a {kind} with the alias {account.alias!r} already; no two {kind}s may have the same."
    return BadRequestError(message, param=FIELDS[kind], code="alias_taken")


def _name(alias: str) -> str:
    return sha256(alias.encode("utf-8", "surrogatepass")).hexdigest()
