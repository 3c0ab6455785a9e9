"""Which targets serve a request: the one decision that sending follows and that a simulation shows.

The model as the client names it, its key's aliases and settings, what the request itself says, the router behind `haimaker/auto`,
the plan, and what a budget leaves of it. It reads no clock and asks nobody but the store for a router's definition.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from haimaker.accounts.directory import Payers
from haimaker.billing import estimates as limits
from haimaker.http.errors import BadRequestError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.models.names import AUTO
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import OperationRequest
from haimaker.routing.context import Situation
from haimaker.routing.health import Health
from haimaker.routing.plan import LOWEST_COST, LeftOut, Plan
from haimaker.routing.preferences import DRAW_HEADER, FIELDS, HEADERS, NONE, Wishes
from haimaker.routing.router import Router
from haimaker.store import Account

if TYPE_CHECKING:
    from haimaker.routing.auto_router import Choice
    from haimaker.routing.auto_rules import Definition
    from haimaker.routing.auto_service import Choosing

TYPICAL_ANSWER_TOKENS = 1_000
"""Of a request that sets no limit, where targets are compared by price."""


class Question(NamedTuple):
    """A request, read, and what decides where it goes besides the key."""

    asked: OperationRequest
    wishes: Wishes
    request_id: str
    draw: str
    now_s: float
    tags: frozenset[str] = frozenset()
    trusted: bool = False
    """Whether the deployer asks for it, so that no key's list of models counts."""


class Decision(NamedTuple):
    """A plan, and how the model came to be chosen."""

    plan: Plan
    name: str
    """What was planned: the client's model, or what an alias or a default stands for."""
    choice: "Choice | None" = None

    def headers(self) -> dict[str, str]:
        """What an answer says of it."""
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

    def told(self) -> JSON:
        """What a record says of it."""
        return self.choice.told() if self.choice else {}


def question(asked: OperationRequest, request: Request, now_s: float) -> Question:
    """A request without what it says about its routing, and that apart. Raises BadRequestError."""
    said, draw = NONE, request.headers.get(DRAW_HEADER, "")[:200]
    fields = asked.body.keys() & FIELDS
    if fields or not HEADERS.isdisjoint(request.headers):
        from haimaker.routing import request_options as overrides  # few requests say anything

        said = overrides.of_request(asked.body, request.headers)
    if fields:
        asked = replace(asked, body={name: value for name, value in asked.body.items() if name not in fields})
    tags = request.headers.get("x-haimaker-tags") or request.headers.get("x-litellm-tags") or ""
    return Question(asked, said, request.id, draw, now_s, frozenset(filter(None, (tag.strip() for tag in tags.split(",")))))


@dataclass(frozen=True, slots=True)
class Decider:
    """Decides for one set of providers."""

    router: Router
    health: Health
    default_max_output_tokens: int
    choosing: "Callable[[], Choosing]"
    """Made when the first request leaves the choice to the gateway."""

    def decide(
        self, question: Question, payers: Payers, affordable: int | None = None, definition: "Definition | None" = None
    ) -> Decision:
        """Raises BadRequestError, NotFoundError, PermissionDeniedError; StoreUnavailable where a router has to be read."""
        key = payers.key
        name, at = self._name(question, key), self._situation(question, payers)
        choice = None
        if question.asked.is_text and (name == AUTO or LOWEST_COST in (at.wishes.strategy, *self.router.strategies)):
            at = _with_sizes(at, question.asked)
        if name == AUTO:
            from haimaker.routing.requirements import needed

            at = replace(at, chosen=True, needs=needed(question.asked.body), allowed=self.router.full_names(at.allowed))
            choice = self.choosing().choose(question.asked, key, at, question.tags, definition)
            name = choice.model
            if at.wishes.fallbacks is None:
                at = replace(at, wishes=replace(at.wishes, fallbacks=choice.others))
        plan = self._within_budget(self.router.plan(name, at), question.asked, payers, affordable)
        if len(plan.attempts) > 1:
            self.health.refresh(question.now_s)
        return Decision(plan, name, choice)

    def _name(self, question: Question, account: Account) -> str:
        name = question.asked.model
        if "model" not in question.asked.body:
            name = question.wishes.model or account.routing.get("default_model") or name
        aliases: Mapping[str, Any] = account.routing.get("aliases") or {}
        return str(aliases.get(name, name))

    def _situation(self, question: Question, payers: Payers) -> Situation:
        wishes, request = question.wishes, question.asked
        if settings := payers.key.routing.get("router_settings"):
            from haimaker.routing import request_options as overrides

            wishes = wishes.over(overrides.of_fields(settings, request.model))
        health = self.health
        return Situation(
            question.request_id,
            int(question.now_s),
            request.operation,
            allowed=() if question.trusted else payers.models(self.router.full_name),
            resting=health.resting(question.now_s),
            wishes=wishes,
            draw=question.draw,
            latency_ms=health.first_byte_ms if request.streams else health.whole_ms,
            tokens_per_s=health.tokens_per_s,
        )

    def _within_budget(self, plan: Plan, asked: OperationRequest, payers: Payers, affordable: int | None) -> Plan:
        """Who has a budget gets targets with a known price, and a limit to what they write."""
        if not payers.have_a_budget():
            return plan

        def limited(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
            priced = [attempt for attempt in attempts if asked.is_priced(attempt)]
            return tuple(limits.with_output_limits(priced, asked, self.default_max_output_tokens, affordable))

        unpriced = [attempt.target for attempt in plan.all() if not asked.is_priced(attempt)]
        left_out = [
            LeftOut(target, "model_not_priced", "it has no known price, as a key with a budget needs") for target in unpriced
        ]
        first = limited(plan.attempts)
        if not first:
            message = f"The model {asked.model!r} has no known price, which a budget needs. Give it one in gateway.toml."
            raise BadRequestError(message, param="model", code="model_not_priced")
        return replace(
            plan,
            attempts=first,
            context_window=limited(plan.context_window),
            content_policy=limited(plan.content_policy),
            left_out=(*plan.left_out, *left_out),
        )


def _with_sizes(at: Situation, request: OperationRequest) -> Situation:
    """For comparing prices and limits of context. The prompt is measured as we would write it, however its client does."""
    answer = min(request.max_output_tokens or TYPICAL_ANSWER_TOKENS, TYPICAL_ANSWER_TOKENS)
    measured = replace(request, size=len(dumps(request.body)))
    return replace(at, prompt_tokens=measured.estimate_prompt_tokens(), answer_tokens=answer)
