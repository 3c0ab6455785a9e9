"""Transcriptions through the official SDK: in every format, as a stream, failing, within a budget, and of bad input."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import httpx
import openai
import pytest
from openai.types.audio import TranscriptionDiarized, TranscriptionVerbose

from haimaker.links import MAX_UPLOADS
from tests.contract.money_support import Desk, error_of
from tests.contract.sdk_support import UPSTREAM_KEY, only_record, sdk
from tests.support import sounds
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import JSON, Reply

SOUND = ("speech.wav", sounds.wav(1.5), "audio/wav")
MODEL = "openai/whisper-1"
SECOND_NANOUSD = 100_000
"""Of that model."""
TEXT = "Hello there."
PIECES: list[JSON | bytes] = [
    {"type": "transcript.text.delta", "delta": "Hello"},
    {"type": "transcript.text.delta", "delta": " there."},
    {"type": "transcript.text.done", "text": TEXT, "usage": {"type": "tokens", "input_tokens": 15, "output_tokens": 4}},
]


def form_of(call: Call) -> dict[str, Any]:
    from haimaker.http import multipart

    form = multipart.decode(call.headers["content-type"], call.body)
    return {"files": dict(form.files), "fields": list(form.fields)}


def test_a_form_arrives_as_the_sdk_sends_it(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(200, {"text": TEXT, "usage": {"type": "duration", "seconds": 2}}))
    found = sdk(desk, key).audio.transcriptions.create(
        model=MODEL,
        file=SOUND,
        language="en",
        prompt="Grüezi",
        temperature=0.2,
        timestamp_granularities=["word", "segment"],
        include=["logprobs"],
        chunking_strategy={"type": "server_vad", "threshold": 0.5},
        known_speaker_names=["ann", "bo"],
    )
    assert (found.text, found.usage.model_dump()) == (TEXT, {"type": "duration", "seconds": 2, "cost": 2e-4})
    sent = form_of(upstream.calls[-1])
    assert upstream.calls[-1].path == "/v1/audio/transcriptions"
    assert sent["files"]["file"].data == SOUND[1]
    assert sorted(sent["fields"]) == [
        ("chunking_strategy[threshold]", "0.5"),
        ("chunking_strategy[type]", "server_vad"),
        ("include[]", "logprobs"),
        ("known_speaker_names[]", "ann"),
        ("known_speaker_names[]", "bo"),
        ("language", "en"),
        ("model", "whisper-1"),
        ("prompt", "Grüezi"),
        ("temperature", "0.2"),
        ("timestamp_granularities[]", "segment"),
        ("timestamp_granularities[]", "word"),
    ]
    assert only_record(desk, key).cost_nanousd == 2 * SECOND_NANOUSD


@pytest.mark.parametrize(
    ("response_format", "kind"),
    [
        ("json", openai.types.audio.Transcription),
        ("verbose_json", TranscriptionVerbose),
        ("diarized_json", TranscriptionDiarized),
        ("text", str),
        ("srt", str),
        ("vtt", str),
    ],
)
def test_the_demo_has_every_format(desk: Desk, key: str, response_format: Any, kind: type) -> None:
    found = sdk(desk, key).audio.transcriptions.create(model="demo/transcription", file=SOUND, response_format=response_format)
    assert isinstance(found, kind)
    assert "1.5 s of wav on 1 channel" in (found if isinstance(found, str) else found.text)
    if not isinstance(found, str):
        kind.model_validate(found.model_dump(exclude={"usage"}), strict=True)


@pytest.mark.parametrize("kind", sounds.FORMATS)
def test_every_kind_of_file_is_heard(desk: Desk, key: str, kind: str) -> None:
    found = sdk(desk, key).audio.transcriptions.create(model="demo/transcription", file=sounds.FORMATS[kind]())
    assert f" of {kind} " in found.text


@pytest.mark.filterwarnings("ignore:deprecated")
def test_translations_go_where_they_are_made(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(200, {"task": "translate", "language": "english", "duration": 1.5, "text": TEXT}))
    found = sdk(desk, key).audio.translations.create(model=MODEL, file=SOUND, response_format="verbose_json")
    assert (found.text, found.duration, upstream.calls[-1].path) == (TEXT, 1.5, "/v1/audio/translations")
    assert only_record(desk, key).cost_nanousd == 150_000


def test_a_text_costs_what_the_file_lasts_and_says_so_in_a_header(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.raw(200, b"1\n00:00:00,000 --> 00:00:01,500\nHello there.\n", {"content-type": "text/plain"}))
    create = sdk(desk, key).audio.transcriptions.with_raw_response.create
    answer = create(model=MODEL, file=SOUND, response_format="srt")
    assert answer.text.endswith("Hello there.\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-haimaker-cost"] == "0.000150000"
    assert only_record(desk, key).detail["cost_estimated"] is False


def test_a_stream_arrives_in_pieces_and_ends_with_its_cost(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.sse(PIECES))
    stream = sdk(desk, key).audio.transcriptions.create(model="openai/gpt-4o-transcribe", file=SOUND, stream=True)
    events = list(stream)
    assert [event.delta for event in events[:2]] == ["Hello", " there."]
    assert (events[2].type, events[2].text) == ("transcript.text.done", TEXT)
    assert only_record(desk, key).cost_nanousd == 15 * 2_500 + 4 * 10_000
    assert events[2].usage.model_dump()["cost"] == 77_500 / 1e9


@pytest.mark.parametrize("model", [MODEL, "groq/whisper-large-v3"])
def test_who_does_not_stream_gives_one_piece(desk: Desk, upstream: FakeUpstream, key: str, model: str) -> None:
    upstream.answers(Reply.json(200, {"text": TEXT}))
    first, last = sdk(desk, key).audio.transcriptions.create(model=model, file=SOUND, stream=True)
    assert (first.type, first.delta, last.text) == ("transcript.text.delta", TEXT, TEXT)
    record = only_record(desk, key)
    assert record.cost_nanousd == {MODEL: 150_000, "groq/whisper-large-v3": 308_300}[model]
    assert last.usage.model_dump()["cost"] == record.cost_nanousd / 1e9


def test_a_stream_that_breaks_off_is_an_error(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.sse(PIECES[:1], done=False))
    with pytest.raises(openai.APIError, match="ended before"):
        list(sdk(desk, key).audio.transcriptions.create(model=MODEL, file=SOUND, stream=True))
    assert only_record(desk, key).detail["cost_estimated"] is True


def test_a_provider_that_fails_is_followed_by_the_next(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(500, {}), Reply.json(200, {"text": TEXT}))
    found = sdk(desk, key).audio.transcriptions.create(model="falling-8", file=SOUND)
    assert found.text == TEXT
    assert [form_of(call)["files"]["file"].data for call in upstream.calls[-2:]] == [SOUND[1]] * 2


GEMINI: JSON = {"candidates": [{"content": {"parts": [{"text": TEXT}]}, "finishReason": "STOP"}]}
GEMINI |= {"usageMetadata": {"promptTokenCount": 50, "candidatesTokenCount": 3, "totalTokenCount": 53}}


@pytest.mark.parametrize(
    ("model", "answer", "path", "header", "nanousd"),
    [
        (
            "deepgram/nova-3",
            {"results": {"channels": [{"alternatives": [{"transcript": TEXT}]}]}},
            "/v1/listen",
            "authorization",
            107_505,
        ),
        ("elevenlabs/scribe_v2", {"text": TEXT, "words": []}, "/v1/speech-to-text", "xi-api-key", 91_650),
        (
            "mistral/voxtral-mini-latest",
            {"text": TEXT, "usage": {"prompt_audio_seconds": 2}},
            "/v1/audio/transcriptions",
            "",
            100_000,
        ),
        ("xai/grok-stt", {"text": TEXT, "duration": 1.5}, "/v1/stt", "", 41_670),
        ("gemini/gemini-2.5-flash", GEMINI, "/v1/models/gemini-2.5-flash:generateContent", "x-goog-api-key", 22_500),
        ("fireworks_ai/whisper-v3", {"text": TEXT}, "/v1/audio/transcriptions", "", 37_500),
        ("vertex_ai/chirp_3", {"results": [{"alternatives": [{"transcript": TEXT}]}]}, "/v1/recognizers/_:recognize", "", 400_005),
    ],
)
def test_whoever_hears_answers_alike(
    desk: Desk, upstream: FakeUpstream, key: str, model: str, answer: JSON, path: str, header: str, nanousd: int
) -> None:
    upstream.answers(Reply.json(200, answer))
    assert sdk(desk, key).audio.transcriptions.create(model=model, file=SOUND).text == TEXT
    call = upstream.calls[-1]
    scheme = {"deepgram": "Token ", "elevenlabs": "", "gemini": ""}.get(model.partition("/")[0], "Bearer ")
    assert (call.path.partition("?")[0], call.headers[header or "authorization"]) == (path, scheme + UPSTREAM_KEY)
    assert only_record(desk, key).cost_nanousd == nanousd
    first, last = sdk(desk, key).audio.transcriptions.create(model=model, file=SOUND, stream=True)
    assert (first.delta, last.text) == (TEXT, TEXT)


def test_azures_clients_name_the_model_in_the_path(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(200, {"text": TEXT}))
    url = desk.url.removesuffix("/v1")
    azure = openai.AzureOpenAI(azure_endpoint=url, api_key=key, api_version="2024-10-21", max_retries=0)
    assert azure.audio.transcriptions.create(model=MODEL, file=SOUND).text == TEXT


@pytest.mark.parametrize(
    ("fields", "file", "param", "code"),
    [
        ({}, None, "file", "missing_required_parameter"),
        ({}, b"", "file", "invalid_value"),
        ({}, b"This is a text.", "file", "invalid_value"),
        ({}, b"\x89PNG\r\n\x1a\n" + bytes(50), "file", "invalid_value"),
        ({}, sounds.wav()[:-100], "file", "invalid_value"),
        ({}, sounds.ogg()[:100], "file", "invalid_value"),
        ({"model": None}, sounds.wav(), "model", "missing_required_parameter"),
        ({"model": ""}, sounds.wav(), "model", "invalid_value"),
        ({"response_format": "xml"}, sounds.wav(), "response_format", "invalid_value"),
        ({"temperature": "hot"}, sounds.wav(), "temperature", "invalid_value"),
        ({"temperature": "nan"}, sounds.wav(), "temperature", "invalid_value"),
        ({"timestamp_granularities[]": "letter"}, sounds.wav(), "timestamp_granularities[0]", "invalid_value"),
        ({"stream": "perhaps"}, sounds.wav(), "stream", "invalid_value"),
        ({"model": "anthropic/claude-sonnet-4-5"}, sounds.wav(), "model", "unsupported_endpoint"),
    ],
)
def test_bad_input_names_what_is_wrong_and_costs_nothing(
    desk: Desk, upstream: FakeUpstream, key: str, fields: JSON, file: bytes | None, param: str, code: str
) -> None:
    seen = len(upstream.calls)
    given = {name: value for name, value in {"model": MODEL, **fields}.items() if value is not None}
    files = {"file": ("a.wav", file)} if file is not None else {"other": ("a.wav", b"x")}
    response = post(desk, key, data=given, files=files)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param), response.text
    assert response.json()["error"]["code"] == code
    assert len(upstream.calls) == seen
    assert desk.records(key) == []


def test_a_large_file_is_put_aside_and_named(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    """It is larger than any request may be."""
    upstream.answers(Reply.json(200, {"text": TEXT}))
    client, large = sdk(desk, key), sounds.wav(400, rate=16_000)
    upload: Any = client.post("/audio/uploads", cast_to=object)
    assert httpx.request(upload["method"], upload["url"], content=large, headers=upload["headers"]).status_code == 200
    named = {"file_id": upload["id"]}
    assert client.audio.transcriptions.create(model=MODEL, file=b"", extra_body=named).text == TEXT
    sent = form_of(upstream.calls[-1])
    assert (sent["files"]["file"].data, sent["files"]["file"].name) == (large, "sound.wav")
    assert sent["fields"] == [("model", "whisper-1")]
    assert only_record(desk, key).cost_nanousd == 400 * SECOND_NANOUSD
    for fields, file in ((named, SOUND[1]), ({"file_id": "a" * 32}, b""), ({"file_id": "../../x"}, b"")):
        response = post(desk, key, data={"model": MODEL, **fields}, files={"file": ("a.wav", file)})
        assert (response.status_code, response.json()["error"]["param"]) == (400, "file_id")


def test_a_place_for_a_file_takes_a_key(desk: Desk) -> None:
    assert desk.ask("POST", "/audio/uploads", key=None).status_code == 401
    key = desk.key()
    desk.admin("/key/block", key=key)
    assert desk.ask("POST", "/audio/uploads", key=key).status_code == 401


def test_a_key_has_so_many_places_at_a_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    key, other, begun_s = desk.key(), desk.key(), time.time()
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: desk.ask("POST", "/audio/uploads", key=key), range(60)))
    assert sum(answer.status_code == 200 for answer in answers) <= MAX_UPLOADS
    while (last := desk.ask("POST", "/audio/uploads", key=key)).status_code == 200:
        answers.append(last)
    assert sum(answer.status_code == 200 for answer in answers) == MAX_UPLOADS
    assert error_of(last) == (429, "too_many_uploads")
    assert 3_500 < int(last.headers["retry-after"]) <= 3_600
    assert desk.ask("POST", "/audio/uploads", key=other).status_code == 200
    monkeypatch.setattr("haimaker.api.uploads.time", SimpleNamespace(time=lambda: begun_s + 3_700))
    assert desk.ask("POST", "/audio/uploads", key=key).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"model": "demo/transcription"}'),
        ("multipart/form-data; boundary=other", b"--one\r\n"),
        ("multipart/form-data", b"--one\r\n"),
        ("", b""),
    ],
)
def test_what_is_no_form_is_refused(desk: Desk, key: str, content_type: str, body: bytes) -> None:
    assert error_of(post(desk, key, content=body, headers={"content-type": content_type})) == (400, "invalid_form")


def post(desk: Desk, key: str, headers: dict[str, str] | None = None, **sent: Any) -> httpx.Response:
    return desk.http.post("/audio/transcriptions", headers={"authorization": f"Bearer {key}", **(headers or {})}, **sent)
