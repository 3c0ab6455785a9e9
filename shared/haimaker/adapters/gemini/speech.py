"""Speech of Gemini's models: samples, which are made a file of here.

https://ai.google.dev/gemini-api/docs/speech-generation
"""

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from haimaker.adapters.events import json_object
from haimaker.adapters.gemini.failures import from_body, read_error
from haimaker.adapters.gemini.tokens import service_tier, to_usage
from haimaker.adapters.prepared_speech import (
    CONTENT_TYPES,
    cut_sound_error,
    decode_sound,
    no_sound_error,
    prepare,
    to_mp3,
    to_wav,
    voice_of,
)
from haimaker.http import sse
from haimaker.http.errors import APIError, ContentPolicyViolationError
from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream
from haimaker.operations.speech import SpeechRequest
from haimaker.pricing.usage import Usage

__all__ = ["from_bytes", "read_error", "to_upstream"]

MADE_HERE = {"mp3": to_mp3, "wav": to_wav}
REFUSALS = ("BLOCKLIST", "PROHIBITED_CONTENT", "SAFETY", "SPII")


def to_upstream(request: SpeechRequest, attempt: Attempt) -> UpstreamRequest:
    asked = prepare(request, attempt)
    voice = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice_of(asked)}}}
    language = asked.body.get("language")
    speech = {**voice, **({"languageCode": language} if isinstance(language, str) else {})}
    contents = [
        {
            "role": "user",
            "parts": [_part(request.fields.input, asked.body.get("instructions"), in_text=attempt.traits.directed_in_text)],
        }
    ]
    body = {"contents": contents, "generationConfig": {"responseModalities": ["AUDIO"], "speechConfig": speech}}
    path = f"/models/{quote(attempt.model, safe='@')}:streamGenerateContent?alt=sse"
    return UpstreamRequest(path, dumps(body), {"content-type": "application/json"}, dropped=asked.dropped)


def _part(text: str, instructions: object, *, in_text: bool) -> JSON:
    if not isinstance(instructions, str) or not instructions:
        return {"text": text}
    if in_text:
        return {"text": f"{instructions}: {text}"}
    return {"text": text, "speechMetadata": {"style": instructions}}


def from_bytes(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> ByteStream:
    wanted = prepare(request, attempt).format
    streamed = not answer.headers.get("content-type", "").startswith("application/json")
    bodies = map(json_object, sse.decode(answer.pieces)) if streamed else _whole(answer)
    sound = ByteStream(CONTENT_TYPES[wanted], _samples(bodies, request, attempt, streamed=streamed))
    return MADE_HERE[wanted](sound) if wanted in MADE_HERE else sound


def _whole(answer: UpstreamResponse) -> Iterator[JSON]:
    """The only body, or those of a list, which is a stream without events."""
    try:
        body = json.loads(b"".join(answer.pieces))
    except (ValueError, RecursionError):
        raise no_sound_error() from None
    yield from as_objects(body if isinstance(body, list) else [body])


def _samples(bodies: Iterable[JSON], request: SpeechRequest, attempt: Attempt, *, streamed: bool) -> Iterator[bytes | Usage]:
    heard, why = False, ""
    metadata: JSON = {}
    for body in bodies:
        if body.get("error"):
            raise from_body(body)
        metadata = as_object(body.get("usageMetadata")) or metadata
        why = as_text(as_object(body.get("promptFeedback")).get("blockReason")) or why
        for candidate in as_objects(body.get("candidates"))[:1]:
            why = as_text(candidate.get("finishReason")) or why
            for part in as_objects(as_object(candidate.get("content")).get("parts")):
                if data := as_object(part.get("inlineData")).get("data"):
                    heard = True
                    yield decode_sound(data)
    if used := request.billed_usage(attempt, _used(metadata)):
        yield used
    if not heard:
        raise _silence(why)
    if streamed and not why:
        raise cut_sound_error()


def _used(metadata: JSON) -> JSON | None:
    used, tier = to_usage(metadata, 0), service_tier(metadata)
    return {**used, "service_tier": tier} if used and tier else used


def _silence(why: str) -> APIError:
    if why in REFUSALS:
        return ContentPolicyViolationError(f"The provider refused to speak this ({why}).")
    return no_sound_error()
