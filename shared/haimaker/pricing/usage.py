"""What a provider counted; `costs.py` says what that costs. Pure.

`from_openai` and `to_openai` read and write OpenAI's usage object (https://platform.openai.com/docs/api-reference/chat/object)
with the additions of those who speak its format. Adapters of other formats build `Tokens` themselves.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, fields
from typing import Any

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.models.catalog import UNITS_PER_USD, to_units

MAX_COUNT = 10**9
"""A larger count is an upstream's mistake, and read as none."""

MAIN_COUNTS = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")

MAX_REPORTED_USD = 10**6
XAI_TICKS_PER_USD = 10**10
"""https://docs.x.ai/developers/cost-tracking"""


@dataclass(frozen=True, slots=True)
class Usage:
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


def from_openai(usage: Any, service_tier: Any = None) -> Usage:
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
        max(0, to_count(details, "audio_tokens") - read[0]),
        max(0, to_count(details, "image_tokens") - read[1]),
    )
    tier = service_tier if isinstance(service_tier, str) else body.get("service_tier")
    return Usage(
        *_split_total(prompt, *read, *special),
        *_split_total(completion, to_count(made, "audio_tokens"), to_count(made, "image_tokens"), reasoning),
        web_searches=max(
            to_count(body, "num_search_queries"), to_count(_object(body.get("server_tool_use")), "web_search_requests")
        ),
        citations=to_count(body, "citation_tokens"),
        service_tier=tier if isinstance(tier, str) else None,
        reported_units=_reported_units(body),
    )


def is_plausible(usage: Any) -> bool:
    """Whether it is a usage object whose main counts, as far as it has them, can be counts of tokens."""
    found = [usage.get(name) for name in MAIN_COUNTS] if isinstance(usage, dict) else []
    return bool(usage) and bool(found) and all(each is None or to_count({"n": each}, "n") == each for each in found)


def to_openai(tokens: Usage) -> JSON:
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


def utf8_length(text: str) -> int:
    """The bytes of a text in UTF-8; half of a surrogate pair counts as well."""
    return len(text.encode("utf-8", "surrogatepass"))


def estimate_tokens(text_bytes: int) -> int:
    """A guess at the tokens of a text, for an answer whose provider sent no usage: four bytes each, rounded up."""
    return -(-text_bytes // 4)


def _totals(body: JSON, made: JSON) -> tuple[int, int, int]:
    """Prompt, completion and reasoning tokens, the last counted in the completion also where the provider does not."""
    prompt = to_count(body, "prompt_tokens", "input_tokens")
    prompt = prompt or to_count(body, "prompt_cache_hit_tokens") + to_count(body, "prompt_cache_miss_tokens")
    completion = to_count(body, "completion_tokens", "output_tokens")
    reasoning = to_count(made, "reasoning_tokens")
    beside = max(0, to_count(body, "total_tokens") - prompt - completion)
    # Mistral counts the tokens of sound beside those of the text: https://docs.mistral.ai/capabilities/audio
    if beside and (not prompt or to_count(body, "prompt_audio_seconds")):
        return prompt + beside, completion, reasoning
    # xAI names the reasoning that it counts beside the completion, Gemini's OpenAI endpoint does not name it.
    if beside and reasoning in (0, beside):
        return prompt, completion + beside, beside if completion else reasoning
    if not reasoning:
        reasoning = to_count(body, "reasoning_tokens")
        if "citation_tokens" in body:  # Perplexity's deep research: beside the completion, and not in the total.
            completion += reasoning
    return prompt, completion, reasoning


def _cache_reads(body: JSON, details: JSON) -> tuple[int, ...]:
    """Audio, image and text tokens that were read from a cache."""
    by_kind = _object(details.get("cached_tokens_details"))
    cached = max(
        to_count(details, "cached_tokens", "cache_read_tokens"),
        to_count(body, "cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens"),
    )
    return _split_total(cached, to_count(by_kind, "audio_tokens"), to_count(by_kind, "image_tokens"))


def _cache_writes(body: JSON, details: JSON) -> tuple[int, int]:
    """Tokens written to a cache for an hour, and for the ordinary time."""
    by_time = _object(body.get("cache_creation")) or _object(details.get("cache_creation"))
    hour = to_count(by_time, "ephemeral_1h_input_tokens")
    written = max(
        to_count(body, "cache_creation_input_tokens"),
        to_count(details, "cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"),
        hour + to_count(by_time, "ephemeral_5m_input_tokens"),
    )
    return hour, written - hour


def _reported_units(body: JSON) -> int | None:
    """OpenRouter's `cost`, and what the deployer's own key was charged beside it; Perplexity's is an object; xAI's are ticks."""
    cost, ticks = body.get("cost"), body.get("cost_in_usd_ticks")
    if type(ticks) is int and 0 <= ticks <= MAX_REPORTED_USD * XAI_TICKS_PER_USD:
        return ticks * (UNITS_PER_USD // XAI_TICKS_PER_USD)
    found = _to_usd(cost.get("total_cost") if isinstance(cost, dict) else cost)
    if found is not None and body.get("is_byok") is True:
        found += _to_usd(_object(body.get("cost_details")).get("upstream_inference_cost")) or 0
    return found


def _to_usd(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        units = to_units(value if isinstance(value, str) else repr(value))
    except ValueError:
        return None
    return units if units <= MAX_REPORTED_USD * UNITS_PER_USD else None


def _object(value: Any) -> JSON:
    return value if isinstance(value, dict) else {}


def to_count(body: JSON, *names: str) -> int:
    """The largest of the fields that is a plausible count, 0 without one. Some providers write `12.0`."""
    found = (body[name] for name in names if name in body and type(body[name]) in (int, float))
    return max((int(count) for count in found if 0 <= count <= MAX_COUNT and count == int(count)), default=0)


def _split_total(total: int, *parts: int) -> tuple[int, ...]:
    """Parts that add up to `total`: each takes what is left for it, and the last, added here, is the rest."""
    taken: list[int] = []
    for part in parts:
        taken.append(min(part, total))
        total -= taken[-1]
    return (*taken, total)


def sum_usages(used: Sequence[Usage]) -> Usage:
    """The usage of several calls together; a reported charge only if all of them report one."""
    names = [field.name for field in fields(Usage) if isinstance(field.default, int)]
    reported = [tokens.reported_units for tokens in used]
    return Usage(
        **{name: sum(getattr(tokens, name) for tokens in used) for name in names},
        service_tier=used[0].service_tier if used else None,
        variant=used[0].variant if used else None,
        reported_units=None if None in reported or not used else sum(units or 0 for units in reported),
    )
