"""A circuit breaker for each target, by what this process has seen; `shared_health.py` shares failures with other processes.

The circuit of a target that failed several times in a row opens: the target goes to the end of every plan. After a while one
request tries it again: a success closes the circuit, a failure keeps it open for twice as long.
https://martinfowler.com/bliki/CircuitBreaker.html
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from haimaker.lean_dataclasses import dataclass, field
from haimaker.routing.circuit_state import CircuitState
from haimaker.routing.config import DEFAULT_CIRCUIT_BREAKER, CircuitBreakerSettings

if TYPE_CHECKING:
    from haimaker.routing.shared_health import SharedHealth

RECENTLY_SERVED_S = 60.0
"""A target that served this process within this time is not reported for a single failure."""
MAX_TARGETS = 1_000


@dataclass(slots=True)
class CircuitBreaker:
    """The circuits of all targets that this process has asked."""

    rule: CircuitBreakerSettings = DEFAULT_CIRCUIT_BREAKER
    shared: "SharedHealth | None" = None
    on_open: Callable[[str, float, bool], object] | None = None
    """Is called with a target whose circuit opens, the moment until which it stays so, and whether it was closed before."""
    _states: dict[str, CircuitState] = field(default_factory=dict)
    _served_s: dict[str, float] = field(default_factory=dict)
    """When each target last served."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record_success(self, target: str, now_s: float = 0.0) -> None:
        if target in self._states:
            with self._lock:
                self._states.pop(target, None)
        if self.shared:
            self.shared.record_success(target)
        self._served_s[target] = now_s
        drop_oldest(self._served_s)

    def record_failure(self, target: str, now_s: float, wait_s: float = 0.0, *, share: bool = False) -> None:
        """Counts a failure. `share` tells other processes too; it is set where a request has another target to go to."""
        with self._lock:
            earlier = self._states.get(target, CircuitState())
            state = self._states[target] = earlier.after_failure(self.rule, now_s, wait_s)
            drop_oldest(self._states)
        if self.on_open and state.rests > earlier.rests:
            self.on_open(target, state.until_s, not earlier.rests)
        unproven = now_s - self._served_s.get(target, 0.0) > RECENTLY_SERVED_S
        if share and self.shared and (unproven or state.failures > 1):
            self.shared.record_failure(target, self.rule, now_s, wait_s)

    def open_circuits(self, now_s: float) -> frozenset[str]:
        own = frozenset[str]()
        if self._states:
            with self._lock:
                own = frozenset(target for target, state in self._states.items() if state.until_s > now_s)
        return own | self.shared.open_circuits(now_s) if self.shared else own

    def allows_request(self, target: str, now_s: float) -> bool:
        """Whether to send to a target now. Once its circuit has been open long enough this is true for one request, until its
        outcome is known."""
        with self._lock:
            state = self._states.get(target)
            if state and state.until_s:
                if state.until_s > now_s:
                    return False
                self._states[target] = state.with_probe(now_s)
        return self.shared is None or self.shared.allows_request(target, now_s)

    def refresh(self, now_s: float) -> None:
        """Reads in the background what other processes have found out."""
        if self.shared:
            self.shared.refresh(now_s)


def drop_oldest(kept: "dict[str, float] | dict[str, CircuitState]") -> None:
    """Keeps at most MAX_TARGETS entries, since clients choose the names."""
    while len(kept) > MAX_TARGETS:
        kept.pop(next(iter(kept)))
