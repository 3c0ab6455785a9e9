"""Transcriptions and translations by Gemini: it is asked for them in words, and for times and speakers in a schema.

https://ai.google.dev/gemini-api/docs/audio
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from haimaker.adapters.events import json_object
from haimaker.adapters.gemini.failures import from_body, read_error
from haimaker.adapters.gemini.tokens import to_usage
from haimaker.adapters.transcription_fields import encode_file, read_list, split_fields
from haimaker.http.errors import BadGatewayError, BadRequestError, ContentPolicyViolationError
from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.transcriptions import TranscriptionRequest
from haimaker.operations.transcripts import Transcript, read_spoken
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

HEAR = "Transcribe the speech in this recording word for word, in the language that is spoken."
TRANSLATE = "Translate the speech in this recording into English."
PLAIN = "Answer with the text alone, without times, names or remarks. Where nothing is said, answer with nothing."
TIMED = "Part it into segments of a sentence or less, each with its start and end in seconds from the beginning."
SPEAKERS = "Name the speaker of each segment: A for the first who speaks, then B, and so on."
NUMBER: JSON = {"type": "NUMBER"}
TEXT: JSON = {"type": "STRING"}


def to_upstream(request: TranscriptionRequest, attempt: Attempt) -> UpstreamRequest:
    """Times come in JSON, which is of no use in pieces: a stream is then made of the whole."""
    if request.wants_words and not request.fields.drop_params:
        message = 'The model does not know when each word is said. Ask for segments, or send "drop_params": true.'
        raise BadRequestError(message, param="timestamp_granularities", code="unsupported_parameter")
    passed, lost = split_fields(request, ("language", "prompt", "temperature", "keywords", "languages"))
    data = {"mimeType": request.sound.content_type, "data": encode_file(request)}
    config: JSON = {"temperature": request.fields.temperature} if request.fields.temperature is not None else {}
    if _is_timed(request):
        config |= {"responseMimeType": "application/json", "responseSchema": _schema(request)}
    contents = [{"role": "user", "parts": [{"text": _words(request)}, {"inlineData": data}]}]
    call = "streamGenerateContent?alt=sse" if request.streams and not _is_timed(request) else "generateContent"
    path = f"/models/{quote(attempt.model, safe='@')}:{call}"
    body = {"contents": contents, **({"generationConfig": config} if config else {})}
    return UpstreamRequest(path, dumps(body), {"content-type": "application/json"}, dropped=(*lost, *passed))


def from_upstream(answer: UpstreamBody, request: TranscriptionRequest, attempt: Attempt) -> Result:
    found: Any = answer.json()
    body = as_object(found[0] if isinstance(found, list) and found else found)
    _check(body)
    text, tokens = _text(body), _tokens(body)
    if not _is_timed(request):
        return request.build_result(Transcript(text.strip(), language=request.fields.language), tokens)
    timed = _timed(text)
    segments = read_spoken(timed.get("segments"), "text")
    language = as_text(timed.get("language")) or request.fields.language
    return request.build_result(Transcript(" ".join(each.text.strip() for each in segments), segments, language=language), tokens)


def from_stream(events: Iterable[Event], request: TranscriptionRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    text, metadata, ended = "", {}, False
    for event in events:
        body = json_object(event)
        _check(body, begun=bool(text))
        metadata.update(as_object(body.get("usageMetadata")))
        ended = ended or any(candidate.get("finishReason") for candidate in as_objects(body.get("candidates")))
        if delta := _text(body):
            text += delta
            yield StreamEvent({"type": "transcript.text.delta", "delta": delta})
    if ended:
        tokens = _tokens({"usageMetadata": metadata})
        yield StreamEvent(request.end_event(text.strip(), request.usage_object(tokens) if tokens else None))


def _is_timed(request: TranscriptionRequest) -> bool:
    return request.wants_times or request.wants_speakers


def _words(request: TranscriptionRequest) -> str:
    fields = request.fields
    said = [TRANSLATE if request.translates else HEAR]
    if fields.language:
        said.append(f"The language spoken is {fields.language}.")
    if languages := read_list(request, "languages"):
        said.append(f"The languages spoken are among these: {', '.join(languages)}.")
    if keywords := read_list(request, "keywords"):
        said.append(f"Words that may be said, as they are spelled: {', '.join(keywords)}.")
    if fields.prompt:
        said.append(f"What was said before, or how it is spelled: {fields.prompt}")
    if _is_timed(request):
        said.append(TIMED)
    if request.wants_speakers:
        said.append(SPEAKERS)
    return " ".join(said if _is_timed(request) else [*said, PLAIN])


def _schema(request: TranscriptionRequest) -> JSON:
    each: JSON = {"start": NUMBER, "end": NUMBER, "text": TEXT, **({"speaker": TEXT} if request.wants_speakers else {})}
    segment = {"type": "OBJECT", "properties": each, "required": list(each), "propertyOrdering": list(each)}
    held = {"language": TEXT, "segments": {"type": "ARRAY", "items": segment}}
    return {"type": "OBJECT", "properties": held, "required": ["segments"]}


def _check(body: JSON, *, begun: bool = False) -> None:
    """Raises APIError for an error in a 200, for a sound that is refused, and for what is no answer."""
    if body.get("error"):
        raise from_body(body)
    blocked = as_text(as_object(body.get("promptFeedback")).get("blockReason"))
    if blocked and not begun:
        raise ContentPolicyViolationError(f"The provider refuses this sound: {blocked}.")
    if not any(name in body for name in ("candidates", "usageMetadata", "promptFeedback")):
        raise BadGatewayError("The provider's answer has no candidates.", code="invalid_provider_response")


def _text(body: JSON) -> str:
    """What the first candidate says, without its thoughts."""
    candidate = next(iter(as_objects(body.get("candidates"))), {})
    parts = as_objects(as_object(candidate.get("content")).get("parts"))
    return "".join(as_text(part.get("text")) for part in parts if not part.get("thought"))


def _timed(text: str) -> JSON:
    try:
        return as_object(json.loads(text))
    except (ValueError, RecursionError):
        raise BadGatewayError("The provider's transcript was cut off.", code="invalid_provider_response") from None


def _tokens(body: JSON) -> Usage | None:
    counted = to_usage(as_object(body.get("usageMetadata")), 0)
    return usage.from_openai(counted) if counted else None
