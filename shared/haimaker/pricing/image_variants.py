"""Which line of the table has the price of an image, where that depends on its quality, size or steps. Pure.

Such lines are named `openai/dall-e-3#hd/1024-x-1792`, `…#512-x-512/50-steps`, `…#max-x-max/max-steps`: up to that size and so many
steps. The model's own line then has the dearest of their prices.
"""

import re
from typing import NamedTuple

from haimaker.models.catalog import ModelInfo

VARIANT_NAME = re.compile(r"(?:(?P<quality>\w+)/)?(?:(?P<width>\d+)-x-(?P<height>\d+)|max-x-max)(?:/(?P<steps>\d+|max)-steps)?")
DEFAULT_QUALITY = "standard"
DEFAULT_SIZE = (1024, 1024)
DEFAULT_STEPS = 50


class Size(NamedTuple):
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height


class _Line(NamedTuple):
    name: str
    quality: str | None
    width: float
    height: float
    steps: float

    def covers(self, size: Size, steps: int) -> bool:
        return self.width >= size.width and self.height >= size.height and self.steps >= steps


def parse_size(text: object) -> Size | None:
    """The size `1024x1536`; None for `auto` and anything else."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text) if isinstance(text, str) else None
    return Size(int(found[1]), int(found[2])) if found and int(found[1]) and int(found[2]) else None


def price_variant(model_info: ModelInfo, quality: object, size: Size | None, steps: int | None) -> str | None:
    """The smallest variant that covers the image; None where the model's own line has the price."""
    wanted = size or Size(*DEFAULT_SIZE)
    known = [line for line in map(_parse_variant, model_info.variants) if line]
    named = quality if quality in {line.quality for line in known} else DEFAULT_QUALITY
    fitting = [line for line in known if line.quality in (None, named) and line.covers(wanted, steps or DEFAULT_STEPS)]
    return min(fitting, key=lambda line: (line.width * line.height, line.steps)).name if fitting else None


def _parse_variant(name: str) -> _Line | None:
    found = VARIANT_NAME.fullmatch(name)
    if not found:
        return None
    width, height = (float(found[side]) if found[side] else float("inf") for side in ("width", "height"))
    steps = float(found["steps"]) if found["steps"] not in (None, "max") else float("inf")
    return _Line(name, found["quality"], width, height, steps)
