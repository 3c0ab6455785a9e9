"""Chat completions of Claude at Databricks: OpenAI's format, with a budget of tokens to think in place of an effort.

https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models
"""

from collections.abc import Mapping
from dataclasses import replace

from haimaker.adapters.anthropic.settings import MIN_BUDGET_TOKENS
from haimaker.adapters.openai import chat
from haimaker.adapters.openai.chat import from_stream, from_upstream, read_error
from haimaker.adapters.openai.messages import without_fields
from haimaker.http.errors import invalid_parameter
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.models.families import CLAUDE_BUDGETS
from haimaker.models.traits import EFFORTS
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

TAKES_BUDGETS: Mapping[str, bool] = {"claude-3": True, "claude-3.5": False, "claude-4": True, "claude-opus-5": True}
"""By family; others think as they like, or not at all, and refuse a budget."""
FREE_TOOL_CHOICES = (None, "auto", "none")


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    body, lost = _with_budget(request.body, attempt)
    made = chat.to_upstream(replace(request, body=body), attempt)
    return replace(made, dropped=(*made.dropped, *lost))


def _with_budget(body: JSON, attempt: Attempt) -> tuple[JSON, tuple[str, ...]]:
    """The body with an effort as a budget, and what it loses by that; a budget of the client's own wins."""
    effort = body.get("reasoning_effort")
    kept = without_fields(body, ("reasoning_effort",))
    if effort is None or "thinking" in body:
        return kept, ()
    if not isinstance(effort, str) or effort not in EFFORTS:
        raise invalid_parameter("reasoning_effort", f"it must be one of {', '.join(EFFORTS)}")
    takes = bool(attempt.traits.look_up(TAKES_BUDGETS))
    if effort == "none":
        return kept, () if takes else ("reasoning_effort",)
    limit = attempt.max_output_tokens or body.get("max_tokens") or body.get("max_completion_tokens")
    too_short = isinstance(limit, int) and limit <= MIN_BUDGET_TOKENS
    forced = body.get("tool_choice") not in FREE_TOOL_CHOICES
    if not takes or too_short or forced or _lost_thinking(body["messages"]):
        return kept, ("reasoning_effort",)
    budget = CLAUDE_BUDGETS[effort]
    budget = min(budget, max(MIN_BUDGET_TOKENS, limit // 2)) if isinstance(limit, int) else budget
    lost = tuple(name for name in ("temperature", "top_p") if body.get(name) not in (None, 1))
    kept = without_fields(kept, ("temperature", "top_p"))
    return {**kept, "thinking": {"type": "enabled", "budget_tokens": budget}}, lost


def _lost_thinking(messages: list[JSON]) -> bool:
    """Whether the assistant has just called tools: signed thinking would have to precede that, which OpenAI's format can't hold."""
    last = next((message for message in reversed(messages) if message.get("role") in ("assistant", "user")), {})
    return last.get("role") == "assistant" and bool(last.get("tool_calls"))
