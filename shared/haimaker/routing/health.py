"""What this process knows of its targets: their circuits, and how fast they answer."""

from haimaker.lean_dataclasses import dataclass, field
from haimaker.routing.circuit_breaker import CircuitBreaker
from haimaker.routing.latency import LatencyTracker


@dataclass(frozen=True, slots=True)
class Health:
    """The circuit breaker and the measured speed of all targets that this process has asked."""

    breaker: CircuitBreaker = field(default_factory=CircuitBreaker)
    latency: LatencyTracker = field(default_factory=LatencyTracker)
