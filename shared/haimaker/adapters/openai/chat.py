"""Chat completions of OpenAI and of every provider that speaks its format. Edits what must change, passes the rest.

https://platform.openai.com/docs/api-reference/chat
"""

import json
from collections.abc import Iterable, Iterator

from haimaker import errors
from haimaker.adapters.openai.answers import identified, mended
from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.openai.numbering import Numbering
from haimaker.adapters.openai.requests import body_for
from haimaker.schema import ChatRequest
from haimaker.sse import dumps
from haimaker.wire import JSON, Attempt, Chunk, Event, UpstreamRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

PATH = "/chat/completions"
DONE = b"[DONE]"


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    body, dropped = body_for(request, attempt)
    return UpstreamRequest(PATH, dumps(body), {"content-type": "application/json", **attempt.provider.headers}, dropped=dropped)


def from_upstream(body: JSON, attempt: Attempt) -> JSON:
    return whole(body, attempt, "message")


def from_stream(events: Iterable[Event], attempt: Attempt) -> Iterator[Chunk]:
    return streamed(events, attempt, "delta")


def whole(body: JSON, attempt: Attempt, holder: str) -> JSON:
    """A 2xx body whose choices have what the model wrote in `holder`."""
    if not body.get("choices") and is_failure(body):
        raise from_body(body)
    if not isinstance(body.get("choices"), list):
        raise errors.BadGatewayError("The provider's answer has no choices.")
    return identified(mended(body, holder, attempt.provider), holder, attempt)


def streamed(events: Iterable[Event], attempt: Attempt, holder: str) -> Iterator[Chunk]:
    finished, calls, begun = False, Numbering(), None
    for event in events:
        if event.data.startswith(DONE):
            if begun and not finished and attempt.provider.leaves_out_ends:
                yield Chunk(_ending(begun, holder, calls))
            return
        if not event.data.strip():
            continue
        body = _parsed(event.data)
        if is_failure(body):
            raise from_body(body)
        shown = identified(calls.numbered(mended(body, holder, attempt.provider)), holder, attempt)
        finished, begun = finished or _finishes(shown), begun or (shown if shown.get("choices") else None)
        yield Chunk(shown, None if shown is not body or b"\n" in event.data else event.data)
    if not finished:
        raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")


def _ending(begun: JSON, holder: str, calls: Numbering) -> JSON:
    """The last chunk of a stream that `[DONE]` alone ends, which some leave out: made of the first, with nothing more to say."""
    nothing: JSON = {"text": "", "logprobs": None} if holder == "text" else {holder: {}}
    choice = {"index": 0, **nothing, "finish_reason": "tool_calls" if calls.any_in(0) else "stop"}
    return {name: value for name, value in begun.items() if name != "usage"} | {"choices": [choice]}


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
