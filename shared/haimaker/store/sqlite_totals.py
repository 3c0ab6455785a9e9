"""Daily totals that SQLite adds up itself, from the records, beside the requests: on a connection of its own, which only reads.

A reader of a file with a write-ahead log waits for no writer, and no writer for it (https://www.sqlite.org/wal.html#concurrency);
SQLite lets go of Python's lock while it adds. A sum that takes too long is given up.
"""

import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from haimaker.store import StoreThrottled, TooManyRecords, ledger
from haimaker.store.totals import AMOUNTS, DAY_S, By, Total, day_to_s, names_of, to_day, total

TIMEOUT_S = 5.0
"""For one sum, and to wait for another one that is being made."""
STEPS = 100_000
"""Of SQLite's machine, some milliseconds: how often the time is looked at."""
NAMES: Mapping[By, str] = {
    "day": "NULL",
    "key": "account_id",
    "team": "json_extract(detail, '$.team_id', '$.team_id')",
    "user": "json_extract(detail, '$.user', '$.user')",
    "model": "json_extract(detail, '$.provider', '$.model')",
    "provider": "json_extract(detail, '$.provider', '$.model')",
    "tag": "json_extract(detail, '$.tags', '$.tags')",
}
"""What records are grouped by. Of two paths SQLite makes a list in JSON, in which a text keeps its escapes, whatever is in it."""
FIELDS: Mapping[By, tuple[str, str]] = {
    "team": ("team_id", "team_id"),
    "user": ("user", "user"),
    "model": ("provider", "model"),
    "provider": ("provider", "model"),
    "tag": ("tags", "tags"),
}
SUMS = """SELECT CAST(started_s AS INTEGER) / 86400, {name}, COUNT(*), SUM(status <> 'ok'),
    SUM(COALESCE(json_extract(detail, '$.input_tokens'), 0)), SUM(COALESCE(json_extract(detail, '$.output_tokens'), 0)),
    SUM(cost_nanousd) FROM records WHERE {whose} started >= :since AND started < :until GROUP BY 1, 2"""


class SQLiteTotals:
    """`connect` opens the file; it is opened when the first sum is asked for."""

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self._path, self._connect = path, connect
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def totals(self, by: By, first_day: str, last_day: str, account_id: str | None) -> Sequence[Total]:
        """As `Store.totals`. Raises TooManyRecords, StoreThrottled, and sqlite3.Error."""
        since_s, until_s = day_to_s(first_day), day_to_s(last_day) + DAY_S
        asked = {"account": account_id, "since": ledger.sort_key(since_s), "until": ledger.sort_key(until_s)}
        statement = SUMS.format(name=NAMES[by], whose="account_id = :account AND" if account_id else "")
        sums: dict[tuple[str, str], Counter[str]] = {}
        for day, name, *amounts in self._read(statement, asked):
            for each in _names(by, name):
                sums.setdefault((to_day(day * DAY_S), each), Counter()).update(dict(zip(AMOUNTS, amounts, strict=True)))
        return [total(day, name, sums[day, name]) for day, name in sorted(sums)]

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _read(self, statement: str, asked: Mapping[str, object]) -> Sequence[tuple[int, str | None, int, int, int, int, int]]:
        if not self._lock.acquire(timeout=TIMEOUT_S):
            raise StoreThrottled("SQLite totals: others are being made")
        try:
            if self._connection is None:
                self._connection = self._connect(self._path)
                self._connection.execute("PRAGMA query_only = ON")
            until_s = time.monotonic() + TIMEOUT_S
            self._connection.set_progress_handler(lambda: time.monotonic() > until_s, STEPS)
            try:
                return self._connection.execute(statement, asked).fetchall()
            except sqlite3.OperationalError as error:
                if time.monotonic() > until_s:
                    raise TooManyRecords from error
                raise
        finally:
            self._lock.release()


def _names(by: By, found: str | None) -> Iterator[str]:
    """The names of a group, as `names_of` finds them in one of its records."""
    if by == "day":
        yield ""
    elif by == "key":
        yield from _of(by, found or "", {})
    else:
        yield from _of(by, "", dict(zip(FIELDS[by], json.loads(found or "[null,null]"), strict=True)))


def _of(by: By, account_id: str, detail: dict[str, object]) -> Iterator[str]:
    yield from (name for kind, name in names_of(account_id, detail) if kind == by)
