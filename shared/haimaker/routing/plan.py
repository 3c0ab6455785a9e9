"""A plan: which targets serve one request, in which order, and which were left out. Values only."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.operations.attempt import Attempt
from haimaker.routing.config import BACK_OFF, BackOff


class Exclusion(NamedTuple):
    """A target that was left out of a plan, and why."""

    target: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Attempts, best first. The other two lists are used after one kind of error each: the prompt is too long, or was refused."""

    attempts: tuple[Attempt, ...]
    context_window: tuple[Attempt, ...] = ()
    content_policy: tuple[Attempt, ...] = ()
    retries: int = 2
    timeout_s: float = 590.0
    back_off: BackOff = BACK_OFF
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a target stands where it does, by target."""
    exclusions: tuple[Exclusion, ...] = ()

    def all(self) -> tuple[Attempt, ...]:
        return self.attempts + self.context_window + self.content_policy

    def of_request(self, request_id: str, created_s: int) -> "Plan":
        """The same for another request."""
        lists = (
            tuple(attempt.copy(request_id=request_id, created_s=created_s) for attempt in attempts) if attempts else ()
            for attempts in (self.attempts, self.context_window, self.content_policy)
        )
        attempts, context_window, content_policy = lists
        return replace(self, attempts=attempts, context_window=context_window, content_policy=content_policy)

    def without(self, targets: Collection[str]) -> "Plan":
        """The same without some targets."""
        if not targets:
            return self
        lists = (
            tuple(attempt for attempt in attempts if attempt.target not in targets)
            for attempts in (self.attempts, self.context_window, self.content_policy)
        )
        attempts, context_window, content_policy = lists
        return replace(self, attempts=attempts, context_window=context_window, content_policy=content_policy)
