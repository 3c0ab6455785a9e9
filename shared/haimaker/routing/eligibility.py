"""Why a target can't be in a plan: the key, the provider, what the request says against it, what it lacks. Pure."""

from haimaker import adapters
from haimaker.models.catalog import Facts, to_units
from haimaker.models.names import is_allowed
from haimaker.providers.registry import definition_for
from haimaker.routing.context import Situation
from haimaker.routing.plan import LeftOut
from haimaker.routing.preferences import NONE
from haimaker.routing.targets import Targets

LEAST_CONTEXT_TOKENS = 4_096
"""Of a model whose limit is not known."""
STEPS = frozenset({".", ".."})
"""No part of a model's name: in an address they would lead to another operation of its provider."""
CONTEXT_BUFFER = 1.1
"""A prompt is estimated, so a model has to take a tenth more."""

MOST_OWNERS = 6
"""How many providers a message names."""


def refusal(targets: Targets, target: str, at: Situation, facts: Facts | None = None) -> LeftOut | None:
    """The first reason against a target, if there is one. `at.allowed` has full names."""
    name, slash, model = target.partition("/")
    row = targets.row(name)
    if not is_allowed(target, at.allowed):
        return LeftOut(target, "model_not_allowed", "the key's list of models does not have it")
    if row is None and (owners := targets.would_list(target)):
        named = ", ".join(owners[:MOST_OWNERS]) + (", …" if owners[MOST_OWNERS:] else "")
        return LeftOut(target, "provider_not_configured", f"no provider that lists it has credentials here ({named})")
    if row is None or not (slash and model) or not STEPS.isdisjoint(model.split("/")):
        return LeftOut(target, "model_not_found", "there is no such model")
    if not targets.is_on(name):
        missing = f"{name.upper().replace('-', '_')}_{'API_KEY' if row.endpoint.base_url else 'BASE_URL'}"
        return LeftOut(target, "provider_not_configured", f"the provider {name!r} has no credentials here ({missing})")
    if not adapters.serves(definition_for(row, model, at.endpoint), at.endpoint):
        return LeftOut(target, "unsupported_endpoint", f"the provider {name!r} is not known to serve {at.endpoint}")
    if at.wishes is NONE and not at.chosen:
        return None
    facts = facts or targets.facts_of(target)
    return _unwanted(targets, target, facts, at) or (_incapable(target, facts, at) if at.chosen else None)


def _unwanted(targets: Targets, target: str, facts: Facts, at: Situation) -> LeftOut | None:
    """What the request says against its provider, its price, or what it can't take."""
    asked, names = at.wishes, set(targets.names(target))
    if names & set(asked.ignore) or (asked.only and not names & set(asked.only)):
        return LeftOut(target, "provider_not_wanted", "the request leaves its provider out")
    if asked.order and not asked.falls_back and not names & set(asked.order):
        return LeftOut(target, "provider_not_wanted", "the request allows no providers but those that it names")
    for rate, most in asked.most_usd.items():
        if rate not in facts.rates or to_units(facts.rates[rate]) > to_units(most):
            return LeftOut(target, "over_max_price", f"its {rate} is not known to be at most {most} USD")
    for parameter in asked.parameters:
        if not _takes(targets, target, facts, parameter, at.endpoint):
            return LeftOut(target, "lacks_parameter", f"it is not known to take {parameter!r}")
    return None


def _takes(targets: Targets, target: str, facts: Facts, parameter: str, endpoint: str) -> bool:
    from haimaker.routing.requirements import CAPABILITY_OF

    name, _, model = target.partition("/")
    row = targets.row(name)
    dialect = definition_for(row, model, endpoint).dialect.for_model(facts.model) if row else None
    refused = bool(dialect and (parameter in dialect.drop or parameter in dialect.refuse))
    return not refused and CAPABILITY_OF.get(parameter, parameter) in {parameter, *facts.supports}


def _incapable(target: str, facts: Facts, at: Situation) -> LeftOut | None:
    """What the gateway chooses itself has to be able to do what the request needs; a model that no table knows is trusted."""
    if not facts.supports and facts.max_input_tokens is None and not facts.rates:
        return None
    lacking = sorted(at.needs - facts.supports)
    if lacking:
        return LeftOut(target, "lacks_capability", f"it is not known for {', '.join(lacking)}")
    most = facts.max_input_tokens or LEAST_CONTEXT_TOKENS
    if at.prompt_tokens * CONTEXT_BUFFER > most:
        return LeftOut(target, "context_too_small", f"about {at.prompt_tokens} tokens and a tenth more do not fit into its {most}")
    return None
