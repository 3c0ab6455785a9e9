"""Bounds of what transcriptions cost, their formats, and forms of any kind."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.audio import TranscriptionDiarized, TranscriptionVerbose

from haimaker import adapters
from haimaker.adapters.openai_types import TRANSCRIPT, conform
from haimaker.credentials.access import connections_from_env
from haimaker.http import multipart
from haimaker.http.errors import BadRequestError
from haimaker.http.multipart import UploadedFile
from haimaker.http.sse import dumps
from haimaker.http.values import Request
from haimaker.models.catalog import ModelInfo, find_model
from haimaker.operations import transcripts
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import UpstreamBody
from haimaker.operations.transcriptions import TranscriptionRequest, parse_transcription, parse_translation
from haimaker.operations.transcripts import TimedText, Transcript
from haimaker.pricing import costs, usage
from haimaker.providers.registry import definition_for, get
from tests.support import sounds

MODELS = ("openai/whisper-1", "openai/gpt-4o-transcribe", "openai/gpt-4o-transcribe-diarize", "azure/gpt-4o-mini-transcribe")
MODELS += (
    "groq/whisper-large-v3",
    "openai/gpt-transcribe",
    "mistral/voxtral-mini-latest",
    "deepgram/nova-3",
    "elevenlabs/scribe_v2",
)
MODELS += ("gemini/gemini-2.5-flash", "vertex_ai/gemini-3.5-transcribe", "vertex_ai/chirp_3", "xai/grok-voice-transcribe-2.0")
MODELS += ("fireworks_ai/whisper-v3-turbo",)


VERTEX = {"VERTEX_AI_PROJECT": "p", "VERTEX_AI_ACCESS_TOKEN": "t"}


def attempt_for(name: str) -> Attempt:
    provider, _, model = name.partition("/")
    known = find_model(provider, model)
    assert known is not None
    return Attempt("r", 0, definition_for(get(provider), model, "audio_transcriptions"), model, known)


def asked(seconds: float = 0.5, **fields: Any) -> TranscriptionRequest:
    return parse_transcription(request([("model", "m"), *fields.items()], sounds.wav(seconds)))


def request(fields: list[tuple[str, str]], data: bytes) -> Request:
    content_type, body = multipart.encode(fields, [("file", UploadedFile("a.wav", "audio/wav", data))])
    return Request("r", {"content-type": content_type}, body)


@pytest.mark.parametrize("name", MODELS)
@given(seconds=st.floats(0.1, 60), words=st.integers(0, 9), prompt=st.text(max_size=200))
def test_no_answer_costs_more_than_is_held(name: str, seconds: float, words: int, prompt: str) -> None:
    """A sound is billed by the second, or as 32 tokens a second and nine for each that is said in it."""
    attempt, task = attempt_for(name), asked(seconds, prompt=prompt)
    held = costs.max_cost_nanousd(task.max_usage(attempt), attempt.model_info)
    whole = int(seconds) + 1
    heard, written = 32 * whole, len(prompt.encode("utf-8", "surrogatepass"))
    details = {"audio_tokens": heard, "text_tokens": written}
    counted = {"type": "tokens", "input_tokens": heard + written, "input_token_details": details, "output_tokens": words * whole}
    for used in (counted, {"type": "duration", "seconds": whole}, None):
        tokens = task.billed_usage(used, None, attempt) or task.estimate_usage(attempt)
        cost = costs.cost_nanousd(tokens, attempt.model_info)
        assert None not in (held, cost)
        assert cost <= held


@pytest.mark.parametrize(
    ("name", "used", "duration", "nanousd"),
    [
        ("openai/whisper-1", {"type": "duration", "seconds": 9}, 8.47, 900_000),
        ("openai/whisper-1", {"type": "duration", "seconds": "9"}, None, 900_000),
        ("openai/whisper-1", {"type": "duration", "seconds": None}, 8.5, 850_000),
        ("openai/whisper-1", {}, "8.5", 850_000),
        ("openai/whisper-1", None, None, 50_000),
        ("openai/whisper-1", None, -1, 50_000),
        ("openai/whisper-1", "much", float("nan"), 50_000),
        ("openai/gpt-4o-transcribe", {"type": "tokens", "input_tokens": 37, "output_tokens": 145}, None, 1_542_500),
        ("openai/gpt-4o-transcribe", {"type": "duration", "seconds": 9}, None, None),
        ("openai/gpt-4o-transcribe", None, 8.5, None),
        (
            "azure/gpt-4o-transcribe",
            {"input_tokens": 5, "input_token_details": {"audio_tokens": 4, "text_tokens": 1}},
            None,
            26_500,
        ),
        ("groq/whisper-large-v3", None, 3.7, 308_300),
        ("groq/whisper-large-v3", None, 20, 616_600),
    ],
)
def test_what_an_answer_cost(name: str, used: Any, duration: Any, nanousd: int | None) -> None:
    attempt = attempt_for(name)
    tokens = asked().billed_usage(used, duration, attempt)
    assert (costs.cost_nanousd(tokens, attempt.model_info) if tokens else None) == nanousd


def test_a_model_without_a_price_is_known_to_have_none() -> None:
    attempt = Attempt(
        "r", 0, definition_for(get("hosted_vllm"), "m", "audio_transcriptions"), "m", ModelInfo.unknown("hosted_vllm", "m")
    )
    assert costs.max_cost_nanousd(asked().max_usage(attempt), attempt.model_info) is None


def test_speakers_cost_more_where_their_vendor_says_so() -> None:
    attempt = attempt_for("fireworks_ai/whisper-v3-turbo")
    plain, parted = (asked(10, **fields).billed_usage(None, 10, attempt) for fields in ({}, {"diarize": "true"}))
    assert costs.cost_nanousd(plain or usage.Usage(), attempt.model_info) == 150_000
    assert costs.cost_nanousd(parted or usage.Usage(), attempt.model_info) == 210_000


def test_channels_are_billed_where_each_is_heard() -> None:
    both = parse_transcription(request([("model", "m"), ("multichannel", "true")], sounds.wav(2, channels=2)))
    one = parse_transcription(request([("model", "m")], sounds.wav(2, channels=2)))
    attempt = attempt_for("openai/whisper-1")
    assert both.estimate_usage(attempt).input_ms == 2 * one.estimate_usage(attempt).input_ms == 4_000


WORDS = [
    TimedText(0.0, 0.5, "Hello"),
    TimedText(0.5, 1.0, "there."),
    TimedText(1.1, 1.5, "How"),
    TimedText(3.0, 3.4, "are"),
    TimedText(3.4, 3.9, "you", "B"),
]


@pytest.mark.parametrize(
    ("name", "env", "address"),
    [
        ("fireworks_ai/whisper-v3", {"FIREWORKS_API_KEY": "k"}, "https://audio-prod.api.fireworks.ai/v1"),
        ("fireworks_ai/whisper-v3-turbo", {"FIREWORKS_API_KEY": "k"}, "https://audio-turbo.api.fireworks.ai/v1"),
        ("vertex_ai/chirp_3", VERTEX, "https://us-central1-speech.googleapis.com/v2/projects/p/locations/us-central1"),
        (
            "vertex_ai/chirp_3",
            {**VERTEX, "VERTEX_AI_LOCATION": "eu"},
            "https://eu-speech.googleapis.com/v2/projects/p/locations/eu",
        ),
        ("vertex_ai/gemini-2.5-pro", VERTEX, "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1"),
        ("fireworks_ai/whisper-v3-turbo", {"FIREWORKS_API_KEY": "k", "FIREWORKS_AI_BASE_URL": "http://x/v1"}, "http://x/v1"),
    ],
)
def test_where_a_model_hears(name: str, env: dict[str, str], address: str) -> None:
    provider, _, model = name.partition("/")
    row = definition_for(get(provider), model, "audio_transcriptions")
    assert connections_from_env(env)[provider].for_operation("audio_transcriptions", row.endpoint.base_url).base_url == address


LENGTHS = (8.47, "8.47", None, "long", -1, 0, float("nan"), float("inf"), "1e999", 1e300, [], True)


@pytest.mark.parametrize("parse", [parse_transcription, parse_translation])
@pytest.mark.parametrize("wanted", ["json", "verbose_json", "diarized_json"])
@pytest.mark.parametrize("name", ["openai/whisper-1", "groq/whisper-large-v3", "deepgram/nova-3", "xai/grok-voice-transcribe-2.0"])
def test_a_transcript_says_how_long_the_sound_is_or_nothing(name: str, wanted: str, parse: Any) -> None:
    """Never null, which the SDK's types refuse: what the provider says, else the length of the file as the gateway reads it."""
    task, attempt = parse(request([("model", "m"), ("response_format", wanted)], sounds.wav(0.5))), attempt_for(name)
    adapter: Any = adapters.load("audio_transcriptions", attempt.provider.adapter)
    results = {"channels": [{"alternatives": [{"transcript": "Hi"}]}]}
    for said in LENGTHS:
        answer = {"text": "Hi", "duration": said, "metadata": {"duration": said}, "results": results, "language": None}
        raw = UpstreamBody({"content-type": "application/json"}, json.dumps(answer).encode())
        body = json.loads(dumps(conform(adapter.from_upstream(raw, task, attempt).body, TRANSCRIPT)))
        expected = 8.47 if said == 8.47 or (said == "8.47" and attempt.provider.adapter == "openai") else 0.5
        assert body["text"] == "Hi", said
        assert body.get("duration", expected) == expected, said
        if wanted != "json":
            assert body["duration"] == expected, said
            shown = {"segments": [], "task": "transcribe", **body}
            {"verbose_json": TranscriptionVerbose, "diarized_json": TranscriptionDiarized}[wanted].model_validate(shown)


@pytest.mark.parametrize("parse", [parse_transcription, parse_translation])
@pytest.mark.parametrize(
    "tokens", [usage.Usage(input=12, output=4), usage.Usage(input_ms=500), usage.Usage()], ids=["tokens", "ms", "none"]
)
def test_a_verbose_transcript_tells_its_length_whatever_is_billed(tokens: usage.Usage, parse: Any) -> None:
    """OpenAI's SDK reads no tokens there."""
    task = parse(request([("model", "m"), ("response_format", "verbose_json")], sounds.wav(0.5)))
    told = {"text": "Hi", "language": "en", "duration": 0.5, "usage": task.usage_object(tokens)}
    assert TranscriptionVerbose.model_validate(told).usage.model_dump() == {"type": "duration", "seconds": 0.5}  # type: ignore[union-attr]


def test_words_become_segments() -> None:
    """One ends with a sentence, with a pause, with who speaks, and where it would be too long."""
    assert [each.text for each in transcripts.join_words(WORDS)] == ["Hello there.", "How", "are", "you"]
    long = [TimedText(at / 10, at / 10 + 0.1, "word") for at in range(40)]
    assert max(len(each.text) for each in transcripts.join_words(long)) <= transcripts.LONGEST_CUE
    spaced = [TimedText(0, 1, "a"), TimedText(1, 1, " "), TimedText(1, 2, "b")]
    assert [each.text for each in transcripts.join_words(spaced)] == ["a b"]


def test_subtitles() -> None:
    cues = [TimedText(0, 1.0005, " One\n"), TimedText(3_661.25, 36_000, "Two")]
    assert transcripts.to_srt(cues) == "1\n00:00:00,000 --> 00:00:01,000\nOne\n\n2\n01:01:01,250 --> 10:00:00,000\nTwo\n"
    assert transcripts.to_vtt(cues) == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nOne\n\n01:01:01.250 --> 10:00:00.000\nTwo\n"


def test_speakers_are_lettered_in_order() -> None:
    spoken = [TimedText(at, at + 1, "x", f"speaker_{at % 28}") for at in range(30)]
    named = [each["speaker"] for each in transcripts.to_diarized(Transcript("", spoken))["segments"]]
    assert (named[:2], named[25:30]) == (["A", "B"], ["Z", "AA", "AB", "A", "B"])


NAMES = st.sampled_from(["model", "response_format", "temperature", "stream", "timestamp_granularities[]", "language", "prompt"])
VALUES = st.text(max_size=20) | st.sampled_from(["m", "true", "json", "srt", "word", "0.5", "1e999", "-1"])


@given(st.lists(st.tuples(NAMES | st.text(max_size=9), VALUES), max_size=8), st.binary(max_size=60), st.booleans())
def test_whatever_is_sent_is_heard_or_refused(fields: list[tuple[str, str]], data: bytes, translates: bool) -> None:
    parse = parse_translation if translates else parse_transcription
    with suppress(BadRequestError):
        task = parse(request([("model", "m"), *fields], data or sounds.wav()))
        for name in MODELS:
            adapters.load("audio_transcriptions", attempt_for(name).provider.adapter).to_upstream(task, attempt_for(name))


@given(st.binary(max_size=300), st.text(max_size=60))
def test_no_body_breaks_it(body: bytes, content_type: str) -> None:
    for kind in (content_type, "multipart/form-data; boundary=x", f"multipart/form-data; boundary={content_type}"):
        for raw in (body, b"--x\r\n" + body, b'--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n' + body):
            with suppress(BadRequestError):
                parse_transcription(Request("r", {"content-type": kind}, raw))
