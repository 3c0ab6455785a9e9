"""Which targets keep failing and rest for a while. Known to this process only."""

import threading
from dataclasses import dataclass, field

FAILURES_TO_REST = 3
REST_S = 30.0


@dataclass(slots=True)
class Health:
    """A target that failed three times in a row goes to the end of every plan for half a minute; one success clears it."""

    _failures: dict[str, int] = field(default_factory=dict)
    _rests_until: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def succeeded(self, target: str) -> None:
        if target in self._failures:
            with self._lock:
                self._failures.pop(target, None)
                self._rests_until.pop(target, None)

    def failed(self, target: str, now_s: float) -> None:
        with self._lock:
            self._failures[target] = self._failures.get(target, 0) + 1
            if self._failures[target] >= FAILURES_TO_REST:
                self._rests_until[target] = now_s + REST_S

    def resting(self, now_s: float) -> frozenset[str]:
        if not self._rests_until:
            return frozenset()
        with self._lock:
            return frozenset(target for target, until in self._rests_until.items() if until > now_s)
