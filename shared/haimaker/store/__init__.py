"""What the gateway keeps: accounts (keys, teams and end users) and one record per request.

`sqlite.py` and `dynamodb.py` implement the same protocol and pass the same tests. Money is an integer of
nano-dollars everywhere. Nothing here knows HTTP: a refusal is a value that `gateway.py` turns into an error.

An account's counters hold what is *left*, and always satisfy

    remaining + held + spent in this window == budget        free_slots + len(holds) == parallel_limit

where a limit that is not set counts as UNLIMITED.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.store.documents import Documents

if TYPE_CHECKING:
    from haimaker.store.totals import By, Total

UNLIMITED = 10**17
NEVER_S = 10**11
"""A time that does not come: for keys that do not expire and budgets that are not renewed."""

Role = Literal["admin", "viewer", "user"]
"""An administrator changes everything, a viewer sees everything and changes nothing, a user sees its own."""
DenialReason = Literal["unknown", "blocked", "expired", "budget", "rpm", "tpm", "parallel", "version"]


@dataclass(frozen=True, slots=True)
class Account:
    """The configuration of a key, a team or a user: what it may do. It never holds a counter, so it can be cached until
    `version` moves."""

    id: str
    """`key#` and the SHA-256 of the key in hex; `team#` and the team's id; `user#` and the SHA-256 of the user's name."""
    name: str
    """For people: the first and last characters of the key, `sk-hm-abcd...wxyz`, or the id of the team or user."""
    created_s: int
    version: int = 1
    role: Role = "user"
    alias: str | None = None
    models: tuple[str, ...] = ()
    """Names and `provider/*` patterns; empty allows all."""
    blocked: bool = False
    expires_s: int = NEVER_S
    budget_nanousd: int | None = None
    budget_window_s: int | None = None
    """How long a budget lasts before it is renewed; None for ever."""
    soft_budget_nanousd: int | None = None
    """Spending more is told to the deployer, and blocks nothing."""
    carried_nanousd: int = 0
    """Spent or held by the account that this one replaced, under whose id those records are."""
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    parallel_limit: int | None = None
    team_id: str | None = None
    user_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: JSON = field(default_factory=dict)
    routing: JSON = field(default_factory=dict)
    """What holds for its requests only: `aliases`, `default_model`, `router_settings`, `auto_router_id`."""
    log_content: bool = False
    """Whether prompts and answers may be kept, where the deployer allows it."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reservation: the most that one request may cost, until it is settled or `deadline_s` has passed."""

    request_id: str
    account_id: str
    version: int
    """The version of the account's configuration that the request was checked against."""
    amount_nanousd: int
    tokens: int
    """Reserved of the tokens per minute."""
    now_s: float
    deadline_s: int
    billed: tuple[str, ...] = ()
    """The ids of all accounts that the request is charged to, the key's first; empty where that is this account alone."""
    soft_budget_nanousd: int | None = field(default=None, compare=False)
    siblings: tuple["Reservation", ...] = field(default=(), compare=False, repr=False)
    """The same request's holds on its other payers; settling this hold settles them."""
    stale_minutes: tuple[int, ...] = field(default=(), compare=False, repr=False)
    """Set by `admit` on the hold that it grants: old minutes' counters that settling it may drop."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A granted hold, with what is left in this minute after it; UNLIMITED where no limit is set."""

    reservation: Reservation
    requests_left: int
    tokens_left: int


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a hold was not granted. `account` is None when the store does not know the key."""

    reason: DenialReason
    account: Account | None = None
    remaining_nanousd: int = 0
    """What the budget could still hold, for reason `budget`."""
    retry_after_s: int = 0


@dataclass(frozen=True, slots=True)
class SoftBudgetAlert:
    """An account whose spend reached its soft budget with this request."""

    account_id: str
    spend_nanousd: int
    soft_budget_nanousd: int


@dataclass(frozen=True, slots=True)
class Settled:
    alerts: tuple[SoftBudgetAlert, ...] = ()


@dataclass(frozen=True, slots=True)
class Balance:
    """An account with its counters, read together."""

    account: Account
    spend_nanousd: int
    """Settled in this budget window."""
    held_nanousd: int
    total_spend_nanousd: int
    """Settled since the account was made."""
    window_end_s: int
    reservations: int = 0
    expired_reservations: int = field(default=0, compare=False)
    """Of them, those that nobody settled in time; the next write that meets them charges them."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one admitted request did and cost. `detail` is JSON for people and reports (model, tokens, attempts, ...)."""

    request_id: str
    account_id: str
    started_s: float
    status: Literal["ok", "error", "cut", "lost"]
    cost_nanousd: int
    detail: JSON


class StoreUnavailable(Exception):
    """The store could not be reached or did not answer; nothing is known of the write. The gateway answers 503."""


class StoreThrottled(StoreUnavailable):
    """The store refused for load on one item or table. The gateway answers 429 with `retry-after`."""


class TooManyRecords(Exception):
    """What was asked for is more than can be added up while its client waits."""


class Store(Protocol):
    """Every method raises StoreUnavailable, or its subclass StoreThrottled, when the store fails; admission fails closed."""

    @property
    def documents(self) -> Documents:
        """What is kept besides accounts and records."""

    def put(self, account: Account, spent_as: "Balance | None" = None) -> bool:
        """Adds a new account with full counters; False, and nothing changed, if its id exists. With `spent_as`, the balance
        of an account that it replaces, its budget window is that one's, and what was spent or held there is spent here."""

    def get(self, account_id: str) -> Balance | None:
        """One account as it is now, read consistently; a window that has ended is shown as already renewed."""

    def update(self, account: Account) -> bool:
        """Replaces the configuration whose version is `account.version` and bumps it; counters move by the difference
        of the limits. False if the stored version is another or the account is gone."""

    def delete(self, account_id: str) -> bool:
        """Removes the account; its records stay. False if there is none."""

    def accounts(self, kind: str, after: str | None = None, limit: int = 100) -> tuple[Sequence[Balance], str | None]:
        """A page of accounts whose id starts with `kind#`, oldest first, and the cursor of the next page, None at the end."""

    def reserve(self, reservation: Reservation) -> Granted | Denied:
        """Grants the hold if every limit allows it, in one write that checks and reserves. Renews an ended window and
        charges expired holds (as `lost`) when it meets them."""

    def release(self, reservation: Reservation) -> bool:
        """Gives back all that a hold took, for a request that was not sent. False if there is no such hold."""

    def settle(self, reservation: Reservation, record: Record, tokens: int) -> Settled | None:
        """Ends the hold, and those of `hold.also`; charges `record.cost_nanousd` to each account, corrects the minute's tokens
        to `tokens`, and keeps the record. None if there is a record of the request already: then that one is what is charged,
        and what really became of a request that was taken for lost is noted in it.
        An account deleted meanwhile still gets its record."""

    def charge_lost(self, account_id: str, now_s: float) -> int:
        """Charges every expired hold of the account in full, each with a record of status `lost`; returns how many."""

    def correct(self, account_id: str, total_nanousd: int, difference_nanousd: int) -> bool:
        """Charges a difference to an account, or gives it back, in this window and in all; False, and nothing changed, if the
        account's total spend is not `total_nanousd`."""

    def record(self, request_id: str) -> Record | None:
        """One request's record."""

    def amend(self, record: Record) -> bool:
        """Replaces the record of a request that was lost by what became of it after all; False if it is not lost."""

    def records(
        self,
        account_id: str | None = None,
        since_s: float = 0,
        until_s: float = NEVER_S,
        after: str | None = None,
        limit: int = 100,
        *,
        newest_first: bool = False,
    ) -> tuple[Sequence[Record], str | None]:
        """A page of records by start time, of one account or, without it, of all; and the cursor of the next page. The cursor
        of any record is its `ledger.order`."""

    def totals(self, by: "By", first_day: str, last_day: str, account_id: str | None = None) -> Sequence["Total"]:
        """Daily totals of all accounts, or of one, in the order of day and name; both days are included. Where they
        are rolled up from the records, the last moments may be missing."""


def minute_of(now_s: float) -> int:
    """The minute that request and token rates are counted in."""
    return int(now_s // 60)


def limits_of(account: Account) -> Mapping[str, int]:
    """Budget, requests and tokens per minute and parallel requests as counters start: UNLIMITED where none is set."""
    limits = {
        "budget": account.budget_nanousd,
        "rpm": account.rpm_limit,
        "tpm": account.tpm_limit,
        "parallel": account.parallel_limit,
    }
    return {name: UNLIMITED if limit is None else limit for name, limit in limits.items()}
