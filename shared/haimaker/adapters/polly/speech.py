"""Speech of Amazon Polly; a model is one of its engines. https://docs.aws.amazon.com/polly/latest/APIReference/API_SynthesizeSpeech.html"""

from collections.abc import Mapping
from xml.sax.saxutils import escape

from haimaker.adapters.bedrock.failures import read_error
from haimaker.adapters.prepared_speech import prepare, to_byte_stream, to_wav, vendor_fields, voice_of
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream
from haimaker.operations.speech import SpeechRequest

__all__ = ["from_bytes", "read_error", "to_upstream"]

PATH = "/v1/speech"
RATE = 16_000
"""Of its bare samples, the highest: not what OpenAI means by pcm, so that they are given in a wav, which says so."""
FORMATS: Mapping[str, JSON] = {
    "mp3": {"OutputFormat": "mp3"},
    "opus": {"OutputFormat": "ogg_opus"},
    "wav": {"OutputFormat": "pcm", "SampleRate": str(RATE)},
}
COUNTED = "x-amzn-requestcharacters"


def to_upstream(request: SpeechRequest, attempt: Attempt) -> UpstreamRequest:
    asked = prepare(request, attempt)
    text: JSON = {"Text": request.fields.input, "TextType": "text"}
    if asked.body.get("speed", 1) != 1:
        rate = round(100 * asked.body["speed"])
        said = escape(request.fields.input)
        text = {"Text": f'<speak><prosody rate="{rate}%">{said}</prosody></speak>', "TextType": "ssml"}
    body = {"Engine": attempt.model, "VoiceId": voice_of(asked), **FORMATS[asked.format], **text, **vendor_fields(asked.body)}
    return UpstreamRequest(PATH, dumps(body), {"content-type": "application/json"}, dropped=asked.dropped)


def from_bytes(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> ByteStream:
    sound = to_byte_stream(answer, request, attempt, read_error, COUNTED)
    return to_wav(sound, RATE) if prepare(request, attempt).format == "wav" else sound
