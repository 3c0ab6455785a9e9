"""Requests and answers for the tests of the Gemini adapter."""

import json
from typing import Any

from haimaker.adapters.gemini import chat
from haimaker.http.values import JSON, Event, UpstreamRequest
from tests.support import builders
from tests.support.builders import chat_request, result_of

OLDER, NEWEST = "gemini-2.5-flash", "gemini-3-flash-preview"


def translated(body: JSON, *, model: str = OLDER, **of_attempt: Any) -> UpstreamRequest:
    return chat.to_upstream(builders.chat_request(**body), builders.attempt(f"gemini/{model}", **of_attempt))


def sent(body: JSON, **of_attempt: Any) -> JSON:
    return dict(json.loads(translated(body, **of_attempt).body))


def contents(*messages: JSON, model: str = OLDER) -> list[Any]:
    return list(sent({"messages": list(messages)}, model=model)["contents"])


def answer(*parts: JSON, reason: str | None = "STOP", **fields: Any) -> JSON:
    candidate = {"content": {"role": "model", "parts": list(parts)}, **({"finishReason": reason} if reason else {}), **fields}
    return {"candidates": [candidate]}


def whole(body: JSON, model: str = OLDER) -> JSON:
    return result_of(chat, body, builders.attempt(f"gemini/{model}"))


def streamed(*bodies: Any) -> list[JSON]:
    events = [Event(json.dumps(body).encode()) for body in bodies]
    return [chunk.body for chunk in chat.from_stream(events, chat_request(), builders.attempt(f"gemini/{OLDER}"))]
