"""The router behind `haimaker/auto`: which model a request is for. Pure and deterministic; no model is asked which model to use.

What a request needs comes first: a model that lacks it is never chosen. Then the rules of the router, those that go by examples
last and the most similar of them first; then its default; then the cheapest model that can do it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from haimaker.http.values import JSON
from haimaker.models.catalog import Facts, models
from haimaker.models.names import AUTO
from haimaker.providers.provider import Provider
from haimaker.routing.auto_rules import Definition, Rule
from haimaker.routing.context import Situation
from haimaker.routing.eligibility import refusal
from haimaker.routing.similarity import Embed, has_word, last_message, similarities, turns
from haimaker.routing.strategies import typical_usd
from haimaker.routing.targets import Targets

NO_ASSISTANT = re.compile(
    r"(?i).*(guard|shield|moderation|ocr|embed|rerank|transcribe|tts|computer-use|deep-research|-live|realtime)"
)
"""Models that the table has among those for chat, but that are made for one purpose."""
MOST_OTHERS = 3
"""What may be tried when the choice fails."""
HOLDS, COMPARED = "holds", "not compared, since a rule without examples holds"
"""What becomes of a rule, in words; others say what speaks against it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules look at."""

    body: JSON = field(repr=False)
    keys: frozenset[str] = frozenset()
    """Names under which a rule may name the key."""
    tags: frozenset[str] = frozenset()
    metadata: JSON = field(default_factory=dict)
    budget_used: Callable[[], float] = lambda: 0.0
    """The share of the key's budget that is spent; asked only by a rule that goes by it."""


@dataclass(frozen=True, slots=True)
class Considered:
    """A rule, and what became of it."""

    rule: Rule
    outcome: str
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen, what else would do, and why."""

    model: str
    trigger: str
    rule: Rule | None = None
    similarity: float | None = None
    source: str | None = None
    others: tuple[str, ...] = ()
    considered: tuple[Considered, ...] = ()

    def told(self) -> JSON:
        """As records have it."""
        return {
            "auto_routed_from": AUTO,
            "auto_routed_model": self.model,
            "auto_routing_trigger": self.trigger,
            "auto_routing_rule": self.rule.name if self.rule else None,
            "auto_routing_similarity": self.similarity,
            "auto_routing_rule_source": self.source,
        }


@dataclass(frozen=True)
class Chooser:
    """Chooses among what can be reached; made once for a configuration."""

    targets: Targets

    def choose(self, definition: Definition, subject: Subject, at: Situation, embed: Embed) -> Choice | None:
        """None if nothing can do what the request needs."""
        rules = self._rules(definition, subject, at)
        if not any(each.outcome == HOLDS for each in rules):
            rules = _compared(rules, last_message(subject.body), embed)
        holding = sorted((each for each in rules if each.outcome == HOLDS), key=lambda each: -(each.similarity or 0.0))
        ways = [Choice(each.rule.model, each.rule.trigger, each.rule, each.similarity, definition.source) for each in holding[:1]]
        if definition.default_model and self._fits(definition.default_model, at):
            ways.append(Choice(definition.default_model, "default", source=definition.source))
        ways += [Choice(target, "cheapest") for target in self._cheapest(at)]
        if not ways:
            return None
        first, *rest = ways
        others = tuple(dict.fromkeys(way.model for way in rest if way.model != first.model))[:MOST_OTHERS]
        return Choice(first.model, first.trigger, first.rule, first.similarity, first.source, others, tuple(rules))

    def _rules(self, definition: Definition, subject: Subject, at: Situation) -> list[Considered]:
        """What becomes of each rule before examples are compared."""
        found = []
        for rule in sorted(definition.rules, key=lambda rule: rule.rule_order):
            against = _against(rule, subject, at)
            if not against and not self._fits(rule.model, at):
                against = "its model can't do this, or is not to be had"
            found.append(Considered(rule, against or (COMPARED if rule.examples else HOLDS)))
        return found

    def _fits(self, name: str, at: Situation) -> bool:
        """Whether a model that the deployer names, or one of the targets of a route, will do."""
        route = self.targets.config.routes.get(name)
        names = [target.model for target in route.targets] if route else [name]
        return any(refusal(self.targets, self.targets.target_name(each), at) is None for each in names)

    def _cheapest(self, at: Situation) -> list[str]:
        """The cheapest models that will do; those that rest come last."""
        today = datetime.fromtimestamp(at.created_s, UTC).date().isoformat()
        fit = [
            (target in at.resting, typical_usd(facts, at.prompt_tokens, at.answer_tokens), target)
            for target, facts in self._models
            if (facts.deprecation_date or "9") > today and refusal(self.targets, target, at, facts) is None
        ]
        return [target for _, _, target in sorted(fit)[: MOST_OTHERS + 1]]

    @cached_property
    def _models(self) -> Sequence[tuple[str, Facts]]:
        """What may be chosen for its price: the chat models that have one; demonstrations if there is nothing else."""
        found = [(row.offline, target) for row in self.targets.providers for target in _listed(self.targets, row)]
        return [target for offline, target in found if not offline] or [target for _, target in found]


def _against(rule: Rule, subject: Subject, at: Situation) -> str:
    """Why a rule does not hold, whatever its examples and its model; empty if nothing speaks against it."""
    said = (
        (not rule.enabled, "switched off"),
        (rule.initial_turn_only and turns(subject.body) > 1, "for the first turn only"),
        (not at.needs >= set(rule.required_capabilities) - {"reasoning"}, "the request does not need what the rule is for"),
        (rule.keywords and not has_word(last_message(subject.body), rule.keywords), "none of its keywords is there"),
        (rule.keys and not subject.keys & set(rule.keys), "not for this key"),
        (rule.tags and not subject.tags & set(rule.tags), "none of its tags is there"),
        (any(str(subject.metadata.get(name)) != value for name, value in rule.metadata.items()), "the key's metadata differ"),
    )
    found = next((why for holds, why in said if holds), "")
    if not found and rule.budget_used is not None and subject.budget_used() < rule.budget_used:
        return "less of the budget is used"
    return found


def _compared(rules: Sequence[Considered], message: str, embed: Embed) -> list[Considered]:
    """The same, with those compared that go by examples."""
    compared = [each for each in rules if each.outcome == COMPARED]
    if not compared or not message:
        return [Considered(each.rule, "there is nothing to compare") if each in compared else each for each in rules]
    found = similarities(message, [each.rule.examples for each in compared], embed)
    if found is None:
        return [Considered(each.rule, "the embedding model did not answer") if each in compared else each for each in rules]
    near = iter(found)
    return [_measured(each.rule, next(near)) if each in compared else each for each in rules]


def _measured(rule: Rule, similarity: float) -> Considered:
    return Considered(rule, HOLDS if similarity >= rule.match_threshold else "not similar enough", similarity)


def _listed(targets: Targets, row: Provider) -> Iterator[tuple[str, Facts]]:
    """The priced chat models of a provider that are made for conversation."""
    own = [name.partition("/")[2] for name in targets.config.base_models if name.startswith(f"{row.name}/")]
    known = [facts.model for facts in models(row.catalog.priced_as or row.name) if facts.mode == "chat"]
    for model in dict.fromkeys((*row.catalog.models, *own, *known)):
        special = "*" in model or NO_ASSISTANT.match(model) or (row.catalog.unlisted and re.match(row.catalog.unlisted, model))
        facts = targets.facts_of(f"{row.name}/{model}")
        if not special and facts.priced and facts.mode == "chat":
            yield f"{row.name}/{model}", facts
