"""Answers of those who speak OpenAI's format with an accent: fields that lack, other finish reasons, content in parts. Pure.

Whatever is as OpenAI has it stays the same object, so that a chunk's bytes can pass untouched.
https://platform.openai.com/docs/api-reference/chat/object, …/chat/streaming
"""

from collections.abc import Mapping
from typing import Any

from haimaker.adapters.openai.counts import normalize_usage
from haimaker.adapters.openai.logprobs import with_logprobs
from haimaker.adapters.openai.normalize import normalize_message
from haimaker.http.values import JSON
from haimaker.operations.attempt import Attempt

OBJECT: Mapping[str, str] = {"message": "chat.completion", "delta": "chat.completion.chunk", "text": "text_completion"}
OPENAI_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
FINISH_REASON: Mapping[str, str] = {
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "max_length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "content-filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
}
"""Of several others; what is neither here nor in `AnswerRules` is `stop`."""
OPENAI_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
SERVICE_TIER: Mapping[str, str] = {
    "performance": "priority",
    "standard": "default",
}
"""Of several others, which the SDK's types do not know; what is neither here nor in `AnswerRules` is not told."""
LATEST_S = 10**11
"""A later moment is none."""


def normalize_response(body: JSON, holder: str, attempt: Attempt, *, whole: bool) -> JSON:
    """A body that is OpenAI's; `holder` is `message`, `delta` in a chunk, `text` in a completion.

    The same object where it is already.
    """
    made = _head(body, holder, attempt)
    choices = body.get("choices")
    if not isinstance(choices, list):
        made["choices"] = []
    else:
        edited = [
            _choice(choice, index, holder, attempt, whole=whole) for index, choice in enumerate(choices) if isinstance(choice, dict)
        ]
        if len(edited) != len(choices) or any(new is not old for new, old in zip(edited, choices, strict=True)):
            made["choices"] = edited
    used = body.get("usage")
    if isinstance(used, dict) and used and (normalized := normalize_usage(used, attempt.model)) is not used:
        made["usage"] = normalized
    return {**body, **made} if made else body


def _head(body: JSON, holder: str, attempt: Attempt) -> JSON:
    """What lacks of the fields around the choices."""
    made: JSON = {}
    if body.get("object") != OBJECT[holder]:
        made["object"] = OBJECT[holder]
    if not isinstance(body.get("id"), str):
        made["id"] = f"{'cmpl' if holder == 'text' else 'chatcmpl'}-{attempt.request_id}"
    if type(body.get("created")) is not int:
        made["created"] = _whole_seconds(body.get("created"), attempt)
    if not isinstance(body.get("model"), str):
        made["model"] = attempt.model
    tier = body.get("service_tier")
    if tier is not None and not (isinstance(tier, str) and tier in OPENAI_TIERS):
        made["service_tier"] = (
            {**SERVICE_TIER, **attempt.provider.dialect.answers.service_tiers}.get(tier) if isinstance(tier, str) else None
        )
    return made


def _whole_seconds(created: Any, attempt: Attempt) -> int:
    return int(created) if isinstance(created, float) and 0 <= created < LATEST_S else attempt.created_s


def _choice(choice: JSON, index: int, holder: str, attempt: Attempt, *, whole: bool) -> JSON:
    made: JSON = {} if type(choice.get("index")) is int else {"index": index}
    message = choice.get(holder)
    if holder != "text":
        edited = normalize_message(message if isinstance(message, dict) else {}, holder, attempt, index)
        made |= {} if edited is message else {holder: edited}
        made |= with_logprobs(choice)
    reason = _reason(choice, made.get(holder, message), attempt.provider.dialect.answers.finish_reasons, whole=whole)
    if reason is not choice.get("finish_reason"):
        made["finish_reason"] = reason
    return {**choice, **made} if made else choice


def _reason(choice: JSON, message: Any, own: Mapping[str, str], *, whole: bool) -> str | None:
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason in OPENAI_REASONS:
        return reason
    details = choice.get("finish_details")  # of OpenAI's first models that saw, in place of a reason
    reason = details.get("type") if not reason and isinstance(details, dict) else reason
    if reason and isinstance(reason, str):
        return own.get(reason.lower()) or FINISH_REASON.get(reason.lower(), "stop")
    if not whole:
        return None
    return "tool_calls" if isinstance(message, dict) and message.get("tool_calls") else "stop"
