"""How fast targets answer, as moving averages of what this process has measured."""

import threading

from haimaker.lean_dataclasses import dataclass, field
from haimaker.routing.circuit_breaker import drop_oldest

FORGET_AFTER_S = 600.0
"""A target that was measured longer ago counts as not measured, so that one that was slow is tried again."""
NEWEST_SHARE = 0.3
"""The weight of a new measurement in an average."""


@dataclass(slots=True)
class LatencyTracker:
    first_byte_ms: dict[str, float] = field(default_factory=dict)
    """The time to the first byte of streams, by target."""
    whole_ms: dict[str, float] = field(default_factory=dict)
    """The time of whole answers, by target."""
    tokens_per_s: dict[str, float] = field(default_factory=dict)
    _measured_s: dict[str, float] = field(default_factory=dict)
    """When each target was last measured."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def record_latency(self, target: str, now_s: float, *, took_ms: float, streams: bool) -> None:
        """Adds a measurement, in milliseconds: for a stream until it began, for a whole answer until its end."""
        with self._lock:
            if now_s - self._measured_s.get(target, 0.0) > FORGET_AFTER_S:
                for kept in (self.first_byte_ms, self.whole_ms, self.tokens_per_s):
                    kept.pop(target, None)
            self._measured_s[target] = now_s
            drop_oldest(self._measured_s)
            _average(self.first_byte_ms if streams else self.whole_ms, target, took_ms)

    def record_throughput(self, target: str, tokens: int, seconds: float) -> None:
        """Adds a measurement: this many tokens of an answer came in this many seconds."""
        if tokens and seconds > 0:
            with self._lock:
                _average(self.tokens_per_s, target, tokens / seconds)


def _average(kept: dict[str, float], target: str, value: float) -> None:
    before = kept.get(target)
    kept[target] = value if before is None else before + NEWEST_SHARE * (value - before)
    drop_oldest(kept)
