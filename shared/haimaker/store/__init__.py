"""What the gateway keeps: accounts (keys, teams and end users) and one record per request.

`sqlite.py` and `dynamodb.py` implement the same protocol and pass the same tests. Money is an integer of
nano-dollars everywhere. Nothing here knows HTTP: a refusal is a value that `gateway.py` turns into an error.

An account's counters hold what is *left*, and always satisfy

    remaining + reserved + spent in this window == budget        free_slots + reservations == parallel_limit

where a limit that is not set counts as UNLIMITED. What an account limits for single models is counted the other way, by what is
taken (`model_counters.py`), since those limits come with the reservation.
"""

from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.store.documents import Documents

if TYPE_CHECKING:
    from haimaker.store.account_query import AccountQuery
    from haimaker.store.totals import By, Total

UNLIMITED = 10**17
NEVER_S = 10**11
"""A time that does not come: for keys that do not expire and budgets that are not renewed."""

MAX_MODEL_LIMITS = 50
"""Models that one account may limit, and of them those that one request may hold: an expression of DynamoDB has 4 KB."""
MAX_MODELS_HELD = 8

MAX_REPLACED = 9
"""Accounts that one remembers to have replaced, besides the first of them."""

SUCCESSOR = "successor"
"""The metadata field of a key that was rotated and is accepted until it expires: the id of the account that it stands for."""

ALERT_PERCENTS = (50, 80, 100)
"""How much of a budget is spent when the deployer is told, in percent."""

Role = Literal["admin", "viewer", "team_admin", "user"]
"""An administrator changes everything, a viewer sees everything and changes nothing, a user sees its own."""
DenialReason = Literal["unknown", "blocked", "expired", "budget", "rpm", "tpm", "parallel", "version"]


@dataclass(frozen=True, slots=True)
class ModelLimit:
    """What an account may use of one model, besides what it may use of all."""

    budget_nanousd: int | None = None
    budget_window_s: int | None = None
    """A budget that has no window of its own has the account's."""
    budget_months: int | None = None
    rpm_limit: int | None = None
    tpm_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """The configuration of a key, a team or an end user: what it may do. It holds no counter, so it may be cached until `version`
    changes."""

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
    budget_months: int | None = None
    """The same in calendar months, which begin on the first day at 00:00 UTC."""
    soft_budget_nanousd: int | None = None
    """Spending more is told to the deployer, and blocks nothing."""
    carried_nanousd: int = 0
    """Spent or held by the account that this one replaced, under whose id those records are."""
    replaces: tuple[str, ...] = ()
    """The ids of the accounts that this one replaced, the first and the last MAX_REPLACED of them: what these kept is its."""
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    parallel_limit: int | None = None
    model_limits: Mapping[str, ModelLimit] = field(default_factory=dict)
    """By the name of a model as a request says it, or `provider/model`."""
    team_id: str | None = None
    user_id: str | None = None
    tags: tuple[str, ...] = ()
    metadata: JSON = field(default_factory=dict)
    routing: JSON = field(default_factory=dict)
    """What holds for its requests only: `aliases`, `default_model`, `router_settings`, `auto_router_id`."""
    log_content: bool = False
    """Whether prompts and answers may be kept, where the deployer allows it."""

    @property
    def alerts_at(self) -> tuple[tuple[int, int | None], ...]:
        """The soft budget, and parts of the budget, in nano-dollars, with the percentage of each part."""
        soft, budget = self.soft_budget_nanousd, self.budget_nanousd
        parts = [(-(-budget * percent // 100), percent) for percent in ALERT_PERCENTS] if budget else []
        return (*([(soft, None)] if soft is not None else []), *parts)

    @property
    def budget_window(self) -> tuple[int | None, int | None]:
        """Seconds or months, one of them; neither where the budget lasts for ever."""
        return self.budget_window_s, self.budget_months

    @property
    def owner_id(self) -> str:
        """The id by which its files and batches are found, whatever secret it has now."""
        return self.replaces[0] if self.replaces else self.id

    def has_been(self, account_id: str) -> bool:
        return account_id == self.id or account_id in self.replaces

    def model_window(self, model: str) -> tuple[int | None, int | None]:
        """The same of what the account limits for a model."""
        limit = self.model_limits.get(model, NO_LIMIT)
        own = limit.budget_window_s, limit.budget_months
        return self.budget_window if own == (None, None) else own


NO_LIMIT = ModelLimit()


@dataclass(frozen=True, slots=True)
class ModelHold:
    """What a request may use at most of a model that its account limits."""

    model: str
    """The name that the limit has."""
    amount_nanousd: int
    tokens: int
    limit: ModelLimit = field(default=NO_LIMIT, compare=False)
    """As it is in the version of the account that the request was checked against."""
    targets: tuple[str, ...] | None = field(default=None, compare=False)
    """The attempts that count, by `provider/model`; None for all, since the request names the model."""
    requests: int = field(default=1, compare=False)
    """Of those a minute; 0 of one that was answered already, which takes no tokens of a minute either."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """The most that one request may cost on one account. It ends when the request is settled, or as lost when `deadline_s` has
    passed."""

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
    models: tuple[ModelHold, ...] = ()
    """What is held, by the same write, of the account's limits for single models."""
    alerts_at: tuple[tuple[int, int | None], ...] = field(default=(), compare=False)
    """Amounts of the window's spend that are told to the deployer when they are reached, and the percentage that each is."""
    pool: str = field(default="", compare=False)
    """The pool that it draws from, where the account has it and as far as something is left in it."""
    answered: bool = field(default=False, compare=False)
    """Whether its provider has answered already, and bills it: it is granted whatever became of the account, which may have spent
    more or be blocked, and counts for no limit per minute."""
    opens_pool: bool = field(default=False, compare=False, repr=False)
    """Whether a store is opening a pool by it."""
    siblings: tuple["Reservation", ...] = field(default=(), compare=False, repr=False)
    """The same request's reservations on its other accounts; settling this one settles them."""
    stale: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """Set by `reserve` on what it grants: counters of old minutes that settling may drop."""
    shard: int | None = field(default=None, compare=False, repr=False)
    """Set by `reserve` on what it grants, where a store keeps an account in several places: in which of them it is."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A granted reservation, and what is left of this minute's limits after it; UNLIMITED where no limit is set."""

    reservation: Reservation
    requests_left: int
    tokens_left: int


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a reservation was not granted. `account` is None when the store does not know the account."""

    reason: DenialReason
    account: Account | None = None
    remaining_nanousd: int = 0
    """What is left of the budget, for reason `budget`."""
    retry_after_s: int = 0
    model: str | None = None
    """The model whose limit it is; None where it is the account's own."""


@dataclass(frozen=True, slots=True)
class BudgetAlert:
    """An account whose spend reached an amount, with this request and in this window for the first time."""

    account_id: str
    spend_nanousd: int
    reached_nanousd: int
    percent: int | None = None
    """How much of the budget is spent; None for the soft budget."""
    window_end_s: int = NEVER_S
    alias: str = ""
    """What people call the account."""


@dataclass(frozen=True, slots=True)
class Settled:
    alerts: tuple[BudgetAlert, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelBalance:
    """What was used of a model that an account limits."""

    spend_nanousd: int
    """Settled in this window."""
    held_nanousd: int
    window_end_s: int


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
    models: Mapping[str, ModelBalance] = field(default_factory=dict)
    """The balances of the models that the account limits."""
    requests_left: int = field(default=UNLIMITED, compare=False)
    tokens_left: int = field(default=UNLIMITED, compare=False)
    """The tokens that are left of this minute."""


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

    untouched = False
    """Whether every try was refused, so that nothing was written."""


class StoreFull(StoreUnavailable):
    """The store has no room for what was to be written: the disk is full. Nothing was written."""


class TooManyRecords(Exception):
    """What was asked for is more than can be added up while its client waits."""


class Store(Protocol):
    """Every method raises StoreUnavailable, or its subclass StoreThrottled, when the store fails; admission fails closed."""

    @property
    def documents(self) -> Documents:
        """Small documents: definitions of auto routers, circuits that are open."""

    def put(self, account: Account, spent_as: "Balance | None" = None) -> bool:
        """Adds a new account with full counters; returns False, and changes nothing, if its id exists. `spent_as` is the balance of
        the account that this one replaces: its budget window goes on, and what it spent and reserved counts as spent here."""

    def get(self, account_id: str) -> Balance | None:
        """One account as it is now, read consistently; a window that has ended is shown as already renewed."""

    def update(self, account: Account) -> bool:
        """Replaces the configuration whose version is `account.version` and bumps it; counters move by the difference
        of the limits. False if the stored version is another or the account is gone."""

    def delete(self, account_id: str) -> bool:
        """Removes the account; its records stay. False if there is none."""

    def accounts(self, kind: str, after: str | None = None, limit: int = 100) -> tuple[Sequence[Balance], str | None]:
        """A page of accounts whose id starts with `kind#`, oldest first, and the cursor of the next page, None at the end."""

    def find_accounts(self, query: "AccountQuery", offset: int = 0, limit: int = 100) -> tuple[Sequence[Balance], int]:
        """At most `limit` of the accounts that a query finds, from `offset` on, and how many it finds in all. The number of all of
        a kind may have those in it that only stand for another one."""

    def reserve(self, reservation: Reservation) -> Granted | Denied:
        """Grants the reservation if every limit allows it, in one write that checks and reserves. On the way it renews a budget
        window that has ended, and charges expired reservations as `lost`."""

    def release(self, reservation: Reservation) -> bool:
        """Gives back all that a reservation took, for a request that was not sent. Returns False if there is no such
        reservation."""

    def settle(self, reservation: Reservation, record: Record, tokens: int) -> Settled | None:
        """Ends the reservation and its `siblings`, charges `record.cost_nanousd` to each account, corrects the minute's tokens to
        `tokens`, and adds the record. `model_limits` in the record's detail has the cost and the tokens of each model that is
        limited. Returns None if there is a record of the request already: that one is then what is charged, and if it is of a lost
        request, this outcome is noted in it. An account that was deleted meanwhile still gets its record."""

    def open_pool(self, reservation: Reservation) -> Denied | None:
        """Puts the amount of a reservation aside under its request's id, if every limit allows such a request, until `close_pool`:
        it has no deadline, takes no slot and no minute's tokens, and counts as held. A request whose reservation names the `pool`
        draws from it, and from the rest of the budget what is missing. What such a request is given back by `release`, or did not
        use where it ended with an error, is in the pool again. May be repeated."""

    def close_pool(self, account_id: str, pool: str) -> int | None:
        """Gives back what is left in a pool, and returns it; None if there is no such pool."""

    def charge_lost(self, account_id: str, now_s: float, dead: Container[str] = ()) -> int:
        """Charges every expired reservation of the account in full, and those of requests that are known to be dead, whatever their
        deadlines, each with a record of status `lost`; returns how many there were."""

    def correct(self, account_id: str, total_nanousd: int, difference_nanousd: int, earlier_nanousd: int = 0) -> bool:
        """Adds a difference, which may be negative, to the account's spend in total, and to that of this window but for the part of
        it that earlier windows were charged. Returns False, and changes nothing, if the account's total spend is not
        `total_nanousd`."""

    def record(self, request_id: str) -> Record | None:
        """The record of one request."""

    def amend(self, record: Record) -> bool:
        """Replaces the record of a lost request by its real outcome, and gives back what the windows of limited models were charged
        too much. Returns False if the stored record is not of a lost request."""

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
        """A page of records by start time, of one account or of all, and the cursor of the next page. A record's cursor is
        `ledger.sort_key` of its time and id."""

    def totals(self, by: "By", first_day: str, last_day: str, account_id: str | None = None) -> Sequence["Total"]:
        """Daily totals of all accounts, or of one, in the order of day and name; both days are included. Where they
        are rolled up from the records, the last moments may be missing. Raises TooManyRecords."""

    def sums(
        self, by: "By", first_day: str, last_day: str, *, daily: bool = True, top: int | None = None
    ) -> tuple[Sequence["Total"], int]:
        """The totals of all accounts by day, or with an empty day those of all these days together. With `top` only the names that
        cost most have rows of their own, what all others had is without a name, and the number says how many others there are.
        Raises TooManyRecords."""

    def dearest(
        self, account_id: str | None, since_s: float, until_s: float, after: str | None = None, limit: int = 100
    ) -> tuple[Sequence[Record], str | None, int | None]:
        """A page of the records that cost most, of one account or of all, the later first of those that cost the same; the cursor
        of the next page; and, where not all of that time were looked at, how many of the newest were. A record's cursor is
        `ledger.cost_key` of it. Raises TooManyRecords."""


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
