"""Images of Gemini's models, which make and change them as they chat; Imagen has a format of its own, in `imagen.py`.

https://ai.google.dev/gemini-api/docs/image-generation
"""

import base64
from collections.abc import Iterator
from urllib.parse import quote

from haimaker.adapters.gemini import imagen
from haimaker.adapters.gemini.failures import from_body, read_error
from haimaker.adapters.gemini.tokens import to_usage
from haimaker.adapters.image_ratios import nearest
from haimaker.adapters.parameters import refuse_drawn
from haimaker.http.errors import ContentPolicyViolationError
from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.media import images as media_images
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS
from haimaker.operations.image_forms import images_of
from haimaker.operations.images import ImageRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing import image_usage, usage
from haimaker.pricing.usage import Usage
from haimaker.providers.common import GPT_IMAGE_ONLY

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

RATIOS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
SIZES = ((8_000_000, "4K"), (2_500_000, "2K"), (0, "1K"))
"""The pixels from which on a size is meant."""
READ = frozenset({*OURS, "model", "prompt", "n", "size", "response_format", "generationConfig"})
GENERATION = ("seed", "temperature", "top_p", "topP", "topK", "maxOutputTokens")
HARMLESS = ("quality", "style", "user", "output_format", *GPT_IMAGE_ONLY)
VARY = "Make a variation of this image."
REFUSING = frozenset({"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "RECITATION"})


def _is_imagen(attempt: Attempt) -> bool:
    return "imagen" in attempt.traits.families


def most_at_once(attempt: Attempt) -> int:
    return imagen.MAX_AT_ONCE if _is_imagen(attempt) else 1


def to_upstream(request: ImageRequest, attempt: Attempt) -> UpstreamRequest:
    if _is_imagen(attempt):
        return imagen.to_upstream(request, attempt)
    refuse_drawn(request.files)
    body = request.body
    parts: list[JSON] = [{"text": request.prompt or VARY}]
    for file in images_of(request.files):
        kind = media_images.sniff_type(file.data) or media_images.DEFAULT_TYPE
        parts.append({"inlineData": {"mimeType": kind, "data": base64.b64encode(file.data).decode()}})
    more = {name: value for name, value in body.items() if name not in READ and name not in HARMLESS}
    config: JSON = {"responseModalities": ["TEXT", "IMAGE"], **{name: more.pop(name) for name in GENERATION if name in more}}
    if shape := _shape(request, attempt):
        config["imageConfig"] = shape
    config |= as_object(body.get("generationConfig"))
    call = {"contents": [{"role": "user", "parts": parts}], "generationConfig": config, **more}
    dropped = tuple(name for name in HARMLESS if name in body and name not in imagen.UNTOLD)
    path = f"/models/{quote(attempt.model, safe='@')}:generateContent"
    return UpstreamRequest(
        path, dumps(call), {"content-type": "application/json", **attempt.provider.dialect.headers}, dropped=dropped
    )


def from_upstream(answer: UpstreamBody, request: ImageRequest, attempt: Attempt) -> Result:
    if _is_imagen(attempt):
        return imagen.from_upstream(answer, request, attempt)
    body = answer.object()
    if body.get("error"):
        raise from_body(body)
    candidates = as_objects(body.get("candidates"))
    images = [{"b64_json": data} for candidate in candidates for data in _images(candidate)]
    if not images and (reason := _refusal(body, candidates)):
        raise ContentPolicyViolationError(f"Google made no image: {reason}.")
    tokens = _tokens(body)
    if tokens is None or image_usage.is_billed_by_token(attempt.model_info):
        return request.build_result(attempt, images, tokens)
    by_the_image = request.build_result(attempt, images)
    return Result({**by_the_image.body, "usage": request.usage_object(tokens)}, by_the_image.usage)


def _shape(request: ImageRequest, attempt: Attempt) -> JSON:
    size = request.size_asked
    if size is None:
        return {}
    shape: JSON = {"aspectRatio": nearest(size, RATIOS)}
    if attempt.traits.image_sizes:
        shape["imageSize"] = next(name for least, name in SIZES if size.pixels > least)
    return shape


def _images(candidate: JSON) -> Iterator[str]:
    """The images of a candidate, in base64, without those that belong to its thoughts."""
    for part in as_objects(as_object(candidate.get("content")).get("parts")):
        inline = as_object(part.get("inlineData") or part.get("inline_data"))
        if not part.get("thought") and (data := as_text(inline.get("data"))):
            yield data


def _refusal(body: JSON, candidates: list[JSON]) -> str:
    blocked = as_text(as_object(body.get("promptFeedback")).get("blockReason"))
    reasons = (as_text(candidate.get("finishReason")) for candidate in candidates)
    return blocked or next((reason for reason in reasons if reason.removeprefix("IMAGE_") in REFUSING), "")


def _tokens(body: JSON) -> Usage | None:
    """What is made is images, where the answer does not say how much of it is text."""
    said = to_usage(as_object(body.get("usageMetadata")), 0)
    if said is None:
        return None
    found = usage.from_openai(said)
    return found if found.output_image else replace(found, output_image=found.output, output=0)
