"""Money: what counts cost at a model's rates, and the most that a request may cost. Pure.

It is exact: a sum of integers, rounded up once to a nano-dollar. Nothing here reads a clock, a table or a stream.
"""

from collections.abc import Iterable, Mapping

from haimaker.http.values import JSON
from haimaker.models.catalog import UNITS_PER_USD, ModelInfo
from haimaker.pricing.usage import MAX_COUNT, Usage

UNITS_PER_NANOUSD = UNITS_PER_USD // 10**9

INPUT_RATES: Mapping[str, tuple[str, ...]] = {
    "input": ("input_cost_per_token",),
    "cached": ("cache_read_input_token_cost", "input_cost_per_token"),
    "cached_audio": ("cache_read_input_audio_token_cost", "input_cost_per_audio_token", "input_cost_per_token"),
    "cached_image": ("cache_read_input_image_token_cost", "input_cost_per_image_token", "input_cost_per_token"),
    "cache_write_5m": ("cache_creation_input_token_cost", "input_cost_per_token"),
    "cache_write_1h": ("cache_creation_input_token_cost_above_1hr", "cache_creation_input_token_cost", "input_cost_per_token"),
    "input_audio": ("input_cost_per_audio_token", "input_cost_per_token"),
    "input_image": ("input_cost_per_image_token", "input_cost_per_token"),
}
OUTPUT_RATES: Mapping[str, tuple[str, ...]] = {
    "output": ("output_cost_per_token",),
    "reasoning": ("output_cost_per_reasoning_token", "output_cost_per_token"),
    "output_audio": ("output_cost_per_audio_token", "output_cost_per_token"),
    "output_image": ("output_cost_per_image_token", "output_cost_per_token"),
}
EXTRA_RATES: Mapping[str, tuple[str, ...]] = {
    "web_searches": ("search_context_cost_per_query", "search_context_cost_per_query_medium"),
    "citations": ("citation_cost_per_token",),
    "characters": ("input_cost_per_character",),
    "images": ("output_cost_per_image",),
    "pixels": ("output_cost_per_pixel", "input_cost_per_pixel"),
    "input_images": ("input_cost_per_image",),
    "queries": ("input_cost_per_query",),
}
"""The size of the search context is not in a response; where sizes differ in price, providers report the cost."""
TIME_RATES: Mapping[str, tuple[str, ...]] = {
    "input_ms": ("input_cost_per_audio_per_second", "input_cost_per_second"),
    "output_ms": ("output_cost_per_second",),
}
"""Per second, of counts in milliseconds."""
ALL_RATES = tuple({**INPUT_RATES, **OUTPUT_RATES, **EXTRA_RATES}.items())
COUNTED_OTHERWISE = {**EXTRA_RATES, **TIME_RATES}
"""What is billed, but not by the token."""

DEAREST_INPUT = tuple({name for names in INPUT_RATES.values() for name in names})
DEAREST_OUTPUT = tuple({name for names in OUTPUT_RATES.values() for name in names})
DEAREST_SEARCH = (*EXTRA_RATES["web_searches"], "search_context_cost_per_query_high", "search_context_cost_per_query_low")
PER_REQUEST = ("input_cost_per_request",)


def price(tokens: Usage, model_info: ModelInfo, now_s: float | None = None) -> int | None:
    """What a request cost, exactly, in units of 1 / UNITS_PER_USD; None where that is not known.

    The provider's own figure wins, unless the deployer gave prices, or it is zero for a model that is not free.
    `now_s`, when the request began, is for models with cheaper hours; without it the ordinary, dearer rates apply.
    """
    model_info = model_info.variant(tokens.variant)
    reported = None if model_info.own_prices else tokens.reported_units
    if reported or not is_priced(tokens, model_info):
        return reported
    prompt, tier = tokens.prompt, tokens.service_tier
    total = 0
    for bucket, names in ALL_RATES:
        count: int = getattr(tokens, bucket)
        if count:
            total += count * (model_info.rate(names, prompt, tier, now_s) or 0)
    for bucket, names in TIME_RATES.items():
        total += -(-getattr(tokens, bucket) * (model_info.rate(names) or 0) // 1000)
    if prompt or tokens.completion:
        total += model_info.rate(PER_REQUEST) or 0
    return total


def cost_nanousd(tokens: Usage, model_info: ModelInfo, now_s: float | None = None) -> int | None:
    """What a request cost, rounded up to a whole nano-dollar."""
    units = price(tokens, model_info, now_s)
    return None if units is None else -(-units // UNITS_PER_NANOUSD)


def is_priced(tokens: Usage, model_info: ModelInfo) -> bool:
    """Whether the table, or the deployer, says what these counts cost."""
    counted = [names for bucket, names in COUNTED_OTHERWISE.items() if getattr(tokens, bucket)]
    return model_info.priced or any(model_info.rate(names) is not None for names in counted)


def max_cost_nanousd(most: Usage, model_info: ModelInfo) -> int | None:
    """What counts cost at the dearest rates that may apply; None where the model has no price for any of them.

    Their `service_tier` is the one asked for: a provider may serve it or the ordinary one, and for `auto` priority.
    """
    model_info = model_info.variant(most.variant)
    if not is_priced(most, model_info):
        return None
    prompt, tiers = most.prompt, _possible_tiers(most.service_tier)
    units = _worst_input(model_info, prompt, most.service_tier, most.web_searches)
    units += most.completion * model_info.dearest_rate(DEAREST_OUTPUT, prompt, tiers)
    for bucket, names in EXTRA_RATES.items():
        count: int = getattr(most, bucket)
        if count and bucket != "web_searches":
            units += count * model_info.dearest_rate(names, prompt, tiers)
    for bucket, names in TIME_RATES.items():
        count = getattr(most, bucket)
        if count:
            units += -(-count * model_info.dearest_rate(names, prompt, tiers) // 1000)
    return -(-units // UNITS_PER_NANOUSD)


def other_units(tokens: Usage) -> JSON:
    """What was used besides tokens, for a record."""
    return {name: count for name in COUNTED_OTHERWISE if (count := getattr(tokens, name))}


def affordable_output_tokens(
    model_info: ModelInfo,
    remaining_nanousd: int,
    prompt_tokens: int,
    n: int = 1,
    service_tier: str | None = None,
    web_searches: int = 0,
) -> int:
    """How many output tokens each of `n` choices may have so that the worst case is within the rest of a budget."""
    left = remaining_nanousd * UNITS_PER_NANOUSD - _worst_input(model_info, prompt_tokens, service_tier, web_searches)
    if not model_info.priced or left < 0:
        return 0
    rate = max(n, 1) * model_info.dearest_rate(DEAREST_OUTPUT, prompt_tokens, _possible_tiers(service_tier))
    return min(left // rate, MAX_COUNT) if rate else MAX_COUNT


def _worst_input(model_info: ModelInfo, prompt_tokens: int, service_tier: str | None, web_searches: int) -> int:
    tiers = _possible_tiers(service_tier)
    prompt = prompt_tokens * model_info.dearest_rate(DEAREST_INPUT, prompt_tokens, tiers)
    searches = web_searches * model_info.dearest_rate(DEAREST_SEARCH, prompt_tokens, tiers)
    return prompt + searches + (model_info.rate(PER_REQUEST) or 0)


def _possible_tiers(service_tier: str | None) -> Iterable[str | None]:
    return (None, "priority" if service_tier == "auto" else service_tier)
