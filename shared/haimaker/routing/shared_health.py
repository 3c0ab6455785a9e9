"""Circuits that processes share through the store; while no target fails nothing is written.

A failure is one small write, and with another one a process claims the right to try a target again. What other processes wrote is
read in the background, at most every READ_EVERY_S, and only for requests with more than one target. If the store fails, each
process goes by its own circuits.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from haimaker.lean_dataclasses import dataclass, field
from haimaker.routing.circuit_state import CircuitState
from haimaker.routing.config import CircuitBreakerSettings
from haimaker.store import StoreUnavailable
from haimaker.store.documents import Document, Documents

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

HEALTH_DOCUMENTS = "health"
"""The kind of the documents in the store, one for each target that failed."""
READ_EVERY_S = 5.0
FORGET_AFTER_S = 120.0
"""A failure that is longer ago does not count to those in a row."""
MAX_TARGETS = 200
TRIES = 3


@dataclass(slots=True)
class SharedHealth:
    documents: Documents
    _known: dict[str, Document] = field(default_factory=dict)
    _next_read_s: float = 0.0

    def refresh(self, now_s: float) -> "Future[None] | None":
        """Reads in the background what other processes wrote, unless that was read a moment ago."""
        if now_s < self._next_read_s:
            return None
        self._next_read_s = now_s + READ_EVERY_S
        return _executor().submit(self._quietly, self._read)

    def open_circuits(self, now_s: float) -> frozenset[str]:
        if not self._known:
            return frozenset()
        return frozenset(name for name, document in self._known.items() if _state(document).until_s > now_s)

    def allows_request(self, target: str, now_s: float) -> bool:
        """Whether to send to a target now. Once a circuit has been open long enough, one process may."""
        document = self._known.get(target)
        state = _state(document) if document else CircuitState()
        if document is None or not state.until_s:
            return True
        if state.until_s > now_s:
            return False
        with suppress(StoreUnavailable):
            return self._put(document, state.with_probe(now_s), now_s)
        return True

    def record_failure(self, target: str, rule: CircuitBreakerSettings, now_s: float, wait_s: float) -> "Future[None]":
        """Counts a failure for all processes, in the background; the request goes on to its next target."""

        def add() -> None:
            for _ in range(TRIES):
                document = self.documents.get(HEALTH_DOCUMENTS, target) or Document(target, {}, 0)
                if document.version == 0 and len(self._known) >= MAX_TARGETS:
                    return
                fresh = now_s - float(document.body.get("at_s", 0.0)) < max(FORGET_AFTER_S, 2 * rule.max_open_s)
                state = _state(document) if fresh else CircuitState()
                if self._put(document, state.after_failure(rule, now_s, wait_s), now_s):
                    return

        return _executor().submit(self._quietly, add)

    def record_success(self, target: str) -> "Future[None] | None":
        """Closes the circuit for all processes, which read it within seconds."""
        document = self._known.get(target)
        if document is None or not document.body.get("failures"):
            return None
        self._known.pop(target, None)
        return _executor().submit(self._quietly, lambda: self.documents.put(HEALTH_DOCUMENTS, document._replace(body={})))

    def _read(self) -> None:
        self._known = {document.name: document for document in self.documents.all(HEALTH_DOCUMENTS)}

    def _put(self, document: Document, state: CircuitState, now_s: float) -> bool:
        changed = document._replace(body={**state._asdict(), "at_s": now_s})
        kept = self.documents.put(HEALTH_DOCUMENTS, changed)
        if kept:
            self._known[document.name] = changed._replace(version=document.version + 1)
        return kept

    def _quietly(self, act: Callable[[], object]) -> None:
        with suppress(StoreUnavailable):
            act()


def _state(document: Document) -> CircuitState:
    body = document.body
    return CircuitState(**{name: body[name] for name in CircuitState._fields if name in body})


@cache
def _executor() -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor  # only for those that have a choice

    return ThreadPoolExecutor(1, thread_name_prefix="health")
