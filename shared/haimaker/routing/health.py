"""Which targets keep failing and rest for a while, and how quick the others are. What it counts is this process's own; of targets
that fail, `shared_health.py` tells other processes, and hears from them.

A target that failed several times in a row goes to the end of every plan. When its rest is over one request tries it: a success
clears it, a failure doubles its rest. https://martinfowler.com/bliki/CircuitBreaker.html
"""

import threading
from typing import TYPE_CHECKING, NamedTuple

from haimaker.lean_dataclasses import dataclass, field
from haimaker.routing.plan import DEFAULT_CIRCUIT_BREAKER, CircuitBreakerSettings

if TYPE_CHECKING:
    from haimaker.routing.shared_health import SharedHealth

PROBE_S = 30.0
"""How long others wait for what becomes of the one request that tries a target again."""
RECENTLY_SERVED_S = 60.0
"""A target that served this process within this time is not reported for a single failure."""
FORGET_AFTER_S = 600.0
"""What was measured longer ago counts no more, so that a target that was slow is tried again."""
NEWEST_SHARE = 0.3
MAX_TARGETS = 1_000


class CircuitState(NamedTuple):
    """Of a target that has failed."""

    failures: int = 0
    """In a row."""
    rests: int = 0
    until_s: float = 0.0
    """The end of its rest."""
    probing: bool = False
    """Whether somebody tries it again at the moment."""

    def after_failure(self, rule: CircuitBreakerSettings, now_s: float, wait_s: float = 0.0) -> "CircuitState":
        """`wait_s` is what the target itself asks for."""
        if self.until_s > now_s and not self.probing:
            return self._replace(failures=self.failures + 1)
        if self.failures + 1 < rule.failures and not self.rests:
            return self._replace(failures=self.failures + 1)
        rest_s = min(rule.max_open_s, max(rule.open_s * 2 ** min(self.rests, 30), wait_s))
        return CircuitState(self.failures + 1, self.rests + 1, now_s + rest_s)

    def with_probe(self, now_s: float) -> "CircuitState":
        """Somebody tries it: to others it rests a little longer."""
        return self._replace(until_s=now_s + PROBE_S, probing=True)


@dataclass(slots=True)
class Health:
    """Of all targets that this process has asked."""

    rule: CircuitBreakerSettings = DEFAULT_CIRCUIT_BREAKER
    shared: "SharedHealth | None" = None
    first_byte_ms: dict[str, float] = field(default_factory=dict)
    """Of streams, by target; a moving average."""
    whole_ms: dict[str, float] = field(default_factory=dict)
    """Of whole answers, likewise."""
    tokens_per_s: dict[str, float] = field(default_factory=dict)
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
        _drop_oldest(self._served_s)

    def record_failure(self, target: str, now_s: float, wait_s: float = 0.0, *, share: bool = False) -> None:
        """`told` where there is another target to go to, so that others should know."""
        with self._lock:
            state = self._states.get(target, CircuitState()).after_failure(self.rule, now_s, wait_s)
            self._states[target] = state
            _drop_oldest(self._states)
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
        """Whether to ask a target now. After its rest this is so for one request, until it is known what became of that."""
        with self._lock:
            state = self._states.get(target)
            if state and state.until_s:
                if state.until_s > now_s:
                    return False
                self._states[target] = state.with_probe(now_s)
        return self.shared is None or self.shared.allows_request(target, now_s)

    def refresh(self, now_s: float) -> None:
        """Hears what others found out, beside the request that asks for it."""
        if self.shared:
            self.shared.refresh(now_s)

    def record_latency(self, target: str, now_s: float, *, took_ms: float, streams: bool) -> None:
        """How long an answer took to begin, a whole one to be there."""
        with self._lock:
            if now_s - self._served_s.get(target, 0.0) > FORGET_AFTER_S:
                for kept in (self.first_byte_ms, self.whole_ms, self.tokens_per_s):
                    kept.pop(target, None)
            _average(self.first_byte_ms if streams else self.whole_ms, target, took_ms)

    def record_throughput(self, target: str, tokens: int, seconds: float) -> None:
        """How much of an answer came in all."""
        if tokens and seconds > 0:
            with self._lock:
                _average(self.tokens_per_s, target, tokens / seconds)


def _average(kept: dict[str, float], target: str, value: float) -> None:
    before = kept.get(target)
    kept[target] = value if before is None else before + NEWEST_SHARE * (value - before)
    _drop_oldest(kept)


def _drop_oldest(kept: "dict[str, float] | dict[str, CircuitState]") -> None:
    """Names come from clients: no more than so many are kept, the oldest go first."""
    while len(kept) > MAX_TARGETS:
        kept.pop(next(iter(kept)))
