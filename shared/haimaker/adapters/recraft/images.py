"""Images of Recraft: OpenAI's format, with other names for what is made of an image.

https://www.recraft.ai/docs/api-reference/endpoints
"""

from haimaker.adapters.openai import images
from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.openai.images import PATHS, body_for, call, most_at_once
from haimaker.adapters.parameters import refuse_drawn, refused_error
from haimaker.http.values import UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.models.rates import UNITS_PER_USD
from haimaker.operations.attempt import Attempt
from haimaker.operations.image_forms import images_of
from haimaker.operations.images import ImageRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing.usage import MAX_COUNT

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

OWN_PATHS = {"images_edits": "/images/imageToImage", "images_variations": "/images/variateImage"}
CREDITS_PER_USD = 1_000
"""https://www.recraft.ai/docs/api-reference/pricing"""
STRENGTH = 0.5
"""How far an edit may go from its image, which OpenAI has no word for and this requires."""


def to_upstream(request: ImageRequest, attempt: Attempt) -> UpstreamRequest:
    body, dropped = body_for(request, attempt)
    refuse_drawn(request.files)
    if len(images_of(request.files)) > 1:
        raise refused_error("image", "one image")
    if request.kind == "images_edits":
        dropped += ("size",) if "size" in body else ()
        body = {"strength": STRENGTH, **{name: value for name, value in body.items() if name != "size"}}
    if request.kind == "images_variations":
        del body["model"]
    path = OWN_PATHS.get(request.kind, PATHS[request.kind])
    return call(path, body, request, attempt, dropped)


def from_upstream(answer: UpstreamBody, request: ImageRequest, attempt: Attempt) -> Result:
    """It says what it charged, in credits."""
    made = images.from_upstream(answer, request, attempt)
    credits = answer.object().get("credits")
    if made.usage is None or type(credits) is not int or not 0 < credits <= MAX_COUNT:
        return made
    return made._replace(usage=replace(made.usage, reported_units=credits * (UNITS_PER_USD // CREDITS_PER_USD)))
