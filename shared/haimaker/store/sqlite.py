"""Accounts and records in one SQLite file: the store of the local gateway. Several processes may share the file.

https://www.sqlite.org/wal.html  https://www.sqlite.org/lang_transaction.html

Every write is a transaction that takes the write lock first (BEGIN IMMEDIATE), so it may read, decide and write. Text from
outside is kept as ASCII JSON, which takes any character. The file is readable by its owner only.
"""

import errno
import fcntl
import sqlite3
import threading
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from haimaker.long_work import in_steps
from haimaker.store import (
    NEVER_S,
    Account,
    Balance,
    Denied,
    Granted,
    Record,
    Reservation,
    Settled,
    StoreFull,
    StoreUnavailable,
    ledger,
    minute_of,
    sqlite_listed,
    sqlite_models,
    sqlite_pools,
    sqlite_records,
    sqlite_schema,
    sqlite_totals,
)
from haimaker.store.account_query import AccountQuery
from haimaker.store.ledger import Counters
from haimaker.store.model_counters import (
    is_charged_in_window,
    model_refunds,
    model_restarts,
)
from haimaker.store.sqlite_accounts import admit, balance, charge, read, read_reservations, release, renew, settle
from haimaker.store.sqlite_checkpoints import PAGES_AT_MOST, Checkpoints
from haimaker.store.sqlite_documents import SQLiteDocuments
from haimaker.store.sqlite_reader import SQLiteReader
from haimaker.store.sqlite_schema import Execute
from haimaker.store.totals import By, Total
from haimaker.store.windows import Repair

PAGE_TIMEOUT_S = 60.0
READING = "BEGIN"
AFTER_ALL = ":"
"""Sorts behind every place in time."""


class SQLiteStore:
    """See `haimaker.store.Store`.

    With `takes_turns` a write waits for that of another process by a lock which wakes it up: SQLite itself looks again after a
    while, longer each time (https://www.sqlite.org/c3ref/busy_timeout.html). A process that ends lets go of it.
    """

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time, *, takes_turns: bool = False) -> None:
        self._clock = clock
        self._turn: BinaryIO | None = None
        self._lock = threading.Lock()
        self._checkpoints = Checkpoints(lambda: sqlite_schema.open_database(Path(path)))
        with _failures("open"):
            if takes_turns:
                Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._turn = Path(path).with_suffix(".turn").open("ab")
            self._connection = sqlite_schema.open_database(Path(path))
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_AT_MOST}")
        with self._writing("open") as execute:
            version = sqlite_schema.migrate(execute)
            if version < sqlite_schema.TOTALS_VERSION:
                sqlite_totals.add_up(execute)
            if version < sqlite_schema.LISTED_VERSION:
                sqlite_listed.add_all(execute)
        self._path = Path(path)
        self._pages, self._sums = (SQLiteReader(self._path, sqlite_schema.open_database) for _ in range(2))
        self.documents = SQLiteDocuments(self._reading, self._reading_page, self._writing)
        self._presence: BinaryIO | None = None

    def close(self) -> None:
        self._checkpoints.close()
        self._pages.close()
        self._sums.close()
        with self._lock:
            self._connection.close()
            for file in (self._presence, self._turn):
                if file:
                    file.close()

    def adopt(self, now_s: float) -> int:
        """Registers this process as a user of the file until `close` or its end. If there is no other, all reservations belong to
        processes that were killed, and are charged; returns how many."""
        with _failures("join"):
            self._presence = self._path.with_suffix(".lock").open("ab")
            try:
                fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                charged = 0
            else:
                charged = self.charge_all_lost(now_s)
            fcntl.flock(self._presence, fcntl.LOCK_SH)
            return charged

    def put(self, account: Account, spent_as: Balance | None = None) -> bool:
        kind = account.id.partition("#")[0]
        counters = ledger.initial_counters(account, spent_as)
        row = (
            *counters[: Counters._fields.index("pooled")],
            minute_of(account.created_s),
            kind,
            ledger.sort_key(account.created_s, account.id),
        )
        with self._writing("put") as execute:
            if execute(sqlite_schema.ADD, row).rowcount != 1:
                return False
            restarts = {model: Repair(-each.taken, each.window_end_s) for model, each in counters.models.items()}
            sqlite_models.restart(execute, account.id, restarts)
            sqlite_listed.keep(execute, account)
            return True

    def get(self, account_id: str) -> Balance | None:
        now_s = self._clock()
        with self._reading("get") as execute:
            counters = read(execute, account_id, now_s)
            return counters and balance(execute, counters, now_s)

    def update(self, account: Account) -> bool:
        now_s = self._clock()
        with self._writing("update") as execute:
            counters = read(execute, account.id, now_s)
            if counters is None or counters.version != account.version:
                return False
            counters = renew(execute, counters, now_s)
            new = ledger.initial_counters(account)
            reservations = read_reservations(execute, sqlite_schema.OF_ACCOUNT, account.id)
            restart = ledger.restart(account, counters, sum(each.amount_nanousd for each in reservations), now_s)
            restarts = model_restarts(account, counters.account, counters.models, reservations, now_s)
            sqlite_models.restart(execute, account.id, restarts)
            changes = {
                "remaining": counters.remaining + new.budget - counters.budget + (restart.returned if restart else 0),
                "free_slots": counters.free_slots + new.parallel_limit - counters.parallel_limit,
                "window_end_s": restart.window_end_s if restart else counters.window_end_s,
            }
            execute(sqlite_schema.CONFIGURE, new._asdict() | changes | {"id": account.id})
            sqlite_listed.keep(execute, account)
            return True

    def delete(self, account_id: str) -> bool:
        with self._writing("delete") as execute:
            sqlite_listed.remove(execute, account_id)
            for table in ("holds", "model_counters", "pools"):
                execute(f"DELETE FROM {table} WHERE account_id = ?", (account_id,))  # noqa: S608 (constants only)
            return execute("DELETE FROM accounts WHERE id = ?", (account_id,)).rowcount == 1

    def accounts(self, kind: str, after: str | None = None, limit: int = 100) -> tuple[Sequence[Balance], str | None]:
        now_s = self._clock()
        asked = {"kind": kind, "after": after or "", "limit": limit + 1}
        with self._reading_page("accounts") as execute:
            places = execute(sqlite_schema.PLACES, asked).fetchall()
            page = sqlite_listed.read_page(execute, [account_id for account_id, _ in places[:limit]], now_s)
        return page, places[limit - 1][-1] if len(places) > limit else None

    def find_accounts(self, query: AccountQuery, offset: int = 0, limit: int = 100) -> tuple[Sequence[Balance], int]:
        now_s = self._clock()
        with self._reading_page("accounts") as execute:
            ids, total = sqlite_listed.find(execute, query, offset, limit, now_s)
        found: list[Balance] = []
        for some in in_steps(ids):
            with self._reading_page("accounts") as execute:
                found += sqlite_listed.read_page(execute, some, now_s)
        return found, total

    def reserve(self, reservation: Reservation) -> Granted | Denied:
        with self._writing("admit") as execute:
            return admit(execute, reservation)

    def release(self, reservation: Reservation) -> bool:
        with self._writing("release") as execute:
            return release(execute, reservation)

    def open_pool(self, reservation: Reservation) -> Denied | None:
        with self._writing("open pool") as execute:
            if sqlite_pools.left(execute, reservation.account_id, reservation.request_id) is None:
                outcome = admit(execute, reservation)
                if isinstance(outcome, Denied):
                    return outcome
                release(execute, reservation)
                sqlite_pools.open_pool(execute, reservation)
            return None

    def close_pool(self, account_id: str, pool: str) -> int | None:
        with self._writing("close pool") as execute:
            return sqlite_pools.close_pool(execute, account_id, pool)

    def settle(self, reservation: Reservation, record: Record, tokens: int) -> Settled | None:
        with self._writing("settle") as execute:
            return settle(execute, (reservation, *reservation.siblings), record, tokens)

    def charge_lost(self, account_id: str, now_s: float, dead: Container[str] = ()) -> int:
        with self._writing("charge_lost") as execute:
            found = read_reservations(execute, sqlite_schema.OF_ACCOUNT, account_id)
            return charge(execute, [each for each in found if ledger.is_expired(each, now_s, dead)])

    def charge_all_lost(self, now_s: float) -> int:
        """Charges every reservation of every account, whatever its deadline; for a start when no other process uses the file."""
        with self._writing("charge_all_lost") as execute:
            return charge(execute, read_reservations(execute, "TRUE"))

    def charge_requests_of(self, ending: str) -> int:
        """Charges what was reserved for requests whose ids have this ending, in the process that gave it to them and has died."""
        with self._writing("charge_requests_of") as execute:
            return charge(execute, read_reservations(execute, sqlite_schema.ENDING_IN, f"%-{ending}%"))

    def correct(self, account_id: str, total_nanousd: int, difference_nanousd: int, earlier_nanousd: int = 0) -> bool:
        changes = {"id": account_id, "total": total_nanousd, "difference": difference_nanousd, "earlier": earlier_nanousd}
        with self._writing("correct") as execute:
            return execute(sqlite_schema.CORRECT, changes).rowcount == 1

    def amend(self, record: Record) -> bool:
        with self._writing("amend") as execute:
            lost = sqlite_records.get_record(execute, record.request_id)
            if lost is None or not sqlite_records.amend(execute, record):
                return False
            for refund in model_refunds(lost, record):
                counters = read(execute, refund.account_id, self._clock())
                seen = counters.models.get(refund.model) if counters else None
                if counters and seen and is_charged_in_window(lost, counters.account, refund.model, seen):
                    sqlite_models.give_back(execute, refund)
            return True

    def record(self, request_id: str) -> Record | None:
        with self._reading("record") as execute:
            return sqlite_records.get_record(execute, request_id)

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
        page = sqlite_schema.NEWEST_PAGE if newest_first else sqlite_schema.RECORDS_PAGE
        since, until = ledger.sort_key(since_s), ledger.sort_key(until_s)
        since, until = (since, min(until, after or AFTER_ALL)) if newest_first else (max(since, after or ""), until)
        asked = {"account": account_id, "since": since, "until": until, "limit": limit + 1}
        with self._reading_page("records") as execute:
            rows = execute(page.format(whose=_whose(account_id)), asked).fetchall()
        return [sqlite_records.to_record(row) for row in rows[:limit]], rows[limit - 1][-1] if len(rows) > limit else None

    def dearest(
        self, account_id: str | None, since_s: float, until_s: float, after: str | None = None, limit: int = 100
    ) -> tuple[Sequence[Record], str | None, int | None]:
        cost, _, place = (after or "").partition("@")
        page = sqlite_schema.DEAREST_PAGE.format(whose=_whose(account_id), after=sqlite_schema.AFTER_COST if after else "")
        asked: dict[str, object] = {"account": account_id, "since": ledger.sort_key(since_s), "until": ledger.sort_key(until_s)}
        values = asked | ({"cost": int(cost), "place": place} if after else {})
        with self._summing("dearest") as execute:
            rows = execute(page, values | {"limit": limit + 1}).fetchall()
        found = [sqlite_records.to_record(row) for row in rows[:limit]]
        return found, ledger.cost_key(found[-1]) if len(rows) > limit else None, None

    def totals(self, by: By, first_day: str, last_day: str, account_id: str | None = None) -> Sequence[Total]:
        with self._summing("totals") as execute:
            return sqlite_totals.totals(execute, by, first_day, last_day, account_id)

    def sums(
        self, by: By, first_day: str, last_day: str, *, daily: bool = True, top: int | None = None
    ) -> tuple[Sequence[Total], int]:
        with self._summing("sums") as execute:
            return sqlite_totals.sums(execute, by, first_day, last_day, daily=daily, top=top)

    @contextmanager
    def _reading_page(self, operation: str) -> "Iterator[Execute]":
        """Lends a reader for a short read, beside all else. Raises StoreUnavailable."""
        with _failures(operation), self._pages.reading(PAGE_TIMEOUT_S) as execute:
            yield execute

    @contextmanager
    def _summing(self, operation: str) -> "Iterator[Execute]":
        """Lends a reader for what may take long, one at a time. Raises StoreUnavailable, TooManyRecords."""
        with _failures(operation), self._sums.reading(sqlite_totals.TIMEOUT_S) as execute:
            yield execute

    def _reading(self, operation: str) -> "AbstractContextManager[Execute]":
        return self._transaction(operation, READING)

    def _writing(self, operation: str) -> "AbstractContextManager[Execute]":
        return self._transaction(operation, "BEGIN IMMEDIATE", self._checkpoints.after_commit)

    @contextmanager
    def _transaction(self, operation: str, begin: str, after_commit: Callable[[], object] = int) -> "Iterator[Execute]":
        """Raises StoreUnavailable."""
        try:
            with self._lock:
                execute, turn = self._connection.execute, self._turn if begin != READING else None
                if turn:
                    fcntl.flock(turn, fcntl.LOCK_EX)
                try:
                    execute(begin)
                    yield execute
                    execute("COMMIT")
                finally:
                    if self._connection.in_transaction:
                        execute("ROLLBACK")
                    if turn:
                        fcntl.flock(turn, fcntl.LOCK_UN)
        except (sqlite3.Error, OSError) as error:
            raise _unavailable(operation, error) from error
        after_commit()


@contextmanager
def _failures(operation: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _unavailable(operation, error) from error


def _whose(account_id: str | None) -> str:
    return "account_id = :account AND" if account_id else ""


def _unavailable(operation: str, error: sqlite3.Error | OSError) -> StoreUnavailable:
    if isinstance(error, OSError):
        is_full, reason = error.errno in (errno.ENOSPC, errno.EDQUOT), error.strerror
    else:
        is_full, reason = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL, str(error)
    return (StoreFull if is_full else StoreUnavailable)(f"SQLite {operation}: {reason}")
