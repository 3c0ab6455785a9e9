"""Why a target can't be in a plan: the key, the provider, what the request says against it, what it lacks. Pure."""

from haimaker import adapters
from haimaker.models.catalog import ModelInfo, to_units
from haimaker.models.names import is_allowed
from haimaker.providers.registry import definition_for
from haimaker.routing.context import RoutingContext
from haimaker.routing.plan import Exclusion
from haimaker.routing.preferences import NO_PREFERENCES
from haimaker.routing.targets import TargetResolver

MIN_CONTEXT_TOKENS = 4_096
"""Of a model whose limit is not known."""
PATH_STEPS = frozenset({".", ".."})
"""No part of a model's name: in an address they would lead to another operation of its provider."""
CONTEXT_BUFFER = 1.1
"""A prompt is estimated, so a model has to take a tenth more."""

MAX_OWNERS = 6
"""How many providers a message names."""


def exclusion(targets: TargetResolver, target: str, at: RoutingContext, model_info: ModelInfo | None = None) -> Exclusion | None:
    """The first reason why a target can't serve the request, or None. `at.allowed` has to hold full names."""
    name, slash, model = target.partition("/")
    row = targets.row(name)
    if not is_allowed(target, at.allowed):
        return Exclusion(target, "model_not_allowed", "the key's list of models does not have it")
    if row is None and (owners := targets.would_list(target)):
        named = ", ".join(owners[:MAX_OWNERS]) + (", …" if owners[MAX_OWNERS:] else "")
        return Exclusion(target, "provider_not_configured", f"no provider that lists it has credentials here ({named})")
    if row is None or not (slash and model) or not PATH_STEPS.isdisjoint(model.split("/")):
        return Exclusion(target, "model_not_found", "there is no such model")
    if not targets.is_on(name):
        missing = f"{name.upper().replace('-', '_')}_{'API_KEY' if row.endpoint.base_url else 'BASE_URL'}"
        return Exclusion(target, "provider_not_configured", f"the provider {name!r} has no credentials here ({missing})")
    if not adapters.serves(targets.serving(target, at.operation) or row, at.operation):
        return Exclusion(target, "unsupported_endpoint", f"the provider {name!r} is not known to serve {at.operation}")
    if at.preferences is NO_PREFERENCES and not at.auto_routed:
        return None
    model_info = model_info or targets.model_info_for(target)
    return _exclusion_by_preferences(targets, target, model_info, at) or (
        _exclusion_by_capabilities(target, model_info, at) if at.auto_routed else None
    )


def _exclusion_by_preferences(targets: TargetResolver, target: str, model_info: ModelInfo, at: RoutingContext) -> Exclusion | None:
    """Excludes a target whose provider, price or parameters the request rules out."""
    asked, names = at.preferences, set(targets.names(target))
    if names & set(asked.ignore) or (asked.only and not names & set(asked.only)):
        return Exclusion(target, "provider_not_wanted", "the request leaves its provider out")
    if asked.order and not asked.falls_back and not names & set(asked.order):
        return Exclusion(target, "provider_not_wanted", "the request allows no providers but those that it names")
    for rate, most in asked.max_usd.items():
        if rate not in model_info.rates or to_units(model_info.rates[rate]) > to_units(most):
            return Exclusion(target, "over_max_price", f"its {rate} is not known to be at most {most} USD")
    for parameter in asked.parameters:
        if not _accepts_parameter(targets, target, model_info, parameter, at.operation):
            return Exclusion(target, "lacks_parameter", f"it is not known to take {parameter!r}")
    return None


def _accepts_parameter(targets: TargetResolver, target: str, model_info: ModelInfo, parameter: str, operation: str) -> bool:
    from haimaker.routing.requirements import CAPABILITY_OF

    name, _, model = target.partition("/")
    row = targets.row(name)
    dialect = definition_for(row, model, operation).dialect.for_model(model_info.model) if row else None
    refused = bool(dialect and (parameter in dialect.drop or parameter in dialect.refuse))
    return not refused and CAPABILITY_OF.get(parameter, parameter) in {parameter, *model_info.supports}


def _exclusion_by_capabilities(target: str, model_info: ModelInfo, at: RoutingContext) -> Exclusion | None:
    """Excludes a target that can't do what the request needs, where the gateway chose the model; a model that no table knows is not
    excluded."""
    if not model_info.supports and model_info.max_input_tokens is None and not model_info.rates:
        return None
    lacking = sorted(at.required - model_info.supports)
    if lacking:
        return Exclusion(target, "lacks_capability", f"it is not known for {', '.join(lacking)}")
    most = model_info.max_input_tokens or MIN_CONTEXT_TOKENS
    if at.prompt_tokens * CONTEXT_BUFFER > most:
        return Exclusion(
            target, "context_too_small", f"about {at.prompt_tokens} tokens and a tenth more do not fit into its {most}"
        )
    return None
