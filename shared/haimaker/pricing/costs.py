"""Money: what counts cost at a model's rates, and the most that a request may cost. Pure.

It is exact: a sum of integers, rounded up once to a nano-dollar. Nothing here reads a clock, a table or a stream.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter

from haimaker.http.values import JSON
from haimaker.models.catalog import ModelInfo
from haimaker.models.rates import UNITS_PER_USD
from haimaker.pricing.usage import MAX_COUNT, Usage

UNITS_PER_NANOUSD = UNITS_PER_USD // 10**9

INPUT_RATES: Mapping[str, tuple[str, ...]] = {
    "input": ("input_cost_per_token",),
    "cached": ("cache_read_input_token_cost", "input_cost_per_token"),
    "cached_explicit": ("explicit_cache_read_input_token_cost", "cache_read_input_token_cost", "input_cost_per_token"),
    "cached_audio": (
        *("cache_read_input_audio_token_cost", "cache_read_input_token_cost"),
        *("input_cost_per_audio_token", "input_cost_per_token"),
    ),
    "cached_image": (
        *("cache_read_input_image_token_cost", "cache_read_input_token_cost"),
        *("input_cost_per_image_token", "input_cost_per_token"),
    ),
    "cache_write_5m": ("cache_creation_input_token_cost", "input_cost_per_token"),
    "cache_write_1h": ("cache_creation_input_token_cost_above_1hr", "cache_creation_input_token_cost", "input_cost_per_token"),
    "cache_write_12h": (
        *("cache_creation_input_token_cost_above_12hr", "cache_creation_input_token_cost_above_1hr"),
        *("cache_creation_input_token_cost", "input_cost_per_token"),
    ),
    "input_audio": ("input_cost_per_audio_token", "input_cost_per_token"),
    "input_image": ("input_cost_per_image_token", "input_cost_per_token"),
    "input_video": ("input_cost_per_video_token", "input_cost_per_token"),
}
OUTPUT_RATES: Mapping[str, tuple[str, ...]] = {
    "output": ("output_cost_per_token",),
    "reasoning": ("output_cost_per_reasoning_token", "output_cost_per_token"),
    "output_audio": ("output_cost_per_audio_token", "output_cost_per_token"),
    "output_image": ("output_cost_per_image_token", "output_cost_per_token"),
    "output_video": ("output_cost_per_video_token", "output_cost_per_token"),
}
SEARCH_SIZES = tuple(f"search_context_cost_per_query_{size}" for size in ("medium", "high", "low"))
FEE_RATES: Mapping[str, tuple[str, ...]] = {
    "web_searches": ("search_context_cost_per_query", *SEARCH_SIZES),
    "maps_queries": ("google_maps_grounding_cost_per_query",),
    "opened_pages": ("page_visit_cost_per_query",),
    "file_searches": ("file_search_cost_per_query",),
    "container_gb": ("container_cost_per_gb",),
    "guardrail_microusd": ("guardrail_cost_per_microusd",),
    "other_tool_uses": (),
    "citations": ("citation_cost_per_token",),
}
"""Billed besides what the model reads and writes: one that is counted and has no rate makes the cost unknown.
Where the price of a search depends on how much of it is read, and the answer does not say, it is the medium one's."""
EXTRA_RATES: Mapping[str, tuple[str, ...]] = {
    **FEE_RATES,
    "characters": ("input_cost_per_character",),
    "images": ("output_cost_per_image",),
    "pixels": ("output_cost_per_pixel", "input_cost_per_pixel"),
    "input_images": ("input_cost_per_image",),
    "queries": ("input_cost_per_query",),
}
TIME_RATES: Mapping[str, tuple[str, ...]] = {
    "input_ms": ("input_cost_per_audio_per_second", "input_cost_per_second"),
    "output_ms": ("output_cost_per_second",),
}
"""Per second, of counts in milliseconds."""
TOKEN_RATES = {**INPUT_RATES, **OUTPUT_RATES}
COUNTED_OTHERWISE = {**EXTRA_RATES, **TIME_RATES}
"""What is billed, but not by the token."""
_counts_of_tokens = attrgetter(*TOKEN_RATES)
_other_counts = attrgetter(*COUNTED_OTHERWISE)

FAST, US = "fast_multiplier", "us_multiplier"

DEAREST_INPUT = tuple({name for names in INPUT_RATES.values() for name in names})
DEAREST_OUTPUT = tuple({name for names in OUTPUT_RATES.values() for name in names})
PER_REQUEST = ("input_cost_per_request",)


def price(tokens: Usage, model_info: ModelInfo, now_s: float | None = None) -> int | None:
    """What a request cost, exactly, in units of 1 / UNITS_PER_USD; None where that is not known.

    The provider's own figure wins, unless the deployer gave prices, or it is zero for a model that is not free.
    `now_s`, when the request began, is for models with cheaper hours; without it the ordinary, dearer rates apply.
    """
    reported = None if model_info.own_prices else tokens.reported_units
    if reported:
        return reported
    if tokens.is_refused:
        return 0
    found = [_price_of_pass(each, model_info, now_s) for each in tokens.passes]
    return reported if None in found else sum(units for units in found if units is not None)


def _price_of_pass(tokens: Usage, model_info: ModelInfo, now_s: float | None) -> int | None:
    """The price of one pass, at the rates of the model that answered. None where it has no known price."""
    model_info = model_info.served_as(tokens.model).variant(tokens.variant)
    if not is_priced(tokens, model_info):
        return None
    prompt, tier = tokens.prompt, tokens.service_tier
    total = 0
    for names, count in zip(TOKEN_RATES.values(), _counts_of_tokens(tokens), strict=True):
        if count:
            total += count * (model_info.rate(names, prompt, tier, now_s) or 0)
    total = model_info.multiplied(total, _multipliers(tokens))
    if any(_other_counts(tokens)):
        total += _price_of_others(tokens, model_info, now_s)
    if prompt or tokens.completion:
        total += model_info.rate(PER_REQUEST) or 0
    return total


def _price_of_others(tokens: Usage, model_info: ModelInfo, now_s: float | None) -> int:
    """The price of what is not counted in tokens."""
    prompt, tier, total = tokens.prompt, tokens.service_tier, 0
    for bucket, names in EXTRA_RATES.items():
        if count := getattr(tokens, bucket):
            sized = (f"search_context_cost_per_query_{tokens.search_size}",) if bucket == "web_searches" else ()
            total += count * (model_info.rate((*sized, *names), prompt, tier, now_s) or 0)
    for bucket, names in TIME_RATES.items():
        total += -(-getattr(tokens, bucket) * (model_info.rate(names) or 0) // 1000)
    return total


def _multipliers(tokens: Usage) -> list[str]:
    """What the answer says of itself that all rates of tokens are multiplied by."""
    return [name for name, holds in ((FAST, tokens.speed == "fast"), (US, tokens.inference_geo == "us")) if holds]


def cost_nanousd(tokens: Usage, model_info: ModelInfo, now_s: float | None = None) -> int | None:
    """What a request cost, rounded up to a whole nano-dollar."""
    units = price(tokens, model_info, now_s)
    return None if units is None else -(-units // UNITS_PER_NANOUSD)


def is_priced(tokens: Usage, model_info: ModelInfo) -> bool:
    """Whether the table, or the deployer, says what these counts cost, each of the fees among them."""
    others = other_units(tokens)
    if any(model_info.rate(FEE_RATES[fee]) is None for fee in others if fee in FEE_RATES):
        return False
    counted = [COUNTED_OTHERWISE[bucket] for bucket in others if bucket not in FEE_RATES]
    only_read = model_info.own_prices and not tokens.completion and model_info.rate(INPUT_RATES["input"]) is not None
    return model_info.priced or only_read or any(model_info.rate(names) is not None for names in counted)


def max_cost_nanousd(most: Usage, model_info: ModelInfo) -> int | None:
    """What counts cost at the dearest rates that may apply; None where the model has no price for some of them.

    Their `service_tier` is the one asked for: a provider may serve it or the ordinary one, and for `auto` priority.
    """
    found = [_max_price_of_pass(each, model_info) for each in most.passes]
    return None if None in found else -(-sum(units for units in found if units is not None) // UNITS_PER_NANOUSD)


def has_max_cost(most: Usage, model_info: ModelInfo) -> bool:
    """Whether `max_cost_nanousd` knows what these counts cost."""
    return all(is_priced(each, model_info.served_as(each.model).variant(each.variant)) for each in most.passes)


def _max_price_of_pass(most: Usage, model_info: ModelInfo) -> int | None:
    model_info = model_info.served_as(most.model).variant(most.variant)
    if not is_priced(most, model_info):
        return None
    prompt, tiers = most.prompt, _possible_tiers(most.service_tier)
    units = prompt * model_info.dearest_rate(DEAREST_INPUT, prompt, tiers)
    units += most.completion * model_info.dearest_rate(DEAREST_OUTPUT, prompt, tiers)
    units = model_info.multiplied(units, _multipliers(most))
    for bucket, count in other_units(most).items():
        full = count * model_info.dearest_rate(COUNTED_OTHERWISE[bucket], prompt, tiers)
        units += -(-full // 1000) if bucket in TIME_RATES else full
    return units + (model_info.rate(PER_REQUEST) or 0)


def other_units(tokens: Usage) -> JSON:
    """What was used besides tokens, for a record."""
    counts = _other_counts(tokens)
    return {name: count for name, count in zip(COUNTED_OTHERWISE, counts, strict=True) if count} if any(counts) else {}


def affordable_output_tokens(model_info: ModelInfo, remaining_nanousd: int, most: Usage, n: int = 1) -> int:
    """How many output tokens each of `n` choices may have so that the worst case is within the rest of a budget. `most` is what
    is used besides."""
    found = [_max_price_of_pass(each, model_info) for each in most.passes]
    left = remaining_nanousd * UNITS_PER_NANOUSD - sum(units or 0 for units in found)
    if None in found or not model_info.priced or left < 0:
        return 0
    dearest = model_info.dearest_rate(DEAREST_OUTPUT, most.passes[0].prompt, _possible_tiers(most.service_tier))
    rate = model_info.multiplied(max(n, 1) * dearest, _multipliers(most))
    return min(left // rate, MAX_COUNT) if rate else MAX_COUNT


def _possible_tiers(service_tier: str | None) -> Iterable[str | None]:
    return (None, "priority" if service_tier == "auto" else service_tier)
