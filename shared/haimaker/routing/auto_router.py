"""The router behind `haimaker/auto`: which model a request is for. Pure and deterministic; no model is asked which model to use.

What a request needs comes first: a model that lacks it is never chosen. Then the rules of the router, those that go by examples
last and the most similar of them first; then its default; then the cheapest model that can do it.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.models.catalog import ModelInfo, all_models
from haimaker.models.matching import is_selected, traits_of
from haimaker.models.names import AUTO
from haimaker.providers.provider import Provider
from haimaker.routing.auto_rules import AutoRouterDefinition, Rule
from haimaker.routing.context import RoutingContext
from haimaker.routing.eligibility import exclusion
from haimaker.routing.similarity import Embed, count_turns, has_word, last_message, similarity_scores
from haimaker.routing.strategies import typical_cost_usd
from haimaker.routing.targets import TargetResolver

MAX_FALLBACKS = 3
"""How many other models may be tried when the chosen one fails."""
MATCHES, COMPARED = "holds", "not compared, since a rule without examples holds"
"""Outcomes of a rule, in words as a simulation shows them; any other outcome is the reason why the rule does not match."""


@dataclass(frozen=True, slots=True)
class RuleInput:
    """What the conditions of a rule are checked against."""

    body: JSON = field(repr=False)
    keys: frozenset[str] = frozenset()
    """Names under which a rule may name the key."""
    tags: frozenset[str] = frozenset()
    metadata: JSON = field(default_factory=dict)
    budget_used: Callable[[], float] = lambda: 0.0
    """Returns the share of the key's budget that is spent, from 0 to 1. Only a rule with `budget_used` calls it: it reads the
    store."""


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
        self, definition: AutoRouterDefinition, rule_input: RuleInput, context: RoutingContext, embed: Embed
    ) -> AutoChoice | None:
        """The chosen model; None if no model can do what the request needs."""
        rules = self._evaluate_rules(definition, rule_input, context)
        if not any(each.outcome == MATCHES for each in rules):
            rules = _compare_examples(rules, last_message(rule_input.body), embed)
        matching = sorted((each for each in rules if each.outcome == MATCHES), key=lambda each: -(each.similarity or 0.0))
        choices = [
            AutoChoice(each.rule.model, each.rule.trigger, each.rule, each.similarity, definition.source) for each in matching[:1]
        ]
        if definition.default_model and self._can_serve(definition.default_model, context):
            choices.append(AutoChoice(definition.default_model, "default", source=definition.source))
        choices += [AutoChoice(target, "cheapest") for target in self._find_cheapest(context)]
        if not choices:
            return None
        first, *rest = choices
        others = tuple(dict.fromkeys(choice.model for choice in rest if choice.model != first.model))[:MAX_FALLBACKS]
        return AutoChoice(first.model, first.trigger, first.rule, first.similarity, first.source, others, tuple(rules))

    def _evaluate_rules(
        self, definition: AutoRouterDefinition, rule_input: RuleInput, context: RoutingContext
    ) -> list[RuleOutcome]:
        """The outcome of each rule before examples are compared."""
        found = []
        for rule in sorted(definition.rules, key=lambda rule: rule.rule_order):
            against = _reason_against(rule, rule_input, context)
            if not against and not self._can_serve(rule.model, context):
                against = "its model can't do this, or is not to be had"
            found.append(RuleOutcome(rule, against or (COMPARED if rule.examples else MATCHES)))
        return found

    def _can_serve(self, name: str, context: RoutingContext) -> bool:
        """Whether a model, or one of the targets of a route, can serve the request."""
        route = self.targets.config.routes.get(name)
        names = [target.model for target in route.targets] if route else [name]
        return any(exclusion(self.targets, self.targets.target_name(each), context) is None for each in names)

    def _find_cheapest(self, context: RoutingContext) -> list[str]:
        """The cheapest models that can serve the request; those with an open circuit come last."""
        today = datetime.fromtimestamp(context.created_s, UTC).date().isoformat()
        fit = [
            (target in context.open_circuits, typical_cost_usd(model_info, context.prompt_tokens, context.answer_tokens), target)
            for target, model_info in self._models
            if (model_info.deprecation_date or "9") > today and exclusion(self.targets, target, context, model_info) is None
        ]
        return [target for _, _, target in sorted(fit)[: MAX_FALLBACKS + 1]]

    @cached_property
    def _models(self) -> Sequence[tuple[str, ModelInfo]]:
        """The priced chat models of all providers; those of the demo provider if there are no others."""
        found = [
            (definition.offline, target)
            for definition in self.targets.providers
            for target in _list_priced_models(self.targets, definition)
        ]
        return [target for offline, target in found if not offline] or [target for _, target in found]


def _reason_against(rule: Rule, rule_input: RuleInput, context: RoutingContext) -> str:
    """The first condition of a rule that is not met, in words; empty if all are met. It leaves examples and the model out."""
    said = (
        (not rule.enabled, "switched off"),
        (rule.initial_turn_only and count_turns(rule_input.body) > 1, "for the first turn only"),
        (not context.required >= set(rule.required_capabilities) - {"reasoning"}, "the request does not need what the rule is for"),
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
    scores, outcomes = iter(found), []
    for each in rules:
        if each in compared:
            score = next(scores)
            each = RuleOutcome(each.rule, MATCHES if score >= each.rule.match_threshold else "not similar enough", score)
        outcomes.append(each)
    return outcomes


def _list_priced_models(targets: TargetResolver, definition: Provider) -> Iterator[tuple[str, ModelInfo]]:
    """The priced chat models of a provider that are made for conversation."""
    own = [name.partition("/")[2] for name in targets.config.base_models if name.startswith(f"{definition.name}/")]
    known = [
        model_info.model for model_info in all_models(definition.catalog.priced_as or definition.name) if model_info.mode == "chat"
    ]
    for model in dict.fromkeys((*definition.catalog.models, *own, *known)):
        special = (
            "*" in model
            or not traits_of(definition.name, model).assistant
            or is_selected(definition.name, model, definition.catalog.unlisted)
        )
        model_info = targets.model_info_for(f"{definition.name}/{model}")
        if not special and model_info.priced and model_info.mode == "chat":
            yield f"{definition.name}/{model}", model_info
