"""Tokens and money: what a provider counted, what that costs, and the most that a request may cost.

`from_openai` and `to_openai` read and write OpenAI's usage object (https://platform.openai.com/docs/api-reference/chat/object)
with the additions of those who speak its format. Money is exact: a sum of integers, rounded up once to a nano-dollar.
Nothing here reads a clock, a table or a stream; adapters of other formats build `Tokens` themselves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from haimaker.prices import UNITS_PER_USD, Facts, to_units
from haimaker.wire import JSON

UNITS_PER_NANOUSD = UNITS_PER_USD // 10**9

MAX_COUNT = 10**9
"""A larger count is an upstream's mistake, and read as none."""

MAIN_COUNTS = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")

MAX_REPORTED_USD = 10**6
XAI_TICKS_PER_USD = 10**10
"""https://docs.x.ai/developers/cost-tracking"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Disjoint counts, none negative: the first eight add up to the prompt, the next four to the completion."""

    cached_audio: int = 0
    cached_image: int = 0
    cached: int = 0
    """Text read from a cache."""
    cache_write_1h: int = 0
    cache_write_5m: int = 0
    """Written to a cache for the provider's ordinary time."""
    input_audio: int = 0
    input_image: int = 0
    input: int = 0
    """Text that was neither read from a cache nor written to one."""
    output_audio: int = 0
    output_image: int = 0
    reasoning: int = 0
    output: int = 0
    _: KW_ONLY
    web_searches: int = 0
    citations: int = 0
    """Tokens of search results that are billed beside the prompt."""
    characters: int = 0
    """Of a text that is spoken."""
    input_ms: int = 0
    """Of sound that is listened to."""
    output_ms: int = 0
    """Of sound that is made."""
    images: int = 0
    """That were made."""
    pixels: int = 0
    """Of all images that were made together."""
    input_images: int = 0
    queries: int = 0
    """Units of search, as rerank counts them."""
    variant: str | None = None
    """The line of the table with the prices that hold, such as an image's quality and size."""
    service_tier: str | None = None
    """As the response names it: what was served, which may differ from what was asked for."""
    reported_units: int | None = None
    """What the provider says it charged, in units of 1 / UNITS_PER_USD."""

    @property
    def prompt(self) -> int:
        cached = self.cached + self.cached_audio + self.cached_image
        return self.input + cached + self.cache_write_5m + self.cache_write_1h + self.input_audio + self.input_image

    @property
    def completion(self) -> int:
        return self.output + self.reasoning + self.output_audio + self.output_image


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


def from_openai(usage: Any, service_tier: Any = None) -> Tokens:
    """The counts in a usage object, whatever it is: what can't be a count is none, and a part is never more than its whole.

    `service_tier` is the response's, where that is not in the usage itself.
    """
    body = _object(usage)
    details = _object(body.get("prompt_tokens_details")) or _object(body.get("input_tokens_details"))
    made = _object(body.get("completion_tokens_details")) or _object(body.get("output_tokens_details"))
    prompt, completion, reasoning = _totals(body, made)
    read = _cache_reads(body, details)
    special = (
        *_cache_writes(body, details),
        max(0, count(details, "audio_tokens") - read[0]),
        max(0, count(details, "image_tokens") - read[1]),
    )
    tier = service_tier if isinstance(service_tier, str) else body.get("service_tier")
    return Tokens(
        *_split(prompt, *read, *special),
        *_split(completion, count(made, "audio_tokens"), count(made, "image_tokens"), reasoning),
        web_searches=max(count(body, "num_search_queries"), count(_object(body.get("server_tool_use")), "web_search_requests")),
        citations=count(body, "citation_tokens"),
        service_tier=tier if isinstance(tier, str) else None,
        reported_units=_reported_units(body),
    )


def is_plausible(usage: Any) -> bool:
    """Whether it is a usage object whose main counts, as far as it has them, can be counts of tokens."""
    found = [usage.get(name) for name in MAIN_COUNTS] if isinstance(usage, dict) else []
    return bool(usage) and bool(found) and all(each is None or count({"n": each}, "n") == each for each in found)


def to_openai(tokens: Tokens) -> JSON:
    """OpenAI's usage object; `from_openai` reads the same counts back."""
    read: JSON = {
        "cached_tokens": tokens.cached + tokens.cached_audio + tokens.cached_image,
        "audio_tokens": tokens.input_audio + tokens.cached_audio,
    }
    if tokens.input_image or tokens.cached_image:
        read["image_tokens"] = tokens.input_image + tokens.cached_image
    if tokens.cached_audio or tokens.cached_image:
        read["cached_tokens_details"] = {"audio_tokens": tokens.cached_audio, "image_tokens": tokens.cached_image}
    if tokens.cache_write_5m or tokens.cache_write_1h:
        read["cache_write_tokens"] = tokens.cache_write_5m + tokens.cache_write_1h
        read["cache_creation"] = {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        }
    made: JSON = {"reasoning_tokens": tokens.reasoning, "audio_tokens": tokens.output_audio}
    if tokens.output_image:
        made["image_tokens"] = tokens.output_image
    usage: JSON = {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": read,
        "completion_tokens_details": made,
    }
    if tokens.web_searches:
        usage["server_tool_use"] = {"web_search_requests": tokens.web_searches}
    if tokens.citations:
        usage["citation_tokens"] = tokens.citations
    return usage


def price(tokens: Tokens, facts: Facts, now_s: float | None = None) -> int | None:
    """What a request cost, exactly, in units of 1 / UNITS_PER_USD; None where that is not known.

    The provider's own figure wins, unless the deployer gave prices, or it is zero for a model that is not free.
    `now_s`, when the request began, is for models with cheaper hours; without it the ordinary, dearer rates apply.
    """
    facts = facts.variant(tokens.variant)
    reported = None if facts.own_prices else tokens.reported_units
    if reported or not is_priced(tokens, facts):
        return reported
    prompt, tier = tokens.prompt, tokens.service_tier
    total = 0
    for bucket, names in ALL_RATES:
        count: int = getattr(tokens, bucket)
        if count:
            total += count * (facts.rate(names, prompt, tier, now_s) or 0)
    for bucket, names in TIME_RATES.items():
        total += -(-getattr(tokens, bucket) * (facts.rate(names) or 0) // 1000)
    if prompt or tokens.completion:
        total += facts.rate(PER_REQUEST) or 0
    return total


def cost_nanousd(tokens: Tokens, facts: Facts, now_s: float | None = None) -> int | None:
    """What a request cost, rounded up to a whole nano-dollar."""
    units = price(tokens, facts, now_s)
    return None if units is None else -(-units // UNITS_PER_NANOUSD)


def is_priced(tokens: Tokens, facts: Facts) -> bool:
    """Whether the table, or the deployer, says what these counts cost."""
    counted = [names for bucket, names in COUNTED_OTHERWISE.items() if getattr(tokens, bucket)]
    return facts.priced or any(facts.rate(names) is not None for names in counted)


def most_nanousd(most: Tokens, facts: Facts) -> int | None:
    """What counts cost at the dearest rates that may apply; None where the model has no price for any of them."""
    facts = facts.variant(most.variant)
    if not is_priced(most, facts):
        return None
    prompt = most.prompt
    units = prompt * facts.dearest_rate(DEAREST_INPUT, prompt, (None,))
    units += most.completion * facts.dearest_rate(DEAREST_OUTPUT, prompt, (None,))
    for bucket, names in EXTRA_RATES.items():
        units += getattr(most, bucket) * facts.dearest_rate(names, prompt, (None,))
    for bucket, names in TIME_RATES.items():
        units += -(-getattr(most, bucket) * facts.dearest_rate(names, prompt, (None,)) // 1000)
    units += facts.rate(PER_REQUEST) or 0
    return -(-units // UNITS_PER_NANOUSD)


def quantities(tokens: Tokens) -> JSON:
    """What was used besides tokens, for a record."""
    return {name: count for name in COUNTED_OTHERWISE if (count := getattr(tokens, name))}


def worst_case_nanousd(
    facts: Facts, prompt_tokens: int, output_tokens: int, service_tier: str | None = None, web_searches: int = 0, citations: int = 0
) -> int | None:
    """The most that a request within these bounds may cost by the table's rates; None where the model has no price.

    `service_tier` is the one asked for: a provider may serve it or the ordinary one, and for `auto` priority.
    """
    if not facts.priced:
        return None
    units = _worst_input(facts, prompt_tokens, service_tier, web_searches)
    units += output_tokens * facts.dearest_rate(DEAREST_OUTPUT, prompt_tokens, _may_serve(service_tier))
    units += citations * facts.dearest_rate(EXTRA_RATES["citations"], prompt_tokens, _may_serve(service_tier))
    return -(-units // UNITS_PER_NANOUSD)


def affordable_output_tokens(
    facts: Facts, remaining_nanousd: int, prompt_tokens: int, n: int = 1, service_tier: str | None = None, web_searches: int = 0
) -> int:
    """How many output tokens each of `n` choices may have so that the worst case is within the rest of a budget."""
    left = remaining_nanousd * UNITS_PER_NANOUSD - _worst_input(facts, prompt_tokens, service_tier, web_searches)
    if not facts.priced or left < 0:
        return 0
    rate = max(n, 1) * facts.dearest_rate(DEAREST_OUTPUT, prompt_tokens, _may_serve(service_tier))
    return min(left // rate, MAX_COUNT) if rate else MAX_COUNT


def estimate_tokens(text_bytes: int) -> int:
    """A guess at the tokens of a text, for an answer whose provider sent no usage: four bytes each, rounded up."""
    return -(-text_bytes // 4)


def _worst_input(facts: Facts, prompt_tokens: int, service_tier: str | None, web_searches: int) -> int:
    tiers = _may_serve(service_tier)
    prompt = prompt_tokens * facts.dearest_rate(DEAREST_INPUT, prompt_tokens, tiers)
    searches = web_searches * facts.dearest_rate(DEAREST_SEARCH, prompt_tokens, tiers)
    return prompt + searches + (facts.rate(PER_REQUEST) or 0)


def _may_serve(service_tier: str | None) -> Iterable[str | None]:
    return (None, "priority" if service_tier == "auto" else service_tier)


def _totals(body: JSON, made: JSON) -> tuple[int, int, int]:
    """Prompt, completion and reasoning tokens, the last counted in the completion also where the provider does not."""
    prompt = count(body, "prompt_tokens", "input_tokens")
    prompt = prompt or count(body, "prompt_cache_hit_tokens") + count(body, "prompt_cache_miss_tokens")
    completion = count(body, "completion_tokens", "output_tokens")
    reasoning = count(made, "reasoning_tokens")
    beside = max(0, count(body, "total_tokens") - prompt - completion)
    # Mistral counts the tokens of sound beside those of the text: https://docs.mistral.ai/capabilities/audio
    if beside and (not prompt or count(body, "prompt_audio_seconds")):
        return prompt + beside, completion, reasoning
    # xAI names the reasoning that it counts beside the completion, Gemini's OpenAI endpoint does not name it.
    if beside and reasoning in (0, beside):
        return prompt, completion + beside, beside if completion else reasoning
    if not reasoning:
        reasoning = count(body, "reasoning_tokens")
        if "citation_tokens" in body:  # Perplexity's deep research: beside the completion, and not in the total.
            completion += reasoning
    return prompt, completion, reasoning


def _cache_reads(body: JSON, details: JSON) -> tuple[int, ...]:
    """Audio, image and text tokens that were read from a cache."""
    by_kind = _object(details.get("cached_tokens_details"))
    cached = max(
        count(details, "cached_tokens", "cache_read_tokens"),
        count(body, "cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens"),
    )
    return _split(cached, count(by_kind, "audio_tokens"), count(by_kind, "image_tokens"))


def _cache_writes(body: JSON, details: JSON) -> tuple[int, int]:
    """Tokens written to a cache for an hour, and for the ordinary time."""
    by_time = _object(body.get("cache_creation")) or _object(details.get("cache_creation"))
    hour = count(by_time, "ephemeral_1h_input_tokens")
    written = max(
        count(body, "cache_creation_input_tokens"),
        count(details, "cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"),
        hour + count(by_time, "ephemeral_5m_input_tokens"),
    )
    return hour, written - hour


def _reported_units(body: JSON) -> int | None:
    """OpenRouter's `cost`, and what the deployer's own key was charged beside it; Perplexity's is an object; xAI's are ticks."""
    cost, ticks = body.get("cost"), body.get("cost_in_usd_ticks")
    if type(ticks) is int and 0 <= ticks <= MAX_REPORTED_USD * XAI_TICKS_PER_USD:
        return ticks * (UNITS_PER_USD // XAI_TICKS_PER_USD)
    found = _usd(cost.get("total_cost") if isinstance(cost, dict) else cost)
    if found is not None and body.get("is_byok") is True:
        found += _usd(_object(body.get("cost_details")).get("upstream_inference_cost")) or 0
    return found


def _usd(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        units = to_units(value if isinstance(value, str) else repr(value))
    except ValueError:
        return None
    return units if units <= MAX_REPORTED_USD * UNITS_PER_USD else None


def _object(value: Any) -> JSON:
    return value if isinstance(value, dict) else {}


def count(body: JSON, *names: str) -> int:
    """The largest of the fields that is a plausible count, 0 without one. Some providers write `12.0`."""
    found = (body[name] for name in names if name in body and type(body[name]) in (int, float))
    return max((int(count) for count in found if 0 <= count <= MAX_COUNT and count == int(count)), default=0)


def _split(total: int, *parts: int) -> tuple[int, ...]:
    """Parts that add up to `total`: each takes what is left for it, and the last, added here, is the rest."""
    taken: list[int] = []
    for part in parts:
        taken.append(min(part, total))
        total -= taken[-1]
    return (*taken, total)
