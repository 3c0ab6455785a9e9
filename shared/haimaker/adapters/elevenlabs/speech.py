"""Speech of ElevenLabs. https://elevenlabs.io/docs/api-reference/text-to-speech/stream"""

from urllib.parse import quote

from haimaker.adapters.elevenlabs.failures import read_error
from haimaker.adapters.prepared_speech import PCM_RATE, prepare, to_byte_stream, to_wav, vendor_fields, voice_of
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream
from haimaker.operations.speech import SpeechRequest

__all__ = ["from_bytes", "read_error", "to_upstream"]

FORMATS = {"mp3": "mp3_44100_128", "opus": "opus_48000_128", "pcm": f"pcm_{PCM_RATE}", "wav": f"pcm_{PCM_RATE}"}


def to_upstream(request: SpeechRequest, attempt: Attempt) -> UpstreamRequest:
    asked = prepare(request, attempt)
    body: JSON = {"text": request.fields.input, "model_id": attempt.model, **vendor_fields(asked.body)}
    if "speed" in asked.body:
        given = body.get("voice_settings")
        body["voice_settings"] = {"speed": asked.body["speed"], **(given if isinstance(given, dict) else {})}
    path = f"/text-to-speech/{quote(voice_of(asked), safe='')}/stream?output_format={FORMATS[asked.format]}"
    return UpstreamRequest(path, dumps(body), {"content-type": "application/json"}, dropped=asked.dropped)


def from_bytes(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> ByteStream:
    sound = to_byte_stream(answer, request, attempt, read_error)
    return to_wav(sound) if prepare(request, attempt).format == "wav" else sound
