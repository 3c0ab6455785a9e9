"""A connection that only reads: a reader of a file with a write-ahead log waits for no writer, and no writer for it
(https://www.sqlite.org/wal.html#concurrency). SQLite lets go of Python's lock while it looks for a row.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from haimaker.store import StoreThrottled, TooManyRecords
from haimaker.store.sqlite_schema import Execute

STEPS = 100_000
"""Of SQLite's machine, some milliseconds: how often the time is looked at."""


class SQLiteReader:
    """`connect` opens the file, when it is first read."""

    def __init__(self, path: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self._path, self._connect = path, connect
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, timeout_s: float) -> Iterator[Execute]:
        """The file as it is at the first statement, for one thread at a time. Raises TooManyRecords where reading takes longer,
        StoreThrottled where others do so for as long, and sqlite3.Error."""
        if not self._lock.acquire(timeout=timeout_s):
            raise StoreThrottled("SQLite: others are reading")
        try:
            if self._connection is None:
                self._connection = self._connect(self._path)
                self._connection.execute("PRAGMA query_only = ON")
            connection, until_s = self._connection, time.monotonic() + timeout_s
            connection.set_progress_handler(lambda: time.monotonic() > until_s, STEPS)
            connection.execute("BEGIN")
            try:
                yield connection.execute
            except sqlite3.OperationalError as error:
                if time.monotonic() > until_s:
                    raise TooManyRecords from error
                raise
            finally:
                connection.set_progress_handler(None, 0)
                connection.execute("ROLLBACK")
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
