"""What a plan depends on besides the configuration: a request, its key, and how the targets are at the moment. A value."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from haimaker.lean_dataclasses import dataclass, field
from haimaker.routing import preferences as routing_preferences
from haimaker.routing.preferences import RoutingPreferences

if TYPE_CHECKING:  # with the checks of requests, which a build of the layer has no library for
    from haimaker.operations.operation import Original


@dataclass(frozen=True, slots=True)
class RoutingContext:
    """What one request's plan depends on besides the configuration. Equal contexts lead to equal plans."""

    request_id: str
    created_s: int
    operation: str = "chat_completions"
    original: "Original | None" = None
    """What the client sent in a format of its own, which not every provider takes whole that speaks it."""
    allowed: Collection[str] = ()
    """The key's names and `provider/*` patterns, bare names too; empty allows all."""
    open_circuits: Collection[str] = ()
    """Targets that keep failing; they come last."""
    preferences: RoutingPreferences = routing_preferences.NO_PREFERENCES
    seed: str = ""
    """The source of chance; without one it is the request's id."""
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    tokens_per_s: Mapping[str, float] = field(default_factory=dict)
    prompt_tokens: int = 1_000
    answer_tokens: int = 1_000
    required: frozenset[str] = frozenset()
    """Capabilities that the request asks for."""
    effort: object = None
    """The `reasoning_effort` that the request names, which says what its model takes besides."""
    has_tools: bool = False
    """Whether the request has functions, beside which some models think at another of their provider's endpoints."""
    auto_routed: bool = False
    """Whether the gateway chose the model, and so has to exclude targets that can't do what is required."""
    auto_fallbacks: bool = False
    """Whether the gateway chose the fallbacks as well, so that nobody has named any."""

    @property
    def seed_or_id(self) -> str:
        return self.seed or self.request_id
