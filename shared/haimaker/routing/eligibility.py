"""Whether a target can be in a plan: what its key allows, whether its provider is on and serves the operation, what the request
prefers, and what the model can do. Pure."""

from haimaker import adapters
from haimaker.models.catalog import ModelInfo
from haimaker.models.matching import traits_of
from haimaker.models.names import is_allowed
from haimaker.models.rates import to_units
from haimaker.providers.provider import Dialect
from haimaker.routing.context import RoutingContext
from haimaker.routing.plan import Exclusion
from haimaker.routing.preferences import NO_PREFERENCES
from haimaker.routing.targets import TargetResolver

MIN_CONTEXT_TOKENS = 4_096
"""The context window of a model whose limit is not known."""
PATH_STEPS = frozenset({".", ".."})
"""Not allowed as parts of a model's name: in an address they would lead to another operation of its provider."""
CONTEXT_BUFFER = 1.1
"""A prompt's tokens are estimated, so a model has to take a tenth more."""

MAX_OWNERS = 6
"""How many providers a message names at most."""


def exclusion(
    targets: TargetResolver, target: str, context: RoutingContext, model_info: ModelInfo | None = None
) -> Exclusion | None:
    """The first reason why a target can't serve the request, or None. `context.allowed` has to hold full names."""
    name, slash, model = target.partition("/")
    definition = targets.definition(name)
    if not is_allowed(target, context.allowed):
        return Exclusion(target, "model_not_allowed", "the key's list of models does not have it")
    if definition is None and (owners := targets.known_owners(target)):
        named = ", ".join(owners[:MAX_OWNERS]) + (", …" if owners[MAX_OWNERS:] else "")
        return Exclusion(target, "provider_not_configured", f"no provider that lists it has credentials here ({named})")
    if definition is None or not (slash and model) or not PATH_STEPS.isdisjoint(model.split("/")):
        return Exclusion(target, "model_not_found", "there is no such model")
    if not targets.is_on(name):
        missing = f"{name.upper().replace('-', '_')}_{'API_KEY' if definition.endpoint.base_url else 'BASE_URL'}"
        return Exclusion(target, "provider_not_configured", f"the provider {name!r} has no credentials here ({missing})")
    if not adapters.serves(targets.serving(target, context) or definition, context.operation):
        return Exclusion(target, "unsupported_endpoint", f"the provider {name!r} is not known to serve {context.operation}")
    if context.preferences is NO_PREFERENCES and not context.auto_routed:
        return None
    model_info = model_info or targets.model_info_for(target)
    return _exclusion_by_preferences(targets, target, model_info, context) or (
        _exclusion_by_capabilities(target, model_info, context) if context.auto_routed else None
    )


def _exclusion_by_preferences(
    targets: TargetResolver, target: str, model_info: ModelInfo, context: RoutingContext
) -> Exclusion | None:
    """Excludes a target whose provider, price or parameters the request rules out."""
    preferences, names = context.preferences, set(targets.provider_names(target))
    if names & set(preferences.ignore) or (preferences.only and not names & set(preferences.only)):
        return Exclusion(target, "provider_not_wanted", "the request leaves its provider out")
    if preferences.order and not preferences.falls_back and not names & set(preferences.order):
        return Exclusion(target, "provider_not_wanted", "the request allows no providers but those that it names")
    for rate, most in preferences.max_usd.items():
        if rate not in model_info.rates or to_units(model_info.rates[rate]) > to_units(most):
            return Exclusion(target, "over_max_price", f"its {rate} is not known to be at most {most} USD")
    for parameter in preferences.parameters:
        if not _accepts_parameter(targets, target, model_info, parameter, context):
            return Exclusion(target, "lacks_parameter", f"it is not known to take {parameter!r}")
    return None


def _accepts_parameter(
    targets: TargetResolver, target: str, model_info: ModelInfo, parameter: str, context: RoutingContext
) -> bool:
    """Whether a target is known to take a parameter, given the request's `reasoning_effort`."""
    from haimaker.routing.requirements import CAPABILITY_OF

    definition = targets.serving(target, context)
    traits = traits_of(model_info.provider, model_info.model, model_info.supports, definition.family if definition else "")
    dialect = definition.dialect.for_model(traits, context.effort) if definition else Dialect()
    if parameter in dialect.drop or parameter in dialect.refuse or (parameter == "reasoning_effort" and traits.efforts == {}):
        return False
    return CAPABILITY_OF.get(parameter, parameter) in {parameter, *model_info.supports}


def _exclusion_by_capabilities(target: str, model_info: ModelInfo, context: RoutingContext) -> Exclusion | None:
    """Excludes a target that can't do what the request needs, where the gateway chose the model; a model that no table knows is not
    excluded."""
    if not model_info.supports and model_info.max_input_tokens is None and not model_info.rates:
        return None
    lacking = sorted(context.required - model_info.supports)
    if lacking:
        return Exclusion(target, "lacks_capability", f"it is not known for {', '.join(lacking)}")
    most = model_info.max_input_tokens or MIN_CONTEXT_TOKENS
    if context.prompt_tokens * CONTEXT_BUFFER > most:
        return Exclusion(
            target, "context_too_small", f"about {context.prompt_tokens} tokens and a tenth more do not fit into its {most}"
        )
    return None
