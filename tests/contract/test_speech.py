"""Speech through the official SDK: bytes as they come, events, failing, cut, and within a budget."""

import base64
import io
import wave
from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.contract.money_support import Desk, events, nanousd, wait_until
from tests.contract.sdk_support import PROMPT, UPSTREAM_KEY, only_record, sdk
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import JSON, Reply

BY_CHARACTERS, BY_TOKENS = "openai/tts-1", "openai/gpt-4o-mini-tts"
SOUND = b"ID3\x04" + bytes(range(256)) * 8
SPOKEN = 15_000 * len(PROMPT)
"""Nano-dollars at 15 USD for a million characters."""
USED = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}


def sound(content_type: str = "audio/mpeg") -> Reply:
    return Reply.raw(200, SOUND, {"content-type": content_type})


def told(*, usage: JSON | None = USED) -> Reply:
    deltas: list[JSON] = [
        {"type": "speech.audio.delta", "audio": base64.b64encode(SOUND[start : start + 500]).decode()}
        for start in range(0, len(SOUND), 500)
    ]
    return Reply.sse([*deltas, {"type": "speech.audio.done", **({"usage": usage} if usage else {})}], done=False)


def speak(desk: Desk, key: str, model: str = BY_CHARACTERS, **fields: object) -> httpx.Response:
    return desk.ask("POST", "/audio/speech", {"model": model, "input": PROMPT, "voice": "alloy", **fields}, key=key)


def test_bytes_arrive_as_the_provider_sent_them(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(sound())
    spoken = sdk(desk, key).audio.speech.create(model=BY_CHARACTERS, voice="alloy", input=PROMPT)
    assert spoken.content == SOUND
    assert spoken.response.headers["content-type"] == "audio/mpeg"
    record = only_record(desk, key)
    assert (record.cost_nanousd, record.detail["cost_estimated"]) == (SPOKEN, False)
    assert nanousd(spoken.response.headers["x-haimaker-cost"]) == SPOKEN
    assert "stream_format" not in upstream.calls[-1].json


def test_bytes_are_passed_on_before_the_rest_is_there(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    gate = upstream.gate()
    reply = sound().split(100)
    upstream.answers(Reply(reply.head, (reply.body[0], gate, *reply.body[1:])))
    speech = sdk(desk, key).audio.speech.with_streaming_response
    with speech.create(model=BY_CHARACTERS, voice="alloy", input=PROMPT) as response:
        pieces = response.iter_bytes()
        first = next(pieces)
        gate.open()
        assert first == SOUND[:100]
        assert first + b"".join(pieces) == SOUND


def test_a_model_that_bills_tokens_is_asked_for_events_which_tell_them(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(told())
    spoken = sdk(desk, key).audio.speech.create(model=BY_TOKENS, voice="alloy", input=PROMPT, response_format="opus")
    assert (spoken.content, spoken.response.headers["content-type"]) == (SOUND, "audio/ogg")
    assert upstream.calls[-1].json["stream_format"] == "sse"
    record = only_record(desk, key)
    assert (record.cost_nanousd, record.detail["cost_estimated"]) == (14 * 600 + 101 * 12_000, False)


@pytest.mark.parametrize("model", [BY_CHARACTERS, BY_TOKENS])
def test_events_end_with_usage_and_cost(desk: Desk, upstream: FakeUpstream, key: str, model: str) -> None:
    upstream.answers(told() if model == BY_TOKENS else sound())
    response = speak(desk, key, model, stream_format="sse")
    assert response.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events(response.text)
    assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == SOUND
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    cost = only_record(desk, key).cost_nanousd
    assert round(float(done["usage"]["cost"]) * 10**9) == cost
    if model == BY_TOKENS:
        assert {name: done["usage"][name] for name in USED} == USED
        assert cost == 14 * 600 + 101 * 12_000
    else:
        assert (done["usage"]["characters"], cost) == (len(PROMPT), SPOKEN)


@pytest.mark.parametrize(
    "reply", [sound(), sound("application/octet-stream"), told(usage=None)], ids=["bytes", "unnamed", "no usage"]
)
def test_what_nobody_counted_is_estimated_and_said_to_be(desk: Desk, upstream: FakeUpstream, key: str, reply: Reply) -> None:
    upstream.answers(reply)
    spoken = sdk(desk, key).audio.speech.create(model=BY_TOKENS, voice="alloy", input=PROMPT)
    assert spoken.content == SOUND
    assert spoken.response.headers["content-type"] == "audio/mpeg"
    record = only_record(desk, key)
    assert record.detail["cost_estimated"]
    assert record.cost_nanousd


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Reply.json(400, {"error": {"message": "no such voice", "param": "voice", "code": "invalid_voice"}}), 400, "invalid_voice"),
        (Reply.json(401, {"error": {"message": "wrong key"}}), 502, "provider_auth_failed"),
        (Reply.json(429, {"error": {"message": "slow down"}}, {"retry-after": "70"}), 429, "rate_limit_exceeded"),
        (Reply.json(200, {"error": {"message": "broken", "code": "server_error"}}), 502, "server_error"),
        (Reply.json(200, {"object": "list"}), 502, "invalid_provider_response"),
        (Reply.html(200), 502, "invalid_provider_response"),
        (Reply.raw(200, b"", {"content-type": "audio/mpeg"}), 502, "invalid_provider_response"),
        (Reply.sse([{"type": "error", "error": {"message": "overloaded", "code": 503}}]), 503, None),
        (Reply.sse([{"type": "speech.audio.delta", "audio": "%%%"}]), 502, "invalid_provider_response"),
    ],
)
def test_failures_keep_their_class(
    desk: Desk, upstream: FakeUpstream, key: str, reply: Reply, status: int, code: str | None
) -> None:
    upstream.answers(reply)
    with pytest.raises(openai.APIStatusError) as raised:
        sdk(desk, key).audio.speech.create(model="groq/canopylabs/orpheus-v1-english", voice="alloy", input=PROMPT)
    assert raised.value.status_code == status
    assert code is None or raised.value.code == code


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_sound_that_breaks_off_is_no_whole_answer(desk: Desk, upstream: FakeUpstream, key: str, stream_format: str) -> None:
    upstream.answers(sound().cut(after_bytes=1_000))
    try:
        response = speak(desk, key, stream_format=stream_format)
    except httpx.RemoteProtocolError:
        assert stream_format == "audio"
    else:
        assert "error" in events(response.text)[-1]
    desk.settled(key)
    assert only_record(desk, key).cost_nanousd == SPOKEN


def test_a_client_that_leaves_pays_for_what_was_asked(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    gate = upstream.gate()
    upstream.answers(Reply(sound().head, (SOUND[:100], gate)))
    with sdk(desk, key).audio.speech.with_streaming_response.create(model=BY_CHARACTERS, voice="alloy", input=PROMPT) as response:
        next(response.iter_bytes())
    wait_until(lambda: len(desk.records(key)) == 1)
    assert only_record(desk, key).cost_nanousd == SPOKEN


def test_another_target_speaks_where_the_first_fails(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.json(503, {"error": {"message": "down"}}), sound("audio/wav"))
    response = speak(desk, key, "falling-7", input="Hello")
    assert response.content == SOUND
    assert response.headers["x-haimaker-attempts"] == "2"
    assert [call.json["voice"] for call in upstream.calls[-2:]] == ["alloy", "hannah"]


IN_BASE64 = base64.b64encode(SOUND).decode()


@pytest.mark.parametrize(
    ("model", "reply", "path", "header", "price"),
    [
        ("elevenlabs/eleven_v3", sound(), "/text-to-speech/21m00", "xi-api-key", 80_000),
        ("deepgram/aura-2-thalia-en", sound(), "/speak?model=aura-2-thalia-en", "authorization", 30_000),
        ("mistral/voxtral-mini-tts-2603", Reply.json(200, {"audio_data": IN_BASE64}), "/audio/speech", "authorization", 16_000),
        ("vertex_ai/chirp", Reply.json(200, {"audioContent": IN_BASE64}), "/text:synthesize", "authorization", 30_000),
        ("azure/tts-1", sound(), "/openai/deployments/tts-1/audio/speech?api-version=2025-04-01-preview", "api-key", 15_000),
    ],
)
def test_every_provider_speaks_at_its_address_and_price(
    desk: Desk, upstream: FakeUpstream, key: str, model: str, reply: Reply, path: str, header: str, price: int
) -> None:
    upstream.answers(reply)
    spoken = sdk(desk, key).audio.speech.create(model=model, voice="alloy", input=PROMPT)
    assert (spoken.content, spoken.response.headers["content-type"]) == (SOUND, "audio/mpeg")
    call = upstream.calls[-1]
    assert call.path.removeprefix("/v1").startswith(path)
    scheme = {"deepgram": "Token "}.get(model.partition("/")[0], "Bearer ") if header == "authorization" else ""
    assert call.headers[header] == scheme + UPSTREAM_KEY
    record = only_record(desk, key)
    assert (record.cost_nanousd, record.detail["cost_estimated"]) == (price * len(PROMPT), False)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": None}, "input"),
        ({"input": ["a"]}, "input"),
        ({"input": "a" * 4_097}, "input"),
        ({"voice": ""}, "voice"),
        ({"voice": 7}, "voice"),
        ({"voice": None}, "voice"),
        ({"voice": {"name": "a"}}, "voice"),
        ({"response_format": "ogg"}, "response_format"),
        ({"response_format": "mp3", "model": "groq/canopylabs/orpheus-v1-english"}, "response_format"),
        ({"input": "a" * 201, "model": "groq/canopylabs/orpheus-v1-english"}, "input"),
        ({"response_format": "flac", "model": "demo/speech"}, "response_format"),
        ({"speed": 0.2}, "speed"),
        ({"speed": 5}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"stream_format": "hls"}, "stream_format"),
        ({"instructions": 7}, "instructions"),
        ({"model": ""}, "model"),
        ({"model": "anthropic/claude-sonnet-4-5"}, "model"),
    ],
)
def test_bad_input_names_what_is_wrong_and_costs_nothing(
    desk: Desk, upstream: FakeUpstream, key: str, fields: JSON, param: str
) -> None:
    seen = len(upstream.calls)
    response = speak(desk, key, **{"model": BY_CHARACTERS, **fields})
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"].startswith(param)
    assert len(upstream.calls) == seen
    assert all(record.cost_nanousd == 0 for record in desk.records(key))


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_the_demo_speaks_offline_in_a_file_that_plays(desk: Desk, key: str, stream_format: str) -> None:
    response = speak(desk, key, "demo/speech", input="Hello, world", stream_format=stream_format)
    file = response.content if stream_format == "audio" else b"".join(_audio(response.text))
    with wave.open(io.BytesIO(file)) as spoken:
        assert (spoken.getnchannels(), spoken.getframerate(), spoken.getsampwidth()) == (1, 24_000, 2)
        assert spoken.getnframes() == 12 * 1_440
        assert len(set(spoken.readframes(1_440))) > 50


def _audio(text: str) -> Iterator[bytes]:
    return (base64.b64decode(event["audio"]) for event in events(text) if "audio" in event)
