"""Imagen, on Google AI Studio and on Vertex AI.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api, https://ai.google.dev/gemini-api/docs/imagen
"""

from urllib.parse import quote

from haimaker.adapters.gemini.failures import from_body, read_error
from haimaker.adapters.image_ratios import nearest
from haimaker.adapters.parameters import refused_error
from haimaker.http.errors import ContentPolicyViolationError
from haimaker.http.json import as_objects, as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS
from haimaker.operations.images import ImageRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing.image_variants import Size
from haimaker.providers.common import GPT_IMAGE_ONLY

__all__ = ["from_upstream", "read_error", "to_upstream"]

MAX_AT_ONCE = 4
RATIOS = ("1:1", "3:4", "4:3", "9:16", "16:9")
READ = frozenset(
    {*OURS, "model", "prompt", "n", "size", "response_format", "output_format", "output_compression", "negative_prompt"}
)
HARMLESS = ("quality", "style", "user", *(name for name in GPT_IMAGE_ONLY if name not in READ))
UNTOLD = ("stream", "partial_images")
LARGER = Size(1_700, 1_500)
"""From about this size on, the larger of the two is meant."""


def to_upstream(request: ImageRequest, attempt: Attempt) -> UpstreamRequest:
    if request.files:
        raise refused_error("image")
    body = request.body
    instance: JSON = {"prompt": request.prompt}
    more = {name: value for name, value in body.items() if name not in READ and name not in HARMLESS}
    parameters: JSON = {"sampleCount": request.n, **_shape(request, attempt), **_output(request, body), **more}
    if body.get("negative_prompt"):
        parameters["negativePrompt"] = body["negative_prompt"]
    dropped = tuple(name for name in HARMLESS if name in body and name not in UNTOLD)
    path = f"/models/{quote(attempt.model, safe='@')}:predict"
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return UpstreamRequest(path, dumps({"instances": [instance], "parameters": parameters}), headers, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: ImageRequest, attempt: Attempt) -> Result:
    body = answer.object()
    if body.get("error"):
        raise from_body(body)
    found = as_objects(body.get("predictions"))
    images = [
        {"b64_json": each["bytesBase64Encoded"], "revised_prompt": as_text(each.get("prompt")) or None}
        for each in found
        if as_text(each.get("bytesBase64Encoded"))
    ]
    reasons = [reason for each in found if (reason := as_text(each.get("raiFilteredReason")))]
    if not images and (reasons or not found):
        raise ContentPolicyViolationError(reasons[0] if reasons else "Google's filters left no image.")
    return request.build_result(attempt, images)


def _shape(request: ImageRequest, attempt: Attempt) -> JSON:
    size = request.size_asked
    shape: JSON = {"aspectRatio": ratio} if (ratio := nearest(size, RATIOS)) else {}
    if size and attempt.traits.image_sizes:
        shape["sampleImageSize"] = "2K" if size.pixels > LARGER.pixels else "1K"
    return shape


def _output(request: ImageRequest, body: JSON) -> JSON:
    kind = request.fields.output_format
    options: JSON = {"mimeType": f"image/{kind}"} if kind else {}
    if kind == "jpeg" and body.get("output_compression") is not None:
        options["compressionQuality"] = body["output_compression"]
    return {"outputOptions": options} if options else {}
