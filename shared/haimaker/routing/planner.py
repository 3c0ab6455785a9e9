"""Which targets serve a request: the one decision that sending follows and that a simulation shows.

The model as the client names it, its key's aliases and settings, what the request itself says, the router behind `haimaker/auto`,
the plan, and what a budget leaves of it. It reads no clock and asks nobody but the store for a router's definition.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from haimaker.accounts.cache import BilledAccounts
from haimaker.billing import estimates, model_limits
from haimaker.billing.estimates import NO_LIMITS, Affordable
from haimaker.http.errors import BadRequestError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.models.names import AUTO
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import OperationRequest
from haimaker.routing.config import LOWEST_COST
from haimaker.routing.context import RoutingContext
from haimaker.routing.health import Health
from haimaker.routing.plan import Exclusion, Plan
from haimaker.routing.router import Router
from haimaker.routing.routing_request import RoutingRequest
from haimaker.store import Account

if TYPE_CHECKING:
    from haimaker.routing.auto_router import AutoChoice
    from haimaker.routing.auto_rules import AutoRouterDefinition
    from haimaker.routing.auto_service import AutoRouterService

TYPICAL_ANSWER_TOKENS = 1_000
"""The answer that is assumed of a request without a limit, where targets are compared by price."""


class Decision(NamedTuple):
    """A plan, and how its model was chosen."""

    plan: Plan
    name: str
    """What was planned: the client's model, or what an alias or a default stands for."""
    choice: "AutoChoice | None" = None

    def response_headers(self) -> dict[str, str]:
        """The response headers that show how the model was chosen."""
        if self.choice is None:
            return {}
        said = {
            "x-haimaker-route": AUTO,
            "x-haimaker-route-model": self.choice.model,
            "x-haimaker-route-trigger": self.choice.trigger,
            "x-haimaker-route-rule": self.choice.rule.name if self.choice.rule else "",
            "x-haimaker-route-similarity": "" if self.choice.similarity is None else str(self.choice.similarity),
        }
        return {name: value for name, value in said.items() if value}

    def to_record(self) -> JSON:
        """The record's fields that show how the model was chosen."""
        return self.choice.to_record() if self.choice else {}


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans for one set of providers."""

    router: Router
    health: Health
    default_max_output_tokens: int
    auto_service: "Callable[[], AutoRouterService]"
    """Made when the first request leaves the choice to the gateway."""

    def plan(
        self,
        routing_request: RoutingRequest,
        billed: BilledAccounts,
        affordable: Affordable = NO_LIMITS,
        definition: "AutoRouterDefinition | None" = None,
    ) -> Decision:
        """The plan for a request and the accounts that it is charged to. Raises BadRequestError, NotFoundError,
        PermissionDeniedError, and StoreUnavailable where an auto router has to be read."""
        key = billed.key
        name, context = self._resolve_model(routing_request, key), self._build_context(routing_request, billed)
        choice = None
        if routing_request.asked.is_text and (
            name == AUTO or LOWEST_COST in (context.preferences.strategy, *self.router.strategies)
        ):
            context = _with_token_counts(context, routing_request.asked)
        if name == AUTO:
            from haimaker.routing.requirements import required_capabilities

            context = replace(
                context,
                auto_routed=True,
                required=required_capabilities(routing_request.asked.body),
                allowed=self.router.full_names(context.allowed),
            )
            choice = self.auto_service().choose(routing_request.asked, key, context, routing_request.tags, definition)
            name = choice.model
            if context.preferences.fallbacks is None:
                context = replace(context, preferences=replace(context.preferences, fallbacks=choice.others), auto_fallbacks=True)
        plan = self._within_budget(self.router.plan(name, context), routing_request.asked, name, billed, affordable)
        if len(plan.attempts) > 1:
            self.health.breaker.refresh(routing_request.now_s)
        return Decision(plan, name, choice)

    def plan_target(self, routing_request: RoutingRequest, billed: BilledAccounts, target: str) -> Decision:
        """The plan for a request that a target has answered already: that one, whatever may be used now. Raises NotFoundError."""
        attempt = self.router.attempt_at(target, self._build_context(routing_request, billed))
        return Decision(Plan((attempt,), retries=0), routing_request.asked.model)

    def _resolve_model(self, routing_request: RoutingRequest, account: Account) -> str:
        name = routing_request.asked.model
        if "model" not in routing_request.asked.body:
            name = routing_request.preferences.model or account.routing.get("default_model") or name
        aliases: Mapping[str, Any] = account.routing.get("aliases") or {}
        return str(aliases.get(name, name))

    def _build_context(self, routing_request: RoutingRequest, billed: BilledAccounts) -> RoutingContext:
        preferences, request = routing_request.preferences, routing_request.asked
        if settings := billed.key.routing.get("router_settings"):
            from haimaker.routing import request_options

            preferences = preferences.merged_with(request_options.preferences_from_fields(settings, request.model))
        health = self.health
        return RoutingContext(
            routing_request.request_id,
            int(routing_request.now_s),
            request.client_operation,
            request.original,
            allowed=() if routing_request.any_model_allowed else billed.allowed_models(self.router.full_name),
            open_circuits=health.breaker.open_circuits(routing_request.now_s),
            preferences=preferences,
            seed=routing_request.seed,
            effort=request.body.get("reasoning_effort"),
            has_tools=bool(request.body.get("tools") or request.body.get("functions")),
            latency_ms=health.latency.first_byte_ms if request.streams else health.latency.whole_ms,
            tokens_per_s=health.latency.tokens_per_s,
        )

    def _within_budget(
        self, plan: Plan, asked: OperationRequest, name: str, billed: BilledAccounts, affordable: Affordable
    ) -> Plan:
        """Where an account has a budget, also one of a model alone, leaves out targets without a known price, and limits the output
        of the others."""
        full_name = self.router.full_name
        counted = model_limits.targets_with_budget(billed, {asked.model, name, full_name(name)}, plan.all(), full_name)
        if not counted:
            return plan

        unpriced = [attempt.target for attempt in plan.all() if attempt.target in counted and not asked.is_priced(attempt)]

        def limit_output(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
            found: list[Attempt] = []
            for attempt in attempts:
                if attempt.target not in counted:
                    found.append(attempt)
                elif attempt.target not in unpriced:
                    found += estimates.with_limits([attempt], asked, self.default_max_output_tokens, affordable)
            return tuple(found)

        exclusions = [
            Exclusion(target, "model_not_priced", "it has no known price, as a key with a budget needs") for target in unpriced
        ]
        first = limit_output(plan.attempts)
        if not first:
            message = f"The model {asked.model!r} has no known price, which a budget needs. Give it one in gateway.toml."
            raise BadRequestError(message, param="model", code="model_not_priced")
        return replace(
            plan,
            attempts=first,
            context_window=limit_output(plan.context_window),
            content_policy=limit_output(plan.content_policy),
            exclusions=(*plan.exclusions, *exclusions),
        )


def _with_token_counts(context: RoutingContext, request: OperationRequest) -> RoutingContext:
    """Adds the sizes that prices and context windows are compared by. The prompt is measured as the gateway writes it, however its
    client does."""
    answer = min(request.max_output_tokens or TYPICAL_ANSWER_TOKENS, TYPICAL_ANSWER_TOKENS)
    measured = replace(request, size=len(dumps(request.body)))
    return replace(context, prompt_tokens=measured.estimate_prompt_tokens(), answer_tokens=answer)
