"""Transcriptions of Mistral: OpenAI's form with one format of answer, and events of its own.

https://docs.mistral.ai/api/endpoint/audio/transcriptions
"""

from collections.abc import Iterable, Iterator

from haimaker.adapters.events import json_object
from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.transcription_fields import read_answer, read_list, read_transcript, split_fields, to_form_fields
from haimaker.http import multipart
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.transcriptions import TranscriptionRequest
from haimaker.operations.transcripts import Transcript, read_spoken

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

PATH = "/audio/transcriptions"


def to_upstream(request: TranscriptionRequest, attempt: Attempt) -> UpstreamRequest:
    """A language can't be named where times are asked for."""
    passed, lost = split_fields(request, ("language", "temperature", "keywords"))
    fields = request.fields
    body: JSON = {"model": attempt.model}
    times = "segment" if request.wants_speakers else "word" if request.wants_words else "segment" if request.wants_times else None
    if times:
        body["timestamp_granularities"] = times
        lost += ("language",) if fields.language else ()
    elif fields.language:
        body["language"] = fields.language
    if fields.temperature is not None:
        body["temperature"] = fields.temperature
    if request.wants_speakers:
        body["diarize"] = "true"
    if bias := [each.replace(" ", "_") for each in read_list(request, "keywords")]:
        body["context_bias"] = bias
    if request.streams:
        body["stream"] = "true"
    content_type, raw = multipart.encode(to_form_fields({**body, **passed}), [("file", request.file)])
    return UpstreamRequest(PATH, raw, {"content-type": content_type, **attempt.provider.dialect.headers}, dropped=lost)


def from_upstream(answer: UpstreamBody, request: TranscriptionRequest, attempt: Attempt) -> Result:
    body = read_answer(answer)
    return _build_result(body, request, attempt)


def from_stream(events: Iterable[Event], request: TranscriptionRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    segments: list[JSON] = []
    text = ""
    for event in events:
        if event.data.strip() == b"[DONE]":
            continue
        body = json_object(event)
        if is_failure(body):
            raise from_body(body)
        kind = str(body.get("type") or event.name)
        if kind == "transcription.text.delta":
            text += str(body.get("text") or "")
            yield StreamEvent({"type": "transcript.text.delta", "delta": str(body.get("text") or "")})
        elif kind == "transcription.segment":
            segments.append(body)
        elif kind == "transcription.done":
            whole = {"segments": segments, **body, "text": body.get("text") or text.strip()}
            made = list(request.as_events(_build_result(whole, request, attempt)))
            yield from made if request.wants_speakers else made[-1:]


def _build_result(body: JSON, request: TranscriptionRequest, attempt: Attempt) -> Result:
    timed = read_spoken(body.get("segments"), "text", speaker="speaker_id")
    by_word = request.wants_words and not request.wants_speakers
    language = body.get("language") if isinstance(body.get("language"), str) else request.fields.language
    transcript = Transcript(read_transcript(body["text"]), () if by_word else timed, timed if by_word else (), language)
    used = body.get("usage")
    seconds = used.get("prompt_audio_seconds") if isinstance(used, dict) else None
    tokens = request.billed_usage(used, seconds, attempt)
    return request.build_result(transcript, tokens)
