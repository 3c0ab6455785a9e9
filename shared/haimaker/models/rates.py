"""The names of rates, and how a rate becomes an exact integer. Pure.

Rates are named as in LiteLLM's table (https://github.com/BerriAI/litellm), which is how deployers name theirs too, and are decimal
strings in USD. A unit is 1e-30 USD.
"""

import re
from collections.abc import Mapping

USD_DECIMALS = 30
"""Exact for every published rate: the longest has 24 decimals."""
UNITS_PER_USD: int = 10**USD_DECIMALS

SERVICE_TIERS: Mapping[str | None, str] = {
    "batch": "batches",
    "batches": "batches",
    "decisions": "decisions",
    "flex": "flex",
    "optimized": "optimized",
    "priority": "priority",
    "ultrafast": "ultrafast",
}
"""A response's `service_tier` and the ending of its rates; any other tier is billed at the ordinary ones."""

RATE_NAMES = (
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_12hr",
    "cache_creation_input_token_cost_above_1hr",
    "cache_read_input_audio_token_cost",
    "cache_read_input_image_token_cost",
    "cache_read_input_token_cost",
    "citation_cost_per_token",
    "explicit_cache_read_input_token_cost",
    "fast_multiplier",
    "fedramp_uplift_multiplier",
    "google_maps_grounding_cost_per_query",
    "guardrail_cost_per_microusd",
    "input_cost_per_audio_per_second",
    "input_cost_per_audio_token",
    "input_cost_per_character",
    "input_cost_per_image",
    "input_cost_per_image_token",
    "input_cost_per_pixel",
    "input_cost_per_query",
    "input_cost_per_request",
    "input_cost_per_second",
    "input_cost_per_token",
    "input_cost_per_video_token",
    "output_cost_per_audio_token",
    "output_cost_per_image",
    "output_cost_per_image_token",
    "output_cost_per_pixel",
    "output_cost_per_reasoning_token",
    "output_cost_per_second",
    "output_cost_per_token",
    "output_cost_per_video_token",
    "page_visit_cost_per_query",
    "regional_endpoint_uplift_multiplier",
    "regional_processing_uplift_multiplier_eu",
    "regional_processing_uplift_multiplier_us",
    "search_context_cost_per_query",
    "search_context_cost_per_query_high",
    "search_context_cost_per_query_low",
    "search_context_cost_per_query_medium",
    "us_multiplier",
)

VARIANT = r"(_above_\d+k_tokens)?(_(batches|decisions|flex|optimized|priority|ultrafast))?"
"""What may follow a rate's name: the size of the prompt, the service tier."""

TOKEN_RATE = re.compile(rf"({'|'.join(name for name in RATE_NAMES if 'token' in name)})(_above_\d+k_tokens)?")
"""A rate of tokens, by the size of the prompt or not, at no service tier of its own."""

THRESHOLD = re.compile(r"_above_(\d+)k_tokens")


def is_rate_name(name: str) -> bool:
    """Whether a rate can have this name, with or without a size and a service tier."""
    return re.fullmatch(f"({'|'.join(map(re.escape, RATE_NAMES))}){VARIANT}", name) is not None


def to_units(usd: str) -> int:
    """A decimal number of USD, `0.25` or `2.5e-06`, in units. Raises ValueError if it is negative, none, or finer than a unit."""
    mantissa, _, exponent = usd.lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits, power = whole + fraction, exponent.removeprefix("-").removeprefix("+") or "0"
    if len(usd) > 64 or not usd.isascii() or not digits.isdigit() or not power.isdigit():
        raise ValueError(f"not an amount of USD: {usd[:64]!r}")
    shift = USD_DECIMALS - len(fraction) + int(exponent or 0)
    if shift > 2 * USD_DECIMALS:
        raise ValueError(f"too large an amount of USD: {usd}")
    scale: int = 10 ** min(abs(shift), 64)
    if shift >= 0:
        return int(digits) * scale
    units, finer = divmod(int(digits), scale)
    if finer:
        raise ValueError(f"finer than 1e-{USD_DECIMALS} USD: {usd!r}")
    return units
