"""What OpenAI's image models take, wherever they are served. Data, and how it is looked up.

https://platform.openai.com/docs/api-reference/images/create; dall-e-2 and dall-e-3 have been retired since, but not everywhere.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from haimaker.operations.attempt import Attempt
from haimaker.operations.images import ImageRequest
from haimaker.providers.common import GPT_IMAGE_ONLY

GPT_ALONE = (*GPT_IMAGE_ONLY, "output_format")
DALL_E_ALONE = ("response_format", "style")
QUALITIES = ("low", "medium", "high", "xhigh", "max", "auto")
UP_TO_HIGH = {"xhigh": "high", "max": "high", "standard": "medium", "hd": "high"}


class Rule(NamedTuple):
    """Empty sets allow everything."""

    sizes: Collection[str] = ()
    qualities: Mapping[str, str] = {}
    """Those that it has, and what others' are called here; an empty one is left out."""
    styles: Collection[str] = ()
    most: int = 10
    drop: Collection[str] = ()


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


RULES = {
    "dall-e-3": Rule(
        sizes=("1024x1024", "1792x1024", "1024x1792"),
        qualities={**_same("standard", "hd"), "low": "standard", "medium": "standard", "high": "hd", "auto": ""},
        styles=("vivid", "natural"),
        most=1,
        drop=GPT_ALONE,
    ),
    "dall-e-2": Rule(
        sizes=("256x256", "512x512", "1024x1024"),
        qualities={"standard": "", "low": "", "medium": "", "auto": ""},
        drop=(*GPT_ALONE, "style"),
    ),
    "gpt-image-1": Rule(
        sizes=("1024x1024", "1536x1024", "1024x1536", "auto"),
        qualities={**_same("low", "medium", "high", "auto"), **UP_TO_HIGH},
        drop=DALL_E_ALONE,
    ),
    "gpt-image-2": Rule(qualities={**_same("low", "medium", "high", "auto"), **UP_TO_HIGH}, drop=(*DALL_E_ALONE, "input_fidelity")),
    "gpt-image": Rule(qualities={**_same(*QUALITIES), "standard": "medium", "hd": "high"}, drop=(*DALL_E_ALONE, "input_fidelity")),
}
"""The rules by the family of models."""
ANY = Rule()


def rule_of(attempt: Attempt) -> Rule:
    return attempt.traits.look_up(RULES) or ANY


def quality_of(request: ImageRequest, attempt: Attempt) -> str | None:
    """The quality that is sent; None where that is left to the model."""
    asked = request.fields.quality
    return rule_of(attempt).qualities.get(asked, asked) or None if asked else None


def apply_image_rules(body: JSON, request: ImageRequest, attempt: Attempt) -> tuple[JSON, tuple[str, ...]]:
    """The body in the model's own terms, and what it loses by that. Raises BadRequestError for what the model lacks."""
    rule = rule_of(attempt)
    _check("size", request.fields.size, rule.sizes, attempt)
    _check("quality", request.fields.quality, rule.qualities, attempt)
    _check("style", body.get("style"), rule.styles, attempt)
    if request.n > rule.most:
        raise BadRequestError(f"{attempt.model} makes at most {rule.most} image at once.", param="n", code="invalid_value")
    kept = {name: value for name, value in body.items() if name not in rule.drop}
    if "quality" in kept:
        kept |= {"quality": quality_of(request, attempt)}
    dropped = tuple(name for name in body if name in rule.drop and name != "response_format")
    return {name: value for name, value in kept.items() if value is not None}, dropped


def _check(name: str, value: object, allowed: Collection[str], attempt: Attempt) -> None:
    if value is not None and allowed and value not in allowed:
        message = f"Invalid value for '{name}': {str(value)[:64]!r}. {attempt.model} takes {', '.join(allowed)}."
        raise BadRequestError(message, param=name, code="invalid_value")
