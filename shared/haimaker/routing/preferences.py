"""What a client or a key asks of routing besides a model, as values; `request_options.py` reads it from requests. Pure."""

from collections.abc import Mapping
from typing import Any

from haimaker.http.values import NO_TIMEOUTS, AttemptTimeouts
from haimaker.lean_dataclasses import dataclass, field, fields, replace

FALLBACK_FIELDS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")
ROUTING_FIELDS = frozenset({*FALLBACK_FIELDS, "models", "route", "provider", "num_retries", "timeout", "disable_fallbacks"})
"""Fields of a body that are for the gateway and never sent to a provider."""
TIMEOUT_HEADERS = ("x-haimaker-timeout", "x-litellm-timeout")
FIRST_BYTE_HEADERS = ("x-haimaker-first-byte-timeout", "x-litellm-stream-timeout")
RETRIES_HEADERS = ("x-haimaker-retries", "x-litellm-num-retries")
ROUTING_HEADERS = frozenset({*TIMEOUT_HEADERS, *FIRST_BYTE_HEADERS, *RETRIES_HEADERS})
SEED_HEADER = "x-haimaker-draw"
"""The source of chance for the order of weighted targets, so that a simulated request can be sent with the same outcome."""


@dataclass(frozen=True, slots=True)
class RoutingPreferences:
    """How a client or a key wants a request to be routed. A field that is None, empty or infinite leaves it to the route. Providers
    go by their name or their account's."""

    fallbacks: tuple[str, ...] | None = None
    context_window_fallbacks: tuple[str, ...] | None = None
    content_policy_fallbacks: tuple[str, ...] | None = None
    falls_back: bool = True
    """Whether anything but the first choice may be tried."""
    strategy: str | None = None
    order: tuple[str, ...] = ()
    """Providers to try first, in this order."""
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    max_usd: Mapping[str, str] = field(default_factory=dict)
    """The most that a rate may be, in USD, by the rate's name in the table of prices."""
    parameters: tuple[str, ...] = ()
    """Parameters of the request that every target has to take."""
    retries: int | None = None
    timeout_s: float = float("inf")
    timeouts: AttemptTimeouts = NO_TIMEOUTS
    model: str | None = None
    """The model of a request that names no other."""

    @property
    def names_providers(self) -> bool:
        return bool(self.order or self.only or self.ignore or self.strategy)

    @property
    def has_timeouts(self) -> bool:
        return self.timeouts != NO_TIMEOUTS or self.timeout_s != float("inf")

    def merged_with(self, others: "RoutingPreferences") -> "RoutingPreferences":
        """These preferences, completed by `others` where they say nothing; of two timeouts the shorter one."""
        said: dict[str, Any] = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != getattr(NO_PREFERENCES, each.name)
        }
        times = {"timeout_s": min(self.timeout_s, others.timeout_s), "timeouts": self.timeouts.capped_by(others.timeouts)}
        return replace(others, **said | times)


NO_PREFERENCES = RoutingPreferences()
