"""What a request says against a target: its provider, its price, what it can't take. Pure; imported when a request says so."""

from haimaker.capabilities import CAPABILITY_OF
from haimaker.plans import LeftOut
from haimaker.prices import to_units
from haimaker.providers import serving
from haimaker.targets import Targets
from haimaker.wishes import Wishes


def unwanted(targets: Targets, target: str, asked: Wishes) -> LeftOut | None:
    """Why a target is left out, if it is."""
    names = set(targets.names(target))
    if names & set(asked.ignore) or (asked.only and not names & set(asked.only)):
        return LeftOut(target, "provider_not_wanted", "the request leaves its provider out")
    if asked.order and not asked.falls_back and not names & set(asked.order):
        return LeftOut(target, "provider_not_wanted", "the request allows no providers but those that it names")
    rates = targets.facts_of(target).rates
    for rate, most in asked.most_usd.items():
        if rate not in rates or to_units(rates[rate]) > to_units(most):
            return LeftOut(target, "over_max_price", f"its {rate} is not known to be at most {most} USD")
    for parameter in asked.parameters:
        if not _takes(targets, target, parameter):
            return LeftOut(target, "lacks_parameter", f"it is not known to take {parameter!r}")
    return None


def _takes(targets: Targets, target: str, parameter: str) -> bool:
    name, _, model = target.partition("/")
    row, facts = targets.row(name), targets.facts_of(target)
    rules = serving(row, model).for_model(facts.model) if row else None
    refused = bool(rules and (parameter in rules.drop or parameter in rules.refuse))
    return not refused and CAPABILITY_OF.get(parameter, parameter) in {parameter, *facts.supports}
