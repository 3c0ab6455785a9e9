"""Which accounts a list has, and in which order: what a store is asked for, and how one that can't say it to its tables finds out.

Pure.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from haimaker.lean_dataclasses import dataclass
from haimaker.store import SUCCESSOR, UNLIMITED, Account, Balance, ledger

Status = Literal["active", "blocked", "expired"]
Order = Literal["created_at", "key_alias", "spend", "total_spend", "max_budget", "expires", "used"]

STATUSES: tuple[Status, ...] = get_args(Status)
ORDERS: tuple[Order, ...] = get_args(Order)
SEPARATOR = "\n"
"""Between the names that are searched."""

_FITS: Mapping[Status, Callable[[Account, float], bool]] = {
    "active": lambda account, now_s: not account.blocked and account.expires_s > now_s,
    "blocked": lambda account, _: account.blocked,
    "expired": lambda account, now_s: account.expires_s <= now_s,
}
_ORDERS: Mapping[Order, Callable[[Balance], Any]] = {
    "created_at": lambda balance: place_of(balance.account),
    "key_alias": lambda balance: to_sorted_name(balance.account),
    "spend": lambda balance: balance.spend_nanousd,
    "total_spend": lambda balance: balance.total_spend_nanousd,
    "max_budget": lambda balance: UNLIMITED if balance.account.budget_nanousd is None else balance.account.budget_nanousd,
    "expires": lambda balance: balance.account.expires_s,
    "used": lambda balance: _budget_share(balance),
}


@dataclass(frozen=True, slots=True)
class AccountQuery:
    """The accounts of a kind that have all of these values, without those that only stand for another one for a while. None allows
    any value."""

    kind: str
    alias: str | None = None
    team_id: str | None = None
    user_id: str | None = None
    account_id: str | None = None
    search: str | None = None
    """A part of the alias, the shown key, the team, the user or a tag, or the beginning of what the id has behind its kind, in any
    case."""
    status: Status | None = None
    sort_by: Order = "created_at"
    """Of equal ones the older comes first."""
    descending: bool = False

    @property
    def part(self) -> str:
        """What is searched for, as `to_searched` has it."""
        return _fold(self.search or "")

    def reads_accounts(self) -> bool:
        """Whether it takes more than the place of an account in time to know where it is in the list."""
        conditions = (self.alias, self.team_id, self.user_id, self.account_id, self.search, self.status)
        return self.sort_by != "created_at" or any(conditions)

    def select(self, balances: Sequence[Balance], now_s: float) -> list[Balance]:
        """The accounts that fit, in order."""
        found = sorted((each for each in balances if self.fits(each.account, now_s)), key=lambda each: place_of(each.account))
        return sorted(found, key=_ORDERS[self.sort_by], reverse=self.descending)

    def fits(self, account: Account, now_s: float) -> bool:
        kind, _, name = account.id.partition("#")
        return (
            kind == self.kind
            and SUCCESSOR not in account.metadata
            and self.alias in (None, account.alias)
            and self.team_id in (None, account.team_id)
            and self.user_id in (None, account.user_id)
            and self.account_id in (None, account.id)
            and (self.status is None or _FITS[self.status](account, now_s))
            and (not self.part or self.part in to_searched(account) or name.startswith(self.part))
        )


def place_of(account: Account) -> str:
    """The key that sorts the accounts of a kind, the oldest first."""
    return ledger.sort_key(account.created_s, account.id)


def to_searched(account: Account) -> str:
    """What a search looks at."""
    names = (account.alias, account.name, account.team_id, account.user_id, *account.tags)
    return SEPARATOR.join(_fold(name) for name in names if name)


def to_sorted_name(account: Account) -> str:
    return _fold(account.alias or account.name)


def _fold(text: str) -> str:
    """A text without the difference of upper and lower case, in characters that UTF-8 has."""
    return text.casefold().encode("utf-8", "replace").decode()


def _budget_share(balance: Balance) -> float:
    """The share of the budget that is spent or reserved; -1 where there is no budget."""
    budget = balance.account.budget_nanousd
    return -1.0 if budget is None else (balance.spend_nanousd + balance.held_nanousd) / max(1, budget)
