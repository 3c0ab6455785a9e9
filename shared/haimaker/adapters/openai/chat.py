"""Chat completions of OpenAI and of every provider that speaks its format. Edits what must change, passes the rest.

https://platform.openai.com/docs/api-reference/chat
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haimaker import errors
from haimaker.adapters.openai.failures import from_body, read_error
from haimaker.providers import Provider
from haimaker.schema import ChatRequest
from haimaker.sse import dumps
from haimaker.wire import JSON, Attempt, Chunk, Event, UpstreamRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

PATH = "/chat/completions"
DONE = b"[DONE]"


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    provider = attempt.provider
    body = {**request.body, "model": attempt.model}
    if attempt.max_output_tokens is not None:
        body["max_tokens"] = attempt.max_output_tokens
    if request.streams and provider.asks_stream_usage:
        body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    body = _renamed(body, _renames(attempt))
    dropped = tuple(name for name in provider.drop if name in body)
    body = {name: value for name, value in body.items() if name not in dropped}
    for name, spellings in provider.values.items():
        if isinstance(body.get(name), str):
            body[name] = spellings.get(body[name], body[name])
    body = {**provider.add, **body, "messages": [_message(message, provider) for message in body["messages"]]}
    shown = tuple(name for name in dropped if name != "stream_options")
    headers = {"content-type": "application/json", **provider.headers}
    return UpstreamRequest(PATH, dumps(body), headers, dropped=shown)


def from_upstream(body: JSON, attempt: Attempt) -> JSON:
    if body.get("error") and not body.get("choices"):
        raise from_body(body)
    if not isinstance(body.get("choices"), list):
        raise errors.BadGatewayError("The provider's answer has no choices.")
    return _with_reasoning(body, "message", attempt.provider.reasoning_field)


def from_stream(events: Iterable[Event], attempt: Attempt) -> Iterator[Chunk]:
    field = attempt.provider.reasoning_field
    finished = False
    for event in events:
        if event.data == DONE:
            return
        body = _parsed(event.data)
        if body.get("error"):
            raise from_body(body)
        finished = finished or _finishes(body)
        shown = _with_reasoning(body, "delta", field)
        yield Chunk(shown, None if shown is not body or b"\n" in event.data else event.data)
    if not finished:
        raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")


def _renames(attempt: Attempt) -> Mapping[str, str]:
    names = dict(attempt.provider.rename)
    for rule in attempt.provider.model_rules:
        if re.match(rule.pattern, attempt.model):
            names.update(rule.rename)
    return names


def _renamed(body: JSON, names: Mapping[str, str]) -> JSON:
    """The client's parameters under the provider's names; where it sent both, the provider's name wins, unless it is null."""
    renamed = {names[name]: value for name, value in body.items() if name in names}
    kept = {name: value for name, value in body.items() if name not in names and (value is not None or name not in renamed)}
    return {**renamed, **kept}


def _message(message: JSON, provider: Provider) -> JSON:
    if provider.flattens_content and isinstance(message.get("content"), list):
        message = {**message, "content": _flattened(message["content"])}
    if provider.strips_message_nulls:
        message = {name: value for name, value in message.items() if value is not None}
    if provider.strips_message_names and message.get("role") != "tool":
        message = {name: value for name, value in message.items() if name != "name"}
    return message


def _flattened(parts: list[Any]) -> Any:
    """Text parts as one string; a list with anything else stays, for the provider to judge."""
    if all(isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str) for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _with_reasoning(body: JSON, holder: str, field: str | None) -> JSON:
    """The body with `reasoning_content`, the name that most providers and clients use, beside a provider's own; the same
    object where there is none to name."""
    choices = body.get("choices")
    if field is None or not isinstance(choices, list):
        return body
    named = [_choice_with_reasoning(choice, holder, field) for choice in choices]
    return {**body, "choices": named} if any(new is not old for new, old in zip(named, choices, strict=True)) else body


def _choice_with_reasoning(choice: Any, holder: str, field: str) -> Any:
    message = choice.get(holder) if isinstance(choice, dict) else None
    if isinstance(message, dict) and message.get(field) and message.get("reasoning_content") is None:
        return {**choice, holder: {**message, "reasoning_content": message[field]}}
    return choice


def _parsed(data: bytes) -> JSON:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise errors.BadGatewayError("The provider's stream holds an event that is not a JSON object.", code="stream_interrupted")
    return body


def _finishes(body: JSON) -> bool:
    choices = body.get("choices")
    return isinstance(choices, list) and any(isinstance(choice, dict) and choice.get("finish_reason") for choice in choices)
