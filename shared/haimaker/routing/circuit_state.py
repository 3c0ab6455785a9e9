"""How a target's circuit goes on from one failure to the next. Pure."""

from typing import NamedTuple

from haimaker.routing.config import CircuitBreakerSettings

PROBE_S = 30.0
"""How long others wait for the outcome of the one request that tries a target again."""


class CircuitState(NamedTuple):
    """The circuit of a target that has failed."""

    failures: int = 0
    """Failures in a row."""
    rests: int = 0
    """How often the circuit opened since the last success."""
    until_s: float = 0.0
    """When it may be tried again."""
    probing: bool = False
    """Whether somebody tries it again at the moment."""

    def after_failure(self, rule: CircuitBreakerSettings, now_s: float, wait_s: float = 0.0) -> "CircuitState":
        """The state after one more failure. `wait_s` is the wait that the target itself asked for."""
        if self.until_s > now_s and not self.probing:
            return self._replace(failures=self.failures + 1)
        if self.failures + 1 < rule.failures and not self.rests:
            return self._replace(failures=self.failures + 1)
        rest_s = min(rule.max_open_s, max(rule.open_s * 2 ** min(self.rests, 30), wait_s))
        return CircuitState(self.failures + 1, self.rests + 1, now_s + rest_s)

    def with_probe(self, now_s: float) -> "CircuitState":
        """The state while one request tries the target again: for the others the circuit stays open a little longer."""
        return self._replace(until_s=now_s + PROBE_S, probing=True)
