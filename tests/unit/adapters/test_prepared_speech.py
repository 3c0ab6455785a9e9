"""Speech beyond its cases: the vendors' own types take what is sent, holds are upper bounds, samples are what they were."""

import io
import json
import struct
import wave
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from mistralai.client.models import SpeechRequest as MistralRequest
from tinytag import TinyTag

from haimaker import adapters
from haimaker.adapters.mistral import speech as mistral
from haimaker.adapters.prepared_speech import CONTENT_TYPES, to_mp3, to_wav
from haimaker.api.models import public_models
from haimaker.credentials.access import connections_from_env
from haimaker.http.errors import BadGatewayError, BadRequestError
from haimaker.http.values import JSON, Request, UpstreamRequest, UpstreamResponse
from haimaker.models.catalog import ModelInfo, find_model
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream
from haimaker.operations.speech import SpeechRequest, parse
from haimaker.pricing import costs
from haimaker.pricing.usage import Usage
from haimaker.providers.common import OPENAI_VOICES
from haimaker.providers.provider import Provider
from haimaker.providers.registry import all_providers, definition_for, get
from haimaker.routing.config import Config
from haimaker.routing.router import Router
from haimaker.routing.targets import TargetResolver
from tests.wire.task_case import find_tasks, upstream_requests

CASES = [case for case in find_tasks() if case.operation == "audio_speech"]
MODELS = [
    "openai/tts-1",
    "openai/gpt-4o-mini-tts",
    "groq/canopylabs/orpheus-v1-english",
    "mistral/voxtral-mini-tts-latest",
    "gemini/gemini-3.8-flash-tts",
    "vertex_ai/gemini-2.5-pro-tts",
    "vertex_ai/chirp",
    "elevenlabs/eleven_v3",
    "deepgram/aura-2",
    "deepgram/aura",
    "aws_polly/neural",
    "aws_polly/long-form",
]
TARGETS = TargetResolver(Config(), all_providers())


def asked(**fields: Any) -> SpeechRequest:
    body = {"model": "openai/tts-1", "input": "Hello", "voice": "alloy", **fields}
    return parse(Request("req-1", body=json.dumps(body).encode()))


def attempt(target: str) -> Attempt:
    name, _, model = target.partition("/")
    return Attempt("req-1", 0, definition_for(get(name), model, "audio_speech"), model, TARGETS.model_info_for(target))


def sent(request: SpeechRequest, target: str) -> UpstreamRequest:
    at = attempt(target)
    made: UpstreamRequest = adapters.find(request, at).to_upstream(request, at)
    return made


def refusal(target: str, **fields: Any) -> BadRequestError | None:
    try:
        assert sent(asked(**fields), target).body
    except BadRequestError as error:
        return error
    return None


def bodies(provider: str) -> Iterator[JSON]:
    yield from (upstream_requests(case)[0]["body"] for case in CASES if case.about["provider"] == provider)


def test_polly_is_sent_what_its_own_model_allows() -> None:
    service = ServiceModel(Loader().load_service_model("polly", "service-2"))
    shape = service.operation_model("SynthesizeSpeech").input_shape
    known = {name: member.enum for name, member in shape.members.items() if getattr(member, "enum", None)}
    for body in bodies("aws_polly"):
        assert not ParamValidator().validate(body, shape).has_errors()
        assert body.keys() <= shape.members.keys()
        assert all(body[name] in values for name, values in known.items() if name in body)


@pytest.mark.parametrize("voice", OPENAI_VOICES)
@pytest.mark.parametrize("engine", ["neural", "generative", "long-form", "standard"])
def test_every_voice_of_openais_is_one_of_pollys(engine: str, voice: str) -> None:
    service = ServiceModel(Loader().load_service_model("polly", "service-2"))
    body = json.loads(sent(asked(voice=voice), f"aws_polly/{engine}").body)
    assert body["VoiceId"] in service.shape_for("VoiceId").enum


@pytest.mark.parametrize("provider", ["gemini", "vertex_ai"])
def test_googles_own_types_take_what_is_sent(provider: str) -> None:
    for body in bodies(provider):
        if "contents" in body:
            assert [types.Content.model_validate(content) for content in body["contents"]]
            assert types.GenerationConfig.model_validate(body["generationConfig"]).speech_config is not None


def test_mistrals_own_type_takes_what_is_sent() -> None:
    for body in bodies("mistral"):
        assert MistralRequest.model_validate(body).additional_properties in (None, {})


@pytest.mark.parametrize("target", MODELS)
def test_every_voice_and_format_is_spoken_or_clearly_refused(target: str) -> None:
    for voice in (*OPENAI_VOICES, "of-my-own"):
        assert sent(asked(voice=voice), target).body
    for wanted in CONTENT_TYPES:
        refused = refusal(target, response_format=wanted)
        assert refused is None or (refused.param, refused.code) == ("response_format", "unsupported_value")
        assert sent(asked(response_format=wanted, speed=4, instructions="Sing.", drop_params=True), target).body


@pytest.mark.parametrize("target", [target for target in MODELS if not target.startswith(("openai", "groq"))])
def test_a_speed_that_a_provider_lacks_is_refused(target: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        sent(asked(speed=4), target)
    assert raised.value.param == "speed"
    assert sent(asked(speed=1.0), target).dropped == ()


@pytest.mark.parametrize(
    ("target", "priced_as"),
    [
        ("deepgram/aura-2", "deepgram/aura-2"),
        ("deepgram/aura-2-thalia-en", "deepgram/aura-2"),
        ("deepgram/aura-asteria-en", "deepgram/aura"),
        ("vertex_ai/chirp3-hd", "vertex_ai/chirp"),
        ("vertex_ai/neural2", "vertex_ai/neural2"),
    ],
)
def test_voices_that_are_models_have_one_price_together(target: str, priced_as: str) -> None:
    name, _, model = priced_as.partition("/")
    known = find_model(name, model)
    assert known is not None
    assert TARGETS.model_info_for(target) == known


def test_a_key_with_a_budget_may_use_every_model_that_speaks() -> None:
    router = Router(Config(), all_providers())
    speaking = [shown["id"] for shown in public_models(router) if shown["mode"] == "audio_speech"]
    assert {"openai/tts-1", "aws_polly/neural", "deepgram/aura-2", "vertex_ai/chirp", "azure/tts-1"} <= set(speaking)
    unpriced = [
        name for name in speaking if costs.max_cost_nanousd(asked().max_usage(attempt(name)), attempt(name).model_info) is None
    ]
    assert unpriced == []


TEXTS = st.text(min_size=1, max_size=300)


@given(text=TEXTS, instructions=st.text(max_size=50), speed=st.floats(0.25, 4), target=st.sampled_from(MODELS), data=st.data())
def test_no_answer_costs_more_than_was_held(text: str, instructions: str, speed: float, target: str, data: st.DataObject) -> None:
    """As many characters as there may be with what markup adds, and as many tokens as the slowest voice needs."""
    request = asked(input=text, instructions=instructions, speed=speed)
    at = attempt(target)
    most = request.max_usage(at)
    slowest_s = len(text.encode("utf-8", "surrogatepass")) / 5 / min(1, speed) + 60
    tokens = Usage(
        input=data.draw(st.integers(0, len((text + instructions).encode("utf-8", "surrogatepass")) + 64)),
        output_audio=data.draw(st.integers(0, min(int(slowest_s * 25), at.model_info.max_output_tokens or 10**9))),
        characters=data.draw(st.integers(1, sum(6 if letter in "&<>\"'" else 2 if ord(letter) > 127 else 1 for letter in text))),
    )
    held = costs.max_cost_nanousd(most, at.model_info) or 0
    billed = [costs.cost_nanousd(used, at.model_info) for used in (tokens, request.estimate_usage(at))]
    assert all(cost is not None and cost <= held for cost in billed)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(["input", "voice", "response_format", "speed", "instructions", "stream_format", "drop_params", "language"]),
    st.sampled_from(MODELS),
)
def test_no_field_of_any_shape_is_our_defect(value: Any, name: str, target: str) -> None:
    refused = refusal(target, **{name: value})
    assert refused is None or (refused.param or name).startswith(name)


@given(
    raw=st.binary(max_size=200),
    kind=st.sampled_from(["audio/mpeg", "application/json", "text/event-stream", "text/html", ""]),
    target=st.sampled_from(MODELS),
)
def test_no_answer_of_any_shape_is_our_defect(raw: bytes, kind: str, target: str) -> None:
    at, request = attempt(target), asked()
    adapter: Any = adapters.find(request, at)
    sound = adapter.from_bytes(UpstreamResponse(200, {"content-type": kind}, iter([raw])), request, at)
    with suppress(BadGatewayError):
        assert all(isinstance(piece, bytes | Usage) for piece in sound.pieces)


@given(st.lists(st.floats(-1, 1, width=32), max_size=50), st.lists(st.integers(0, 200), max_size=5))
def test_floats_become_integers_however_they_are_split(samples: list[float], cuts: list[int]) -> None:
    raw = struct.pack(f"<{len(samples)}f", *samples)
    pieces = [raw[start:end] for start, end in pairwise(sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))}))]
    made = b"".join(piece for piece in mistral._as_integers(iter(pieces)) if isinstance(piece, bytes))
    assert list(struct.unpack(f"<{len(samples)}h", made)) == [round(sample * 32_767) for sample in samples]


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_samples_become_a_file_that_plays(rate: int) -> None:
    pieces: list[bytes | Usage] = [b"", Usage(characters=1), b"\x01\x00", b"\x02\x00"]
    made = list(to_wav(ByteStream("audio/pcm", iter(pieces)), rate).pieces)
    file = b"".join(piece for piece in made if isinstance(piece, bytes))
    with wave.open(io.BytesIO(file)) as spoken:
        assert (spoken.getframerate(), spoken.getnchannels(), spoken.getsampwidth()) == (rate, 1, 2)
        assert spoken.readframes(2) == b"\x01\x00\x02\x00"
    assert Usage(characters=1) in made


@pytest.mark.parametrize("size", [1, 999, 10**6])
def test_samples_become_an_mp3_as_long_as_they_are(size: int) -> None:
    """The encoder adds a little silence, and rounds up to a frame."""
    samples = struct.pack("<24000h", *(8_000 * (1 if at // 50 % 2 else -1) for at in range(24_000)))
    pieces: Iterator[bytes | Usage] = iter([samples[start : start + size] for start in range(0, len(samples), size)])
    sound = to_mp3(ByteStream("audio/pcm", pieces))
    made = b"".join(piece for piece in sound.pieces if isinstance(piece, bytes))
    found = TinyTag.get(file_obj=io.BytesIO(made))
    assert (sound.content_type, found.samplerate, found.bitrate) == ("audio/mpeg", 24_000, 128)
    assert found.duration == pytest.approx(1, abs=0.2)


def test_cloud_text_to_speech_has_an_address_of_its_own_unless_the_deployer_gives_one() -> None:
    env = {"VERTEX_AI_PROJECT": "p", "VERTEX_AI_ACCESS_TOKEN": "t"}
    chirp, gemini = (definition_for(get("vertex_ai"), model, "audio_speech") for model in ("chirp", "gemini-3.8-flash-tts"))
    usual = connections_from_env(env)["vertex_ai"]
    assert address(usual, chirp) == "https://texttospeech.googleapis.com/v1"
    assert address(usual, gemini) == "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1"
    given = connections_from_env({**env, "VERTEX_AI_BASE_URL": "http://localhost:1/x"})["vertex_ai"]
    assert {address(given, row) for row in (chirp, gemini)} == {"http://localhost:1/x"}


def address(access: Any, row: Provider) -> str:
    return str(access.for_operation("audio_speech", row.endpoint.base_url).base_url)


@pytest.mark.parametrize(
    ("version", "place"),
    [
        ({}, "/openai/deployments/my-tts/audio/speech?api-version=2025-04-01-preview"),
        ({"AZURE_API_VERSION": "v1"}, "/openai/v1/audio/speech?api-version=preview"),
    ],
)
def test_azure_speaks_in_versions_that_have_speech(version: dict[str, str], place: str) -> None:
    env = {"AZURE_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com", **version}
    access = connections_from_env(env)["azure"].for_operation(
        "audio_speech", definition_for(get("azure"), "my-tts", "audio_speech").endpoint.base_url
    )
    assert access.path_of("/audio/speech", "my-tts") == place


def test_a_model_of_no_known_price_is_counted_by_characters() -> None:
    at = replace(attempt("openai/tts-1"), model_info=ModelInfo.unknown("openai", "new"))
    assert asked(input="Hé").max_usage(at) == Usage(characters=3)
    assert asked(input="Hé").estimate_usage(at) == asked(input="Hé").billed_usage(at) == Usage(characters=2)


@pytest.mark.parametrize("voice", [".", ".."])
def test_a_voice_is_no_step_in_an_address(voice: str) -> None:
    target = attempt("elevenlabs/eleven_v3")
    with pytest.raises(BadRequestError) as raised:
        adapters.load("audio_speech", target.provider.adapter).to_upstream(asked(voice=voice), target)
    assert raised.value.param == "voice"


def test_an_option_that_no_address_can_carry_is_no_defect() -> None:
    target = attempt("deepgram/aura-2")
    sent = adapters.load("audio_speech", target.provider.adapter).to_upstream(asked(voice="thalia", tag=["\ud800"]), target)
    assert "tag=%3F" in sent.path
