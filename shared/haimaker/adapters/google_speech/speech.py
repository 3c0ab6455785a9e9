"""Speech of Google Cloud Text-to-Speech, whole and in base64; a model is a kind of its voices.

https://docs.cloud.google.com/text-to-speech/docs/reference/rest/v1/text/synthesize
"""

import re
from collections.abc import Iterator, Mapping

from haimaker.adapters.gemini.failures import from_body, read_error
from haimaker.adapters.prepared_speech import CONTENT_TYPES, PCM_RATE, decode_sound, prepare, read_object, voice_of
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream
from haimaker.operations.speech import SpeechRequest
from haimaker.pricing.usage import Usage

__all__ = ["from_bytes", "read_error", "to_upstream"]

PATH = "/text:synthesize"
FORMATS: Mapping[str, JSON] = {
    "mp3": {"audioEncoding": "MP3"},
    "opus": {"audioEncoding": "OGG_OPUS"},
    "wav": {"audioEncoding": "LINEAR16"},
    "pcm": {"audioEncoding": "PCM", "sampleRateHertz": PCM_RATE},
}
OPTIONS = ("effectsProfileId", "pitch", "volumeGainDb")
KINDS: Mapping[str, str] = {"neural2": "Neural2", "standard": "Standard", "studio": "Studio", "wavenet": "Wavenet"}
NEWEST = "Chirp3-HD"
LANGUAGE = "en-US"
WHOLE_NAME = re.compile(r"([a-z]{2,3}-[A-Z]{2,4})-.+")


def to_upstream(request: SpeechRequest, attempt: Attempt) -> UpstreamRequest:
    asked = prepare(request, attempt)
    sound = {**FORMATS[asked.format], **{name: asked.body[name] for name in OPTIONS if name in asked.body}}
    if "speed" in asked.body:
        sound["speakingRate"] = asked.body["speed"]
    voice = _voice(voice_of(asked), attempt.model, asked.body.get("language"))
    body = {"input": {"text": request.fields.input}, "voice": voice, "audioConfig": sound}
    return UpstreamRequest(PATH, dumps(body), {"content-type": "application/json"}, dropped=asked.dropped)


def from_bytes(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> ByteStream:
    return ByteStream(CONTENT_TYPES[prepare(request, attempt).format], _pieces(answer, request, attempt))


def _pieces(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> Iterator[bytes | Usage]:
    body = read_object(answer)
    if "error" in body:
        raise from_body(body)
    yield decode_sound(body.get("audioContent"))
    if used := request.billed_usage(attempt):
        yield used


def _voice(voice: str, model: str, language: object) -> JSON:
    """A whole name says its language; to one that does not, that and the kind of voice are added."""
    if whole := WHOLE_NAME.fullmatch(voice):
        return {"languageCode": whole[1], "name": voice}
    code = language if isinstance(language, str) and language else LANGUAGE
    return {"languageCode": code, "name": f"{code}-{KINDS.get(model, NEWEST)}-{voice}"}
