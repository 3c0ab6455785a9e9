"""What `provider/model` stands for here: whose it is, whether it can be reached, and what is known of it. Pure."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from urllib.parse import urlsplit

from haimaker.adapters import CHATS
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.catalog import NOWHERE, ModelInfo, Place, find_model
from haimaker.models.matching import select, traits_of
from haimaker.providers.provider import Provider
from haimaker.providers.registry import ONLINE, chat_operation, definition_for, find
from haimaker.routing.config import Config
from haimaker.routing.context import RoutingContext


@dataclass(frozen=True)
class TargetResolver:
    """Looks up targets in the deployer's configuration and in the providers that are on, in the table's order."""

    config: Config
    providers: Sequence[Provider]
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where providers are called, by name; one without is called in its own default location."""

    def definition(self, name: str) -> Provider | None:
        """The definition of a provider, or of an account that the deployer named."""
        account = self.config.accounts.get(name)
        return account.definition if account else find(name)

    def provider_names(self, target: str) -> tuple[str, ...]:
        """The names under which a client may mean the target's provider: its own, or its account's and the account's provider's."""
        name = target.partition("/")[0]
        account = self.config.accounts.get(name)
        return (name, account.base) if account else (name,)

    def full_name(self, model: str) -> str:
        """A route's name or `provider/model`; a bare model belongs to the first provider that is on and lists it."""
        return model if model in self.config.routes else self.target_name(model)

    def target_name(self, model: str) -> str:
        """`provider/model` for a name that can't be a route's, as the provider spells it."""
        name, _, spelled = model.partition("/")
        definition = self.definition(name)
        if definition:
            prefix = next((prefix for prefix in definition.catalog.prefixes if spelled.startswith(prefix)), "")
            return f"{name}/{spelled.removeprefix(prefix)}" if prefix else model
        owner = next(self.providers_listing(model), None)
        return f"{owner}/{model}" if owner else model

    def full_names(self, names: Collection[str]) -> set[str]:
        """The names, and the full names of the bare ones among them."""
        return {*names, *map(self.full_name, names)}

    def providers_listing(self, model: str) -> Iterator[str]:
        """The providers that are on and list a bare name."""
        for provider in self.providers:
            account = self.config.accounts.get(provider.name)
            if find_model(account.base if account else provider.name, model):
                yield provider.name

    def known_owners(self, model: str) -> list[str]:
        """The providers of the table that list a bare name, whether they are on or not."""
        return [name for name in ONLINE if model and find_model(name, model)]

    def is_on(self, name: str) -> bool:
        return name in self._on

    def base_model(self, target: str) -> str | None:
        """Which model a deployment or a profile is, by the deployer's configuration."""
        if not self.config.base_models:
            return None
        model = target.partition("/")[2]
        names = (f"{name}/{model}" for name in self.provider_names(target))
        return next((self.config.base_models[name] for name in names if name in self.config.base_models), None)

    def serving(self, target: str, context: RoutingContext) -> Provider | None:
        """The definition by which a target serves a request. A provider may serve families of models differently; the family is
        that of the target's base model, whatever the target is called. Of one that speaks the client's format, but not all of the
        request, it is that of a chat."""
        definition, operation = self.definition(target.partition("/")[0]), context.operation
        if definition is None:
            return None
        model_info = self.model_info_for(target)
        model = model_info.model if self.base_model(target) else target.partition("/")[2]
        if self._goes_over_responses(definition, model, model_info, context):
            operation = "responses"
        elif operation in definition.operations:
            own = definition_for(definition, model, operation)
            from haimaker.routing.native_formats import passes

            if not passes(own, context.original) or self._is_elsewhere(target, definition, own):
                operation = "chat_completions"
        return definition_for(definition, model, operation)

    def asks_original(self, target: str, context: RoutingContext) -> bool:
        """Whether it depends on what a client sent in a format of its own how a target serves it."""
        definition = self.definition(target.partition("/")[0])
        if context.original is None or definition is None or context.operation not in definition.operations:
            return False
        from haimaker.routing.native_formats import passes_always

        model = self.model_info_for(target).model if self.base_model(target) else target.partition("/")[2]
        return not passes_always(definition_for(definition, model, context.operation))

    def _goes_over_responses(self, definition: Provider, model: str, model_info: ModelInfo, context: RoutingContext) -> bool:
        """Whether a chat, in whatever format, has to go over its provider's Responses."""
        if context.operation not in CHATS or "responses" not in definition.operations:
            return False
        traits = traits_of(model_info.provider, model_info.model, model_info.supports, definition.family)
        nothing_else = model_info.mode == "responses"
        effort, has_tools = context.effort, context.has_tools
        return chat_operation(definition, model, traits, effort, has_tools=has_tools, only_responses=nothing_else) == "responses"

    def _is_elsewhere(self, target: str, definition: Provider, own: Provider) -> bool:
        """Whether the provider is called elsewhere than at its vendor's, which alone serves an operation."""
        host = self.places.get(target.partition("/")[0], NOWHERE).host
        return own.endpoint.only_at_vendor and bool(host) and host != urlsplit(definition.endpoint.base_url).hostname

    @cached_property
    def model_info_for(self) -> Callable[[str], ModelInfo]:
        """Finds what is known of a target, from a cache of the last 256."""
        return lru_cache(maxsize=256)(self._find_model_info)

    def _find_model_info(self, target: str) -> ModelInfo:
        """Prices, limits and capabilities of `provider/model`, with the deployer's prices. A model that no table lists has none but
        its provider's defaults."""
        provider, _, model = target.partition("/")
        definition = self.definition(provider)
        if definition is None:
            return ModelInfo.unknown(provider, model)
        names = [f"{name}/{model}" for name in self.provider_names(target)]
        base = self.base_model(target)
        known = model_info_for_base(definition, base) if base else _find_row(definition, model)
        known = known or ModelInfo.unknown(provider, model, definition.catalog.modes.get(model, "chat")).with_prices(
            definition.catalog.prices
        )
        known = known.at(self.places.get(provider) or Place(definition.endpoint.default_location))
        known = known.with_fees(definition.catalog.fees)
        for name in (pattern for each in names for pattern in _price_names(each)):
            if name in self.config.prices:
                return known.with_prices(self.config.prices[name])
        return known

    @cached_property
    def _on(self) -> frozenset[str]:
        return frozenset(provider.name for provider in self.providers)


def _find_row(definition: Provider, model: str) -> ModelInfo | None:
    """What the table says of a model: under its own name, else under the name that its provider's `known_as` has for it."""
    owner = definition.catalog.priced_as or definition.name
    together = select(definition.name, model, definition.catalog.known_as) or model
    return find_model(owner, model) or find_model(owner, together)


def model_info_for_base(definition: Provider, base: str) -> ModelInfo | None:
    """What the table says of the base model of a deployment: `base` is a model of the provider's, or of another one as
    `provider/model`."""
    owner, _, model = base.partition("/")
    return find_model(definition.catalog.priced_as or definition.name, base) or find_model(owner, model)


def account_definition(name: str, base: Provider) -> Provider:
    """A provider's definition under the name of an account, at the prices of the provider."""
    catalog = replace(base.catalog, priced_as=base.catalog.priced_as or base.name)
    return replace(base.named(name), catalog=catalog)


def _price_names(target: str) -> Iterator[str]:
    """The names under which the deployer may give a price: the target's own, then patterns from the longest to the shortest."""
    yield target
    for end in range(len(target), target.index("/"), -1):
        yield target[:end] + "*"
