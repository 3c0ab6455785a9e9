"""Speech of OpenAI and of every provider that speaks its format: bytes as they come, out of events where a dialect asks for these.

https://platform.openai.com/docs/api-reference/audio/createSpeech. Only events tell what was used; the models that have them are
those that bill tokens.
"""

import json
from collections.abc import Iterator

from haimaker.adapters.events import json_object
from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.prepared_speech import (
    CONTENT_TYPES,
    cut_sound_error,
    decode_sound,
    is_sound,
    no_sound_error,
    prepare,
    voice_of,
)
from haimaker.http import sse
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream
from haimaker.operations.speech import SpeechRequest
from haimaker.operations.stream_usage import is_last
from haimaker.pricing.usage import Usage

__all__ = ["from_bytes", "read_error", "to_upstream"]

PATH = "/audio/speech"
SOUND_FIELDS = ("audio", "audio_data", "delta", "data")
"""Where servers put it: OpenAI, Mistral, Together."""


def to_upstream(request: SpeechRequest, attempt: Attempt) -> UpstreamRequest:
    asked = prepare(request, attempt)
    voice_of(asked)
    dialect = attempt.provider.dialect
    body = {**asked.body, "response_format": asked.format} if dialect.audio_formats else asked.body
    headers = {"content-type": "application/json", **dialect.headers}
    return UpstreamRequest(PATH, dumps(body), headers, dropped=asked.dropped)


def from_bytes(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> ByteStream:
    """What the server says that it is, and where it says nothing of use, what was asked for."""
    kind = answer.headers.get("content-type", "")
    asked_for = CONTENT_TYPES[prepare(request, attempt).format]
    if kind.startswith("text/event-stream"):
        return ByteStream(asked_for, _of_events(answer, request, attempt))
    if is_sound(answer):
        return ByteStream(kind if kind.startswith("audio/") else asked_for, _as_it_comes(answer, request, attempt))
    return ByteStream(asked_for, _of_body(answer, request, attempt))


def _as_it_comes(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> Iterator[bytes | Usage]:
    if used := request.billed_usage(attempt):
        yield used
    yield from answer.pieces


def _of_events(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> Iterator[bytes | Usage]:
    ended, used = False, request.billed_usage(attempt)
    for event in sse.decode(answer.pieces):
        if event.data == b"[DONE]":
            ended = True
            break
        body = json_object(event)
        if is_failure(body) or body.get("type") == "error":
            raise from_body(body)
        if sound := _sound(body):
            yield decode_sound(sound)
        if is_last(body):
            ended, used = True, request.billed_usage(attempt, body.get("usage")) or used
    if used:
        yield used
    if not ended:
        raise cut_sound_error()


def _of_body(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> Iterator[bytes | Usage]:
    """An error that came with status 200, sound in base64, or sound that nobody has named."""
    raw = b"".join(answer.pieces)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        if not raw or raw.lstrip()[:1] in b"<{[":
            raise no_sound_error() from None
        yield from _as_it_comes(UpstreamResponse(200, {}, iter([raw])), request, attempt)
        return
    if not isinstance(body, dict) or not (sound := _sound(body)):
        raise from_body(body) if isinstance(body, dict) and is_failure(body) else no_sound_error()
    yield decode_sound(sound)
    if used := request.billed_usage(attempt, body.get("usage")):
        yield used


def _sound(body: JSON) -> object:
    return next((body[name] for name in SOUND_FIELDS if body.get(name) and isinstance(body[name], str)), None)
