"""What a provider counted; `costs.py` says what that costs. Pure.

`from_openai` and `to_openai` read and write OpenAI's usage object (https://platform.openai.com/docs/api-reference/chat/object)
with the additions of those who speak its format. Adapters of other formats build `Tokens` themselves.
"""

from collections.abc import Sequence
from typing import Any

from haimaker.http.json import as_object
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import KW_ONLY, dataclass, fields, replace
from haimaker.models.rates import UNITS_PER_USD, to_units

MAX_COUNT = 10**9
"""A larger count is an upstream's mistake, and read as none."""

MAIN_COUNTS = ("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens")
TOOL_USES = {
    "web_searches": "web_search_requests",
    "maps_queries": "maps_requests",
    "opened_pages": "page_visit_requests",
    "file_searches": "file_search_requests",
    "container_gb": "container_gigabytes",
    "guardrail_microusd": "guardrail_microusd",
}
"""What a usage object calls the counts of tools that are billed."""
KNOWN_TOOL_USES = (*TOOL_USES.values(), "web_fetch_requests", "tool_search_requests")
"""The last two are free: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool#usage-and-pricing"""
OWN_PASSES = ("message", "fallback_message")
"""Of Anthropic's `iterations`, those that are in the totals; a declined one of a fallback is in neither."""

MAX_REPORTED_USD = 10**6
XAI_TICKS_PER_USD = 10**10
"""https://docs.x.ai/developers/cost-tracking"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Disjoint counts, none negative: the first eight, and three more by name, add up to the prompt, the next four, and one more
    by name, to the completion."""

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
    cached_explicit: int = 0
    """Text read from a cache that the request had made: https://www.alibabacloud.com/help/en/model-studio/context-cache"""
    cache_write_12h: int = 0
    """Written to a cache for longer than half a day."""
    input_video: int = 0
    output_video: int = 0
    web_searches: int = 0
    search_size: str | None = None
    """How much of what was found was read, where the response says so: https://docs.perplexity.ai/getting-started/pricing"""
    maps_queries: int = 0
    """Questions to Google Maps."""
    opened_pages: int = 0
    """Pages that its browser opened, where the provider bills them."""
    file_searches: int = 0
    """Searches of files that are kept at the provider."""
    container_gb: int = 0
    """Of memory, of all containers together in which code was run: https://platform.openai.com/docs/pricing#built-in-tools"""
    other_tool_uses: int = 0
    """Uses of the provider's own tools for which no price is known."""
    guardrail_microusd: int = 0
    """What a guardrail costs that judged the prompt and the answer, in millionths of a dollar: see `guardrails.py`."""
    citations: int = 0
    """Tokens of search results that are billed beside the prompt."""
    characters: int = 0
    """Characters of a text that is spoken."""
    input_ms: int = 0
    """Milliseconds of sound that is listened to."""
    output_ms: int = 0
    """Milliseconds of sound that is made."""
    images: int = 0
    """Images that were made."""
    pixels: int = 0
    """Pixels of all images that were made together."""
    input_images: int = 0
    queries: int = 0
    """Units of search, as rerank counts them."""
    variant: str | None = None
    """The line of the table with the prices that hold, such as an image's quality and size."""
    service_tier: str | None = None
    """As the response names it: what was served, which may differ from what was asked for."""
    speed: str | None = None
    """`fast` where the response says so: https://platform.claude.com/docs/en/build-with-claude/fast-mode"""
    inference_geo: str | None = None
    """Where the response says it was computed: https://platform.claude.com/docs/en/build-with-claude/data-residency"""
    model: str | None = None
    """That answered in the place of the one that was asked for, by its name at the provider."""
    is_estimated: bool = False
    """Whether a part of it is a guess."""
    is_refused: bool = False
    """Whether the request was declined before any of an answer, which Anthropic does not bill:
    https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback"""
    beside: "tuple[Usage, ...]" = ()
    """Other passes over a model that are billed with this one, each by the size of its own prompt: compaction, an advisor."""
    reported_units: int | None = None
    """What the provider says it charged, in units of 1 / UNITS_PER_USD."""

    @property
    def prompt(self) -> int:
        written = self.cache_write_5m + self.cache_write_1h + self.cache_write_12h
        return self.all_cached + written + self.input + self.input_audio + self.input_image + self.input_video

    @property
    def completion(self) -> int:
        return self.output + self.reasoning + self.output_audio + self.output_image + self.output_video

    @property
    def all_cached(self) -> int:
        return self.cached + self.cached_explicit + self.cached_audio + self.cached_image

    @property
    def passes(self) -> "tuple[Usage, ...]":
        """This pass and those beside it, each by itself."""
        return (replace(self, beside=()), *self.beside) if self.beside else (self,)

    def at_tier(self, service_tier: str) -> "Usage":
        """The same, billed at the rates of a service tier."""
        beside = tuple(replace(each, service_tier=service_tier) for each in self.beside)
        return replace(self, service_tier=service_tier, beside=beside)


TOKEN_COUNTS = (
    *("cached_audio", "cached_image", "cached", "cached_explicit", "cache_write_12h", "cache_write_1h", "cache_write_5m"),
    *("input_audio", "input_image", "input_video", "input"),
    *("output_audio", "output_image", "output_video", "reasoning", "output"),
)
"""The counts of tokens that each pass over a model has of its own."""


def from_openai(usage: Any, service_tier: Any = None) -> Usage:
    """The counts in a usage object, whatever it is: what can't be a count is none, and a part is never more than its whole.

    `service_tier` is the response's, where that is not in the usage itself.
    """
    body = as_object(usage)
    tier = service_tier if isinstance(service_tier, str) else body.get("service_tier")
    uses, size = as_object(body.get("server_tool_use")), _text(body.get("search_context_size"))
    # Alibaba's: https://www.alibabacloud.com/help/en/model-studio/web-search
    found = max(to_count(body, "num_search_queries"), to_count(as_object(as_object(body.get("plugins")).get("search")), "count"))
    used = {field: to_count(uses, name) for field, name in TOOL_USES.items()} if uses else {}
    used["web_searches"] = max(found, used.get("web_searches", 0), int(size is not None))
    counted = _counts(
        body,
        **used,
        search_size=size,
        other_tool_uses=sum(to_count(uses, name) for name in uses if name not in KNOWN_TOOL_USES),
        citations=to_count(body, "citation_tokens"),
        service_tier=_text(tier),
        speed=_text(body.get("speed")),
        inference_geo=_text(body.get("inference_geo")),
        reported_units=_reported_units(body),
        is_estimated=uses.get("estimated") is True,
        is_refused=body.get("billed") is False,
    )
    return _with_passes(counted, body.get("iterations"))


def _counts(body: JSON, **others: Any) -> Usage:
    """The counts of one pass over a model, with these fields besides."""
    details = as_object(body.get("prompt_tokens_details")) or as_object(body.get("input_tokens_details"))
    made = as_object(body.get("completion_tokens_details")) or as_object(body.get("output_tokens_details"))
    prompt, completion, reasoning = _totals(body, made)
    audio, image, text = _cache_reads(body, details)
    twelve_hours, hour, ordinary = _cache_writes(body, details)
    video = max(0, to_count(details, "video_tokens") - to_count(as_object(details.get("cached_tokens_details")), "video_tokens"))
    heard, seen = max(0, to_count(details, "audio_tokens") - audio), max(0, to_count(details, "image_tokens") - image)
    parts = _split_total(prompt, audio, image, text, twelve_hours, hour, ordinary, heard, seen, video)
    spoken, drawn, filmed, thought, written = _split_total(
        completion, to_count(made, "audio_tokens"), to_count(made, "image_tokens"), to_count(made, "video_tokens"), reasoning
    )
    all_explicit = parts[2] if details.get("cache_type") == "ephemeral" else 0
    cached, explicit = reversed(_split_total(parts[2], max(all_explicit, to_count(details, "explicit_cached_tokens"))))
    return Usage(
        cached_audio=parts[0],
        cached_image=parts[1],
        cached=cached,
        cached_explicit=explicit,
        cache_write_12h=parts[3],
        cache_write_1h=parts[4],
        cache_write_5m=parts[5],
        input_audio=parts[6],
        input_image=parts[7],
        input_video=parts[8],
        input=parts[9],
        output_audio=spoken,
        output_image=drawn,
        output_video=filmed,
        reasoning=thought,
        output=written,
        **others,
    )


def _with_passes(counted: Usage, iterations: Any) -> Usage:
    """The usage with what Anthropic's totals leave out, and with its passes apart, since each is priced by its own prompt.

    https://platform.claude.com/docs/en/build-with-claude/compaction#usage, …/agents-and-tools/tool-use/advisor-tool
    """
    own: list[Usage] = []
    beside: list[Usage] = []
    for each in iterations if isinstance(iterations, list) else ():
        kind = each.get("type") if isinstance(each, dict) else None
        if isinstance(kind, str):
            # Anthropic's `input_tokens` leave out what was read from or written to a cache.
            cached = to_count(each, "cache_read_input_tokens") + sum(_cache_writes(each, {}))
            counts = _counts({**each, "input_tokens": to_count(each, "input_tokens") + cached})
            counts = replace(counts, model=_text(each.get("model")), service_tier=counted.service_tier)
            counts = replace(counts, inference_geo=counted.inference_geo, speed=None if counts.model else counted.speed)
            (own if kind in OWN_PASSES else beside).append(counts)
            if kind == "fallback_message":
                counted = replace(counted, model=counts.model)
    prompts, completions = sum(each.prompt for each in own), sum(each.completion for each in own)
    if len(own) > 1 and (prompts, completions) == (counted.prompt, counted.completion):
        first, *others = (replace(each, model=counted.model, speed=counted.speed) for each in own)
        parts = {name: getattr(first, name) for name in TOKEN_COUNTS}
        counted = replace(counted, **parts)
        beside = [*others, *beside]
    return replace(counted, beside=tuple(beside)) if beside else counted


def is_plausible(usage: Any, names: Sequence[str] = MAIN_COUNTS) -> bool:
    """Whether it is a usage object whose main counts, as far as it has them, can be counts of tokens."""
    found = [usage.get(name) for name in names] if isinstance(usage, dict) else []
    return bool(usage) and bool(found) and all(each is None or to_count({"n": each}, "n") == each for each in found)


def to_openai(tokens: Usage) -> JSON:
    """OpenAI's usage object; `from_openai` reads the same counts back."""
    read: JSON = {
        "cached_tokens": tokens.all_cached,
        "audio_tokens": tokens.input_audio + tokens.cached_audio,
    }
    if tokens.input_video:
        read["video_tokens"] = tokens.input_video
    if tokens.cached_explicit:
        read["explicit_cached_tokens"] = tokens.cached_explicit
    if tokens.input_image or tokens.cached_image:
        read["image_tokens"] = tokens.input_image + tokens.cached_image
    if tokens.cached_audio or tokens.cached_image:
        read["cached_tokens_details"] = {"audio_tokens": tokens.cached_audio, "image_tokens": tokens.cached_image}
    if written := tokens.cache_write_5m + tokens.cache_write_1h + tokens.cache_write_12h:
        read["cache_write_tokens"] = written
        read["cache_creation"] = {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        }
        if tokens.cache_write_12h:
            read["cache_creation"]["ephemeral_24h_input_tokens"] = tokens.cache_write_12h
    made: JSON = {"reasoning_tokens": tokens.reasoning, "audio_tokens": tokens.output_audio}
    others = {"image_tokens": tokens.output_image, "video_tokens": tokens.output_video}
    usage: JSON = {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
        "prompt_tokens_details": read,
        "completion_tokens_details": made | {name: count for name, count in others.items() if count},
    }
    uses = {name: getattr(tokens, field) for field, name in TOOL_USES.items()}
    uses |= {"other": tokens.other_tool_uses, "estimated": tokens.is_estimated}
    if any(uses.values()):
        usage["server_tool_use"] = {name: uses for name, uses in uses.items() if uses}
    if tokens.search_size is not None:
        usage["search_context_size"] = tokens.search_size
    if tokens.is_refused:
        usage["billed"] = False
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
    by_kind = as_object(details.get("cached_tokens_details"))
    cached = max(
        to_count(details, "cached_tokens", "cache_read_tokens"),
        to_count(body, "cached_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens"),
    )
    return _split_total(cached, to_count(by_kind, "audio_tokens"), to_count(by_kind, "image_tokens"))


def _cache_writes(body: JSON, details: JSON) -> tuple[int, int, int]:
    """Tokens written to a cache for more than half a day, for an hour, and for the ordinary time."""
    by_time = as_object(body.get("cache_creation")) or as_object(details.get("cache_creation"))
    hour = to_count(by_time, "ephemeral_1h_input_tokens")
    day = to_count(by_time, "ephemeral_24h_input_tokens")
    written = max(
        to_count(body, "cache_creation_input_tokens"),
        to_count(details, "cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"),
        day + hour + to_count(by_time, "ephemeral_5m_input_tokens"),
    )
    return day, hour, written - day - hour


def _reported_units(body: JSON) -> int | None:
    """OpenRouter's `cost`, and what the deployer's own key was charged beside it; Perplexity's is an object; xAI's are ticks."""
    cost, ticks = body.get("cost"), body.get("cost_in_usd_ticks")
    if type(ticks) is int and 0 <= ticks <= MAX_REPORTED_USD * XAI_TICKS_PER_USD:
        return ticks * (UNITS_PER_USD // XAI_TICKS_PER_USD)
    found = _to_usd(cost.get("total_cost") if isinstance(cost, dict) else cost)
    if found is not None and body.get("is_byok") is True:
        found += _to_usd(as_object(body.get("cost_details")).get("upstream_inference_cost")) or 0
    return found


def _to_usd(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        units = to_units(value if isinstance(value, str) else repr(value))
    except ValueError:
        return None
    return units if units <= MAX_REPORTED_USD * UNITS_PER_USD else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def to_count(body: JSON, *names: str) -> int:
    """The largest of the fields that is a plausible count, 0 without one. Some providers write `12.0`."""
    largest = 0
    for name in names if body else ():
        count: Any = body.get(name)
        if type(count) in (int, float) and largest < count <= MAX_COUNT and count == int(count):
            largest = int(count)
    return largest


def _split_total(total: int, *parts: int) -> tuple[int, ...]:
    """Parts that add up to `total`: each takes what is left for it, and the last, added here, is the rest."""
    taken: list[int] = []
    for part in parts:
        taken.append(min(part, total))
        total -= taken[-1]
    return (*taken, total)


def sum_usages(used: Sequence[Usage]) -> Usage:
    """The usage of several calls together; a reported charge only if all of them report one."""
    if not used:
        return Usage()
    if len(used) == 1:
        return used[0]
    names = [field.name for field in fields(Usage) if type(field.default) is int]
    reported = [tokens.reported_units for tokens in used]
    return replace(
        used[0],
        **{name: sum(getattr(tokens, name) for tokens in used) for name in names},
        reported_units=None if None in reported else sum(units or 0 for units in reported),
        is_estimated=any(tokens.is_estimated for tokens in used),
        is_refused=all(tokens.is_refused for tokens in used),
        beside=tuple(each for tokens in used for each in tokens.beside),
    )
