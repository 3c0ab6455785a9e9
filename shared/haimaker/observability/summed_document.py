"""What a process counted in a period, such as a day, as one document of its own: who counts must not cost a write each time.

It is written at most every ten seconds, and begun anew in the next period. What was counted since the last write is lost when the
process is killed.
"""

import secrets
import time
from collections.abc import Callable
from threading import Lock

from haimaker.http.values import JSON
from haimaker.store import StoreUnavailable
from haimaker.store.documents import Document, Documents

WRITE_EVERY_S = 10.0


class SummedDocument:
    """Every method but `begin` may be called from any thread; who counts holds `lock`, and then sets `changed`."""

    def __init__(
        self, documents: Documents, to_kind: Callable[[int], str], to_body: Callable[[int], JSON], written_s: float = 0.0
    ) -> None:
        """`to_kind` and `to_body` say what the document of a period is; the second is called with `lock` held. `written_s` is when
        it was written last: without it the first count is written at once."""
        self.lock, self.period, self.changed = Lock(), 0, False
        self._documents, self._to_kind, self._to_body = documents, to_kind, to_body
        self._name, self._version, self._written_s = secrets.token_hex(16), 0, written_s

    def begin(self, period: int) -> bool:
        """Begins a period, with `lock` held. Returns whether it is a new one, so that counting starts at nothing."""
        if period == self.period:
            return False
        self._name, self._version, self.period = secrets.token_hex(16), 0, period
        return True

    def is_due(self, now_s: float) -> bool:
        return now_s - self._written_s >= WRITE_EVERY_S

    def write(self, now_s: float | None = None) -> None:
        """Writes what was counted since the last time; other threads go on counting. A store that fails is asked again later."""
        with self.lock:
            if not self.changed:
                return
            self.changed, self._written_s = False, time.time() if now_s is None else now_s
            kind, document = self._to_kind(self.period), Document(self._name, self._to_body(self.period), self._version)
        try:
            kept = self._documents.put(kind, document)
        except StoreUnavailable:
            self.changed = True
            return
        with self.lock:
            if self._name == document.name:
                self._version = document.version + kept
