"""Images: whatever is asked has an answer that is no defect, costs no more than was held, and is priced by the right line."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker import adapters
from haimaker.demo.images import png
from haimaker.http.errors import APIError, BadRequestError
from haimaker.http.multipart import UploadedFile, encode
from haimaker.http.values import JSON, Request
from haimaker.media import images as media_images
from haimaker.models import catalog
from haimaker.models.catalog import ModelInfo, find_model
from haimaker.operations.attempt import Attempt
from haimaker.operations.images import ImageRequest, parse_edit, parse_generation, parse_variation
from haimaker.operations.operation import UpstreamBody
from haimaker.pricing import costs, image_usage
from haimaker.pricing.image_variants import Size, parse_size, price_variant
from haimaker.providers.registry import definition_for, get

PNG = png(b"", Size(16, 16))
TARGETS = (
    "openai/dall-e-3", "openai/dall-e-2", "openai/gpt-image-1", "openai/gpt-image-2", "openai/never-heard-of", "azure/dall-e-3",
    "azure/gpt-image-1", "gemini/gemini-2.5-flash-image", "gemini/gemini-3-pro-image", "gemini/imagen-4.0-generate-001",
    "vertex_ai/imagegeneration@006", "vertex_ai/gemini-3.1-flash-image", "bedrock/amazon.nova-canvas-v1:0",
    "bedrock/amazon.titan-image-generator-v2:0", "bedrock/stability.stable-diffusion-xl-v0",
    "bedrock/stability.stable-diffusion-xl-v1",
    "bedrock/stability.sd3-5-large-v1:0", "bedrock/stability.stable-image-inpaint-v1:0", "recraft/recraftv3",
    "xai/grok-imagine-image", "xai/grok-imagine-image-2.0", "together_ai/black-forest-labs/FLUX.1-schnell",
    "fireworks_ai/accounts/fireworks/models/flux-kontext-pro",
)  # fmt: skip
KINDS = ("images_generations", "images_edits", "images_variations")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
SIZES = st.sampled_from(
    ["auto", "256x256", "512x512", "1024x1024", "1536x1024", "1024x1792", "4096x4096", "16:9", "0x0", "1x99999"]
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(1, 10),
    "size": SIZES,
    "quality": st.sampled_from(["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd", "best"]),
    "response_format": st.sampled_from(["url", "b64_json"]),
    "style": st.sampled_from(["vivid", "natural", "anime"]),
    "background": st.just("opaque"),
    "output_format": st.sampled_from(["png", "jpeg", "webp"]),
    "output_compression": st.integers(0, 100),
    "partial_images": st.integers(0, 3),
    "stream": st.booleans(),
    "user": st.text(max_size=5),
    "seed": st.integers(0, 9),
    "steps": st.integers(1, 150),
    "negative_prompt": st.text(max_size=5),
    "drop_params": st.booleans(),
}
GOOD = st.fixed_dictionaries({"prompt": st.text(min_size=1, max_size=20)}, optional=FIELDS)
ODD = st.fixed_dictionaries({}, optional={name: strategy | ANYTHING for name, strategy in {**FIELDS, "prompt": st.text()}.items()})


def attempt_at(target: str, kind: str = KINDS[0]) -> Attempt:
    name, _, model = target.partition("/")
    known = find_model(name, model) or ModelInfo.unknown(name, model)
    return Attempt("req", 1_700_000_000, definition_for(get(name), model, kind), model, known)


def parsed(kind: str, body: JSON, images: int = 1) -> ImageRequest:
    if kind == KINDS[0]:
        return parse_generation(Request("req", body=json.dumps(body).encode()))
    fields = [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in body.items()]
    content_type, raw = encode(fields, [("image[]", UploadedFile("a.png", "image/png", PNG))] * images)
    parse = parse_edit if kind == KINDS[1] else parse_variation
    return parse(Request("req", {"content-type": content_type}, raw))


def sent(request: ImageRequest, attempt: Attempt) -> list[Any]:
    adapter: Any = adapters.find(request, attempt)
    return [adapter.to_upstream(part, attempt) for part in request.split(attempt, adapter.most_at_once(attempt))]


@given(st.sampled_from(KINDS), st.sampled_from(TARGETS), ODD, st.integers(0, 3))
@settings(max_examples=300)
def test_whatever_is_asked_is_sent_or_refused_by_name(kind: str, target: str, body: JSON, images: int) -> None:
    try:
        calls = sent(parsed(kind, body, images), attempt_at(target, kind))
    except BadRequestError as error:
        named = bool(error.param)
    else:
        named = all(call.path.startswith("/") and call.body for call in calls)
    assert named


@given(st.sampled_from(KINDS), st.binary(max_size=60), st.sampled_from(["", "application/json", "multipart/form-data; boundary=x"]))
def test_bytes_that_are_no_request_are_refused(kind: str, body: bytes, content_type: str) -> None:
    parse = {KINDS[0]: parse_generation, KINDS[1]: parse_edit, KINDS[2]: parse_variation}[kind]
    with pytest.raises(BadRequestError):
        parse(Request("req", {"content-type": content_type}, body))


REFERENCES: JSON = {"prompt": "p", "images": [{"image_url": "https://i.example/1.png"}, media_images.to_data_url(PNG)]}


def edit(**fields: Any) -> ImageRequest:
    return parse_edit(Request("req", {"content-type": "application/json"}, json.dumps({**REFERENCES, **fields}).encode()))


@pytest.mark.parametrize("target", [target for target in TARGETS if not target.startswith("openai/")])
def test_an_edit_by_links_is_one_by_files_where_a_model_reads_no_links(target: str) -> None:
    request, attempt = edit(mask="http://i.example/2.png"), attempt_at(target, KINDS[1])
    assert request.inlines_images(attempt)
    fetched: list[tuple[str, str]] = []

    def data_url(url: str, param: str) -> str:
        fetched.append((url, param))
        return media_images.to_data_url(PNG)

    made = request.with_inline_images(data_url)
    assert fetched == [("https://i.example/1.png", "images[0]"), ("http://i.example/2.png", "mask")]
    assert [(name, file.data) for name, file in made.files] == [("image[]", PNG), ("image[]", PNG), ("mask", PNG)]
    assert request.max_usage(attempt) == made.max_usage(attempt)
    assert not made.inlines_images(attempt)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"images": [{"file_id": "file-1"}]}, "images[0].file_id"),
        ({"mask": {"file_id": "file-1"}}, "mask.file_id"),
        ({"images": [{"image_url": "https://"}]}, "images[0]"),
        ({"images": [{"image_url": "file:///etc/passwd"}]}, "images[0]"),
        ({"images": [{"image_url": "gs://bucket/1"}]}, "images[0]"),
        ({"images": [{"image_url": "https://i.example/1.png"}] * 17}, "image"),
        ({"images": []}, "image"),
        ({"images": [{}]}, "images[0]"),
    ],
)
def test_a_reference_that_nobody_can_read_is_refused_by_name(fields: JSON, param: str) -> None:
    """An id of a file is for OpenAI alone."""
    with pytest.raises(BadRequestError) as raised:
        edit(**fields).with_inline_images(lambda url, param: media_images.to_data_url(PNG))
    assert raised.value.param == param


@pytest.mark.parametrize("fields", [{}, {"model": None}, {"model": None, "background": "transparent", "size": None}])
def test_without_a_model_images_are_made_by_one_that_there_is(fields: JSON) -> None:
    """GPT Image's own parameters reach it: what was the default before is retired, and had none of them."""
    for made in (parsed(KINDS[0], {"prompt": "p", **fields}), edit(**fields)):
        assert made.model == "openai/gpt-image-2.5-sunburst"
        assert made.body.get("background") == fields.get("background")
        [call] = sent(made, attempt_at(made.model))
        assert call.dropped == ()
        assert ("background" in json.loads(call.body)) == ("background" in fields)
        assert not attempt_at(made.model).model_info.is_retired("2026-11-29")
    assert parsed(KINDS[2], {}).model == "openai/dall-e-2"


ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        name: ANYTHING | st.lists(st.fixed_dictionaries({}, optional={inner: ANYTHING | st.just("aQ==") for inner in names}))
        for name, names in {
            "data": ("b64_json", "url", "revised_prompt"),
            "images": (),
            "artifacts": ("base64", "finishReason"),
            "predictions": ("bytesBase64Encoded", "raiFilteredReason"),
            "candidates": ("content", "finishReason"),
            "usage": (),
            "usageMetadata": (),
            "error": (),
            "created": (),
            "size": (),
            "quality": (),
            "credits": (),
        }.items()
    },
)


@given(st.sampled_from(TARGETS), GOOD, ANSWERS | ANYTHING)
@settings(max_examples=400)
def test_any_answer_is_read_or_is_an_error_of_the_provider(target: str, body: JSON, answer: Any) -> None:
    attempt = attempt_at(target)
    try:
        request = parsed(KINDS[0], body)
        adapter: Any = adapters.find(request, attempt)
        made = adapter.from_upstream(UpstreamBody({}, json.dumps(answer).encode()), request, attempt)
    except APIError:
        return
    for image in made.body["data"]:
        assert isinstance(image.get("b64_json") or image.get("url"), str)
        assert None not in image.values()
    assert list(request.as_events(request.merge([made, made])))[-1].body["type"] == "image_generation.completed"


@given(
    st.sampled_from(TARGETS), GOOD, st.sampled_from(["standard", "hd", "premium", "low", "high", None]), SIZES, st.integers(1, 150)
)
@settings(max_examples=400)
def test_no_image_costs_more_than_was_held(target: str, body: JSON, quality: str | None, size: str, steps: int) -> None:
    """Whatever quality, size and steps the provider made of it; tokens within what its documentation says."""
    attempt = attempt_at(target)
    request = parsed(KINDS[0], body)
    most = costs.max_cost_nanousd(request.max_usage(attempt), attempt.model_info)
    made = request.estimate_usage(attempt)
    if not image_usage.is_billed_by_token(attempt.model_info):
        made = request.usage_of_images(attempt, request.n, quality, None if made.pixels else parse_size(size), steps)
    cost = costs.cost_nanousd(made, attempt.model_info)
    assert (most is None) == (cost is None) == (target == "openai/never-heard-of")
    assert most is None or cost is None or cost <= most


@pytest.mark.parametrize(
    ("target", "quality", "size", "steps", "usd"),
    [
        ("openai/dall-e-3", None, None, None, "0.04"),
        ("openai/dall-e-3", "hd", "1024x1024", None, "0.08"),
        ("openai/dall-e-3", "hd", "1024x1792", None, "0.12"),
        ("openai/dall-e-3", "standard", "1792x1024", None, "0.08"),
        ("openai/dall-e-2", None, "256x256", None, "0.016"),
        ("bedrock/stability.stable-diffusion-xl-v0", None, "512x512", 30, "0.018"),
        ("bedrock/stability.stable-diffusion-xl-v0", None, "512x512", 51, "0.036"),
        ("bedrock/stability.stable-diffusion-xl-v0", None, "1024x1024", None, "0.036"),
        ("bedrock/stability.stable-diffusion-xl-v0", None, "1024x1024", 150, "0.072"),
        ("bedrock/amazon.nova-canvas-v1:0", "standard", "1024x1024", None, "0.04"),
        ("bedrock/amazon.nova-canvas-v1:0", "premium", "1280x720", None, "0.08"),
        ("recraft/recraftv3", "hd", "4096x4096", None, "0.04"),
        ("vertex_ai/imagegeneration@006", None, "1024x1024", None, "0.02"),
    ],
)
def test_the_least_line_that_holds_the_image_has_its_price(
    target: str, quality: str | None, size: str | None, steps: int | None, usd: str
) -> None:
    known = attempt_at(target).model_info
    found = known.variant(price_variant(known, quality, parse_size(size), steps))
    assert found.rates["output_cost_per_image"] == usd


def test_every_image_model_of_the_table_that_is_served_has_a_price() -> None:
    request = parsed(KINDS[0], {"prompt": "a"})
    for name in ("openai", "azure", "gemini", "vertex_ai", "bedrock", "recraft", "xai", "together_ai", "fireworks_ai"):
        for known in catalog.all_models(name):
            if known.mode == "image_generation" and known.rates:
                attempt = Attempt("req", 0, definition_for(get(name), known.model, KINDS[0]), known.model, known)
                assert costs.max_cost_nanousd(request.max_usage(attempt), known), known.model


@pytest.mark.parametrize(("size", "shape"), [("1024x1536", ("2:3", "1K")), ("3840x2160", ("16:9", "4K"))])
@pytest.mark.parametrize("kind", KINDS)
def test_googles_own_types_read_what_its_models_are_sent(kind: str, size: str, shape: tuple[str, str]) -> None:
    request = parsed(kind, {"prompt": "A hat", "size": size, "seed": 7})
    [call] = sent(request, attempt_at("gemini/gemini-3-pro-image", kind))
    body = json.loads(call.body)
    config = types.GenerateContentConfig.model_validate(body["generationConfig"])
    assert (config.response_modalities, config.seed) == (["TEXT", "IMAGE"], 7)
    assert config.image_config is not None
    assert (config.image_config.aspect_ratio, config.image_config.image_size) == shape
    [content] = [types.Content.model_validate(each) for each in body["contents"]]
    assert [part.inline_data.data for part in content.parts or () if part.inline_data] == ([] if kind == KINDS[0] else [PNG])


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b'<?xml version="1.0"?><svg xmlns="x">', "image/svg+xml"),
        (b'<?xml version="1.0"?><html>', None),
        (b"", None),
        (b"<html>", None),
    ],
)
def test_an_image_says_what_it_is(data: bytes, kind: str | None) -> None:
    assert media_images.sniff_type(data) == kind


def test_a_data_url_is_read_back() -> None:
    assert media_images.from_base64(media_images.to_data_url(PNG)) == PNG
    assert media_images.from_base64(base64.b64encode(PNG).decode()) == PNG
    assert media_images.from_base64("no base64!") is None


@pytest.mark.parametrize(("rates", "images"), [({"output_cost_per_image": "0.039"}, 1), ({"output_cost_per_token": "0.00003"}, 0)])
def test_what_google_counted_is_told_however_it_is_billed(rates: JSON, images: int) -> None:
    attempt = attempt_at("gemini/gemini-4-image")
    attempt = replace(attempt, model_info=attempt.model_info.with_prices(rates))
    request = parsed(KINDS[0], {"model": "m", "prompt": "A cat"})
    parts = [{"inlineData": {"mimeType": "image/png", "data": "aQ=="}}]
    used = {"promptTokenCount": 4, "candidatesTokenCount": 1_290, "totalTokenCount": 1_294}
    answer = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "usageMetadata": used}
    adapter: Any = adapters.find(request, attempt)
    made = adapter.from_upstream(UpstreamBody({}, json.dumps(answer).encode()), request, attempt)
    assert [made.body["usage"][name] for name in ("input_tokens", "output_tokens", "total_tokens")] == [4, 1_290, 1_294]
    assert made.usage.images == images
