"""Copies what was committed from SQLite's log into its file, beside the requests instead of in one commit of many.

https://www.sqlite.org/wal.html#ckpt  A passive checkpoint waits for nobody and nobody waits for it.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress

INTERVAL_S = 0.2
"""At most so often, which gathers the commits of a busy moment into one copy and one fdatasync."""
PAGES_AT_MOST = 16_384
"""64 MB: a log that has grown so long is copied by the commit that finds it so, which bounds it whatever happens to the thread."""


class Checkpoints:
    """A thread that makes checkpoints while there are commits. It starts with the first one and has a connection of its own."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._committed = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def after_commit(self) -> None:
        """Sees to it that what was committed is copied soon. Called by one thread at a time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="sqlite-checkpoints", daemon=True)
            self._thread.start()
        if not self._committed.is_set():
            self._committed.set()

    def close(self) -> None:
        """Ends the thread, after the checkpoint that it is making."""
        self._closed.set()
        self._committed.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while self._committed.wait():
            self._committed.clear()
            if self._closed.is_set():  # asked after the clearing, since `close` sets it first
                break
            with suppress(sqlite3.Error):  # a full disk, for one: the log keeps what was committed, and the next commit asks again
                connection = connection or self._connect()
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._closed.wait(INTERVAL_S)
        if connection is not None:
            connection.close()
