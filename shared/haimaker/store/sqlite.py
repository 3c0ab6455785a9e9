"""Accounts and records in one SQLite file: the store of the local gateway. Several processes may share the file.

https://www.sqlite.org/wal.html  https://www.sqlite.org/lang_transaction.html

Every write is a transaction that takes the write lock first (BEGIN IMMEDIATE), so it may read, decide and write. Text from
outside is kept as ASCII JSON, which takes any character. The file is readable by its owner only.
"""

import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from haimaker.store import NEVER_S, Account, Admitted, Balance, Hold, Record, Refused, StoreUnavailable, ledger, minute_of
from haimaker.store.ledger import Counters

SCHEMA_VERSION = 1
SCHEMA = """
CREATE TABLE accounts (
    id TEXT PRIMARY KEY, config TEXT NOT NULL, version INTEGER NOT NULL, blocked INTEGER NOT NULL, expires_s INTEGER NOT NULL,
    window_end_s INTEGER NOT NULL, budget INTEGER NOT NULL, remaining INTEGER NOT NULL, total_spend INTEGER NOT NULL,
    rpm_limit INTEGER NOT NULL, tpm_limit INTEGER NOT NULL, parallel_limit INTEGER NOT NULL, free_slots INTEGER NOT NULL,
    requests_left INTEGER NOT NULL, tokens_left INTEGER NOT NULL, minute INTEGER NOT NULL, kind TEXT NOT NULL, created TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX accounts_by_kind ON accounts (kind, created);
CREATE TABLE holds (
    account_id TEXT NOT NULL, request_id TEXT NOT NULL, deadline_s INTEGER NOT NULL, hold TEXT NOT NULL,
    PRIMARY KEY (account_id, request_id)
) WITHOUT ROWID;
CREATE TABLE records (
    id TEXT PRIMARY KEY, account_id TEXT NOT NULL, started TEXT NOT NULL, started_s REAL NOT NULL, status TEXT NOT NULL,
    cost_nanousd INTEGER NOT NULL, detail TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX records_by_account ON records (account_id, started);
CREATE INDEX records_by_time ON records (started);
"""
# A request counts in the stored minute, or in the next by a clock that is a little late; any other minute starts anew.
IN_MINUTE = "minute IN (:minute, :minute + 1)"
COUNTERS = f"""id, config, version, blocked, expires_s, window_end_s, budget, remaining, total_spend,
    rpm_limit, tpm_limit, parallel_limit, free_slots,
    CASE WHEN {IN_MINUTE} THEN requests_left ELSE rpm_limit END, CASE WHEN {IN_MINUTE} THEN tokens_left ELSE tpm_limit END"""
READ = f"SELECT {COUNTERS} FROM accounts WHERE id = :id"  # noqa: S608 (constants only)
READ_PAGE = f"SELECT {COUNTERS}, created FROM accounts WHERE kind = :kind AND created > :after ORDER BY created LIMIT :limit"  # noqa: S608
ADD = f"INSERT OR IGNORE INTO accounts VALUES ({', '.join('?' * 18)})"  # noqa: S608
RESERVE = f"""UPDATE accounts SET remaining = remaining - :amount, free_slots = free_slots - 1, requests_left = :requests_left,
    tokens_left = :tokens_left, minute = CASE WHEN {IN_MINUTE} THEN minute ELSE :minute END WHERE id = :id"""  # noqa: S608
HOLD = "INSERT INTO holds VALUES (?, ?, ?, ?)"
UNHOLD = "DELETE FROM holds WHERE account_id = ? AND request_id = ?"
OF_ACCOUNT = "account_id = ?"
EXPIRED = "account_id = ? AND deadline_s <= ?"
MET = "account_id = ? AND (deadline_s <= ? OR request_id = ?)"
RELEASE = """UPDATE accounts SET remaining = remaining + :amount - :cost, total_spend = total_spend + :cost,
    free_slots = free_slots + 1, tokens_left = tokens_left + CASE WHEN minute = :minute THEN :unused_tokens ELSE 0 END
    WHERE id = :id"""
RENEW = "UPDATE accounts SET remaining = remaining + ?, window_end_s = ? WHERE id = ?"
CONFIGURE = """UPDATE accounts SET config = :config, version = version + 1, blocked = :blocked, expires_s = :expires_s,
    window_end_s = :window_end_s, budget = :budget, remaining = :remaining, rpm_limit = :rpm_limit, tpm_limit = :tpm_limit,
    parallel_limit = :parallel_limit, free_slots = :free_slots, requests_left = requests_left + :rpm_limit - rpm_limit,
    tokens_left = tokens_left + :tpm_limit - tpm_limit WHERE id = :id"""
KEEP = "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)"
RECORDS = "SELECT id, account_id, started_s, status, cost_nanousd, detail, started FROM records"
RECORDS_PAGE = (
    f"{RECORDS} WHERE {{whose}} started >= :since AND started < :until AND started > :after ORDER BY started LIMIT :limit"
)


class SQLiteStore:
    """See `haimaker.store.Store`."""

    def __init__(self, path: str | Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        with _failures("open"):
            self._connection = _open(Path(path))
        with self._writing("open") as execute:
            _migrate(execute)
        self._path = Path(path)
        self._presence: BinaryIO | None = None

    def close(self) -> None:
        with self._lock:
            self._connection.close()
            if self._presence:
                self._presence.close()

    def join(self, now_s: float) -> int:
        """Counts this process among those that use the file, until `close` or its end. If there is no other, all holds are
        of processes that were killed, and are charged; returns how many."""
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
        row = (*ledger.opened(account, spent_as), minute_of(account.created_s), kind, ledger.order(account.created_s, account.id))
        with self._writing("put") as execute:
            return execute(ADD, row).rowcount == 1

    def get(self, account_id: str) -> Balance | None:
        now_s = self._clock()
        with self._reading("get") as execute:
            counters = _read(execute, account_id, now_s)
            return counters and ledger.balance(counters, _holds(execute, OF_ACCOUNT, account_id), now_s)

    def update(self, account: Account) -> bool:
        now_s = self._clock()
        with self._writing("update") as execute:
            counters = _read(execute, account.id, now_s)
            if counters is None or counters.version != account.version:
                return False
            counters = _renew(execute, counters, now_s)
            new = ledger.opened(account)
            restarts = account.budget_window_s != counters.account.budget_window_s
            changes = {
                "remaining": counters.remaining + new.budget - counters.budget,
                "free_slots": counters.free_slots + new.parallel_limit - counters.parallel_limit,
                "window_end_s": ledger.window_end(account, now_s) if restarts else counters.window_end_s,
            }
            execute(CONFIGURE, new._asdict() | changes | {"id": account.id})
            return True

    def delete(self, account_id: str) -> bool:
        with self._writing("delete") as execute:
            execute("DELETE FROM holds WHERE account_id = ?", (account_id,))
            return execute("DELETE FROM accounts WHERE id = ?", (account_id,)).rowcount == 1

    def accounts(self, kind: str, after: str | None = None, limit: int = 100) -> tuple[Sequence[Balance], str | None]:
        now_s = self._clock()
        asked = {"kind": kind, "after": after or "", "limit": limit + 1, "minute": minute_of(now_s)}
        with self._reading("accounts") as execute:
            rows = execute(READ_PAGE, asked).fetchall()
            found = [Counters._make(row[:-1]) for row in rows[:limit]]
            page = [ledger.balance(counters, _holds(execute, OF_ACCOUNT, counters.account_id), now_s) for counters in found]
        return page, rows[limit - 1][-1] if len(rows) > limit else None

    def admit(self, hold: Hold) -> Admitted | Refused:
        with self._writing("admit") as execute:
            counters = _read(execute, hold.account_id, hold.now_s)
            if counters is None:
                return Refused("unknown")
            met = _holds(execute, MET, hold.account_id, hold.now_s, hold.request_id)
            if hold in met:
                return ledger.admitted(counters, hold)
            reason = ledger.reason_against(counters, hold)
            if reason not in ledger.FINAL:
                counters = _renew(execute, counters, hold.now_s)
                if _charge(execute, [other for other in met if ledger.is_expired(other, hold.now_s)]):
                    counters = _read(execute, hold.account_id, hold.now_s) or counters
                reason = ledger.reason_against(counters, hold)
            return ledger.refused(counters, hold, reason) if reason else _reserve(execute, counters, hold)

    def settle(self, hold: Hold, record: Record, tokens: int) -> bool:
        with self._writing("settle") as execute:
            return _release(execute, hold, record, tokens)

    def charge_lost(self, account_id: str, now_s: float) -> int:
        with self._writing("charge_lost") as execute:
            return _charge(execute, _holds(execute, EXPIRED, account_id, now_s))

    def charge_all_lost(self, now_s: float) -> int:
        """Charges every hold of every account, whatever its deadline: for a start when no other process uses the file."""
        with self._writing("charge_all_lost") as execute:
            return _charge(execute, _holds(execute, "TRUE"))

    def record(self, request_id: str) -> Record | None:
        with self._reading("record") as execute:
            row = execute(f"{RECORDS} WHERE id = ?", (request_id,)).fetchone()
        return _record(row) if row else None

    def records(
        self,
        account_id: str | None = None,
        since_s: float = 0,
        until_s: float = NEVER_S,
        after: str | None = None,
        limit: int = 100,
    ) -> tuple[Sequence[Record], str | None]:
        whose = "account_id = :account AND" if account_id else ""
        asked = {"account": account_id, "since": ledger.order(since_s), "until": ledger.order(until_s), "after": after or ""}
        with self._reading("records") as execute:
            rows = execute(RECORDS_PAGE.format(whose=whose), asked | {"limit": limit + 1}).fetchall()
        return [_record(row) for row in rows[:limit]], rows[limit - 1][-1] if len(rows) > limit else None

    def _reading(self, operation: str) -> "AbstractContextManager[Execute]":
        return self._transaction(operation, "BEGIN")

    def _writing(self, operation: str) -> "AbstractContextManager[Execute]":
        return self._transaction(operation, "BEGIN IMMEDIATE")

    @contextmanager
    def _transaction(self, operation: str, begin: str) -> "Iterator[Execute]":
        with self._lock, _failures(operation):
            execute = self._connection.execute
            execute(begin)
            try:
                yield execute
                execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    execute("ROLLBACK")


Execute = Callable[..., sqlite3.Cursor]


@contextmanager
def _failures(operation: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise StoreUnavailable(f"SQLite {operation}: {cause}") from error


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _migrate(execute: Execute) -> None:
    """Brings the schema to SCHEMA_VERSION. A later version adds its own step here and keeps those before it."""
    version = execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(
            f"the file has version {version}, made by a newer program that knows more than {SCHEMA_VERSION}"
        )
    if version == 0:
        for statement in filter(str.strip, SCHEMA.split(";")):
            execute(statement)
        execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _read(execute: Execute, account_id: str, now_s: float) -> Counters | None:
    row = execute(READ, {"id": account_id, "minute": minute_of(now_s)}).fetchone()
    return row and Counters._make(row)


def _holds(execute: Execute, where: str, *values: object) -> list[Hold]:
    rows = execute(f"SELECT account_id, request_id, hold FROM holds WHERE {where}", values).fetchall()  # noqa: S608 (constants only)
    return [ledger.decode_hold(*row) for row in rows]


def _renew(execute: Execute, counters: Counters, now_s: float) -> Counters:
    if counters.window_end_s > now_s:
        return counters
    held = sum(hold.amount_nanousd for hold in _holds(execute, OF_ACCOUNT, counters.account_id))
    renewal = ledger.repair(counters, held, now_s)
    if renewal is None:
        return counters
    execute(RENEW, (renewal.returned, renewal.window_end_s, counters.account_id))
    return counters._replace(remaining=counters.remaining + renewal.returned, window_end_s=renewal.window_end_s)


def _reserve(execute: Execute, counters: Counters, hold: Hold) -> Admitted:
    left = counters._replace(requests_left=counters.requests_left - 1, tokens_left=counters.tokens_left - hold.tokens)
    changes = {"id": hold.account_id, "amount": hold.amount_nanousd, "minute": minute_of(hold.now_s)}
    execute(RESERVE, changes | {"requests_left": left.requests_left, "tokens_left": left.tokens_left})
    execute(HOLD, (hold.account_id, hold.request_id, hold.deadline_s, ledger.encode_hold(hold)))
    return ledger.admitted(left, hold)


def _release(execute: Execute, hold: Hold, record: Record, tokens: int) -> bool:
    """Ends the hold, if there is one, and keeps the record, if there is none yet; whether the record is new."""
    if execute(UNHOLD, (hold.account_id, hold.request_id)).rowcount:
        changes = {"id": hold.account_id, "amount": hold.amount_nanousd, "minute": minute_of(hold.now_s)}
        execute(RELEASE, changes | {"cost": record.cost_nanousd, "unused_tokens": hold.tokens - tokens})
    detail = json.dumps(record.detail)
    started = ledger.order(record.started_s, record.request_id)
    row = (record.request_id, record.account_id, started, record.started_s, record.status, record.cost_nanousd, detail)
    return execute(KEEP, row).rowcount == 1


def _charge(execute: Execute, holds: Sequence[Hold]) -> int:
    for hold in holds:
        _release(execute, hold, ledger.lost(hold), hold.tokens)
    return len(holds)


def _record(row: Sequence[Any]) -> Record:
    request_id, account_id, started_s, status, cost_nanousd, detail = row[:6]
    return Record(request_id, account_id, started_s, status, cost_nanousd, json.loads(detail))
