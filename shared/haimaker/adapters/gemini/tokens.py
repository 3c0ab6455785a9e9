"""Google's `usageMetadata` as OpenAI's usage. https://ai.google.dev/api/generate-content#UsageMetadata"""

from collections.abc import Mapping
from typing import Any

from haimaker.http.json import as_objects, as_text
from haimaker.http.values import JSON
from haimaker.pricing import usage

MAIN_COUNTS = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")
SERVICE_TIERS: Mapping[str, str] = {
    "standard": "default",
    "flex": "flex",
    "priority": "priority",
    "ON_DEMAND": "default",
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_PRIORITY": "priority",
}
"""What was served, as AI Studio and as Vertex AI say it."""


def to_usage(metadata: JSON, searches: int, asked_maps: int = 0) -> JSON | None:
    """None where nothing was counted, or what can not be. `searches` are those that are billed; their finds are then no prompt."""
    prompt, total = usage.to_count(metadata, "promptTokenCount"), usage.to_count(metadata, "totalTokenCount")
    candidates, thoughts = usage.to_count(metadata, "candidatesTokenCount"), usage.to_count(metadata, "thoughtsTokenCount")
    if not (prompt or total or candidates or thoughts) or not usage.is_plausible(metadata, MAIN_COUNTS):
        return None
    # Some models count the thoughts among the candidates' tokens; only the total tells.
    completion = candidates if total and thoughts <= candidates and prompt + candidates == total else candidates + thoughts
    read, cached = (_by_kind(metadata.get(name)) for name in ("promptTokensDetails", "cacheTokensDetails"))
    if not searches:
        prompt += usage.to_count(metadata, "toolUsePromptTokenCount")
        found = _by_kind(metadata.get("toolUsePromptTokensDetails"))
        read = {kind: read.get(kind, 0) + found.get(kind, 0) for kind in read.keys() | found.keys()}
    made = _by_kind(metadata.get("candidatesTokensDetails"))
    counted = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": {
            "cached_tokens": usage.to_count(metadata, "cachedContentTokenCount"),
            "cached_tokens_details": _details(cached),
            **_details(read),
        },
        "completion_tokens_details": {"reasoning_tokens": thoughts, **_details(made)},
        "server_tool_use": {"web_search_requests": searches, "maps_requests": asked_maps},
    }
    return usage.to_openai(usage.from_openai(counted))


def service_tier(metadata: JSON) -> str | None:
    named = as_text(metadata.get("serviceTier")) or as_text(metadata.get("trafficType"))
    return SERVICE_TIERS.get(named)


def _by_kind(details: Any) -> dict[str, int]:
    return {as_text(found.get("modality")): usage.to_count(found, "tokenCount") for found in as_objects(details)}


def _details(by_kind: Mapping[str, int]) -> JSON:
    kinds = (("audio_tokens", "AUDIO"), ("image_tokens", "IMAGE"), ("video_tokens", "VIDEO"))
    return {name: by_kind.get(kind, 0) for name, kind in kinds}
