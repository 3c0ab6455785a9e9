"""From a model's name to an ordered list of attempts. Pure: the draw comes from the request id, so that a log line replays."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from haimaker.errors import APIError, NotFoundError, PermissionDeniedError
from haimaker.prices import Facts, facts
from haimaker.providers import BY_NAME, Provider, row_for
from haimaker.wire import Attempt


@dataclass(frozen=True, slots=True)
class Weighted:
    """A target of a route, and its share."""

    model: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Route:
    """One name of the deployer's own, or, with a single target, any model."""

    targets: tuple[Weighted, ...]
    fallbacks: tuple[str, ...] = ()
    context_window_fallbacks: tuple[str, ...] = ()
    content_policy_fallbacks: tuple[str, ...] = ()
    retries: int = 2
    timeout_s: float = 590.0


@dataclass(frozen=True, slots=True)
class Config:
    """What `gateway.toml` says: routes by name, and prices by `provider/model`, where the model may end in `*`."""

    routes: Mapping[str, Route] = field(default_factory=dict)
    prices: Mapping[str, Mapping[str, str | int | float]] = field(default_factory=dict)
    base_models: Mapping[str, str] = field(default_factory=dict)
    """By `provider/model`, the model that it is; as the provider's table has it, or with a provider of its own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Attempts, best first; the other two lists serve one kind of refusal each."""

    attempts: tuple[Attempt, ...]
    context_window: tuple[Attempt, ...] = ()
    content_policy: tuple[Attempt, ...] = ()
    retries: int = 2
    timeout_s: float = 590.0

    def all(self) -> tuple[Attempt, ...]:
        return self.attempts + self.context_window + self.content_policy


@dataclass(frozen=True, slots=True)
class Router:
    """What plans are made from: the deployer's configuration and the providers that are on, in the table's order."""

    config: Config
    providers: Sequence[Provider]

    def plan(self, model: str, allowed: Collection[str], request_id: str, created_s: int, resting: Collection[str] = ()) -> Plan:
        """Attempts for a model as the client names it. `resting` targets come last; `allowed` may have bare names too.

        Raises NotFoundError, PermissionDeniedError.
        """
        name = self.full_name(model)
        allowed = {*allowed, *map(self.full_name, allowed)}
        if not (is_allowed(name, allowed) or is_allowed(model, allowed)):
            raise PermissionDeniedError(f"This key may not use the model {model!r}.", param="model", code="model_not_allowed")
        route = self.config.routes.get(name, Route((Weighted(name),)))
        drawn = [target.model for target in _draw(route.targets, request_id)]

        def attempts(names: Sequence[str]) -> tuple[Attempt, ...]:
            targets = list(dict.fromkeys(target for name in names for target in self._targets(name, request_id)))
            targets = [target for target in targets if is_allowed(target, allowed)]
            usable = sorted((target for target in targets if self._provider(target)), key=lambda target: target in resting)
            return tuple(self._attempt(target, request_id, created_s) for target in usable)

        planned = attempts([*drawn, *route.fallbacks])
        if not planned:
            raise self._unusable(model, drawn, allowed)
        return Plan(
            planned,
            attempts(route.context_window_fallbacks),
            attempts(route.content_policy_fallbacks),
            route.retries,
            route.timeout_s,
        )

    def full_name(self, model: str) -> str:
        """A route's name or `provider/model`; a bare model belongs to the first provider that is on and lists it."""
        if model in self.config.routes or model.partition("/")[0] in BY_NAME:
            return model
        owner = next((provider.name for provider in self.providers if facts(provider.name, model)), None)
        return f"{owner}/{model}" if owner else model

    def facts_of(self, target: str) -> Facts:
        """Facts of `provider/model`, with the deployer's prices; of a model that no table lists, what little is known."""
        provider, _, model = target.partition("/")
        base = self.config.base_models.get(target)
        known = facts_of_base(provider, base) if base else facts(BY_NAME[provider].priced_as or provider, model)
        known = known or Facts.unknown(provider, model).with_prices(BY_NAME[provider].prices)
        for name in _price_names(target):
            if name in self.config.prices:
                return known.with_prices(self.config.prices[name])
        return known

    def _targets(self, name: str, request_id: str) -> Iterator[str]:
        """A fallback may name a route: its targets then, but not its own fallbacks."""
        route = self.config.routes.get(name)
        if route is None:
            yield self.full_name(name)
        else:
            yield from (self.full_name(target.model) for target in _draw(route.targets, request_id))

    def _provider(self, target: str) -> Provider | None:
        name, slash, model = target.partition("/")
        return next((provider for provider in self.providers if provider.name == name and slash and model), None)

    def _attempt(self, target: str, request_id: str, created_s: int) -> Attempt:
        name, _, model = target.partition("/")
        return Attempt(request_id, created_s, row_for(name, model), model, self.facts_of(target))

    def _unusable(self, model: str, names: Sequence[str], allowed: Collection[str]) -> APIError:
        """Why nothing is left of a plan."""
        targets = [target for name in names for target in self._targets(name, "")]
        if not any(is_allowed(target, allowed) for target in targets):
            message = f"This key may use the name {model!r}, but none of the models that it stands for."
            return PermissionDeniedError(message, param="model", code="model_not_allowed")
        off = next((provider for target in targets if (provider := BY_NAME.get(target.partition("/")[0]))), None)
        if off and not self._provider(f"{off.name}/_"):
            missing = f"{off.name.upper()}_{'API_KEY' if off.base_url else 'BASE_URL'}"
            message = f"The model {model!r} is not available: the provider {off.name!r} has no credentials here ({missing})."
            return NotFoundError(message, param="model", code="provider_not_configured")
        message = f"The model {model!r} does not exist. GET /v1/models lists those that this key may use."
        return NotFoundError(message, param="model", code="model_not_found")


def facts_of_base(provider: str, base: str) -> Facts | None:
    """What the table says of a model that goes by another name: as the provider has it, or another, as `provider/model`."""
    owner, _, model = base.partition("/")
    return facts(BY_NAME[provider].priced_as or provider, base) or facts(owner, model)


def is_allowed(name: str, allowed: Collection[str]) -> bool:
    """Whether a list of names and `provider/*` patterns has the name; an empty list has all."""
    return (
        not allowed
        or name in allowed
        or "*" in allowed
        or any(pattern.endswith("/*") and name.startswith(pattern[:-1]) for pattern in allowed)
    )


def _draw(targets: Sequence[Weighted], request_id: str) -> list[Weighted]:
    """All targets in a random order in which each comes first as often as its weight says.

    Efraimidis and Spirakis, Weighted random sampling with a reservoir (2006), with the request id as the source of chance.
    """

    def rank(position: int) -> float:
        digest = blake2b(f"{request_id}/{position}".encode(), digest_size=8).digest()
        uniform = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)
        return math.log(uniform) / targets[position].weight

    return [targets[position] for position in sorted(range(len(targets)), key=rank, reverse=True)]


def _price_names(target: str) -> Iterator[str]:
    """The names under which the deployer may give a price: the target's own, then patterns from the longest to the shortest."""
    yield target
    for end in range(len(target), target.index("/"), -1):
        yield target[:end] + "*"
