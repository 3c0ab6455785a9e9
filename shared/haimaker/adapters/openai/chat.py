"""Chat completions of OpenAI and of every provider that speaks its format. Edits what must change, passes the rest.

https://platform.openai.com/docs/api-reference/chat
"""

from collections.abc import Iterable, Iterator
from functools import partial

from haimaker.adapters.events import json_object
from haimaker.adapters.first_chunk import has_content
from haimaker.adapters.openai.answers import normalize_response
from haimaker.adapters.openai.continuity import Continuity
from haimaker.adapters.openai.counts import normalize_usage
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
FAILED = "error"
"""The finish reason of a generation that failed, at OpenRouter, Mistral and others."""


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
    if failure := _failure(body, attempt):
        raise failure
    if not isinstance(body.get("choices"), list):
        raise errors.BadGatewayError("The provider's answer has no choices.")
    return SearchCounter().add_count(normalize_response(body, holder, attempt, whole=True), holder)


def read_stream(events: Iterable[Event], attempt: Attempt, holder: str, tags: ThinkingTags | None = None) -> Iterator[StreamEvent]:
    continuity = Continuity(Numbering(partial(call_id, attempt)), holder)
    mend = attempt.provider.dialect.answers.mend
    searches, done, spoke = SearchCounter(), False, False
    matcher = None if tags or mend else ChunkMatcher(holder)
    for event in events:
        if matcher and (matched := matcher.match(event.data)):
            spoke = True
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
        failure = _failure(body, attempt)
        body = _without_end(body) if failure else body
        shown = searches.add_count(normalize_response(body, holder, attempt, whole=False), holder)
        shown = continuity.drop_repeated(tags.part(shown) if tags else shown)
        spoke = spoke or has_content(shown)
        if failure:
            yield from _until(failure, shown, continuity.chunks_of(tags.rest(cut=True) if tags else ()), spoke=spoke)
            raise failure
        if b"\n" in event.data:
            yield StreamEvent(shown)
        else:
            template = matcher.learn(event.data, parsed, shown) if matcher else None
            yield StreamEvent(shown, event.data if shown is parsed else None, template=template)
    if not done and not continuity.finished:
        yield from (StreamEvent(last) for last in continuity.chunks_of(tags.rest(cut=True) if tags else ()))
        raise errors.BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")
    yield from (StreamEvent(last) for last in continuity.rest(tags.rest() if tags else ()))


def _until(failure: errors.APIError, shown: JSON, held: Iterable[JSON], *, spoke: bool) -> Iterator[StreamEvent]:
    """What there is still to tell of an answer that fails: nothing, if that is all, so that another provider may be asked."""
    if has_content(shown):
        yield StreamEvent(shown)
    yield from map(StreamEvent, held)
    if spoke and failure.usage:
        yield StreamEvent({**shown, "choices": [], "usage": failure.usage})


def _without_end(body: JSON) -> JSON:
    choices = [{**choice, "finish_reason": None} if isinstance(choice, dict) else choice for choice in body["choices"]]
    return {**{name: value for name, value in body.items() if name != "usage"}, "choices": choices}


def _failure(body: JSON, attempt: Attempt) -> errors.BadGatewayError | None:
    """The error of a generation that failed: https://openrouter.ai/docs/api-reference/errors"""
    own, choices = attempt.provider.dialect.answers.failures, body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        reason = choice.get("finish_reason") if isinstance(choice, dict) else None
        if isinstance(reason, str) and (reason == FAILED or reason.lower() in own):
            native = choice.get("native_finish_reason") or reason
            words = f" ({native})" if isinstance(native, str) and native != FAILED else ""
            used = body.get("usage")
            used = normalize_usage(used, attempt.model) if isinstance(used, dict) and used else None
            return errors.BadGatewayError(f"The model's answer failed.{words}", code="generation_failed", usage=used)
    return None
