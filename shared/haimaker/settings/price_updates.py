"""Newer prices without a deployment of code: a table that an operator puts into the store takes the place of the package's own.

The store is asked every ten minutes: beside a request, or after an answer where a function is frozen then. A process starts with
the package's table, so that no start waits, and a function that starts anew for each request has that alone. Every request keeps
the version that it was reserved at.
"""

import base64
import time
import zlib
from datetime import UTC, datetime
from hashlib import sha256
from threading import Lock, Thread

from haimaker.http.values import JSON
from haimaker.models.table import Table, current_table, packaged_table, use_table
from haimaker.observability.observer import Observer
from haimaker.store import StoreUnavailable
from haimaker.store.documents import Document, Documents

KIND, VERSION, LINES = "prices", "version", "lines"
"""Two documents: which table is the newest, and its lines; the second is read where the first names another one."""
ASK_EVERY_S = 600.0
FIRST_S = 60.0
"""How long after a start nothing is asked beside requests."""
MAX_BYTES = 16 * 2**20
"""The most bytes of a table's lines."""


class PriceUpdates:
    """Every method may be called from any thread."""

    def __init__(self, documents: Documents, observer: Observer) -> None:
        self._documents, self._observer = documents, observer
        self._lock = Lock()
        self._next_s, self._digest, self._warned = time.monotonic() + FIRST_S, "", False
        self._has_asked, self._has_answered = False, False
        self._thread: Thread | None = None
        self.used = False
        """Whether a request was reserved for by these prices; who only refuses needs no newer ones."""

    def refresh(self) -> None:
        """Takes the store's table, if it is time to ask for it and it is newer than the package's. Never raises."""
        if self._is_due():
            self._ask()

    def refresh_before_answer(self) -> None:
        """The same where nothing runs after an answer; not before the first one."""
        if self._has_answered:
            self.refresh()
        self._has_answered = True

    def refresh_in_background(self) -> None:
        """The same beside what follows, from a minute after the start on."""
        if time.monotonic() >= self._next_s and self._is_due():
            self._thread = Thread(target=self._ask, daemon=True)
            self._thread.start()

    def finish(self, timeout_s: float) -> None:
        """Called after an answer, in a function that is frozen then: asks for the first time, and waits for what is asked beside
        it."""
        if self.used and not self._has_asked:
            self.refresh()
        if self._thread:
            self._thread.join(timeout_s)

    def _is_due(self) -> bool:
        """Whether it is time to ask, which is for the caller to do then."""
        with self._lock:
            is_due = not self._has_asked or time.monotonic() >= self._next_s
            if is_due:
                self._has_asked, self._next_s = True, time.monotonic() + ASK_EVERY_S
            return is_due

    def _ask(self) -> None:
        try:
            self._take_newer()
        except StoreUnavailable as error:
            self._observer.error("newer prices could not be read", error=str(error))
        except (ValueError, KeyError, TypeError, zlib.error) as error:
            self._observer.error("the store's prices are no table of prices", **{"error.type": type(error).__name__})
        if current_table().is_outdated(datetime.now(UTC).date()) and not self._warned:
            self._warned = True
            self._observer.error("the prices are old: see make prices", date=current_table().date)

    def _take_newer(self) -> None:
        version = self._documents.get(KIND, VERSION)
        if version is None or version.body["digest"] == self._digest:
            return
        if version.body["date"] < packaged_table().date:
            use_table(None)
        else:
            kept = self._documents.get(KIND, LINES)
            table = read_table(kept.body if kept else {}, version.body["digest"])
            use_table(table)
            self._observer.audit({"action": "prices renewed", "date": table.date})
        self._digest = version.body["digest"]


def read_table(body: JSON, digest: str) -> Table:
    """Raises ValueError, KeyError, TypeError or zlib.error for what is not the table of this digest."""
    inflate = zlib.decompressobj()
    lines = inflate.decompress(base64.b64decode(body["lines"]), MAX_BYTES)
    if not inflate.eof or sha256(lines).hexdigest() != digest:
        raise ValueError("not the table that was announced")
    table = Table(lines)
    datetime.fromisoformat(table.date)
    return table


def publish(documents: Documents, lines: bytes) -> bool:
    """Puts a table into the store for all processes that use it; returns False if that is the one already. Raises
    StoreUnavailable, and ValueError or KeyError for what is no table."""
    digest, date = sha256(lines).hexdigest(), Table(lines).date
    kept = {name: documents.get(KIND, name) or Document(name, {}, 0) for name in (VERSION, LINES)}
    if kept[VERSION].body.get("digest") == digest:
        return False
    packed = base64.b64encode(zlib.compress(lines, 9)).decode()
    bodies = {LINES: {"lines": packed}, VERSION: {"digest": digest, "date": date}}
    for name, body in bodies.items():
        if not documents.put(KIND, kept[name]._replace(body=body)):
            raise StoreUnavailable("somebody else renews the prices at the same moment; try again")
    return True
