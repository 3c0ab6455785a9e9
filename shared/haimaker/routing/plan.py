"""What routing is made of: the deployer's configuration, and the plan that it leads to for one request. Values only."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from haimaker.http.values import NO_TIMEOUTS, AttemptTimeouts
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.attempt import Attempt
from haimaker.providers.provider import Provider

if TYPE_CHECKING:
    from haimaker.observability.redaction import Redaction
    from haimaker.routing.auto_rules import AutoRouterDefinition

WEIGHTED, ORDERED, LOWEST_COST, LOWEST_LATENCY = "weighted", "ordered", "lowest-cost", "lowest-latency"
HIGHEST_THROUGHPUT = "highest-throughput"
STRATEGIES = (WEIGHTED, ORDERED, LOWEST_COST, LOWEST_LATENCY, HIGHEST_THROUGHPUT)
"""How the targets of a route are put in order; the first is what a route does that names none."""


class Target(NamedTuple):
    """A target of a route: its share, and how long it may take."""

    model: str
    weight: float = 1.0
    timeouts: AttemptTimeouts = NO_TIMEOUTS


class BackOff(NamedTuple):
    """Before the same target is asked again: each wait is twice the one before, and spread by chance."""

    first_s: float = 0.25
    longest_s: float = 10.0
    """A provider that asks for a longer wait is not waited for; the client is told how long it is."""
    jitter: float = 0.25
    """The share by which a wait may be longer."""


BACK_OFF = BackOff()


@dataclass(frozen=True, slots=True)
class Route:
    """One name of the deployer's own, or, with a single target, any model."""

    targets: tuple[Target, ...]
    fallbacks: tuple[str, ...] = ()
    context_window_fallbacks: tuple[str, ...] = ()
    content_policy_fallbacks: tuple[str, ...] = ()
    retries: int = 2
    timeout_s: float = 590.0
    strategy: str = WEIGHTED
    timeouts: AttemptTimeouts = NO_TIMEOUTS
    """Of each attempt whose target has none of its own."""
    back_off: BackOff = BACK_OFF


NO_ROUTE = Route(())


class CircuitBreakerSettings(NamedTuple):
    """When a target that fails is left alone, and for how long."""

    failures: int = 3
    """In a row."""
    open_s: float = 30.0
    max_open_s: float = 300.0
    """A target that fails again after its rest gets twice as long a one, up to this."""


DEFAULT_CIRCUIT_BREAKER = CircuitBreakerSettings()


@dataclass(frozen=True, slots=True)
class Config:
    """What `gateway.toml` says: routes by name, and prices by `provider/model`, where the model may end in `*`."""

    routes: Mapping[str, Route] = field(default_factory=dict)
    """A name may have a `*`, which stands for any text, also in the names of its targets."""
    prices: Mapping[str, Mapping[str, str | int | float]] = field(default_factory=dict)
    base_models: Mapping[str, str] = field(default_factory=dict)
    """By `provider/model`, the model that it is; as the provider's table has it, or with a provider of its own."""
    default: Route = NO_ROUTE
    """What holds for every model that has no route."""
    accounts: Mapping[str, "ProviderAccount"] = field(default_factory=dict)
    circuit_breaker: CircuitBreakerSettings = DEFAULT_CIRCUIT_BREAKER
    auto: "AutoRouterDefinition | None" = None
    """What `haimaker/auto` goes by for keys without a router of their own."""
    redaction: "Redaction | None" = None
    """What is taken out of content that is kept; None takes out all that is built in."""


class ProviderAccount(NamedTuple):
    """A provider once more, with credentials or an address of its own: another account, region or server."""

    row: Provider
    """The provider's, under the account's name."""
    base: str
    """The provider."""
    settings: Mapping[str, str] = MappingProxyType({})
    """Variables as if they were in the environment, for this account only."""
    shares_credentials: bool = False
    """Whether it uses the provider's own where it has none."""


class Exclusion(NamedTuple):
    """A target that could have been in a plan, and why it is not."""

    target: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Attempts, best first; the other two lists serve one kind of refusal each."""

    attempts: tuple[Attempt, ...]
    context_window: tuple[Attempt, ...] = ()
    content_policy: tuple[Attempt, ...] = ()
    retries: int = 2
    timeout_s: float = 590.0
    back_off: BackOff = BACK_OFF
    reasons: Mapping[str, str] = field(default_factory=dict)
    """By target, why it is where it is."""
    exclusions: tuple[Exclusion, ...] = ()

    def all(self) -> tuple[Attempt, ...]:
        return self.attempts + self.context_window + self.content_policy
