"""From a model's name to an ordered list of attempts. Pure: chance comes from the request's id, so that a log line replays."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from haimaker.http.errors import APIError, BadRequestError, NotFoundError, PermissionDeniedError
from haimaker.http.values import JSON, NO_TIMEOUTS, AttemptTimeouts
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.names import is_allowed
from haimaker.operations.attempt import Attempt
from haimaker.routing.config import HIGHEST_THROUGHPUT, LOWEST_COST, LOWEST_LATENCY, Route, Target
from haimaker.routing.context import RoutingContext
from haimaker.routing.eligibility import exclusion
from haimaker.routing.plan import Exclusion, Plan
from haimaker.routing.preferences import NO_PREFERENCES
from haimaker.routing.strategies import sort_targets
from haimaker.routing.targets import TargetResolver

MEASURED = frozenset({LOWEST_COST, LOWEST_LATENCY, HIGHEST_THROUGHPUT})
"""Strategies that tell of each target what it costs or how fast it is now."""
MAX_PLANS, MAX_NAME = 256, 256
"""How many plans are kept, and how long names of models are for which there are any."""
Ranked = list[tuple[Target, str]]
"""Targets, best first, each with the reason for its place in words."""
NAMED, NEXT_OF_AUTO = "that the request or its key names", "after the choice of haimaker/auto"
"""Why a model is a fallback that is none of its route's."""


@dataclass(frozen=True)
class Router(TargetResolver):
    """Makes the plan for a model's name."""

    def plan(self, model: str, context: RoutingContext) -> Plan:
        """The attempts for a model as the client names it. Raises BadRequestError, NotFoundError, PermissionDeniedError."""
        asked = _plain_question(model, context) if MEASURED.isdisjoint(self.strategies) else None
        if asked and (known := self._fixed_plans.get(asked)):
            return known.of_request(context.request_id, context.created_s)
        plan, is_fixed = self._make_plan(model, context)
        if asked and is_fixed:
            if len(self._fixed_plans) >= MAX_PLANS:
                self._fixed_plans.clear()
            self._fixed_plans[asked] = plan
        return plan

    def _make_plan(self, model: str, context: RoutingContext) -> tuple[Plan, bool]:
        """The plan, and whether it is the same for each request that asks so: without a choice of targets there is no chance, and
        nothing of a request in a format of its own counts where its targets take all of that format."""
        name = self.full_name(model)
        if context.allowed:
            context = replace(context, allowed=self.full_names(context.allowed))
        if not (is_allowed(name, context.allowed) or is_allowed(model, context.allowed)):
            raise PermissionDeniedError(f"This key may not use the model {model!r}.", param="model", code="model_not_allowed")
        route = self._find_route(name) or replace(self.config.default, targets=self._default_targets(model, name, context))
        preferences = context.preferences
        first, for_long_prompts, for_refused_prompts = lists = [_AttemptList(self, context) for _ in range(3)]
        first.add(f"target of {model!r}", self._rank_targets(route, context))
        if preferences.falls_back:
            named = NEXT_OF_AUTO if context.auto_fallbacks else NAMED
            first.fall_back("fallback", preferences.fallbacks, route.fallbacks, named)
            for_long_prompts.fall_back(
                "for a prompt that is too long", preferences.context_window_fallbacks, route.context_window_fallbacks
            )
            for_refused_prompts.fall_back(
                "for a prompt that is refused", preferences.content_policy_fallbacks, route.content_policy_fallbacks
            )
        if not first.attempts:
            raise _no_target_error(model, first.exclusions)
        # A target with an open circuit comes last.
        ordered = [tuple(sorted(each.attempts, key=lambda attempt: attempt.target in context.open_circuits)) for each in lists]
        plan = Plan(
            ordered[0] if preferences.falls_back or preferences.order else ordered[0][:1],
            ordered[1],
            ordered[2],
            route.retries if preferences.retries is None else preferences.retries,
            min(route.timeout_s, preferences.timeout_s),
            route.back_off,
            {target: reason for each in reversed(lists) for target, reason in each.reasons.items()},
            tuple(dict.fromkeys(excluded for each in lists for excluded in each.exclusions)),
        )
        return plan, not any(each.varies for each in lists)

    def attempt_at(self, target: str, context: RoutingContext) -> Attempt:
        """An attempt at one target, whether it would be chosen or not. Raises NotFoundError where its provider is gone."""
        if self.serving(target, context) is None:
            raise NotFoundError(f"The provider of {target!r} is not configured any more.", code="provider_not_configured")
        return _AttemptList(self, context).build_attempt(target, NO_TIMEOUTS)

    def rank_fallback_targets(self, name: str, context: RoutingContext) -> Ranked:
        """The targets that the name of a fallback stands for: those of a route in the route's order, without the route's own
        fallbacks."""
        route = self._find_route(name) or self._find_route(self.full_name(name))
        return self._rank_targets(route, context) if route else [(Target(self.full_name(name)), "")]

    @cached_property
    def models_of_day(self) -> dict[str, Mapping[str, JSON]]:
        """What lists of models show, by the day and the model's name: made when it is first asked for."""
        return {}

    @cached_property
    def _fixed_plans(self) -> dict[tuple[object, ...], Plan]:
        """Plans with the request of somebody else in them, by what was asked."""
        return {}

    @cached_property
    def strategies(self) -> frozenset[str]:
        """All strategies that the configuration names."""
        return frozenset(route.strategy for route in (self.config.default, *self.config.routes.values()))

    @cached_property
    def _patterns(self) -> Sequence[tuple[re.Pattern[str], Route]]:
        """The routes whose name has a `*`, longest name first."""
        names = sorted((name for name in self.config.routes if "*" in name), key=len, reverse=True)
        return [(re.compile(re.escape(name).replace(r"\*", "(.+)"), re.DOTALL), self.config.routes[name]) for name in names]

    def _find_route(self, name: str) -> Route | None:
        """The route of this name, else that of the first pattern that fits; the text that `*` stands for is put into the names of
        its targets."""
        if name in self.config.routes:
            return self.config.routes[name]
        for pattern, route in self._patterns:
            if found := pattern.fullmatch(name):
                return replace(
                    route, targets=tuple(each._replace(model=each.model.replace("*", found[1])) for each in route.targets)
                )
        return None

    def _default_targets(self, model: str, name: str, context: RoutingContext) -> tuple[Target, ...]:
        """The targets of a model without a route. A bare name stands for all providers that list it if the client says which
        providers it wants."""
        if context.preferences.names_providers and name != model:
            return tuple(Target(f"{owner}/{model}") for owner in self.providers_listing(model))
        return (Target(name),)

    def _rank_targets(self, route: Route, context: RoutingContext) -> Ranked:
        """The targets in the order of the request's or else the route's strategy; providers that the request names come first."""
        targets = [each._replace(model=self.target_name(each.model)) for each in route.targets]
        ranked = sort_targets(targets, context.preferences.strategy or route.strategy, context, self.model_info_for)
        wanted = context.preferences.order
        if wanted:
            place = {name: number for number, name in reversed([*enumerate(wanted)])}
            ranked.sort(key=lambda each: min(place.get(name, len(wanted)) for name in self.provider_names(each[0].model)))
        return ranked


@dataclass(slots=True)
class _AttemptList:
    """One list of a plan's attempts, each target once."""

    router: Router
    context: RoutingContext
    attempts: list[Attempt] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    exclusions: list[Exclusion] = field(default_factory=list)
    varies: bool = False
    """Whether another request may get another list: one of its places could have had several targets, or it is read for one."""

    def add(self, role: str, ranked: Ranked) -> None:
        self.varies |= len(ranked) > 1
        for target, why in ranked:
            name = target.model
            self.varies |= self.router.asks_original(name, self.context)
            if name in self.reasons or any(each.target == name for each in self.exclusions):
                continue
            if excluded := exclusion(self.router, name, self.context):
                self.exclusions.append(excluded)
                continue
            note = "; it keeps failing and comes last" if name in self.context.open_circuits else ""
            self.reasons[name] = f"{role}{': ' if why else ''}{why}{note}"
            self.attempts.append(self.build_attempt(name, target.timeouts))

    def fall_back(self, role: str, preferred: Sequence[str] | None, route: Sequence[str], named: str = NAMED) -> None:
        """Adds the fallbacks that the client or its key names, else those of the route."""
        for name in route if preferred is None else preferred:
            ranked = self.router.rank_fallback_targets(name, self.context)
            self.add(role if preferred is None else f"{role} {named}", ranked)

    def build_attempt(self, target: str, timeouts: AttemptTimeouts) -> Attempt:
        context, model = self.context, target.partition("/")[2]
        definition = self.router.serving(target, context)
        assert definition is not None
        timeouts = timeouts.capped_by(context.preferences.timeouts)
        return Attempt(
            context.request_id, context.created_s, definition, model, self.router.model_info_for(target), timeouts=timeouts
        )


def _plain_question(model: str, context: RoutingContext) -> tuple[object, ...] | None:
    """All that a plan depends on where the request says nothing of its routing, and every target answers; else None."""
    plain = context.preferences is NO_PREFERENCES and not (context.auto_routed or context.open_circuits)
    if not plain or not isinstance(context.effort, str | None) or len(model) > MAX_NAME or not isinstance(context.allowed, tuple):
        return None
    return model, context.operation, context.original is None, context.allowed, context.effort, context.has_tools


def _no_target_error(model: str, exclusions: Sequence[Exclusion]) -> APIError:
    """The error for a plan without any attempt."""
    codes = {each.code: each for each in reversed(exclusions)}
    if codes.keys() == {"model_not_allowed"}:
        message = f"This key may use the name {model!r}, but none of the models that it stands for."
        return PermissionDeniedError(message, param="model", code="model_not_allowed")
    if "unsupported_endpoint" in codes:
        message = f"The model {model!r} can't do that: {codes['unsupported_endpoint'].reason}."
        return BadRequestError(message, param="model", code="unsupported_endpoint")
    for code in codes.keys() - {"model_not_allowed", "model_not_found", "provider_not_configured"}:
        message = f"No target of {model!r} is what the request asks for: {codes[code].reason}."
        return BadRequestError(message, param="provider", code="no_target_left")
    if "provider_not_configured" in codes:
        message = f"The model {model!r} is not available: {codes['provider_not_configured'].reason}."
        return NotFoundError(message, param="model", code="provider_not_configured")
    message = f"The model {model!r} does not exist. GET /v1/models lists those that this key may use."
    return NotFoundError(message, param="model", code="model_not_found")
