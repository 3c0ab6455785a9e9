"""Anthropic's usage as disjoint counts.

https://platform.claude.com/docs/en/api/messages: `input_tokens` leaves out what was read from or written to a cache.
"""

from typing import Any

from haimaker.http.json import as_object
from haimaker.http.values import JSON
from haimaker.pricing.usage import KNOWN_TOOL_USES, Usage, to_count

SERVICE_TIER = {"standard": "default", "priority": "priority", "batch": "batch"}
COPIED = ("inference_geo", "iterations", "speed")
"""What else decides the price, told to the client as it is."""


def merge_counts(said: JSON, later: Any, *, wrote: bool = True) -> JSON:
    """Counts of a stream are cumulative: a later one stands, unless it is missing or none, within an object as well. Nothing
    stands as the count of an answer only where nothing was written: a stream begins with a count of what it may write."""
    if not isinstance(later, dict):
        return said
    made = dict(said)
    for name, value in later.items():
        if isinstance(value, dict) and isinstance(said.get(name), dict):
            made[name] = merge_counts(said[name], value)
        elif value or name not in said or (name == "output_tokens" and value == 0 and not wrote):
            made[name] = value
    return made


def to_usage(usage: JSON) -> Usage:
    by_time = as_object(usage.get("cache_creation"))
    hour = to_count(by_time, "ephemeral_1h_input_tokens")
    written = max(to_count(usage, "cache_creation_input_tokens"), hour + to_count(by_time, "ephemeral_5m_input_tokens"))
    uses = as_object(usage.get("server_tool_use"))
    output = to_count(usage, "output_tokens")
    thinking = min(output, to_count(as_object(usage.get("output_tokens_details")), "thinking_tokens"))
    return Usage(
        cached=to_count(usage, "cache_read_input_tokens"),
        cache_write_1h=hour,
        cache_write_5m=written - hour,
        input=to_count(usage, "input_tokens"),
        reasoning=thinking,
        output=output - thinking,
        web_searches=to_count(uses, "web_search_requests"),
        other_tool_uses=sum(to_count(uses, name) for name in uses if name not in KNOWN_TOOL_USES),
        service_tier=service_tier(usage),
    )


def service_tier(usage: JSON) -> str | None:
    tier = usage.get("service_tier")
    return SERVICE_TIER.get(tier) if isinstance(tier, str) else None
