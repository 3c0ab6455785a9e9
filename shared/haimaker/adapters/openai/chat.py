"""Chat completions of OpenAI and of every provider that speaks its format. Edits what must change, passes the rest.

https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Iterable, Iterator
from functools import partial

from haimaker.adapters.events import json_object
from haimaker.adapters.openai.answers import normalize_response
from haimaker.adapters.openai.continuity import Continuity
from haimaker.adapters.openai.failures import failed_choice, from_body, is_failure, read_error
from haimaker.adapters.openai.normalize import call_id
from haimaker.adapters.openai.numbering import Numbering
from haimaker.adapters.openai.requests import body_for
from haimaker.adapters.openai.search_counts import SearchCounter
from haimaker.adapters.openai.similar_chunks import ChunkMatcher
from haimaker.adapters.openai.thinking_tags import ThinkingTags, tags_of
from haimaker.http import errors
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

PATH = "/chat/completions"
DONE = b"[DONE]"


def to_upstream(request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
    body, dropped = body_for(request, attempt)
    return UpstreamRequest(
        PATH, dumps(body), {"content-type": "application/json", **attempt.provider.dialect.headers}, dropped=dropped
    )


def from_upstream(body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
    made = read_whole(body.object(), attempt, "message")
    tags = tags_of(attempt, request.body)
    return Result(tags.whole(made) if tags else made)


def from_stream(events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    return read_stream(events, attempt, "delta", tags_of(attempt, request.body))


def read_whole(body: JSON, attempt: Attempt, holder: str) -> JSON:
    """A 2xx body whose choices have what the model wrote in `holder`."""
    mend = attempt.provider.dialect.answers.mend
    body = mend(body) if mend else body
    if failed_choice(body) or (is_failure(body) and not body.get("choices")):
        raise from_body(body)
    _refuse_failed(body)
    if not isinstance(body.get("choices"), list):
        raise errors.BadGatewayError("The provider's answer has no choices.")
    return SearchCounter().add_count(normalize_response(body, holder, attempt, whole=True), holder)


def read_stream(events: Iterable[Event], attempt: Attempt, holder: str, tags: ThinkingTags | None = None) -> Iterator[StreamEvent]:
    continuity = Continuity(Numbering(partial(call_id, attempt)), holder)
    mend = attempt.provider.dialect.answers.mend
    searches, done = SearchCounter(), False
    matcher = None if tags or mend else ChunkMatcher(holder)
    for event in events:
        if matcher and (matched := matcher.match(event.data)):
            yield matched
            continue
        done = event.data.startswith(DONE)
        if done:
            break
        if not event.data.strip():
            continue
        parsed = json_object(event)
        body = mend(parsed) if mend else parsed
        if is_failure(body):
            yield from (StreamEvent(last) for last in continuity.chunks_of(tags.rest(cut=True) if tags else ()))
            raise from_body(body)
        _refuse_failed(body)
        shown = searches.add_count(normalize_response(body, holder, attempt, whole=False), holder)
        shown = continuity.drop_repeated(tags.part(shown) if tags else shown)
        if b"\n" in event.data:
            yield StreamEvent(shown)
        else:
            template = matcher.learn(event.data, parsed, shown) if matcher else None
            yield StreamEvent(shown, event.data if shown is parsed else None, template=template)
    if not done and not continuity.finished:
        yield from (StreamEvent(last) for last in continuity.chunks_of(tags.rest(cut=True) if tags else ()))
        raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")
    yield from (StreamEvent(last) for last in continuity.rest(tags.rest() if tags else ()))


def _refuse_failed(body: JSON) -> None:
    """Raises BadGatewayError for a generation that failed: https://openrouter.ai/docs/api-reference/errors"""
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("finish_reason") == "error":
            native = choice.get("native_finish_reason")
            words = f" ({native})" if isinstance(native, str) and native else ""
            raise errors.BadGatewayError(f"The model's answer failed.{words}", code="generation_failed")
