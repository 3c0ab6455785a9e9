"""Answers in Anthropic's Messages format, made of a chat's: whole, as events, and as errors. Pure.

https://platform.claude.com/docs/en/api/messages  https://platform.claude.com/docs/en/build-with-claude/streaming
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from haimaker.adapters import ADAPTERS
from haimaker.adapters.repairs import arguments_object
from haimaker.api.formats import reasoning_details
from haimaker.api.formats.account_ids import show_container
from haimaker.api.formats.messages_requests import NO_THREADS, find_refusal, to_chat
from haimaker.http.errors import APIError
from haimaker.http.json import as_objects, parse_json
from haimaker.http.sse import dumps, encode_named
from haimaker.http.values import JSON, Event, Request, StreamEvent
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.chat import translated_chat
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.operation import OperationRequest, Original, Result
from haimaker.pricing import usage

STOP_REASON: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
ERROR_TYPE: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""https://platform.claude.com/docs/en/api/errors; any other is an invalid request or, from 500, an API error."""

BETAS = "anthropic-beta"
CONTAINER = b'"container"'
Named = tuple[str, JSON]
"""An event's name, which its data repeats as `type`, and its data."""
PING: Named = ("ping", {"type": "ping"})


def parse(request: Request) -> OperationRequest:
    """Raises BadRequestError, NotFoundError."""
    body = parse_json(request.body)
    chat, dropped = to_chat(body, request.allowed_ids)
    return translated_chat(
        chat,
        request.body,
        Original("messages", body, ADAPTERS["messages"], dropped, refusal=find_refusal(body), betas=_betas(request)),
    )


def _betas(request: Request) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in request.headers.get(BETAS, "").split(","))))


def render(request: OperationRequest, result: Result, request_id: str) -> tuple[str, bytes]:
    if result.native is None:
        return "application/json", dumps(from_chat(result.body, request_id))
    told = _with_container(result.native, request_id)
    return "application/json", dumps({**told, "usage": _with_cost(told.get("usage"), result.body["usage"])})


def write_events(request: OperationRequest, chunks: Iterator[StreamEvent], request_id: str) -> Iterator[bytes]:
    """Events of a provider that speaks this format pass as they are, with the cost in the last but one."""
    first = next(chunks, None)
    if first is None:
        return
    chunks = chain((first,), chunks)
    if not first.native:
        for name, data in events((chunk.body for chunk in chunks), request_id):
            yield encode_named(Event(dumps(data), name))
        return
    for chunk in chunks:
        for event in chunk.native:
            yield encode_named(_completed(event, chunk.body, request_id))


def from_chat(answer: JSON, request_id: str) -> JSON:
    """A message from a whole chat completion."""
    message = dict(_message_head(answer, request_id))
    for choice in answer.get("choices") or ():
        if choice.get("index") == 0:
            message["content"] = _blocks(choice["message"])
            message["stop_reason"] = STOP_REASON.get(choice.get("finish_reason") or "stop", "end_turn")
    return {**message, "usage": to_usage(answer.get("usage"))}


def events(chunks: Iterable[JSON], request_id: str) -> Iterator[Named]:
    """A stream's events from the chunks of a chat, usage included. The last two tell why it ended and what it used."""
    stream: _Stream | None = None
    for chunk in chunks:
        if stream is None:
            stream = _Stream()
            yield "message_start", {"type": "message_start", "message": _message_head(chunk, request_id)}
        stream.used = chunk.get("usage") or stream.used
        for choice in chunk.get("choices") or ():
            if choice.get("index") == 0:
                stream.finish_reason = choice.get("finish_reason") or stream.finish_reason
                yield from stream.read(choice.get("delta") or {})
    if stream is not None:
        if stream.calls:
            yield from stream.carry()
        yield from stream.close()
        reason = STOP_REASON.get(stream.finish_reason or "stop", "end_turn")
        delta = {"stop_reason": reason, "stop_sequence": None}
        yield "message_delta", {"type": "message_delta", "delta": delta, "usage": to_usage(stream.used)}
        yield "message_stop", {"type": "message_stop"}


def error_body(error: APIError, request_id: str) -> JSON:
    kind = ERROR_TYPE.get(error.status) or ("api_error" if error.status >= 500 else "invalid_request_error")
    told: JSON = {"type": kind, "message": error.message}
    if error.code == NO_THREADS:
        told["details"] = {"error_code": error.code, "unsupported": [error.param]}
    return {"type": "error", "error": told, "request_id": request_id}


def to_usage(used: Any) -> JSON:
    """Anthropic's usage of OpenAI's: what was read from a cache or written to it is not counted in `input_tokens`."""
    counted = usage.from_openai(used if isinstance(used, dict) else {})
    written = counted.cache_write_5m + counted.cache_write_1h
    read = counted.cached + counted.cached_audio + counted.cached_image
    told: JSON = {
        "input_tokens": max(0, counted.prompt - read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counted.cache_write_5m,
            "ephemeral_1h_input_tokens": counted.cache_write_1h,
        },
        "output_tokens": counted.completion,
    }
    if counted.web_searches:
        told["server_tool_use"] = {"web_search_requests": counted.web_searches, "web_fetch_requests": 0}
    if isinstance(used, dict) and "cost" in used:
        told["cost"] = used["cost"]
    return told


def _completed(event: Event, body: JSON, request_id: str) -> Event:
    """An event with the cost, where it tells the usage and that is known, and with our id of a container."""
    if event.name == "message_start" and CONTAINER in event.data:
        begun = json.loads(event.data)
        message = begun.get("message")
        return Event(dumps({**begun, "message": _with_container(message, request_id)}), event.name)
    cost = (body.get("usage") or {}).get("cost")
    if event.name != "message_delta" or (cost is None and CONTAINER not in event.data):
        return event
    told = json.loads(event.data)
    told["delta"] = _with_container(told.get("delta"), request_id)
    return Event(dumps(told if cost is None else {**told, "usage": _with_cost(told.get("usage"), body["usage"])}), event.name)


def _with_container(holder: Any, request_id: str) -> Any:
    if not isinstance(holder, dict) or not isinstance(holder.get("container"), dict):
        return holder
    return {**holder, "container": show_container(holder["container"], request_id)}


def _with_cost(told: Any, used: JSON) -> JSON:
    """A provider's usage with what was reckoned."""
    return {
        **(told if told and isinstance(told, dict) else to_usage(used)),
        **{name: used[name] for name in ("cost", "cost_estimated") if name in used},
    }


@dataclass(slots=True)
class _Stream:
    """Which block is open, and what is told at the end."""

    blocks: int = 0
    kind: str | None = None
    """The kind of the open block: text, thinking or tool_use."""
    calls: dict[int, int] = field(default_factory=dict)
    """The block of each of the chat's calls."""
    details: list[JSON] = field(default_factory=list)
    """What its maker wants back, and no block has carried yet."""
    finish_reason: str | None = None
    used: JSON | None = None

    def read(self, delta: JSON) -> Iterator[Named]:
        if thought := delta.get("reasoning_content"):
            yield from self._write("thinking", {"type": "thinking_delta", "thinking": thought})
        self.details += as_objects(delta.get(reasoning_details.FIELD))
        for name in ("content", "refusal"):
            if text := delta.get(name):
                yield from self._write("text", {"type": "text_delta", "text": text})
        for call in delta.get("tool_calls") or ():
            yield from self._call(call)

    def close(self) -> Iterator[Named]:
        """Ends the open block, if there is one."""
        if self.kind == "thinking":
            yield self._delta({"type": "signature_delta", "signature": self._sign()})
        if self.kind is not None:
            yield "content_block_stop", {"type": "content_block_stop", "index": self.blocks - 1}
        self.kind = None

    def carry(self) -> Iterator[Named]:
        """What its maker wants back, in a block of its own where no thinking is shown that could have it."""
        if self.details and self.kind != "thinking":
            yield from self._open("redacted_thinking", {"type": "redacted_thinking", "data": self._sign()})

    def _sign(self) -> str:
        details, self.details = self.details, []
        return reasoning_details.sign(reasoning_details.merge(details))

    def _write(self, kind: str, delta: JSON) -> Iterator[Named]:
        if self.kind != kind:
            if not self.blocks and kind == "text":
                yield from self.carry()
            start: JSON = (
                {"type": "thinking", "thinking": "", "signature": ""} if kind == "thinking" else {"type": "text", "text": ""}
            )
            yield from self._open(kind, start)
        yield self._delta(delta)

    def _call(self, call: JSON) -> Iterator[Named]:
        index, function = call.get("index", 0), call.get("function") or {}
        if index not in self.calls:
            yield from self.carry()
            start: JSON = {
                "type": "tool_use",
                "id": call.get("id") or f"call_{index}",
                "name": function.get("name") or "",
                "input": {},
            }
            yield from self._open("tool_use", start)
            self.calls[index] = self.blocks - 1
        if arguments := function.get("arguments"):
            yield self._delta({"type": "input_json_delta", "partial_json": arguments}, self.calls[index])

    def _open(self, kind: str, block: JSON) -> Iterator[Named]:
        yield from self.close()
        self.kind = kind
        self.blocks += 1
        yield "content_block_start", {"type": "content_block_start", "index": self.blocks - 1, "content_block": block}

    def _delta(self, delta: JSON, index: int | None = None) -> Named:
        at = self.blocks - 1 if index is None else index
        return "content_block_delta", {"type": "content_block_delta", "index": at, "delta": delta}


def _message_head(body: JSON, request_id: str) -> JSON:
    """A message before anything is written."""
    return {
        "id": f"msg_{request_id}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model") or "",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": to_usage(None),
    }


def _blocks(message: JSON) -> list[JSON]:
    blocks: list[JSON] = []
    details = as_objects(message.get(reasoning_details.FIELD))
    if thought := message.get("reasoning_content"):
        blocks.append({"type": "thinking", "thinking": thought, "signature": reasoning_details.sign(details)})
    elif details:
        blocks.append({"type": "redacted_thinking", "data": reasoning_details.sign(details)})
    if text := message.get("content") or message.get("refusal"):
        blocks.append({"type": "text", "text": text})
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        blocks.append(
            {
                "type": "tool_use",
                "id": call.get("id"),
                "name": function.get("name"),
                "input": arguments_object(function.get("arguments")),
            }
        )
    return blocks


FORMAT = ClientFormat(
    parse,
    render,
    write_events,
    error_body,
    lambda error, request_id, sent: encode_named(Event(dumps(error_body(error, request_id)), "error")),
    encode_named(Event(dumps(PING[1]), PING[0])),
)
