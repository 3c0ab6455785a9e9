"""Transcriptions of the `demo/` models: they hear how long a sound is, in which format and with how many channels, and say so."""

from collections.abc import Iterator

from haimaker.demo import no_such_model
from haimaker.http.sse import DONE, encode
from haimaker.http.values import Request, StreamEvent, UpstreamRequest, UpstreamResponse
from haimaker.operations.transcriptions import HEARD_TOKENS_PER_S, TranscriptionRequest, parse_transcription
from haimaker.operations.transcripts import TimedText, Transcript
from haimaker.pricing.usage import Usage

MODELS = ("transcription",)
SPEAKER = "nobody"


def send(request: UpstreamRequest, request_id: str, created_s: int) -> UpstreamResponse:
    asked = parse_transcription(Request(request_id, request.headers, request.body))
    if asked.model not in MODELS:
        return no_such_model(asked.model, MODELS)
    transcript = build_transcript(asked)
    tokens = Usage(input_audio=HEARD_TOKENS_PER_S * asked.sound.duration_ms // 1000 + 1, output=len(transcript.words))
    if asked.streams:
        return UpstreamResponse(200, {"content-type": "text/event-stream"}, events(asked, transcript, tokens))
    content_type, body = asked.render(asked.build_result(transcript, tokens))
    return UpstreamResponse(200, {"content-type": content_type}, iter([body]))


def build_transcript(asked: TranscriptionRequest) -> Transcript:
    """A sentence, spread over the whole of the sound."""
    seconds, channels = asked.sound.duration_ms / 1000, asked.sound.channels
    text = f"This is a demo, not an LLM. I hear {seconds:g} s of {asked.sound.kind} on {channels} channel{'s' * (channels > 1)}."
    words = text.split()
    length = seconds / len(words)
    spoken = [
        TimedText(round(number * length, 3), round((number + 1) * length, 3), word, SPEAKER) for number, word in enumerate(words)
    ]
    return Transcript(text, words=spoken, language="english", duration_s=seconds)


def events(asked: TranscriptionRequest, transcript: Transcript, tokens: Usage) -> Iterator[bytes]:
    for number, word in enumerate(transcript.words):
        yield encode(StreamEvent({"type": "transcript.text.delta", "delta": f" {word.text}" if number else word.text}))
    yield encode(StreamEvent(asked.end_event(transcript.text, asked.usage_object(tokens))))
    yield DONE
