"""The deployer's configuration of routing, as `gateway.toml` has it: routes, accounts, prices, circuit breaker. Values only."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from haimaker.http.values import NO_TIMEOUTS, AttemptTimeouts
from haimaker.lean_dataclasses import dataclass, field
from haimaker.providers.provider import BatchAccount, Provider

if TYPE_CHECKING:
    from haimaker.accounts.sign_in import SignInSettings
    from haimaker.observability.redaction import Redaction
    from haimaker.routing.auto_rules import AutoRouterDefinition

WEIGHTED, ORDERED, LOWEST_COST, LOWEST_LATENCY = "weighted", "ordered", "lowest-cost", "lowest-latency"
HIGHEST_THROUGHPUT = "highest-throughput"
STRATEGIES = (WEIGHTED, ORDERED, LOWEST_COST, LOWEST_LATENCY, HIGHEST_THROUGHPUT)
"""How the targets of a route are put in order; the first is what a route does that names none."""


class Target(NamedTuple):
    """A target of a route: its weight, and how long an attempt may take."""

    model: str
    weight: float = 1.0
    timeouts: AttemptTimeouts = NO_TIMEOUTS


class BackOff(NamedTuple):
    """The wait before the same target is tried again: it doubles with each retry, and chance adds up to `jitter` of it."""

    first_s: float = 0.25
    longest_s: float = 10.0
    """A provider that asks for a longer wait is not waited for; the client is told how long it is."""
    jitter: float = 0.25
    """The share by which a wait may be longer."""


BACK_OFF = BackOff()


@dataclass(frozen=True, slots=True)
class Route:
    """A model name that the deployer made, or, with a single target, any model."""

    targets: tuple[Target, ...]
    fallbacks: tuple[str, ...] = ()
    context_window_fallbacks: tuple[str, ...] = ()
    content_policy_fallbacks: tuple[str, ...] = ()
    retries: int = 2
    timeout_s: float = 590.0
    strategy: str = WEIGHTED
    timeouts: AttemptTimeouts = NO_TIMEOUTS
    """The timeouts of an attempt whose target sets none."""
    back_off: BackOff = BACK_OFF


NO_ROUTE = Route(())


class CircuitBreakerSettings(NamedTuple):
    """How many failures open a target's circuit, and for how long it is open. https://martinfowler.com/bliki/CircuitBreaker.html"""

    failures: int = 3
    """Failures in a row that open it."""
    open_s: float = 30.0
    max_open_s: float = 300.0
    """A target that fails when it is tried again stays out for twice as long, up to this."""


DEFAULT_CIRCUIT_BREAKER = CircuitBreakerSettings()


class BatchSettings(NamedTuple):
    """When the lines of a batch are sent as a batch of their provider's own."""

    native: bool = True
    least_lines: int = 50
    """To one model. Fewer are answered in seconds otherwise, and a provider's batch takes minutes at least: what is saved is not
    worth the wait."""
    deployments: Mapping[str, str] = MappingProxyType({})
    """By `provider/model`, the deployment that takes its batches, of a provider with such."""
    accounts: Mapping[str, BatchAccount] = MappingProxyType({})
    """What a provider's batches need besides its key, by provider or by account of one."""


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
    sign_in: "SignInSettings | None" = None
    """Who may sign in to the console without a key."""
    allowed_ids: tuple[str, ...] = ()
    """Of vector stores, files, containers and prompts in the accounts at providers, that every key may name."""
    batches: BatchSettings = BatchSettings()
    redaction: "Redaction | None" = None
    """What is taken out of content that is kept; None takes out all that is built in."""


class ProviderAccount(NamedTuple):
    """A second account, region or server of a provider, with credentials or an address of its own."""

    definition: Provider
    """The provider's, under the account's name."""
    base: str
    """The provider."""
    settings: Mapping[str, str] = MappingProxyType({})
    """Variables as if they were in the environment, for this account only."""
    shares_credentials: bool = False
    """Whether it uses the provider's own where it has none."""
