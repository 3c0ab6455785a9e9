"""The query parameters of GET /key/list, /team/list and /customer/list: which accounts, and in which order. Pure. Names are
LiteLLM's, but for `search`.

https://docs.litellm.ai/docs/proxy/virtual_keys
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from haimaker.http.errors import BadRequestError, invalid_value
from haimaker.store import UNLIMITED, Account, Balance

STATUSES: Mapping[str, Callable[[Account, float], bool]] = {
    "active": lambda account, now_s: not account.blocked and account.expires_s > now_s,
    "blocked": lambda account, _: account.blocked,
    "expired": lambda account, now_s: account.expires_s <= now_s,
}
ORDERS: Mapping[str, Callable[[Balance], Any]] = {
    "created_at": lambda balance: balance.account.created_s,
    "key_alias": lambda balance: (balance.account.alias or balance.account.name).casefold(),
    "spend": lambda balance: balance.spend_nanousd,
    "total_spend": lambda balance: balance.total_spend_nanousd,
    "max_budget": lambda balance: UNLIMITED if balance.account.budget_nanousd is None else balance.account.budget_nanousd,
    "expires": lambda balance: balance.account.expires_s,
    "used": lambda balance: _budget_share(balance),
}
OF_ALL = ("search", "status", "sort_by", "sort_order")
OF_KEYS = ("key_alias", "team_id", "user_id", "key_hash", *OF_ALL)
OF_KEY_PAGES, OF_PAGES = (*OF_KEYS, "page", "size", "return_full_object"), (*OF_ALL, "page", "size")


class AccountFilter(NamedTuple):
    """Selects the accounts that have all of these values, and sorts them. None allows any value."""

    key_alias: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    key_hash: str | None = None
    search: str | None = None
    """A part of the alias, the shown key, the team, the user or a tag, or the beginning of the id, in any case."""
    status: str | None = None
    sort_by: str = "created_at"
    sort_order: str = "asc"

    @classmethod
    def from_query(cls, query: Mapping[str, str], known: Sequence[str] = OF_KEY_PAGES) -> "AccountFilter":
        """Reads the parameters. Raises BadRequestError, also for an unknown name, which might be meant as a condition."""
        for name in query:
            if name not in known:
                message = f"Unknown parameter: '{name}'. There are {', '.join(sorted(known))}."
                raise BadRequestError(message, param=name, code="unknown_parameter")
        found = cls(**{name: query[name] for name in OF_KEYS if query.get(name)})
        for name, value, choices in (
            ("status", found.status, STATUSES),
            ("sort_by", found.sort_by, ORDERS),
            ("sort_order", found.sort_order, ("asc", "desc")),
        ):
            if value is not None and value not in choices:
                raise invalid_value(name, f"one of {', '.join(choices)}")
        return found

    def select(self, balances: Sequence[Balance], now_s: float) -> list[Balance]:
        """The accounts that fit, sorted; of equal ones the older comes first."""
        found = [balance for balance in balances if self._fits(balance.account, now_s)]
        if (self.sort_by, self.sort_order) == ("created_at", "asc"):
            return found
        return sorted(found, key=ORDERS[self.sort_by], reverse=self.sort_order == "desc")

    def _fits(self, account: Account, now_s: float) -> bool:
        return (
            self.key_alias in (None, account.alias)
            and self.team_id in (None, account.team_id)
            and self.user_id in (None, account.user_id)
            and self.key_hash in (None, account.id.partition("#")[2])
            and (self.status is None or STATUSES[self.status](account, now_s))
            and (self.search is None or self._is_found(account, self.search.casefold()))
        )

    @staticmethod
    def _is_found(account: Account, part: str) -> bool:
        names = (account.alias, account.name, account.team_id, account.user_id, *account.tags)
        return any(part in name.casefold() for name in names if name) or account.id.partition("#")[2].startswith(part)


def _budget_share(balance: Balance) -> float:
    """The share of the budget that is spent or reserved; -1 where there is no budget."""
    budget = balance.account.budget_nanousd
    return -1.0 if budget is None else (balance.spend_nanousd + balance.held_nanousd) / max(1, budget)
