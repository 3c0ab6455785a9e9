"""Chat on Amazon Bedrock through Converse and ConverseStream, which are one format for the models of all vendors there.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html. Signing is not done here, and no bytes are
read: an event is a message of the AWS event stream, its data the payload.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from haimaker.adapters.bedrock.answer import Answer, Block, blocks_of, extras, to_usage
from haimaker.adapters.bedrock.failures import from_event, is_exception, read_error
from haimaker.adapters.bedrock.families import family_of
from haimaker.adapters.bedrock.requests import to_body
from haimaker.adapters.events import json_object
from haimaker.http import errors
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

WHOLE = "converse"
STREAMED = "converse-stream"
ACCEPTS_STREAM = {"accept": "application/vnd.amazon.eventstream"}


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    """The model's name may be an id, an inference profile (`us.`, `eu.`, `global.` before the id) or an ARN."""
    body, dropped = to_body(request, attempt)
    headers = {
        "content-type": "application/json",
        **(ACCEPTS_STREAM if request.streams else {}),
        **attempt.provider.dialect.headers,
    }
    path = f"/model/{quote(attempt.model, safe='')}/{STREAMED if request.streams else WHOLE}"
    return UpstreamRequest(path, dumps(body), headers, dropped=tuple(dropped))


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    said = body.object()
    output = said.get("output")
    message = output.get("message") if isinstance(output, dict) else None
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        raise errors.BadGatewayError("The provider's answer has no message.")
    answer = Answer(family_of(attempt).name)
    for start, deltas in blocks_of(content):
        block, _ = answer.start_block(start)
        for delta in deltas:
            answer.add_delta(block, delta)
        answer.end_block(block)
    if failure := answer.failure(said.get("stopReason"), usage := to_usage(said, request, attempt)):
        raise failure
    finish = answer.finish(said.get("stopReason"))
    choice = {"index": 0, "message": answer.message(), "logprobs": None, "finish_reason": finish}
    return Result(
        {
            **_head(attempt, "chat.completion"),
            "choices": [choice],
            **({"usage": usage} if usage else {}),
            **extras(said, request.body),
        }
    )


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    """Usage comes before or after the event that ends the message; both are told at the end of the stream."""
    head = _head(attempt, "chat.completion.chunk")
    answer = Answer(family_of(attempt).name)
    metadata: JSON = {}
    stopped: JSON | None = None
    begun = False
    for name, body in _bodies(events, answer):
        if name == "messageStop":
            stopped = body
            metadata = {**body, **metadata}
        elif name == "metadata":
            metadata = {**metadata, **body}
        else:
            yield StreamEvent({**head, "choices": [_choice({**({} if begun else {"role": "assistant"}), **body})]})
            begun = True
    if stopped is None:
        raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")
    usage = to_usage(metadata, request, attempt)
    if failure := answer.failure(stopped.get("stopReason"), usage):
        if usage and answer.has_spoken:
            yield StreamEvent({**head, "choices": [], "usage": usage})
        raise failure
    if not begun:
        yield StreamEvent({**head, "choices": [_choice({"role": "assistant"})]})
    yield StreamEvent({**head, "choices": [_choice({}, answer.finish(stopped.get("stopReason")))]})
    if usage:
        yield StreamEvent({**head, **extras(metadata, request.body), "choices": [], "usage": usage})


def _bodies(events: Iterable[Event], answer: Answer) -> Iterator[tuple[str, JSON]]:
    """The bodies of `messageStop` and `metadata`, and under no name the deltas that the other events make."""
    open_blocks: dict[Any, Block] = {}
    for event in events:
        if is_exception(event):
            raise from_event(event)
        if event.name == "messageStart":
            yield "", {}
        if not event.name.startswith(("contentBlock", "messageStop", "metadata")):
            continue
        body = json_object(event)
        index = body.get("contentBlockIndex")
        place = index if isinstance(index, int) else None
        if event.name == "contentBlockStart":
            open_blocks[place], deltas = answer.start_block(body.get("start"))
            yield from (("", delta) for delta in deltas)
        elif event.name == "contentBlockDelta":
            if place not in open_blocks:
                open_blocks[place], _ = answer.start_block({})
            yield from (("", delta) for delta in answer.add_delta(open_blocks[place], body.get("delta")))
        elif event.name == "contentBlockStop":
            block = open_blocks.pop(place, None)
            yield from (("", delta) for delta in (answer.end_block(block) if block else ()))
        else:
            yield event.name, body
    for block in open_blocks.values():
        yield from (("", delta) for delta in answer.end_block(block))


def _choice(delta: JSON, finish: str | None = None) -> JSON:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _head(attempt: Attempt, kind: str) -> JSON:
    return {"id": f"chatcmpl-{attempt.request_id}", "object": kind, "created": attempt.created_s, "model": attempt.model}
