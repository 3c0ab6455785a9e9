"""From a model's name, and from what the catalogue knows of it, to its traits. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from haimaker.lean_dataclasses import replace
from haimaker.models.families import GROUPS, NO_EFFORTS
from haimaker.models.names import canonical
from haimaker.models.traits import NEVER, Family, Traits, Value

ABILITIES: Mapping[str, frozenset[str]] = {
    "thinks_by_budget": frozenset({"legacy_thinking"}),
    "schema": frozenset({"native_structured_output", "bedrock_native_structured_output"}),
    "prefills": frozenset({"assistant_prefill"}),
    "system_turns": frozenset({"mid_conversation_system"}),
}
"""By trait, the words of the catalogue that say the same."""
HIGHER_EFFORTS = ("xhigh", "max")


@lru_cache(maxsize=512)
def traits_of(provider: str, model: str, supports: frozenset[str] = frozenset(), assumed: str = "") -> Traits:
    """The traits of all families that a provider's model belongs to, with what else the catalogue knows of it.

    Where its name says of none, it is of the family `assumed`.
    """
    known = tuple(_matching(canonical(provider, model), canonical(provider, model, dated=True)))
    if assumed and all(family.name != assumed for family in known):
        known += tuple(family for _, families in GROUPS for family in families if family.name == assumed)
    merged: dict[str, Any] = {}
    for family in known:
        merged |= family.traits
    if merged.get("thinks") == NEVER:
        merged["efforts"] = NO_EFFORTS
    traits = replace(Traits(), families=tuple(family.name for family in known), **merged)
    more = _of_catalogue(traits, supports)
    return replace(traits, **more) if more else traits


def _matching(name: str, dated: str) -> Iterator[Family]:
    for letters, families in GROUPS:
        if any(each in name for each in letters):
            yield from (family for family in families if re.match(family.match, dated if family.dated else name))


def _of_catalogue(traits: Traits, supports: frozenset[str]) -> dict[str, Any]:
    """Efforts and abilities that a family may not have yet; of a model of no family, whether it thinks at all."""
    more: dict[str, Any] = {trait: True for trait, words in ABILITIES.items() if not words.isdisjoint(supports)}
    if not traits.thinks and supports and "reasoning" not in supports:
        more |= {"thinks": NEVER, "efforts": NO_EFFORTS}
    if traits.efforts and "high" in traits.efforts.values():
        named = {effort: effort for effort in HIGHER_EFFORTS if f"{effort}_reasoning_effort" in supports}
        more |= {"efforts": {**traits.efforts, **named}} if named else {}
    return more


OTHERS = "*"
"""Selects every model."""


def is_selected(provider: str, model: str, selectors: Collection[str]) -> bool:
    """Whether one of the selectors is about a model: the name of a family, how names begin (`ft:`, `mistralai/`), a `/` or an `@`
    that is anywhere in a name, or a star."""
    names = {*traits_of(provider, model).families, OTHERS}
    return any(selector in names or _is_spelled(model, selector) for selector in selectors)


def select(provider: str, model: str, table: Mapping[str, Value]) -> Value | None:
    """What a table, by selectors, has for a model: first by how its name is spelled, then by its most specific family."""
    spelled = next((value for selector, value in table.items() if _is_spelled(model, selector)), None)
    return spelled or traits_of(provider, model).look_up(table) or table.get(OTHERS)


def _is_spelled(model: str, selector: str) -> bool:
    return (selector in "/@" and selector in model) or (selector[-1:] in ("/", ":") and model.startswith(selector))
