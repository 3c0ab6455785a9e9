"""What a request may cost at most, and the estimates where a provider does not tell. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from haimaker import adapters
from haimaker.adapters import splitting
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.models.catalog import ModelInfo
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import Accepted, Asked, ChatRequest, CompletionRequest
from haimaker.operations.server_tools import ServerTools, server_tools
from haimaker.pricing import costs, usage
from haimaker.pricing.costs import Bound
from haimaker.pricing.usage import Usage

MESSAGE_TOKENS = 16
TOOL_TOKENS = 64
"""What providers add around a message and a tool, besides their text; seen are 3 to 12 and 9 to 40."""
SEARCHES = ("tools", "functions", "response_format", "web_search_options")
"""Parameters with which a request has tools, for an answer in JSON may be asked for by way of one."""
IMAGE_TOKENS = 50_000
"""The dearest known: gpt-4o-mini bills 2,833 + 5,667 a tile, up to 8 tiles. https://platform.openai.com/docs/guides/images-vision"""
LARGEST_INPUT_TOKENS = 2_000_000
"""The prompt of a request with a file, for a model whose limit is not known."""
RESEARCH_SEARCHES = 100
"""Of a model that researches; its provider names no limit."""
LONGEST_ANSWER_TOKENS = 128_000
"""Of a model whose limit is not known."""
ANSWER_RESERVE_TOKENS = 4_096
COMPLETION_TOKENS = 16
"""What a legacy completion writes unless it says more: https://platform.openai.com/docs/api-reference/completions/create"""
MIN_AFFORDABLE_TOKENS = 256

INLINE_DATA = {"image_url": "url", "file": "file_data", "input_audio": "data"}
"""Where a content part of each type holds its data."""


@dataclass(frozen=True, slots=True)
class CostBound:
    """What is put aside for a request before it is sent."""

    amount_nanousd: int
    tokens: int
    """Of the tokens per minute; an estimate, settled by what was used."""
    prompt_tokens: int = 0
    """Those of them that the prompt has."""

    def tokens_within(self, limit: int | None) -> int:
        """What is reserved of a limit per minute: an answer may fill it, and is not refused for being longer. A prompt is."""
        return self.tokens if limit is None else min(self.tokens, max(limit, self.prompt_tokens))


def is_priced(request: Accepted, attempt: Attempt) -> bool:
    """Whether it is known what a request costs at a target, which a key with a budget needs."""
    if isinstance(request, Asked):
        return attempt.model_info.priced and _worst_case_nanousd(request, attempt, 1) is not None
    return costs.is_priced(request.most(attempt), attempt.model_info)


def with_output_limits(attempts: Sequence[Attempt], request: Accepted, default: int, affordable: int | None) -> list[Attempt]:
    """The attempts with an output limit of ours, for a text that brings none of its own and has a budget to keep."""
    if not isinstance(request, Asked) or request.max_output_tokens is not None:
        return list(attempts)
    return [replace(attempt, max_output_tokens=_limit(attempt, request, default, affordable)) for attempt in attempts]


def cost_bound(request: Accepted, attempts: Sequence[Attempt], default: int) -> CostBound:
    """The worst case over all targets, at the dearest rates that may apply; a target without a known price adds nothing."""
    if not isinstance(request, Asked):
        return _task_cost_bound(request, attempts)
    found = [_worst_case_nanousd(request, attempt, default) for attempt in attempts]
    answer = min(max(_output_bound(request, attempt, default) for attempt in attempts), ANSWER_RESERVE_TOKENS)
    prompt = estimate_prompt_tokens(request)
    return CostBound(max((cost for cost in found if cost is not None), default=0), prompt + answer, prompt)


def _task_cost_bound(request: Accepted, attempts: Sequence[Attempt]) -> CostBound:
    found = [costs.max_cost_nanousd(request.most(attempt), attempt.model_info) for attempt in attempts]
    estimates = [request.estimate(attempt) for attempt in attempts]
    tokens = max(each.prompt + each.completion for each in estimates)
    return CostBound(max((cost for cost in found if cost is not None), default=0), tokens, max(each.prompt for each in estimates))


def estimate_usage(request: Accepted, attempt: Attempt, answer_bytes: int) -> Usage:
    """What a target that does not say may have counted, when `answer_bytes` of its answer came."""
    if not isinstance(request, Asked):
        return request.estimate(attempt, answer_bytes)
    return Usage(input=estimate_prompt_tokens(request), output=usage.estimate_tokens(answer_bytes))


def affordable_output_tokens(request: Asked, attempts: Sequence[Attempt], remaining_nanousd: int) -> int:
    """How long each choice of an answer the rest of a budget still pays for, whichever target answers; 0 if too little."""
    least = min(_affordable(request, attempt, remaining_nanousd) for attempt in attempts)
    return least if least >= MIN_AFFORDABLE_TOKENS else 0


def estimate_prompt_tokens(request: Asked) -> int:
    """About how many tokens a prompt has, where its provider does not say."""
    if isinstance(request, CompletionRequest):
        return sum(_tokens_of(prompt) for prompt in request.prompts)
    inline = sum(size for _, size in _media(_messages(request)))
    return usage.estimate_tokens(max(0, request.size - inline))


def _affordable(request: Asked, attempt: Attempt, remaining_nanousd: int) -> int:
    calls = splitting.split(request, attempt)
    tools = server_tools(request.body)
    aside = [_aside_nanousd(call, attempt, tools) for call in calls]
    if None in aside:
        return 0
    left = remaining_nanousd - sum(cost or 0 for cost in aside)
    first, *others = (_bound(call, attempt, tools, output=0) for call in calls)
    left -= sum(costs.worst_case_nanousd(attempt.model_info, bound) or 0 for bound in others)
    return costs.affordable_output_tokens(attempt.model_info, left, first, request.choices)


def _worst_case_nanousd(request: Asked, attempt: Attempt, default: int) -> int | None:
    """Of all calls that it takes together; None where the price is not known."""
    tools = server_tools(request.body)
    total = 0
    for call in splitting.split(request, attempt):
        output = _output_bound(call, attempt, default) * call.choices
        found = costs.worst_case_nanousd(attempt.model_info, _bound(call, attempt, tools, output))
        aside = _aside_nanousd(call, attempt, tools)
        if found is None or aside is None:
            return None
        total += found + aside
    return total


def _bound(call: Asked, attempt: Attempt, tools: ServerTools, output: int) -> Bound:
    """The most that one call may use of the model that it names."""
    body, loops = call.body, adapters.tool_passes(attempt)
    prompt = _prompt_bound(call, attempt)
    passes = 1
    if loops and (tools.uses or tools.compacts):
        prompt = attempt.model_info.max_input_tokens or LARGEST_INPUT_TOKENS
        passes = min(tools.uses, loops) + 1
    return Bound(
        prompt,
        output,
        passes,
        call.fields.service_tier,
        _most_fees(attempt.model_info, tools),
        speed="fast" if body.get("speed") == "fast" else None,
        inference_geo=geo if isinstance(geo := body.get("inference_geo"), str) else None,
    )


def _most_fees(model_info: ModelInfo, tools: ServerTools) -> Mapping[str, int]:
    """Those that the request asks for, and those of models that search unasked: https://docs.perplexity.ai/getting-started/pricing"""
    if model_info.rate(costs.FEE_RATES["citations"]) is not None:
        return {"web_searches": RESEARCH_SEARCHES, "citations": model_info.max_input_tokens or LARGEST_INPUT_TOKENS}
    unasked = 1 if model_info.rate(costs.SEARCH_SIZES) is not None else 0
    return {**tools.fees, "web_searches": max(unasked, tools.fees.get("web_searches", 0))} if unasked else tools.fees


def _aside_nanousd(call: Asked, attempt: Attempt, tools: ServerTools) -> int | None:
    """The most that passes over a model may cost besides those that write the answer; None where the price is not known."""
    if not adapters.tool_passes(attempt):
        return 0
    model_info = attempt.model_info
    found = [(model_info, min(tools.uses, adapters.tool_passes(attempt)) + 1)] if tools.compacts else []
    found += [(model_info.served_as(model), uses) for model, uses in tools.advisors]
    total = 0
    for known, passes in found:
        window, answer = known.max_input_tokens or LARGEST_INPUT_TOKENS, known.max_output_tokens or LONGEST_ANSWER_TOKENS
        bound = replace(_bound(call, attempt, tools, passes * answer), prompt=window, passes=passes, fees={})
        cost = costs.worst_case_nanousd(known, bound)
        if cost is None:
            return None
        total += cost
    return total


def _prompt_bound(request: Asked, attempt: Attempt) -> int:
    """No fewer tokens than the prompt has: a token is at least one byte of the JSON that holds it.

    What tools that the provider runs itself bring into the prompt, only its limit bounds.
    """
    model_info = attempt.model_info
    if isinstance(request, CompletionRequest):
        bound = request.size + MESSAGE_TOKENS * len(request.prompts)
        return min(bound, (model_info.max_input_tokens or bound) * len(request.prompts))
    messages, tools = _messages(request), request.body.get("tools") or ()
    bound = request.size + MESSAGE_TOKENS * len(messages) + TOOL_TOKENS * len(tools)
    if any(request.body.get(name) for name in SEARCHES) or any(message.get("role") == "tool" for message in messages):
        bound += attempt.provider.limits.tool_prompt_tokens
    if server_tools(request.body).fills_prompt:
        return model_info.max_input_tokens or LARGEST_INPUT_TOKENS
    for kind, inline_bytes in _media(messages):
        if kind != "image_url":
            return model_info.max_input_tokens or LARGEST_INPUT_TOKENS
        bound += IMAGE_TOKENS - inline_bytes
    return min(bound, model_info.max_input_tokens or bound)


def _output_bound(request: Asked, attempt: Attempt, default: int) -> int:
    most = attempt.model_info.max_output_tokens
    asked = attempt.max_output_tokens if request.max_output_tokens is None else request.max_output_tokens
    if asked is None:
        return most or default
    return min(asked, most) if most else asked


def _limit(attempt: Attempt, request: Asked, default: int, affordable: int | None) -> int:
    """A budget never makes a completion longer than it would be without one."""
    if isinstance(request, CompletionRequest) and adapters.completes(attempt):
        default = min(default, COMPLETION_TOKENS)
    return min(limit for limit in (attempt.model_info.max_output_tokens, default, affordable) if limit)


def _tokens_of(prompt: str | list[int]) -> int:
    return usage.estimate_tokens(usage.utf8_length(prompt)) if isinstance(prompt, str) else len(prompt)


def _messages(request: Asked) -> Sequence[JSON]:
    """Checked ones: what another operation has by this name is any JSON."""
    messages: Sequence[JSON] = request.body["messages"] if isinstance(request, ChatRequest) else ()
    return messages


def _media(messages: Sequence[JSON]) -> Iterator[tuple[str, int]]:
    """The parts that are not text: their type, and the bytes of the data that the request holds inline."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = part.get("type")
            if kind != "text" and kind is not None:
                yield kind, _inline_bytes(part, str(kind))


def _inline_bytes(part: JSON, kind: str) -> int:
    held: Any = part.get(kind)
    data = held.get(INLINE_DATA.get(kind, "")) if isinstance(held, dict) else held
    return len(data) if isinstance(data, str) else 0
