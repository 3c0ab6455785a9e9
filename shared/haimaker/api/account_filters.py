"""The query parameters of GET /key/list, /team/list and /customer/list: which accounts, and in which order. Pure. Names are
LiteLLM's, but for `search`.

https://docs.litellm.ai/docs/proxy/virtual_keys
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from haimaker.accounts.kinds import KEY, AccountKind
from haimaker.http.errors import BadRequestError, invalid_value
from haimaker.store.account_query import ORDERS, STATUSES, AccountQuery

OF_ALL = ("search", "status", "sort_by", "sort_order")
OF_KEYS = ("key_alias", "team_id", "user_id", "key_hash", *OF_ALL)
OF_KEY_PAGES, OF_PAGES = (*OF_KEYS, "page", "size", "return_full_object"), (*OF_ALL, "page", "size")
CHOICES: Mapping[str, Sequence[str]] = {"status": STATUSES, "sort_by": ORDERS, "sort_order": ("asc", "desc")}
FIELDS = {"key_alias": "alias", "key_hash": "account_id"}
"""By a parameter, the field of the query, where the two have other names."""


def check_known(query: Mapping[str, str], known: Collection[str]) -> None:
    """Raises BadRequestError for a parameter that is none of these: it might be meant as a condition."""
    for name in query:
        if name not in known:
            message = f"Unknown parameter: '{name[:100]}'. There are {', '.join(sorted(known))}."
            raise BadRequestError(message, param=name[:100], code="unknown_parameter")


def read_account_query(query: Mapping[str, str], kind: AccountKind = KEY, known: Sequence[str] = OF_KEY_PAGES) -> AccountQuery:
    """Reads the parameters but for the page. Raises BadRequestError, also for an unknown name, which might be meant as a
    condition."""
    check_known(query, known)
    wanted: dict[str, Any] = {name: query[name] for name in OF_KEYS if query.get(name)}
    for name, choices in CHOICES.items():
        if name in wanted and wanted[name] not in choices:
            raise invalid_value(name, f"one of {', '.join(choices)}")
    descending = wanted.pop("sort_order", "asc") == "desc"
    if "key_hash" in wanted:
        wanted["key_hash"] = f"{kind.name}#{wanted['key_hash']}"
    return AccountQuery(kind.name, descending=descending, **{FIELDS.get(name, name): value for name, value in wanted.items()})
