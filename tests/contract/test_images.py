"""Images through the official SDK: by link and as bytes, edited, varied, streamed, failing, and within a budget."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types import ImagesResponse

from haimaker.demo.images import Size, png
from haimaker.media import images as media_images
from tests.contract.money_support import Desk
from tests.contract.sdk_support import only_record, sdk
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import JSON, Reply

PNG = png(b"seed", Size(32, 16))
ENCODED = base64.b64encode(PNG).decode()
LINK = "https://images.example/1.png"
USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
    "output_tokens": 1_056,
    "total_tokens": 1_106,
}


def answer(*images: JSON, **more: Any) -> Reply:
    return Reply.json(200, {"created": 1_700_000_000, "data": list(images), **more})


def fetched(url: str | None) -> bytes:
    assert url is not None
    assert "/links/" in url
    found = httpx.get(url)
    assert (found.status_code, found.headers["content-type"]) == (200, "image/png")
    return found.content


def test_dall_e_gives_links_and_is_priced_by_size_and_quality(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(answer({"url": LINK, "revised_prompt": "an otter"}))
    made = sdk(desk, key).images.generate(model="openai/dall-e-3", prompt="otter", size="1792x1024", quality="hd", style="vivid")
    assert made.data is not None
    assert (made.data[0].url, made.data[0].b64_json, made.data[0].revised_prompt) == (LINK, None, "an otter")
    assert upstream.calls[-1].json == {
        "prompt": "otter", "size": "1792x1024", "quality": "hd", "style": "vivid", "model": "dall-e-3"
    }  # fmt: skip
    assert only_record(desk, key).cost_nanousd == 120_000_000


@pytest.mark.parametrize(("wanted", "has_link", "has_bytes"), [(None, True, True), ("url", True, False), ("b64_json", False, True)])
def test_bytes_come_as_they_are_wanted(
    desk: Desk, upstream: FakeUpstream, key: str, wanted: Any, has_link: bool, has_bytes: bool
) -> None:
    """Where nobody says, both: OpenAI's own examples read `b64_json` of a model that gives bytes, other clients the link."""
    upstream.answers(answer({"b64_json": ENCODED}, usage=USAGE, size="1024x1024", quality="medium"))
    options = {"response_format": wanted} if wanted else {}
    made = sdk(desk, key).images.generate(model="openai/gpt-image-1", prompt="otter", **options)
    assert made.data is not None
    image = made.data[0]
    assert (image.url is not None, image.b64_json is not None) == (has_link, has_bytes)
    assert {fetched(image.url)} == {PNG} if has_link else base64.b64decode(image.b64_json or "") == PNG
    assert "response_format" not in upstream.calls[-1].json
    assert only_record(desk, key).cost_nanousd == 10 * 5_000 + 40 * 10_000 + 1_056 * 40_000
    assert made.usage is not None
    assert (made.usage.input_tokens_details.image_tokens, made.usage.output_tokens) == (40, 1_056)
    assert made.usage.model_dump()["completion_tokens"] == 1_056
    ImagesResponse.model_validate(made.model_dump())


def test_a_link_that_cannot_be_followed_comes_as_it_is(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(answer({"url": f"{upstream.url}/image.png"}))
    made = sdk(desk, key).images.with_raw_response.generate(model="openai/dall-e-3", prompt="otter", response_format="b64_json")
    assert made.headers["x-haimaker-dropped-params"] == "response_format"
    assert made.parse().data[0].url == f"{upstream.url}/image.png"
    assert only_record(desk, key).cost_nanousd == 40_000_000


@pytest.mark.parametrize("several", [False, True])
def test_an_edit_sends_its_images_and_mask(desk: Desk, upstream: FakeUpstream, key: str, several: bool) -> None:
    upstream.answers(answer({"b64_json": ENCODED}, usage=USAGE))
    images = [("a.png", PNG), ("b.png", PNG)] if several else ("a.png", PNG)
    sdk(desk, key).images.edit(model="openai/gpt-image-1.5", image=images, mask=("m.png", PNG), prompt="hat", n=1, quality="low")
    call = upstream.calls[-1]
    assert call.path.endswith("/images/edits")
    assert call.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert call.body.count(PNG) == (3 if several else 2)
    assert call.body.count(b'name="image[]"' if several else b'name="image"') == (2 if several else 1)
    assert b'name="mask"' in call.body
    assert only_record(desk, key).cost_nanousd == 10 * 5_000 + 40 * 8_000 + 1_056 * 32_000


def test_an_edit_by_reference_goes_to_openai_as_it_is_and_to_nobody_else(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(answer({"b64_json": ENCODED}, usage=USAGE))
    body: JSON = {"prompt": "hat", "images": [{"file_id": "file-1"}, {"image_url": LINK}]}
    made: Any = sdk(desk, key).post("/images/edits", body=body, cast_to=object)
    assert upstream.calls[-1].json == {**body, "model": "gpt-image-2.5-sunburst"}
    assert {name for name, value in made["data"][0].items() if value is None} == set()
    calls = len(upstream.calls)
    with pytest.raises(openai.BadRequestError) as raised:
        sdk(desk, key).post("/images/edits", body={**body, "model": "gemini/gemini-3-pro-image"}, cast_to=object)
    assert raised.value.param == "images[0].file_id"
    assert len(upstream.calls) == calls


def test_a_variation_needs_no_prompt(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(answer({"url": LINK}, {"url": LINK}))
    made = sdk(desk, key).images.create_variation(image=("a.png", PNG), n=2, size="512x512")
    assert len(made.data or ()) == 2
    assert upstream.calls[-1].path.endswith("/images/variations")
    assert only_record(desk, key).cost_nanousd == 36_000_000


def events() -> Iterator[JSON]:
    about = {"created_at": 1, "size": "1024x1024", "quality": "high", "background": "opaque", "output_format": "png"}
    yield {"type": "image_generation.partial_image", "b64_json": ENCODED, "partial_image_index": 0, **about}
    yield {"type": "image_generation.completed", "b64_json": ENCODED, "usage": USAGE, **about}


def test_unfinished_images_are_streamed(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(Reply.sse(events(), done=False))
    options: Any = {"stream": True, "partial_images": 1}
    with sdk(desk, key).images.generate(model="openai/gpt-image-1", prompt="otter", **options) as stream:
        found = list(stream)
    assert [event.type for event in found] == ["image_generation.partial_image", "image_generation.completed"]
    assert found[1].usage.model_dump()["cost"] == pytest.approx(0.04269)
    assert only_record(desk, key).cost_nanousd == 42_690_000


def test_a_stream_is_made_where_the_model_has_none(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    upstream.answers(answer({"b64_json": ENCODED}))
    with sdk(desk, key).images.generate(model="openai/dall-e-3", prompt="otter", stream=True) as stream:
        [event] = list(stream)
    assert (event.type, event.b64_json) == ("image_generation.completed", ENCODED)
    assert upstream.calls[-1].json["response_format"] == "b64_json"
    assert "stream" not in upstream.calls[-1].json
    assert only_record(desk, key).cost_nanousd == 40_000_000


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"message": "Your request was rejected as a result of our safety system.", "code": "moderation_blocked"}, 400, None),
        ({"message": "gone", "type": "invalid_request_error", "code": "model_not_found"}, 404, "model_not_found"),
    ],
)
def test_the_providers_error_keeps_its_class(
    desk: Desk, upstream: FakeUpstream, key: str, error: JSON, status: int, code: str | None
) -> None:
    upstream.answers(Reply.json(status, {"error": error}))
    with pytest.raises(openai.APIStatusError) as raised:
        sdk(desk, key).images.generate(prompt="otter")
    assert raised.value.status_code == status
    assert raised.value.code == (code or "content_policy_violation")
    assert only_record(desk, key).cost_nanousd == 0


def test_a_mask_of_another_size_or_what_is_no_image_is_refused(desk: Desk, upstream: FakeUpstream, key: str) -> None:
    calls = len(upstream.calls)
    edit = sdk(desk, key).images.edit
    for image, mask, param in (
        (PNG, png(b"", Size(8, 8)), "mask"),
        (b"GIF89a", PNG, "image"),
        (b"", PNG, "image"),
        (PNG, b"x", "mask"),
    ):
        with pytest.raises(openai.BadRequestError) as raised:
            edit(image=("a.png", image), mask=("m.png", mask), prompt="hat")
        assert raised.value.param == param
    assert len(upstream.calls) == calls
    assert desk.records(key) == []


@pytest.mark.parametrize("operation", ["generate", "edit", "create_variation"])
def test_the_demo_draws_a_png_of_the_size_asked_for(desk: Desk, key: str, operation: str) -> None:
    images: Any = sdk(desk, key).images
    given = {} if operation == "generate" else {"image": ("a.png", PNG)}
    words = {} if operation == "create_variation" else {"prompt": "otter"}
    made = getattr(images, operation)(model="demo/image", n=2, size="48x32", **given, **words)
    drawn = [fetched(image.url) for image in made.data]
    assert [media_images.png_size(each) for each in drawn] == [(48, 32), (48, 32)]
    assert drawn[0] != drawn[1]


def bedrock(model: str) -> Reply:
    return Reply.json(200, {"result": "success", "artifacts": [{"seed": 1, "base64": ENCODED, "finishReason": "SUCCESS"}]})


def imagen(model: str) -> Reply:
    return Reply.json(200, {"predictions": [{"bytesBase64Encoded": ENCODED, "mimeType": "image/png"}]})


def openai_link(model: str) -> Reply:
    return answer({"url": LINK, "revised_prompt": "better"})


def openai_bytes(model: str) -> Reply:
    return answer({"b64_json": ENCODED}, usage=USAGE)


def gemini(model: str) -> Reply:
    part = {"inlineData": {"mimeType": "image/png", "data": ENCODED}}
    counts = {"promptTokenCount": 10, "candidatesTokenCount": 1_290, "totalTokenCount": 1_300}
    return Reply.json(200, {"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}], "usageMetadata": counts})


@pytest.mark.parametrize(
    ("model", "options", "play", "path", "cost_nanousd"),
    [
        ("openai/dall-e-3", {}, openai_link, "/images/generations", 40_000_000),
        ("openai/dall-e-3", {"quality": "hd"}, openai_link, "/images/generations", 80_000_000),
        ("openai/gpt-image-1", {"quality": "high"}, openai_bytes, "/images/generations", 42_690_000),
        ("azure/dall-e-3", {}, openai_link, "/openai/deployments/dall-e-3/images/generations?api-version=2025-04-01-preview", None),
        (
            "bedrock/stability.stable-diffusion-xl-v0",
            {},
            bedrock,
            "/model/stability.stable-diffusion-xl-v0/invoke",
            36_000_000,
        ),
        ("vertex_ai/imagegeneration@006", {}, imagen, "/publishers/google/models/imagegeneration@006:predict", 20_000_000),
        ("gemini/gemini-2.5-flash-image", {}, gemini, "/models/gemini-2.5-flash-image:generateContent", 38_703_000),
        ("gemini/imagen-4.0-generate-001", {}, imagen, "/models/imagen-4.0-generate-001:predict", 40_000_000),
        ("recraft/recraftv3", {}, openai_link, "/images/generations", 40_000_000),
        ("xai/grok-imagine-image", {}, openai_link, "/images/generations", 20_000_000),
        ("together_ai/black-forest-labs/FLUX.1-schnell", {}, openai_link, "/images/generations", 2_831_156),
        ("fireworks_ai/accounts/fireworks/models/flux-kontext-pro", {}, openai_link, "/images/generations", 40_000_000),
    ],
)
def test_every_provider_gives_a_link_and_its_price_is_the_vendors(
    desk: Desk, upstream: FakeUpstream, key: str, model: str, options: Any, play: Any, path: str, cost_nanousd: int | None
) -> None:
    """A budget that one image fits into is enough for all of them."""
    upstream.answers(play(model))
    budgeted = desk.key(max_budget=1.5)
    image = sdk(desk, budgeted).images.generate(model=model, prompt="A cute baby sea otter", n=1, size="1024x1024", **options)
    assert image.data is not None
    url = image.data[0].url
    assert url == LINK if play is openai_link else fetched(url) == PNG
    assert upstream.calls[-1].path.removeprefix("/v1") == path
    record = only_record(desk, budgeted)
    assert record.detail["cost_estimated"] is False
    assert cost_nanousd in (None, record.cost_nanousd)
    assert record.cost_nanousd > 0
