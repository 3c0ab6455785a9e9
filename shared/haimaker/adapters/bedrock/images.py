"""Images on Amazon Bedrock, each family of models in a format of its own.

https://docs.aws.amazon.com/nova/latest/userguide/image-gen-req-resp-structure.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-image.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html
"""

import base64
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from haimaker.adapters.bedrock.failures import read_error
from haimaker.adapters.image_ratios import nearest
from haimaker.adapters.parameters import refuse_drawn, refused_error
from haimaker.http.errors import BadGatewayError, ContentPolicyViolationError
from haimaker.http.json import as_objects
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS
from haimaker.operations.image_forms import images_of
from haimaker.operations.images import ImageRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing.image_variants import DEFAULT_SIZE, Size
from haimaker.providers.common import GPT_IMAGE_ONLY

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

PREMIUM = ("hd", "high", "premium", "xhigh", "max")
RATIOS = ("1:1", "2:3", "3:2", "4:5", "5:4", "9:16", "16:9", "9:21", "21:9")
STYLES = ("vivid", "natural")
"""Of dall-e-3; others are a family's own."""
READ = frozenset({*OURS, "model", "prompt", "n", "size", "quality", "response_format", "style", "negative_prompt", "output_format"})
HARMLESS = ("user", *GPT_IMAGE_ONLY)
UNTOLD = ("stream", "partial_images")
CONFIGURED = ("cfgScale", "seed")
FILTERED = "Bedrock's filters left no image."


class Family(NamedTuple):
    """How a family of models is asked. `body` gets the request and the client's fields that OpenAI does not have."""

    body: Callable[[ImageRequest, JSON], JSON]
    most_at_once: int = 1
    drop: tuple[str, ...] = ()


def _canvas(request: ImageRequest, more: JSON) -> JSON:
    size = request.size_asked or Size(*DEFAULT_SIZE)
    given = more.pop("imageGenerationConfig", None)
    config: JSON = {"numberOfImages": request.n, "width": size.width, "height": size.height, "quality": quality_of(request)}
    config |= {name: more.pop(name) for name in CONFIGURED if name in more} | (given if isinstance(given, dict) else {})
    words: JSON = {"text": request.prompt} if request.prompt else {}
    if request.body.get("negative_prompt"):
        words["negativeText"] = request.body["negative_prompt"]
    if not request.files:
        return {"taskType": "TEXT_IMAGE", "textToImageParams": words, "imageGenerationConfig": config, **more}
    images = [_base64(file.data) for file in images_of(request.files)]
    strength = {"similarityStrength": more.pop("similarityStrength")} if "similarityStrength" in more else {}
    varied = {"images": images, **words, **strength}
    return {"taskType": "IMAGE_VARIATION", "imageVariationParams": varied, "imageGenerationConfig": config, **more}


def _diffusion(request: ImageRequest, more: JSON) -> JSON:
    prompts: list[JSON] = [{"text": request.prompt, "weight": 1}]
    if request.body.get("negative_prompt"):
        prompts.append({"text": request.body["negative_prompt"], "weight": -1})
    style = request.body.get("style")
    body: JSON = {"text_prompts": prompts, **({"style_preset": style} if style and style not in STYLES else {}), **more}
    if request.files:
        return {**body, "init_image": _base64(_only_image(request)), "init_image_mode": "IMAGE_STRENGTH"}
    size = request.size_asked or Size(*DEFAULT_SIZE)
    return {**body, "width": size.width, "height": size.height}


def _stable(request: ImageRequest, more: JSON) -> JSON:
    body: JSON = {"prompt": request.prompt, **_negative(request), **_format(request), **more}
    if request.files:
        return {"mode": "image-to-image", "strength": 0.5, **body, "image": _base64(_only_image(request))}
    ratio = nearest(request.size_asked, RATIOS)
    return {**body, **({"aspect_ratio": ratio} if ratio else {})}


def _service(request: ImageRequest, more: JSON) -> JSON:
    """The body of a service that changes an image:
    https://docs.aws.amazon.com/bedrock/latest/userguide/stable-image-services.html"""
    words = {"prompt": request.prompt} if request.prompt else {}
    return {"image": _base64(_only_image(request)), **words, **_negative(request), **_format(request), **more}


CANVAS = Family(_canvas, 5, ("style", "output_format"))
FAMILIES = {
    "nova-canvas": CANVAS,
    "titan-image": CANVAS,
    "stable-diffusion-xl": Family(_diffusion, 1, ("quality", "output_format")),
    "stable-image": Family(_stable, 1, ("quality", "style")),
    "stability": Family(_service, 1, ("quality", "style", "size")),
}


def most_at_once(attempt: Attempt) -> int:
    return _family(attempt).most_at_once


def to_upstream(request: ImageRequest, attempt: Attempt) -> UpstreamRequest:
    family, sent = _family(attempt), request.body
    refuse_drawn(request.files)
    more = {name: value for name, value in sent.items() if name not in READ and name not in HARMLESS}
    lost = (*HARMLESS, *family.drop)
    dropped = tuple(name for name in lost if name in sent and name not in UNTOLD)
    headers = {"content-type": "application/json", "accept": "application/json", **attempt.provider.dialect.headers}
    path = f"/model/{quote(attempt.model, safe='')}/invoke"
    return UpstreamRequest(path, dumps(family.body(request, more)), headers, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: ImageRequest, attempt: Attempt) -> Result:
    body = answer.object()
    made = [found for found in as_objects(body.get("artifacts")) if found.get("finishReason") in (None, "SUCCESS")]
    artifacts = [found.get("base64") for found in made]
    images = _strings(body.get("images")) or _strings(artifacts)
    if not images:
        raise _without_images(body)
    steps = request.body.get("steps")
    tokens = request.usage_of_images(attempt, len(images), quality_of(request), steps=steps if type(steps) is int else None)
    return request.build_result(attempt, [{"b64_json": image} for image in images], tokens)


def quality_of(request: ImageRequest) -> str:
    return "premium" if request.fields.quality in PREMIUM else "standard"


def _family(attempt: Attempt) -> Family:
    return attempt.traits.look_up(FAMILIES) or CANVAS


def _without_images(body: JSON) -> ContentPolicyViolationError | BadGatewayError:
    reasons = [*_strings(body.get("finish_reasons")), *_strings([body.get("error")])]
    filtered = any(found.get("finishReason") == "CONTENT_FILTERED" for found in as_objects(body.get("artifacts")))
    if reasons or filtered:
        return ContentPolicyViolationError(reasons[0] if reasons else FILTERED)
    return BadGatewayError("The provider's answer has no images.", code="invalid_provider_response")


def _negative(request: ImageRequest) -> JSON:
    words = request.body.get("negative_prompt")
    return {"negative_prompt": words} if words else {}


def _format(request: ImageRequest) -> JSON:
    kind = request.fields.output_format
    return {"output_format": kind} if kind else {}


def _only_image(request: ImageRequest) -> bytes:
    images = images_of(request.files)
    if len(images) != 1:
        raise refused_error("image", "one image")
    return images[0].data


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str) and item] if isinstance(value, list) else []
