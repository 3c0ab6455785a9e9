"""Speech of Deepgram, whose models are voices: `aura-2` and `thalia` make `aura-2-thalia-en`.

https://developers.deepgram.com/reference/text-to-speech/speak-request
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from haimaker.adapters.deepgram.failures import read_error
from haimaker.adapters.prepared_speech import PCM_RATE, PreparedSpeech, prepare, to_byte_stream, voice_of
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream
from haimaker.operations.speech import SpeechRequest

__all__ = ["from_bytes", "read_error", "to_upstream"]

BARE: Mapping[str, str] = {"encoding": "linear16", "sample_rate": str(PCM_RATE)}
FORMATS: Mapping[str, Mapping[str, str]] = {
    "mp3": {"encoding": "mp3"},
    "opus": {"encoding": "opus", "container": "ogg"},
    "aac": {"encoding": "aac"},
    "flac": {"encoding": "flac"},
    "wav": {**BARE, "container": "wav"},
    "pcm": {**BARE, "container": "none"},
}
"""https://developers.deepgram.com/docs/tts-media-output-settings#audio-format-combinations"""
OPTIONS = ("bit_rate", "mip_opt_out", "speed", "tag")
COUNTED = "dg-char-count"


def to_upstream(request: SpeechRequest, attempt: Attempt) -> UpstreamRequest:
    asked = prepare(request, attempt)
    model, lost = _model(asked, attempt.model, is_voice=attempt.traits.is_voice)
    options = {name: asked.body[name] for name in OPTIONS if name in asked.body}
    shown = {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}
    path = "/speak?" + urlencode({"model": model, **FORMATS[asked.format], **shown}, doseq=True, errors="replace")
    body = dumps({"text": request.fields.input})
    return UpstreamRequest(path, body, {"content-type": "application/json"}, dropped=(*asked.dropped, *lost))


def from_bytes(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> ByteStream:
    return to_byte_stream(answer, request, attempt, read_error, COUNTED)


def _model(asked: PreparedSpeech, model: str, *, is_voice: bool) -> tuple[str, tuple[str, ...]]:
    """The whole name, and what of the request is lost by it: a model that is a voice has no other."""
    if is_voice:
        return model, () if asked.voice is None or asked.voice in model else ("voice",)
    voice = voice_of(asked)
    return (voice, ()) if "-" in voice else (f"{model.removesuffix('-1')}-{voice}-en", ())
