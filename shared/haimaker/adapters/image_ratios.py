"""The shape of an image, for those who take a ratio instead of a size. Pure."""

import math
from collections.abc import Collection

from haimaker.pricing.image_variants import Size


def nearest(size: Size | None, ratios: Collection[str]) -> str | None:
    """The ratio, such as `16:9`, that is nearest to a size; None where no size is asked for."""
    if size is None:
        return None
    wanted = math.log(size.width / size.height)
    return min(ratios, key=lambda ratio: abs(math.log(_value(ratio)) - wanted))


def _value(ratio: str) -> float:
    width, _, height = ratio.partition(":")
    return float(width) / float(height)
