"""Issuing and managing keys, in LiteLLM's names. A key itself is shown once, when it is made.

https://docs.litellm.ai/docs/proxy/virtual_keys
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

from haimaker import auth
from haimaker.accounts import check_usable, require_admin
from haimaker.config import Settings
from haimaker.errors import BadRequestError, ConflictError, NotFoundError
from haimaker.schema import parse_json
from haimaker.settlement import NANOUSD_PER_USD, usd
from haimaker.store import NEVER_S, Account, Balance, Store
from haimaker.wire import JSON, Request

if TYPE_CHECKING:
    from haimaker.key_schema import KeyFields

FROM_SETTINGS = "HAIMAKER_ADMIN_KEY"
UPDATE_TRIES = 5
MOST_LISTED = 10_000
PAGE_SIZE = 100

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
FOREVER = "-1"


def generate(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/generate: a new key. Raises BadRequestError, PermissionDeniedError."""
    fields = _fields(caller, request)
    for name in fields.model_fields_set & {"key", "keys"}:
        raise BadRequestError("A new key is made by the gateway, it can't be chosen.", param=name, code="unsupported_parameter")
    key = auth.new_key()
    account = Account(id=auth.account_id_of(key), name=auth.display_name_of(key), created_s=int(time.time()))
    return _issue(store, key, _changed(account, fields, time.time()))


def regenerate(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/regenerate: the same limits and spend under a new key; the old one ends at once.

    What requests under way hold at that moment counts as spent.
    """
    fields = _fields(caller, request)
    if id_of(fields.key) == caller.id:
        raise BadRequestError("A key can't regenerate itself.", param="key")
    old = _update(store, id_of(fields.key), lambda account: replace(_changed(account, fields, time.time()), blocked=True))
    key = auth.new_key()
    account = replace(old.account, id=auth.account_id_of(key), name=auth.display_name_of(key), blocked=False, version=1)
    answer = _issue(store, key, account, old)
    if not store.delete(old.account.id):
        store.delete(account.id)
        raise ConflictError("The key was regenerated or deleted by somebody else at the same moment.")
    return answer


def update(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/update: changes what the body names; null takes a limit away."""
    fields = _fields(caller, request)
    if id_of(fields.key) == caller.id and fields.duration not in (None, FOREVER):
        raise BadRequestError("A key can't set its own end.", param="duration")
    balance = _update(store, id_of(fields.key), lambda account: _changed(account, fields, time.time()))
    return {"key": fields.key, **told(balance)}


def block(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/block: refused from the next request on, until it is unblocked."""
    return _set_blocked(store, caller, request, True)


def unblock(store: Store, caller: Account, request: Request) -> JSON:
    return _set_blocked(store, caller, request, False)


def delete(store: Store, caller: Account, request: Request) -> JSON:
    """POST /key/delete with `keys` or `key`; their usage records stay. Nothing is deleted if one of them is unknown."""
    fields = _fields(caller, request)
    keys = fields.keys or [fields.key or ""]
    accounts = [read(store, id_of(key)).account for key in keys]
    for account in accounts:
        if account.id == caller.id:
            raise BadRequestError("A key can't delete itself.", param="keys")
    for account in accounts:
        store.delete(account.id)
    return {"deleted_keys": keys}


def info(store: Store, caller: Account, request: Request) -> JSON:
    """GET /key/info: one's own key, or, for an administrator, the one that `key` names."""
    check_usable(caller, time.time())
    asked = request.query.get("key") or _token(caller)
    account_id = id_of(asked)
    if account_id != caller.id:
        require_admin(caller)
    return {"key": asked, "info": told(read(store, account_id))}


def listed(store: Store, caller: Account, request: Request) -> JSON:
    """GET /key/list: ids of all keys, or with `return_full_object=true` what `info` tells of each; `page` and `size`."""
    check_usable(caller, time.time())
    require_admin(caller)
    balances = all_keys(store)
    page, size = _number(request, "page", 1), min(_number(request, "size", PAGE_SIZE), PAGE_SIZE)
    shown = balances[(page - 1) * size : page * size]
    full = request.query.get("return_full_object", "").lower() == "true"
    return {
        "keys": [told(balance) if full else _token(balance.account) for balance in shown],
        "total_count": len(balances),
        "current_page": page,
        "total_pages": -(-len(balances) // size),
    }


def admin_id(settings: Settings) -> str | None:
    return auth.account_id_of(settings.admin_key) if settings.admin_key else None


def install_admin(store: Store, settings: Settings) -> None:
    """Makes the settings' admin key one of the store's, and blocks those that earlier settings named."""
    current = admin_id(settings)
    for balance in all_keys(store):
        account = balance.account
        if account.metadata.get("source") == FROM_SETTINGS and account.blocked != (account.id != current):
            store.update(replace(account, blocked=account.id != current))
    if settings.admin_key and current:
        name = auth.display_name_of(settings.admin_key)
        store.put(Account(current, name, int(time.time()), role="admin", alias="admin", metadata={"source": FROM_SETTINGS}))


def _fields(caller: Account, request: Request) -> "KeyFields":
    from haimaker.key_schema import parse

    check_usable(caller, time.time())
    require_admin(caller)
    return parse(parse_json(request.body))


def _issue(store: Store, key: str, account: Account, spent_as: Balance | None = None) -> JSON:
    if not store.put(account, spent_as):
        raise ConflictError("A key with this hash exists already; try again.")
    return {"key": key, **told(read(store, account.id))}


def _set_blocked(store: Store, caller: Account, request: Request, blocked: bool) -> JSON:
    fields = _fields(caller, request)
    account_id = id_of(fields.key)
    if account_id == caller.id:
        raise BadRequestError("A key can't block itself.", param="key")
    return {"key": fields.key, **told(_update(store, account_id, lambda account: replace(account, blocked=blocked)))}


def _update(store: Store, account_id: str, change: Any) -> Balance:
    """Changes an account as it is now; again if somebody else changed it at the same moment."""
    for _ in range(UPDATE_TRIES):
        if store.update(change(read(store, account_id).account)):
            return read(store, account_id)
    raise ConflictError("The key was changed by somebody else at the same moment; try again.")


def _changed(account: Account, fields: "KeyFields", now_s: float) -> Account:
    """The account with what the body names, null included."""
    changes: dict[str, Any] = {}
    for name in fields.model_fields_set - {"key", "keys"}:
        value = getattr(fields, name)
        match name:
            case "max_budget":
                changes["budget_nanousd"] = None if value is None else _nanousd(value)
            case "budget_duration":
                changes["budget_window_s"] = _seconds(value)
            case "duration":
                seconds = _seconds(value)
                changes["expires_s"] = NEVER_S if seconds is None else int(now_s) + seconds
            case "models" | "tags":
                changes[name] = tuple(value or ())
            case "metadata":
                changes[name] = value or {}
            case _:
                changes[ACCOUNT_FIELDS.get(name, name)] = value
    return replace(account, **changes)


ACCOUNT_FIELDS = {"key_alias": "alias", "max_parallel_requests": "parallel_limit"}


def told(balance: Balance) -> JSON:
    account = balance.account
    return {
        "token_id": _token(account),
        "key_name": account.name,
        "key_alias": account.alias,
        "spend": usd(balance.spend_nanousd),
        "reserved": usd(balance.held_nanousd),
        "total_spend": usd(balance.total_spend_nanousd),
        "max_budget": usd(account.budget_nanousd),
        "budget_duration": None if account.budget_window_s is None else f"{account.budget_window_s}s",
        "budget_reset_at": when(balance.window_end_s),
        "expires": when(account.expires_s),
        "models": list(account.models),
        "rpm_limit": account.rpm_limit,
        "tpm_limit": account.tpm_limit,
        "max_parallel_requests": account.parallel_limit,
        "parallel_requests": balance.holds,
        "blocked": account.blocked,
        "role": account.role,
        "team_id": account.team_id,
        "user_id": account.user_id,
        "tags": list(account.tags),
        "metadata": account.metadata,
        "created_at": when(account.created_s),
    }


def read(store: Store, account_id: str) -> Balance:
    balance = store.get(account_id)
    if balance is None:
        raise NotFoundError("There is no such key.", param="key", code="key_not_found")
    return balance


def all_keys(store: Store) -> Sequence[Balance]:
    balances: list[Balance] = []
    after: str | None = None
    while len(balances) < MOST_LISTED:
        page, after = store.accounts("key", after)
        balances += page
        if after is None:
            break
    return balances


def id_of(key: str | None) -> str:
    """A key, or the id by which `token_id` names it."""
    if not key:
        raise BadRequestError("Missing required parameter: 'key'.", param="key", code="missing_required_parameter")
    is_token = len(key) == 64 and all(letter in "0123456789abcdef" for letter in key)
    return f"key#{key}" if is_token else auth.account_id_of(key)


def _token(account: Account) -> str:
    return account.id.partition("#")[2]


def _nanousd(value: float) -> int:
    return int((Decimal(repr(value)) * NANOUSD_PER_USD).to_integral_value(ROUND_FLOOR))


def _seconds(duration: str | None) -> int | None:
    """Of `30s`, `30m`, `30h`, `30d` or `4w`; None for `-1` and null."""
    return None if duration in (None, FOREVER) else int(duration[:-1]) * SECONDS[duration[-1]]


def when(moment_s: float) -> str | None:
    return None if moment_s >= NEVER_S else datetime.fromtimestamp(moment_s, UTC).isoformat()


def _number(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:10]) <= 10**6):
        raise BadRequestError(f"'{name}' must be a whole number from 1.", param=name)
    return int(text)
