"""`make reconcile`: proves every account's counters against its records, and repairs them.

Records are the truth. An account's total is what its records add up to, and what it took over from an account that it replaced.
Holds whose deadline has passed are charged; a request that was charged as lost, and whose outcome was noted later, is charged what
it cost; a batch that nobody works on any more gives back what it holds. Requests may go on meanwhile: an account that does not rest
is looked at again, and told if it never did.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from haimaker.batches.abandoned import end_abandoned, find_abandoned
from haimaker.pricing.amounts import to_usd
from haimaker.settings.settings import Settings
from haimaker.store import Balance, Record, Store, ledger
from haimaker.store.tables import RETENTION_S
from haimaker.store.totals import each_item
from haimaker.store.windows import window_start

KINDS = ("key", "team", "user")
LOOKS = 5
CLOCKS_DIFFER_S = 3_600
PAUSE_S = 2.0
"""Between two looks at an account: longer than an index is behind its table."""


@dataclass(slots=True)
class Reconciliation:
    """One run over a store. With `check`, nothing is changed."""

    store: Store
    check: bool
    say: Callable[[str], object]
    clock: Callable[[], float] = time.time
    pause: Callable[[float], None] = time.sleep
    found: Counter[str] = field(default_factory=Counter)
    refunds: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    """What each account was charged too much for lost requests that have an outcome by now, and when they were due."""
    since_s: float = 0.0
    """No account is older."""

    def run(self) -> int:
        """An exit status: 0 if all is proven, or was repaired and is now. Raises StoreUnavailable."""
        balances = [balance for kind in KINDS for balance in self._accounts(kind)]
        self.since_s = min((balance.account.created_s for balance in balances), default=self.clock()) - CLOCKS_DIFFER_S
        self._find_lost()
        self._end_batches(balances)
        sums = self._sums()
        for balance in balances:
            self._prove(balance, sums)
        names = ("accounts", "proven", "repaired", "wrong", "expired holds", "refunds", "abandoned batches", "unproven")
        self.say(", ".join(f"{self.found[name]} {name}" for name in names if self.found[name] or name in names[:2]) + ".")
        wrong = self.found["unproven"] or (
            self.check and any(self.found[name] for name in ("wrong", "refunds", "expired holds", "abandoned batches"))
        )
        return 1 if wrong else 0

    def _find_lost(self) -> None:
        """Replaces the record of each request that was charged as lost by its outcome, where that is known by now."""
        for lost in self._records():
            outcome = ledger.outcome_of_lost(lost)
            if outcome and (self.check or self.store.amend(outcome)):
                self.found["refunds"] += 1
                refund = lost.cost_nanousd - outcome.cost_nanousd
                for account_id in _charged_accounts(lost):
                    self.refunds.setdefault(account_id, []).append((lost.detail["deadline_s"], refund))
                self.say(f"{lost.request_id}: lost, charged {_usd(lost.cost_nanousd)}; it cost {_usd(outcome.cost_nanousd)}.")

    def _end_batches(self, balances: Sequence[Balance]) -> None:
        """Gives back what batches hold whose gateway never came back."""
        for owner in (balance.account.id for balance in balances):
            for batch in find_abandoned(self.store, owner, self.clock()):
                held = batch.body["pooled_nanousd"] if self.check else end_abandoned(self.store, batch, self.clock())
                self.found["abandoned batches"] += 1
                self.say(f"{batch.id}: nobody works on it any more; {'at most ' if self.check else ''}{_usd(held)} was held.")

    def _prove(self, balance: Balance, sums: Counter[str]) -> None:
        self.found["accounts"] += 1
        if balance.expired_reservations:
            self.found["expired holds"] += balance.expired_reservations
            self.say(f"{_name(balance)}: {balance.expired_reservations} reservations that nobody settled.")
        if balance.expired_reservations and not self.check:
            self.store.charge_lost(balance.account.id, self.clock())
        elif balance.total_spend_nanousd == balance.account.carried_nanousd + sums[balance.account.id]:
            self.found["proven"] += 1
            return
        self._look_again(balance)

    def _look_again(self, balance: Balance) -> None:
        """Looks at an account until two looks, with nothing reserved, find the same."""
        seen: tuple[int, int] | None = None
        for _ in range(LOOKS):
            total, difference = self._difference(balance)
            if difference is not None and (total, difference) == seen:
                self._settle(balance, total, difference)
                return
            seen = None if difference is None else (total, difference)
            self.pause(PAUSE_S)
        self.found["unproven"] += 1
        self.say(f"{_name(balance)}: requests go on with it; not proven.")

    def _difference(self, balance: Balance) -> tuple[int, int | None]:
        """The account's total spend, and how much it lacks by its records; None while requests of it are under way."""
        account_id = balance.account.id
        before = self.store.get(account_id)
        records = self._records(account_id) if account_id.startswith("key#") else self._records()
        spent = sum(record.cost_nanousd for record in records if account_id in _charged_accounts(record))
        after = self.store.get(account_id)
        if before is None or after is None:
            return 0, 0
        total = after.total_spend_nanousd
        busy = before.total_spend_nanousd != total or after.reservations - after.expired_reservations
        return total, None if busy else after.account.carried_nanousd + spent - total

    def _settle(self, balance: Balance, total: int, difference: int) -> None:
        older = balance.account.created_s < self.clock() - RETENTION_S and difference < 0
        if not difference or older:
            self.found["proven"] += 1
            return
        self.found["wrong"] += 1
        self.say(f"{_name(balance)}: the total is {_usd(total)}, its records say {_usd(total + difference)}.")
        if not self.check:
            done = self.store.correct(balance.account.id, total, difference, self._earlier(balance.account.id))
            self.found["repaired" if done else "unproven"] += 1

    def _earlier(self, account_id: str) -> int:
        """The part of a difference that windows were charged which are over. A lost request is charged at its deadline or later, so
        what was due before this window began may have been of an earlier one, and is not given back to this one."""
        balance = self.store.get(account_id)
        if balance is None:
            return 0
        began_s = window_start(balance.account.budget_window, balance.window_end_s)
        return -sum(refund for deadline_s, refund in self.refunds.get(account_id, ()) if deadline_s < began_s)

    def _sums(self) -> Counter[str]:
        sums: Counter[str] = Counter()
        for record in self._records():
            for account_id in _charged_accounts(record):
                sums[account_id] += record.cost_nanousd
        return sums

    def _records(self, account_id: str | None = None) -> Iterator[Record]:
        until_s = self.clock() + 1
        return each_item(lambda after: self.store.records(account_id, self.since_s, until_s, after))

    def _accounts(self, kind: str) -> Iterator[Balance]:
        after: str | None = None
        while True:
            page, after = self.store.accounts(kind, after)
            yield from page
            if after is None:
                return


def _charged_accounts(record: Record) -> set[str]:
    return {record.account_id, *record.detail.get("charged", ())}


def _name(balance: Balance) -> str:
    account = balance.account
    return f"{account.id.partition('#')[0]} {account.alias or account.name}"


def _usd(nanousd: int) -> str:
    return f"{to_usd(nanousd):.9f} USD"


def open_local(settings: Settings) -> Store:
    """The local gateway's store as it is: opening it charges nothing."""
    if settings.store == "sqlite":
        from haimaker.store.sqlite import SQLiteStore

        return SQLiteStore(settings.home / "haimaker.sqlite")
    from haimaker.settings.store import open_store

    return open_store(settings)
