"""From a model's name to an ordered list of attempts. Pure: chance comes from the request's id, so that a log line replays."""

import re
from collections.abc import Sequence
from functools import cached_property

from haimaker.http.errors import APIError, BadRequestError, NotFoundError, PermissionDeniedError
from haimaker.http.values import AttemptTimeouts
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.names import is_allowed
from haimaker.operations.attempt import Attempt
from haimaker.routing.config import Route, Target
from haimaker.routing.context import RoutingContext
from haimaker.routing.eligibility import exclusion
from haimaker.routing.plan import Exclusion, Plan
from haimaker.routing.strategies import sort_targets
from haimaker.routing.targets import TargetResolver

Ranked = list[tuple[Target, str]]
"""Targets, best first, and in words what put each there."""


@dataclass(frozen=True)
class Router(TargetResolver):
    """Makes the plan for a model's name."""

    def plan(self, model: str, at: RoutingContext) -> Plan:
        """The attempts for a model as the client names it. Raises BadRequestError, NotFoundError, PermissionDeniedError."""
        name = self.full_name(model)
        at = replace(at, allowed=self.full_names(at.allowed))
        if not (is_allowed(name, at.allowed) or is_allowed(model, at.allowed)):
            raise PermissionDeniedError(f"This key may not use the model {model!r}.", param="model", code="model_not_allowed")
        route = self._route(name) or replace(self.config.default, targets=self._owners(model, name, at))
        lists = [_PlanBuilder(self, route, at) for _ in range(3)]
        lists[0].add(f"target of {model!r}", self._ranked(route, at))
        if at.preferences.falls_back:
            asked = at.preferences
            lists[0].fall_back("fallback", asked.fallbacks, route.fallbacks)
            lists[1].fall_back("for a prompt that is too long", asked.context_window_fallbacks, route.context_window_fallbacks)
            lists[2].fall_back("for a prompt that is refused", asked.content_policy_fallbacks, route.content_policy_fallbacks)
        if not lists[0].attempts:
            raise _no_target_error(model, lists[0].exclusions)
        first, for_long_prompts, for_refused_prompts = (each.ordered_attempts() for each in lists)
        return Plan(
            first if at.preferences.falls_back or at.preferences.order else first[:1],
            for_long_prompts,
            for_refused_prompts,
            route.retries if at.preferences.retries is None else at.preferences.retries,
            min(route.timeout_s, at.preferences.timeout_s),
            route.back_off,
            {target: reason for each in reversed(lists) for target, reason in each.reasons.items()},
            tuple(dict.fromkeys(exclusions for each in lists for exclusions in each.exclusions)),
        )

    def targets_of(self, name: str, at: RoutingContext) -> Ranked:
        """The targets of a fallback. If it names a route, its targets come in the route's order, but its own fallbacks are not
        used."""
        route = self._route(name) or self._route(self.full_name(name))
        return self._ranked(route, at) if route else [(Target(self.full_name(name)), "")]

    @cached_property
    def strategies(self) -> frozenset[str]:
        """All strategies that the configuration names."""
        return frozenset(route.strategy for route in (self.config.default, *self.config.routes.values()))

    @cached_property
    def _patterns(self) -> Sequence[tuple[re.Pattern[str], Route]]:
        """The routes whose name has a `*`, longest name first."""
        names = sorted((name for name in self.config.routes if "*" in name), key=len, reverse=True)
        return [(re.compile(re.escape(name).replace(r"\*", "(.+)"), re.DOTALL), self.config.routes[name]) for name in names]

    def _route(self, name: str) -> Route | None:
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

    def _owners(self, model: str, name: str, at: RoutingContext) -> tuple[Target, ...]:
        """The targets of a model without a route. A bare name stands for all providers that list it if the client says which
        providers it wants."""
        if at.preferences.names_providers and name != model:
            return tuple(Target(f"{owner}/{model}") for owner in self.providers_listing(model))
        return (Target(name),)

    def _ranked(self, route: Route, at: RoutingContext) -> Ranked:
        """The targets in the order of the request's or else the route's strategy; providers that the request names come first."""
        targets = [each._replace(model=self.target_name(each.model)) for each in route.targets]
        ranked = sort_targets(targets, at.preferences.strategy or route.strategy, at, self.model_info_for)
        wanted = at.preferences.order

        def place(target: Target) -> int:
            return min((wanted.index(name) for name in self.names(target.model) if name in wanted), default=len(wanted))

        return sorted(ranked, key=lambda each: place(each[0])) if wanted else ranked


@dataclass(slots=True)
class _PlanBuilder:
    """Collects one list of attempts, each target once."""

    router: Router
    route: Route
    at: RoutingContext
    attempts: list[Attempt] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    exclusions: list[Exclusion] = field(default_factory=list)

    def add(self, role: str, ranked: Ranked) -> None:
        for target, why in ranked:
            name = target.model
            if name in self.reasons or any(each.target == name for each in self.exclusions):
                continue
            refused = exclusion(self.router, name, self.at)
            if refused:
                self.exclusions.append(refused)
                continue
            rests = "; it keeps failing and comes last" if name in self.at.open_circuits else ""
            self.reasons[name] = f"{role}{': ' if why else ''}{why}{rests}"
            self.attempts.append(self._attempt(name, target.timeouts))

    def fall_back(self, role: str, asked: Sequence[str] | None, route: Sequence[str]) -> None:
        """Adds the fallbacks that the client or its key names, else those of the route."""
        for name in route if asked is None else asked:
            self.add(role if asked is None else f"{role} that the request names", self.router.targets_of(name, self.at))

    def ordered_attempts(self) -> tuple[Attempt, ...]:
        """The attempts, those with an open circuit last."""
        return tuple(sorted(self.attempts, key=lambda attempt: attempt.target in self.at.open_circuits))

    def _attempt(self, target: str, timeouts: AttemptTimeouts) -> Attempt:
        at, model = self.at, target.partition("/")[2]
        row = self.router.serving(target, at.operation)
        assert row is not None
        timeouts = timeouts.capped_by(at.preferences.timeouts)
        return Attempt(at.request_id, at.created_s, row, model, self.router.model_info_for(target), timeouts=timeouts)


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
