"""Chats over OpenAI's Responses, for models that have nothing else, and what the gateway reads of any response.

https://platform.openai.com/docs/api-reference/responses. Nothing is stored there: each request has the whole
conversation.
"""

from collections.abc import Iterable, Iterator

from haimaker.adapters.events import as_it_came, json_object
from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.responses.answer import Answer, merge_deltas
from haimaker.adapters.responses.requests import to_responses
from haimaker.http import errors
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.stream_usage import utf8_bytes

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

PATH = "/responses"


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    body, dropped = to_responses(request, attempt)
    return UpstreamRequest(PATH, dumps(body), headers(attempt), dropped=dropped)


def headers(attempt: Attempt) -> JSON:
    return {"content-type": "application/json", **attempt.provider.dialect.headers}


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    return read_whole(body.object(), attempt)


def read_whole(said: JSON, attempt: Attempt, *, stored: bool = False) -> Result:
    answer = Answer()
    message, logprobs = merge_deltas(answer.whole(said))
    if answer.is_failed or (is_failure(said) and not isinstance(said.get("output"), list)):
        failed = from_body({"error": answer.error} if answer.error else said)
        failed.usage = answer.chat_usage().get("usage")
        raise failed
    if not isinstance(said.get("output"), list):
        raise errors.BadGatewayError("The provider's answer has no output.", code="invalid_provider_response")
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason, "logprobs": logprobs}
    told = {**answer.chat_usage(), **(answer.stored() if stored else {})}
    return Result({**head(answer, attempt, "chat.completion"), "choices": [choice], **told})


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    """The first chunk waits for the first word of the answer: until then another provider may be asked instead."""
    for event in read_stream(events, attempt):
        if event.body["choices"] or event.body.get("usage"):
            yield event._replace(native=())


def read_stream(events: Iterable[Event], attempt: Attempt, *, stored: bool = False) -> Iterator[StreamEvent]:
    """Each event of the stream with the chunk that it means, which has no choice where the event says nothing that a chat has."""
    answer, begun = Answer(), False
    base: JSON = {}
    for event in events:
        if not event.data.strip() or event.data.startswith(b"[DONE]"):
            continue
        body = json_object(event)
        if begun and (text := answer.read_text(body)):  # most events, told without further ado
            choice = {"index": 0, "delta": {"content": text}, "finish_reason": None, "logprobs": None}
            native = (as_it_came(event, body),)
            yield StreamEvent({**base, "choices": [choice]}, native=native, template=answer, text_bytes=utf8_bytes(text))
            continue
        deltas = list(answer.read(body))
        if answer.is_failed or body.get("type") == "error" or (is_failure(body) and "type" not in body):
            yield from end_chunks(answer, attempt) if begun else ()
            failed = from_body({"error": answer.error or body.get("error") or body})
            failed.usage = answer.chat_usage().get("usage")
            raise failed
        native = (as_it_came(event, body),)
        if answer.ended:
            words = [chunk(answer, attempt, {}, answer.finish_reason), *end_chunks(answer, attempt)]
            yield from words[:-1]
            last = {**words[-1].body, **(answer.stored() if stored else {})}
            yield words[-1]._replace(body=last, native=native)
            return
        if deltas and not begun:
            begun, deltas[0] = True, {"role": "assistant", **deltas[0]}
        base = head(answer, attempt, "chat.completion.chunk")
        chunks = [chunk(answer, attempt, delta) for delta in deltas] or [StreamEvent({**base, "choices": []})]
        yield from chunks[:-1]
        yield chunks[-1]._replace(native=native)
    yield from end_chunks(answer, attempt) if begun else ()
    raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")


def head(answer: Answer, attempt: Attempt, kind: str) -> JSON:
    made = {
        "id": answer.id or f"chatcmpl-{attempt.request_id}",
        "object": kind,
        "created": answer.created_s or attempt.created_s,
        "model": answer.model or attempt.model,
    }
    return {**made, "service_tier": answer.service_tier} if answer.service_tier else made


def chunk(answer: Answer, attempt: Attempt, delta: JSON, finish_reason: str | None = None) -> StreamEvent:
    logprobs = {"content": delta["logprobs"], "refusal": None} if delta.get("logprobs") else None
    told = {name: value for name, value in delta.items() if name != "logprobs"}
    choice = {"index": 0, "delta": told, "finish_reason": finish_reason, "logprobs": logprobs}
    return StreamEvent({**head(answer, attempt, "chat.completion.chunk"), "choices": [choice]})


def end_chunks(answer: Answer, attempt: Attempt) -> Iterator[StreamEvent]:
    """The chunk of usage, also for an answer that breaks off: what there was of it is charged."""
    if told := answer.chat_usage():
        yield StreamEvent({**head(answer, attempt, "chat.completion.chunk"), "choices": [], **told})
