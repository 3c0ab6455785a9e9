"""Choices of those who speak OpenAI's format with an accent: content in parts, other finish reasons, calls that lack a field. Pure.

Whatever is as OpenAI has it stays the same object, so that a chunk's bytes can pass untouched.
"""

import json
from collections.abc import Mapping
from typing import Any

from haimaker.provider import Provider
from haimaker.wire import JSON, Attempt

OBJECT: Mapping[str, str] = {"message": "chat.completion", "delta": "chat.completion.chunk", "text": "text_completion"}
IDENTITY = ("id", "object", "created", "model")
OPENAI_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})
FINISH_REASON: Mapping[str, str] = {
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "insufficient_system_resource": "length",  # https://api-docs.deepseek.com/api/create-chat-completion
    "max_length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "network_error": "length",  # the model broke off: https://docs.z.ai/api-reference/llm/chat-completion
    "model_length": "length",  # https://docs.mistral.ai/api/endpoint/chat
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "content-filter": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",  # https://docs.z.ai/api-reference/llm/chat-completion
}
"""Of others; what is not here is `stop`."""
HOLLOW = ("function_call", "audio")
"""Fields that Snowflake fills with empty values where the model said nothing of the kind."""


def identified(body: JSON, holder: str, attempt: Attempt) -> JSON:
    """A body that says which answer it is of, which some leave out; the same object where it does."""
    if all(body.get(name) is not None for name in IDENTITY):
        return body
    prefix = "cmpl" if holder == "text" else "chatcmpl"
    ours = (f"{prefix}-{attempt.request_id}", OBJECT[holder], attempt.created_s, attempt.model)
    return {**body, **{name: value for name, value in zip(IDENTITY, ours, strict=True) if body.get(name) is None}}


def mended(body: JSON, holder: str, row: Provider) -> JSON:
    """A body whose choices are OpenAI's; `holder` is `message`, `delta` in a chunk, `text` in a completion.

    The same object where they are already.
    """
    choices, kind = body.get("choices"), body.get("object")
    made: JSON = {}
    if isinstance(choices, list):
        edited = [_choice(choice, at, holder, row) if isinstance(choice, dict) else choice for at, choice in enumerate(choices)]
        if any(new is not old for new, old in zip(edited, choices, strict=True)):
            made["choices"] = edited
        if isinstance(kind, str) and kind != OBJECT[holder]:
            made["object"] = OBJECT[holder]
    if body.get("service_tier") == "":
        made["service_tier"] = None
    used = body.get("usage")
    if isinstance(used, dict) and (folded := _folded(used)) is not used:
        made["usage"] = folded
    return {**body, **made} if made else body


def _folded(used: JSON) -> JSON:
    """Usage in OpenAI's names, whose completion has the reasoning in it, which some count beside it.

    In the total it is already at xAI (https://docs.x.ai/docs/guides/reasoning), not with Gemini at DeepInfra, whose reasoning
    is more than all of the completion.
    """
    if "prompt_tokens" not in used and type(used.get("input_tokens")) is int and type(used.get("output_tokens")) is int:
        read, written = used["input_tokens"], used["output_tokens"]
        used = {
            **used,
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": used.get("total_tokens", read + written),
        }
    details = used.get("completion_tokens_details")
    reasoning = details.get("reasoning_tokens") if isinstance(details, dict) else None
    counts: list[Any] = [used.get("prompt_tokens"), used.get("completion_tokens"), reasoning]
    total = used.get("total_tokens")
    if not reasoning or not all(type(count) is int for count in (*counts, total)):
        return used
    if sum(counts) != total and (reasoning <= counts[1] or counts[0] + counts[1] != total):
        return used
    return {**used, "completion_tokens": counts[1] + reasoning, "total_tokens": sum(counts)}


def _choice(choice: JSON, position: int, holder: str, row: Provider) -> JSON:
    message, reason = choice.get(holder), choice.get("finish_reason")
    made: JSON = {} if "index" in choice else {"index": position}
    if isinstance(message, dict):
        edited = _message(message, holder, row)
        made |= {} if edited is message else {holder: edited}
    if (
        (not isinstance(reason, str) or reason not in OPENAI_REASONS)
        and "finish_reason" in choice
        and (reason is not None or holder == "message")
    ):
        calls = isinstance(message, dict) and bool(message.get("tool_calls"))
        made["finish_reason"] = _reason(reason, holder, calls, row)
    if row.leaves_out_ends and "finish_reason" not in choice:
        made["finish_reason"] = None
    return {**choice, **made} if made else choice


def _reason(reason: Any, holder: str, calls: bool, row: Provider) -> str | None:
    if reason and isinstance(reason, str):
        return FINISH_REASON.get(reason.lower(), "stop")
    if holder != "message" and not (calls and row.whole_calls):
        return None
    return "tool_calls" if calls else "stop"


def _message(message: JSON, holder: str, row: Provider) -> JSON:
    content, calls = message.get("content"), message.get("tool_calls")
    if isinstance(content, list):
        message = {**message, **_from_parts(content)}
    if row.reasoning_field and message.get("reasoning_content") is None and (reasoning := _text(message.get(row.reasoning_field))):
        message = {**message, "reasoning_content": reasoning}
    for name in HOLLOW:
        if isinstance(found := message.get(name), dict) and not any(found.values()):
            message = {other: value for other, value in message.items() if other != name}
    if isinstance(calls, list) and calls:
        made = [_call(call, index, holder) if isinstance(call, dict) else call for index, call in enumerate(calls)]
        if any(new is not old for new, old in zip(made, calls, strict=True)):
            message = {**message, "tool_calls": made}
    return message


def _from_parts(parts: list[Any]) -> JSON:
    """The text of a content in parts, and the reasoning among them.

    `thinking` is Mistral's (https://docs.mistral.ai/capabilities/reasoning), `summary` Databricks'
    (https://docs.databricks.com/aws/en/machine-learning/model-serving/query-reason-models).
    """
    found = [part for part in parts if isinstance(part, dict)]
    reasoning = "".join(_text(part.get("thinking")) + _text(part.get("summary")) for part in found)
    text = "".join(_text(part.get("text")) for part in found)
    return {"content": text, "reasoning_content": reasoning} if reasoning else {"content": text}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else ()
    return "".join(_text(part.get("text")) for part in parts if isinstance(part, dict))


def _call(call: JSON, index: int, holder: str) -> JSON:
    """With the fields that OpenAI's calls have; the pieces of one in a stream have a type in the first alone."""
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, dict) else None
    made: JSON = {}
    if not call.get("type") and isinstance(function, dict) and (holder == "message" or function.get("name")):
        made["type"] = "function"
    if holder == "delta" and type(call.get("index")) is not int:
        made["index"] = index
    if isinstance(function, dict) and (isinstance(arguments, dict) or (arguments is None and holder == "message")):
        made["function"] = {**function, "arguments": json.dumps(arguments or {}, ensure_ascii=False)}
    return {**call, **made} if made else call
