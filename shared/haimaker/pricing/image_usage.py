"""How many tokens, images or pixels an image is billed as: the most it may be, and what it is where nobody says. Pure.

https://platform.openai.com/docs/guides/image-generation#cost-and-latency
"""

from collections.abc import Mapping
from dataclasses import replace

from haimaker.models.catalog import Facts
from haimaker.models.matching import traits_of
from haimaker.pricing.image_variants import DEFAULT_SIZE, Size, line_of
from haimaker.pricing.usage import Tokens

KNOWN: Mapping[str, int] = {"low": 272, "medium": 1_056, "high": 4_160}
"""Of a square by quality; the other two sizes have half as many more."""
MOST: Mapping[str, int] = {"low": 4_000, "medium": 8_000, "high": 20_000, "xhigh": 30_000, "max": 40_000}
PARTIAL_TOKENS = 100
"""Of an unfinished image in a stream."""
READ_TOKENS = 16_000
"""The most that one image is read as."""
PROMPT_TOKENS = 256
"""What a provider may add to a prompt."""
TOKEN_RATES = ("output_cost_per_token", "output_cost_per_image_token")
PIXEL_RATES = ("output_cost_per_pixel", "input_cost_per_pixel")
LARGEST = Size(4_096, 4_096)
SAME_QUALITY: Mapping[str, str] = {"hd": "high", "standard": "medium"}


def by_token(facts: Facts) -> bool:
    return facts.rate(TOKEN_RATES) is not None


def most(facts: Facts, n: int, quality: str | None, size: Size | None, prompt_bytes: int, read: int, partial: int) -> Tokens:
    """`read` images are read, and `n` are made of them and the prompt, with `partial` unfinished ones each."""
    if by_token(facts):
        made = n * (_most_tokens(facts, quality, size) + partial * PARTIAL_TOKENS)
        return Tokens(input=prompt_bytes + PROMPT_TOKENS, input_image=read * READ_TOKENS, output_image=made)
    return replace(
        made_of(facts, n, quality, size), pixels=n * (size or LARGEST).pixels if _by_pixel(facts) else 0, input_images=read
    )


def made_of(facts: Facts, n: int, quality: str | None, size: Size | None, steps: int | None = None) -> Tokens:
    """Of a model that is billed by the image, its quality and size, or by the pixel."""
    if _by_pixel(facts):
        line = line_of(facts, quality, size, steps)
        return Tokens(pixels=n * (size or Size(*DEFAULT_SIZE)).pixels, variant=line)
    return Tokens(images=n, variant=line_of(facts, quality, size, steps))


def likely(facts: Facts, n: int, quality: str | None, size: Size | None, prompt_bytes: int) -> Tokens:
    """Where the provider does not say what was used."""
    if not by_token(facts):
        return made_of(facts, n, quality, size)
    square = KNOWN.get(_named(quality) or "medium", KNOWN["high"])
    wide = size is not None and size.width != size.height
    return Tokens(input=-(-prompt_bytes // 4), output_image=n * (square * 3 // 2 if wide else square))


def _most_tokens(facts: Facts, quality: str | None, size: Size | None) -> int:
    if facts.max_output_tokens:
        return facts.max_output_tokens
    named = _named(quality)
    if not traits_of(facts.provider, facts.model).fixed_image_tokens:
        return MOST.get(named or "high", MOST["max"])
    square = KNOWN.get(named or "high", KNOWN["high"])
    return square if size and size.width == size.height else square * 3 // 2


def _named(quality: str | None) -> str | None:
    return None if quality in (None, "auto") else SAME_QUALITY.get(str(quality), str(quality))


def _by_pixel(facts: Facts) -> bool:
    return facts.rate(("output_cost_per_image",)) is None and facts.rate(PIXEL_RATES) is not None
