"""Chat with Cohere's models through Chat v2.

https://docs.cohere.com/reference/chat
"""

from collections.abc import Iterable, Iterator
from typing import Any

from haimaker.adapters.cohere.answer import Answer, to_usage
from haimaker.adapters.cohere.requests import to_body
from haimaker.adapters.events import json_object
from haimaker.adapters.openai.failures import CONTEXT_PHRASES, POLICY_PHRASES
from haimaker.http import errors
from haimaker.http.json import as_list, as_object
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, ErrorFields, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

PATH = "/chat"
DONE = b"[DONE]"

TOO_LONG = (*CONTEXT_PHRASES, "too many tokens")
OUTPUT_LIMIT = "max tokens must be"
"""Said with "too many tokens" of an answer's limit, which is no matter of the prompt: https://docs.cohere.com/reference/errors"""
PHRASES = (
    (POLICY_PHRASES, "content_policy_violation"),
    (("unknown model",), "model_not_found"),
    (("calls / month", "monthly", "billing", "payment"), "insufficient_quota"),
    (("rate limit", "calls / minute", "too many requests"), "rate_limit_exceeded"),
)


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    body, dropped = to_body(request, attempt)
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return UpstreamRequest(PATH, dumps(body), headers, dropped=tuple(dropped))


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    said = body.object()
    message = said.get("message")
    if not isinstance(message, dict):
        raise errors.BadGatewayError("The provider's answer has no message.")
    answer = Answer()
    for part in _parts(message.get("content")):
        answer.add_content(part)
    answer.add_plan(message.get("tool_plan"))
    for call in as_list(message.get("tool_calls")):
        answer.start_call(call)
    answer.end_calls()
    for citation in as_list(message.get("citations")):
        answer.add_citation(citation)
    for item in as_list(said.get("logprobs")):
        answer.add_logprobs(item)
    usage = to_usage(said.get("usage"), attempt.model_info)
    if failure := answer.failure(said.get("finish_reason"), said.get("error"), usage):
        raise failure
    finish = answer.finish(said.get("finish_reason"))
    logprobs = {"content": answer.logprobs, "refusal": None} if answer.logprobs else None
    choice = {"index": 0, "message": answer.message(), "logprobs": logprobs, "finish_reason": finish}
    head = _head(said.get("id"), attempt, "chat.completion")
    return Result({**head, "choices": [choice], **({"usage": usage} if usage else {})})


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    answer = Answer()
    head = _head(None, attempt, "chat.completion.chunk")
    begun = False
    for event in events:
        body = _parse(event)
        kind = body.get("type", event.name)
        if kind == "message-start":
            head = _head(body.get("id"), attempt, "chat.completion.chunk")
        if kind == "message-end":
            yield from _end(as_object(body.get("delta")), head, answer, attempt, begun)
            return
        logprobs = answer.add_logprobs(body.get("logprobs"))
        for delta in _deltas(kind, body, answer) or ([{}] if logprobs else []):
            if not begun:
                yield _chunk(head, {"role": "assistant"})
                begun = True
            yield _chunk(head, delta, logprobs=logprobs)
            logprobs = None
    raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")


def read_error(body: object) -> ErrorFields:
    """Cohere says all in words; only a few kinds of failure can be told by them."""
    found = body.get("message") or body.get("error") or body.get("detail") if isinstance(body, dict) else body
    found = found.get("message") if isinstance(found, dict) else found
    message = found if isinstance(found, str) else ""
    text = message.lower()
    if any(phrase in text for phrase in TOO_LONG) and OUTPUT_LIMIT not in text:
        return ErrorFields(message, "context_length_exceeded")
    if "model" in text and "not found" in text:
        return ErrorFields(message, "model_not_found")
    return ErrorFields(message, next((code for phrases, code in PHRASES if any(phrase in text for phrase in phrases)), None))


def _end(delta: JSON, head: JSON, answer: Answer, attempt: Attempt, begun: bool) -> Iterator[StreamEvent]:
    usage = to_usage(delta.get("usage"), attempt.model_info)
    if failure := answer.failure(delta.get("finish_reason"), delta.get("error"), usage):
        if usage and answer.has_spoken:
            yield StreamEvent({**head, "choices": [], "usage": usage})
        raise failure
    if not begun:
        yield _chunk(head, {"role": "assistant"})
    for last in answer.end_calls():
        yield _chunk(head, last)
    yield _chunk(head, {}, finish=answer.finish(delta.get("finish_reason")))
    if usage:
        yield StreamEvent({**head, "choices": [], "usage": usage})


def _deltas(kind: Any, body: JSON, answer: Answer) -> list[JSON]:
    """https://docs.cohere.com/docs/streaming#stream-events"""
    message = as_object(as_object(body.get("delta")).get("message"))
    if kind in ("content-start", "content-delta"):
        return [delta for part in _parts(message.get("content")) for delta in answer.add_content(part)]
    if kind == "tool-plan-delta":
        return answer.add_plan(message.get("tool_plan"))
    if kind == "tool-call-start":
        return [
            *answer.end_calls(),
            *(delta for call in _one_or_many(message.get("tool_calls")) for delta in answer.start_call(call)),
        ]
    if kind == "tool-call-delta":
        calls = [call.get("function") for call in _one_or_many(message.get("tool_calls")) if isinstance(call, dict)]
        return [delta for function in calls for delta in answer.add_arguments(as_object(function).get("arguments"))]
    if kind == "tool-call-end":
        return answer.end_calls()
    if kind == "citation-start":
        return [delta for citation in _one_or_many(message.get("citations")) for delta in answer.add_citation(citation)]
    return []


def _parse(event: Event) -> JSON:
    if event.data == DONE:
        return {"type": "done"}
    body = json_object(event)
    if "type" not in body and not event.name and isinstance(body.get("message"), str):
        raise errors.from_upstream(502, read_error(body), {})
    return body


def _head(given: Any, attempt: Attempt, kind: str) -> JSON:
    name = given if isinstance(given, str) and given else attempt.request_id
    return {"id": f"chatcmpl-{name}", "object": kind, "created": attempt.created_s, "model": attempt.model}


def _chunk(head: JSON, delta: JSON, *, finish: str | None = None, logprobs: JSON | None = None) -> StreamEvent:
    return StreamEvent({**head, "choices": [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]})


def _parts(content: Any) -> list[Any]:
    return [{"text": content}] if isinstance(content, str) else _one_or_many(content)


def _one_or_many(value: Any) -> list[Any]:
    """Events hold one object where a whole answer has a list."""
    return [value] if isinstance(value, dict) else as_list(value)
