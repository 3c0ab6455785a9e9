"""What processes tell each other of targets that fail, through the store: nothing while all is well.

A failure is one small write, a rest that is over is claimed by one process with another; what the others said is read at most every
few seconds, beside the requests, and only for those that have a choice. When the store fails each process goes by what it knows.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache

from haimaker.lean_dataclasses import dataclass, field
from haimaker.routing.health import State
from haimaker.routing.plan import Resting
from haimaker.store import StoreUnavailable
from haimaker.store.documents import Document, Documents

KIND = "health"
"""Of documents in the store."""
READ_EVERY_S = 5.0
OLD_S = 120.0
"""Failures longer ago are no row: counting starts anew."""
MOST_TARGETS = 200
TRIES = 3


@dataclass(slots=True)
class SharedHealth:
    documents: Documents
    _known: dict[str, Document] = field(default_factory=dict)
    _next_read_s: float = 0.0

    def refresh(self, now_s: float) -> Future[None] | None:
        """Reads what others said, unless that was read a moment ago; does not wait for it."""
        if now_s < self._next_read_s:
            return None
        self._next_read_s = now_s + READ_EVERY_S
        return _beside().submit(self._quietly, self._read)

    def resting(self, now_s: float) -> frozenset[str]:
        if not self._known:
            return frozenset()
        return frozenset(name for name, document in self._known.items() if _state(document).until_s > now_s)

    def admits(self, target: str, now_s: float) -> bool:
        """Whether to ask a target now; of all processes one may, once its rest is over."""
        document = self._known.get(target)
        state = _state(document) if document else State()
        if document is None or not state.until_s:
            return True
        if state.until_s > now_s:
            return False
        with suppress(StoreUnavailable):
            return self._put(document, state.probed(now_s), now_s)
        return True

    def report(self, target: str, rule: Resting, now_s: float, wait_s: float) -> Future[None]:
        """Counts a failure for all; beside the request, which goes on to its next target."""

        def add() -> None:
            for _ in range(TRIES):
                document = self.documents.get(KIND, target) or Document(target, {}, 0)
                if document.version == 0 and len(self._known) >= MOST_TARGETS:
                    return
                fresh = now_s - float(document.body.get("at_s", 0.0)) < max(OLD_S, 2 * rule.longest_rest_s)
                state = _state(document) if fresh else State()
                if self._put(document, state.after_failure(rule, now_s, wait_s), now_s):
                    return

        return _beside().submit(self._quietly, add)

    def recovered(self, target: str) -> Future[None] | None:
        """It answers again, which the others read in a moment."""
        document = self._known.get(target)
        if document is None or not document.body.get("failures"):
            return None
        self._known.pop(target, None)
        return _beside().submit(self._quietly, lambda: self.documents.put(KIND, document._replace(body={})))

    def _read(self) -> None:
        self._known = {document.name: document for document in self.documents.all(KIND)}

    def _put(self, document: Document, state: State, now_s: float) -> bool:
        changed = document._replace(body={**state._asdict(), "at_s": now_s})
        kept = self.documents.put(KIND, changed)
        if kept:
            self._known[document.name] = changed._replace(version=document.version + 1)
        return kept

    def _quietly(self, act: Callable[[], object]) -> None:
        with suppress(StoreUnavailable):
            act()


def _state(document: Document) -> State:
    body = document.body
    return State(**{name: body[name] for name in State._fields if name in body})


@cache
def _beside() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="health")
