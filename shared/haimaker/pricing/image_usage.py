"""How many tokens, images or pixels an image is billed as: the most it may be, and what it is where nobody says. Pure.

https://platform.openai.com/docs/guides/image-generation#cost-and-latency
"""

from collections.abc import Mapping

from haimaker.lean_dataclasses import replace
from haimaker.models.catalog import ModelInfo
from haimaker.models.matching import traits_of
from haimaker.pricing.image_variants import DEFAULT_SIZE, Size, price_variant
from haimaker.pricing.usage import Usage

SQUARE_TOKENS: Mapping[str, int] = {"low": 272, "medium": 1_056, "high": 4_160}
"""The tokens of a square by quality; the other two sizes have half as many more."""
MAX_TOKENS_BY_QUALITY: Mapping[str, int] = {"low": 4_000, "medium": 8_000, "high": 20_000, "xhigh": 30_000, "max": 40_000}
PARTIAL_TOKENS = 100
"""The tokens of an unfinished image in a stream."""
READ_TOKENS = 16_000
"""The most that one image is read as."""
PROMPT_TOKENS = 256
"""What a provider may add to a prompt."""
TOKEN_RATES = ("output_cost_per_token", "output_cost_per_image_token")
PIXEL_RATES = ("output_cost_per_pixel", "input_cost_per_pixel")
LARGEST_SIZE = Size(4_096, 4_096)
SAME_QUALITY: Mapping[str, str] = {"hd": "high", "standard": "medium"}


def is_billed_by_token(model_info: ModelInfo) -> bool:
    return model_info.rate(TOKEN_RATES) is not None


def max_usage(
    model_info: ModelInfo, n: int, quality: str | None, size: Size | None, prompt_bytes: int, read: int, partial: int
) -> Usage:
    """The most that an image request is billed: `n` images made of a prompt and of `read` images, each with `partial` unfinished
    ones."""
    if is_billed_by_token(model_info):
        made = n * (_max_tokens(model_info, quality, size) + partial * PARTIAL_TOKENS)
        return Usage(input=prompt_bytes + PROMPT_TOKENS, input_image=read * READ_TOKENS, output_image=made)
    return replace(
        usage_of(model_info, n, quality, size),
        pixels=n * (size or LARGEST_SIZE).pixels if _is_billed_by_pixel(model_info) else 0,
        input_images=read,
    )


def usage_of(model_info: ModelInfo, n: int, quality: str | None, size: Size | None, steps: int | None = None) -> Usage:
    """The usage of images that are billed one by one, by quality and size, or by the pixel."""
    if _is_billed_by_pixel(model_info):
        line = price_variant(model_info, quality, size, steps)
        return Usage(pixels=n * (size or Size(*DEFAULT_SIZE)).pixels, variant=line)
    return Usage(images=n, variant=price_variant(model_info, quality, size, steps))


def estimate_usage(model_info: ModelInfo, n: int, quality: str | None, size: Size | None, prompt_bytes: int) -> Usage:
    """The usage of a request whose provider did not say what it used."""
    if not is_billed_by_token(model_info):
        return usage_of(model_info, n, quality, size)
    square = SQUARE_TOKENS.get(_known_quality(quality) or "medium", SQUARE_TOKENS["high"])
    wide = size is not None and size.width != size.height
    return Usage(input=-(-prompt_bytes // 4), output_image=n * (square * 3 // 2 if wide else square))


def _max_tokens(model_info: ModelInfo, quality: str | None, size: Size | None) -> int:
    if model_info.max_output_tokens:
        return model_info.max_output_tokens
    named = _known_quality(quality)
    if not traits_of(model_info.provider, model_info.model).fixed_image_tokens:
        return MAX_TOKENS_BY_QUALITY.get(named or "high", MAX_TOKENS_BY_QUALITY["max"])
    square = SQUARE_TOKENS.get(named or "high", SQUARE_TOKENS["high"])
    return square if size and size.width == size.height else square * 3 // 2


def _known_quality(quality: str | None) -> str | None:
    return None if quality in (None, "auto") else SAME_QUALITY.get(str(quality), str(quality))


def _is_billed_by_pixel(model_info: ModelInfo) -> bool:
    return model_info.rate(("output_cost_per_image",)) is None and model_info.rate(PIXEL_RATES) is not None
