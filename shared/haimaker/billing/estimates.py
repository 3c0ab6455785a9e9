"""What a request may cost at most at the targets of a plan, and what the rest of a budget still pays for. Pure.

Every request says its own bound: `max_usage`, `is_priced`, `estimate_rate_tokens`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from haimaker.lean_dataclasses import dataclass, replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import OperationRequest
from haimaker.pricing import costs

MIN_AFFORDABLE_TOKENS = 256


class Affordable(NamedTuple):
    """What the rest of a budget still pays for."""

    output_tokens: int | None = None
    """Output tokens of each choice; None where the client limits them itself."""
    tool_calls: int | None = None
    """Calls of the provider's own tools, where it takes a limit of them."""


NO_LIMITS = Affordable()


@dataclass(frozen=True, slots=True)
class CostBound:
    """What is put aside for a request before it is sent."""

    amount_nanousd: int
    tokens: int
    """What is taken of the tokens per minute: an estimate, settled by what was used."""
    prompt_tokens: int = 0
    """The tokens of the prompt among them."""

    def tokens_within(self, limit: int | None) -> int:
        """What is reserved of a limit per minute: an answer may fill it, and is not refused for being longer. A prompt is."""
        return self.tokens if limit is None else min(self.tokens, max(limit, self.prompt_tokens))


def can_be_shortened(request: OperationRequest) -> bool:
    """Whether its answer is a text without a limit of the client's own."""
    return request.is_text and request.max_output_tokens is None


def with_limits(
    attempts: Sequence[Attempt], request: OperationRequest, default: int, affordable: Affordable = NO_LIMITS
) -> list[Attempt]:
    """The attempts with limits of ours, for a budget to keep: of the output of a text that brings none of its own, and of the
    provider's own tools where it takes one."""
    limited = []
    for attempt in attempts:
        if can_be_shortened(request):
            limit = request.output_limit(attempt, default, affordable.output_tokens)
            attempt = attempt.copy(max_output_tokens=limit)
        calls = request.tool_calls(attempt)
        limited.append(attempt.copy(max_tool_calls=min(calls, affordable.tool_calls or calls)) if calls else attempt)
    return limited


def bound_cost(request: OperationRequest, attempts: Sequence[Attempt], default: int) -> CostBound:
    """The worst case over all targets, at the dearest rates that may apply; a target without a known price adds nothing.

    `default` is the output that is reckoned with where nobody limits it, in tokens.
    """
    found = (_max_cost_nanousd(request, attempt, default) for attempt in attempts)
    tokens = max(request.estimate_rate_tokens(attempt, default) for attempt in attempts)
    prompt = max(request.estimate_prompt(attempt) for attempt in attempts)
    return CostBound(max((cost for cost in found if cost is not None), default=0), tokens, prompt)


def find_affordable(
    request: OperationRequest, attempts: Sequence[Attempt], remaining_nanousd: int, default: int
) -> Affordable | None:
    """What the rest of a budget still pays for, whichever target answers: as many calls of tools as leave something for an answer,
    then as long an answer as that leaves. None if a request that is limited so would cost too much as well."""
    shorter = can_be_shortened(request)
    most = max(request.tool_calls(attempt) for attempt in attempts)
    for calls in range(most, 0, -1) if most else (None,) if shorter else ():
        limited = with_limits(attempts, request, default, Affordable(None, calls))
        if shorter and (tokens := affordable_output_tokens(request, limited, remaining_nanousd)):
            return Affordable(tokens, calls)
        if not shorter and bound_cost(request, limited, default).amount_nanousd <= remaining_nanousd:
            return Affordable(None, calls)
    return None


def affordable_output_tokens(request: OperationRequest, attempts: Sequence[Attempt], remaining_nanousd: int) -> int:
    """How long each choice of an answer the rest of a budget still pays for, whichever target answers; 0 if too little."""
    least = min(_affordable_at(request, attempt, remaining_nanousd) for attempt in attempts)
    return least if least >= MIN_AFFORDABLE_TOKENS else 0


def _affordable_at(request: OperationRequest, attempt: Attempt, remaining_nanousd: int) -> int:
    parts = [(replace(part.max_usage(attempt), output=0), number) for part, number in request.alike_parts(attempt)]
    found = [(costs.max_cost_nanousd(most, attempt.model_info), number) for most, number in parts]
    every = sum((cost or 0) * number for cost, number in found)
    others = every - (found[0][0] or 0)
    return costs.affordable_output_tokens(attempt.model_info, remaining_nanousd - others, parts[0][0], request.choices)


def _max_cost_nanousd(request: OperationRequest, attempt: Attempt, default: int) -> int | None:
    """The most that all calls of a request may cost together; None where the price is not known."""
    found = [
        (costs.max_cost_nanousd(part.max_usage(attempt, default), attempt.model_info), number)
        for part, number in request.alike_parts(attempt)
    ]
    return None if any(cost is None for cost, _ in found) else sum((cost or 0) * number for cost, number in found)
