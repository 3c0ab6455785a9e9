"""The router behind `haimaker/auto`: which model a request is for. Pure and deterministic; no model is asked which model to use.

What a request needs comes first: a model that lacks it is never chosen. Then the rules of the router, those that go by examples
last and the most similar of them first; then its default; then the cheapest model that can do it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.models.catalog import ModelInfo, all_models
from haimaker.models.matching import traits_of
from haimaker.models.names import AUTO
from haimaker.providers.provider import Provider
from haimaker.routing.auto_rules import AutoRouterDefinition, Rule
from haimaker.routing.context import RoutingContext
from haimaker.routing.eligibility import exclusion
from haimaker.routing.similarity import Embed, count_turns, has_word, last_message, similarity_scores
from haimaker.routing.strategies import typical_cost_usd
from haimaker.routing.targets import TargetResolver

MAX_FALLBACKS = 3
"""What may be tried when the choice fails."""
MATCHES, COMPARED = "holds", "not compared, since a rule without examples holds"
"""What becomes of a rule, in words; others say what speaks against it."""


@dataclass(frozen=True, slots=True)
class RuleInput:
    """What the conditions of a rule are checked against."""

    body: JSON = field(repr=False)
    keys: frozenset[str] = frozenset()
    """Names under which a rule may name the key."""
    tags: frozenset[str] = frozenset()
    metadata: JSON = field(default_factory=dict)
    budget_used: Callable[[], float] = lambda: 0.0
    """The share of the key's budget that is spent; asked only by a rule that goes by it."""


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """A rule, and in words whether it matches."""

    rule: Rule
    outcome: str
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class AutoChoice:
    """The chosen model, its fallbacks, and the reason."""

    model: str
    trigger: str
    rule: Rule | None = None
    similarity: float | None = None
    source: str | None = None
    others: tuple[str, ...] = ()
    considered: tuple[RuleOutcome, ...] = ()

    def to_record(self) -> JSON:
        """The fields of a request's record."""
        return {
            "auto_routed_from": AUTO,
            "auto_routed_model": self.model,
            "auto_routing_trigger": self.trigger,
            "auto_routing_rule": self.rule.name if self.rule else None,
            "auto_routing_similarity": self.similarity,
            "auto_routing_rule_source": self.source,
        }


@dataclass(frozen=True)
class AutoRouter:
    """Chooses among the models that can be reached; made once per configuration."""

    targets: TargetResolver

    def choose(
        self, definition: AutoRouterDefinition, rule_input: RuleInput, at: RoutingContext, embed: Embed
    ) -> AutoChoice | None:
        """The chosen model; None if no model can do what the request needs."""
        rules = self._rules(definition, rule_input, at)
        if not any(each.outcome == MATCHES for each in rules):
            rules = _compare_examples(rules, last_message(rule_input.body), embed)
        holding = sorted((each for each in rules if each.outcome == MATCHES), key=lambda each: -(each.similarity or 0.0))
        ways = [
            AutoChoice(each.rule.model, each.rule.trigger, each.rule, each.similarity, definition.source) for each in holding[:1]
        ]
        if definition.default_model and self._fits(definition.default_model, at):
            ways.append(AutoChoice(definition.default_model, "default", source=definition.source))
        ways += [AutoChoice(target, "cheapest") for target in self._cheapest(at)]
        if not ways:
            return None
        first, *rest = ways
        others = tuple(dict.fromkeys(way.model for way in rest if way.model != first.model))[:MAX_FALLBACKS]
        return AutoChoice(first.model, first.trigger, first.rule, first.similarity, first.source, others, tuple(rules))

    def _rules(self, definition: AutoRouterDefinition, rule_input: RuleInput, at: RoutingContext) -> list[RuleOutcome]:
        """The outcome of each rule before examples are compared."""
        found = []
        for rule in sorted(definition.rules, key=lambda rule: rule.rule_order):
            against = _reason_against(rule, rule_input, at)
            if not against and not self._fits(rule.model, at):
                against = "its model can't do this, or is not to be had"
            found.append(RuleOutcome(rule, against or (COMPARED if rule.examples else MATCHES)))
        return found

    def _fits(self, name: str, at: RoutingContext) -> bool:
        """Whether a model, or one of the targets of a route, can serve the request."""
        route = self.targets.config.routes.get(name)
        names = [target.model for target in route.targets] if route else [name]
        return any(exclusion(self.targets, self.targets.target_name(each), at) is None for each in names)

    def _cheapest(self, at: RoutingContext) -> list[str]:
        """The cheapest models that can serve the request; those with an open circuit come last."""
        today = datetime.fromtimestamp(at.created_s, UTC).date().isoformat()
        fit = [
            (target in at.open_circuits, typical_cost_usd(model_info, at.prompt_tokens, at.answer_tokens), target)
            for target, model_info in self._models
            if (model_info.deprecation_date or "9") > today and exclusion(self.targets, target, at, model_info) is None
        ]
        return [target for _, _, target in sorted(fit)[: MAX_FALLBACKS + 1]]

    @cached_property
    def _models(self) -> Sequence[tuple[str, ModelInfo]]:
        """The priced chat models of all providers; those of the demo provider if there are no others."""
        found = [(row.offline, target) for row in self.targets.providers for target in _list_priced_models(self.targets, row)]
        return [target for offline, target in found if not offline] or [target for _, target in found]


def _reason_against(rule: Rule, rule_input: RuleInput, at: RoutingContext) -> str:
    """The first condition of a rule that is not met, in words, before its examples and its model are looked at; empty if all are
    met."""
    said = (
        (not rule.enabled, "switched off"),
        (rule.initial_turn_only and count_turns(rule_input.body) > 1, "for the first turn only"),
        (not at.required >= set(rule.required_capabilities) - {"reasoning"}, "the request does not need what the rule is for"),
        (rule.keywords and not has_word(last_message(rule_input.body), rule.keywords), "none of its keywords is there"),
        (rule.keys and not rule_input.keys & set(rule.keys), "not for this key"),
        (rule.tags and not rule_input.tags & set(rule.tags), "none of its tags is there"),
        (any(str(rule_input.metadata.get(name)) != value for name, value in rule.metadata.items()), "the key's metadata differ"),
    )
    found = next((why for holds, why in said if holds), "")
    if not found and rule.budget_used is not None and rule_input.budget_used() < rule.budget_used:
        return "less of the budget is used"
    return found


def _compare_examples(rules: Sequence[RuleOutcome], message: str, embed: Embed) -> list[RuleOutcome]:
    """The outcomes after rules with examples were compared with the message."""
    compared = [each for each in rules if each.outcome == COMPARED]
    if not compared or not message:
        return [RuleOutcome(each.rule, "there is nothing to compare") if each in compared else each for each in rules]
    found = similarity_scores(message, [each.rule.examples for each in compared], embed)
    if found is None:
        return [RuleOutcome(each.rule, "the embedding model did not answer") if each in compared else each for each in rules]
    near = iter(found)
    return [_compare_similarity(each.rule, next(near)) if each in compared else each for each in rules]


def _compare_similarity(rule: Rule, similarity: float) -> RuleOutcome:
    return RuleOutcome(rule, MATCHES if similarity >= rule.match_threshold else "not similar enough", similarity)


def _list_priced_models(targets: TargetResolver, row: Provider) -> Iterator[tuple[str, ModelInfo]]:
    """The priced chat models of a provider that are made for conversation."""
    own = [name.partition("/")[2] for name in targets.config.base_models if name.startswith(f"{row.name}/")]
    known = [model_info.model for model_info in all_models(row.catalog.priced_as or row.name) if model_info.mode == "chat"]
    for model in dict.fromkeys((*row.catalog.models, *own, *known)):
        special = (
            "*" in model
            or not traits_of(row.name, model).assistant
            or (row.catalog.unlisted and re.match(row.catalog.unlisted, model))
        )
        model_info = targets.model_info_for(f"{row.name}/{model}")
        if not special and model_info.priced and model_info.mode == "chat":
            yield f"{row.name}/{model}", model_info
