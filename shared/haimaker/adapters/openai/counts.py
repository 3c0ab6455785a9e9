"""Usage objects of others with the fields that OpenAI's have. Pure.

https://platform.openai.com/docs/api-reference/chat/object; what the counts mean is in `haimaker.pricing.usage`.
"""

from typing import Any

from haimaker.http.values import JSON
from haimaker.models.names import hears_beside, thinks_beside
from haimaker.pricing import usage

TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")
PROMPT = ("prompt_tokens", "input_tokens")
COMPLETION = ("completion_tokens", "output_tokens")
DETAILS = {
    "prompt_tokens_details": frozenset({"cached_tokens", "audio_tokens", "image_tokens", "text_tokens"}),
    "completion_tokens_details": frozenset(
        {"reasoning_tokens", "audio_tokens", "text_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens"}
    ),
}
"""OpenAI's own, beside the totals."""


def normalize_usage(used: JSON, model: str = "") -> JSON:
    """Usage that says how many tokens there were; the same object where it does, or where nothing that it says can be meant."""
    return used if _is_openais(used) or not usage.is_plausible(used) else complete_usage(used, model)


def complete_usage(used: JSON, model: str) -> JSON:
    """Plausible usage with what lacks; the same object where nothing does."""
    if hears_beside(model):
        used = _with_sound(used)
    if all(type(used.get(name)) is int for name in TOTALS):
        return _fold_reasoning(_with_details(used), model)
    read = usage.to_openai(usage.from_openai(used))
    counts = [next((used[name] for name in names if type(used.get(name)) is int), read[names[0]]) for names in (PROMPT, COMPLETION)]
    total = used["total_tokens"] if type(used.get("total_tokens")) is int else sum(counts)
    return _fold_reasoning(_with_details({**used, **dict(zip(TOTALS, (*counts, total), strict=True))}), model)


def _is_openais(used: JSON) -> bool:
    """Whether it has OpenAI's own fields, no others, and counts that add up: nothing is told in another place, or left out."""
    if not used.keys() <= {*TOTALS, *DETAILS} or not all(type(used.get(name)) is int for name in TOTALS):
        return False
    if used["prompt_tokens"] + used["completion_tokens"] != used["total_tokens"]:
        return False
    for name, known in DETAILS.items():
        held = used.get(name)
        if held is not None and not (type(held) is dict and held.keys() <= known and all(type(n) is int for n in held.values())):
            return False
    return bool(_of(used, "completion_tokens_details", "reasoning_tokens") <= used["completion_tokens"])


def _with_sound(used: JSON) -> JSON:
    """Usage of Voxtral, which counts the tokens of sound in the total only: https://docs.mistral.ai/capabilities/audio"""
    prompt, completion, total = (usage.to_count(used, name) for name in TOTALS)
    beside = total - prompt - completion
    return {**used, "prompt_tokens": prompt + beside} if beside > 0 else used


def _fold_reasoning(used: JSON, model: str) -> JSON:
    """Usage whose completion has the reasoning in it, which some count beside it.

    In the total it is already at xAI (https://docs.x.ai/docs/guides/reasoning), not with Gemini at DeepInfra, whose reasoning
    is more than all of the completion. Of other models reasoning that is more than that is an estimate.
    """
    reasoning = _of(used, "completion_tokens_details", "reasoning_tokens")
    prompt, completion, total = (used[name] for name in TOTALS)
    whole = prompt + completion + reasoning
    beside = thinks_beside(model) and reasoning > completion and total == prompt + completion
    if not reasoning or (total != whole and not beside):
        return used
    return {**used, "completion_tokens": completion + reasoning, "total_tokens": whole}


def _with_details(used: JSON) -> JSON:
    """What was read from a cache and what was reasoning, where it is told beside the details and not in them."""
    tokens = usage.from_openai(used)
    made: JSON = {}
    for details, name, count in (
        ("prompt_tokens_details", "cached_tokens", tokens.cached + tokens.cached_audio + tokens.cached_image),
        ("completion_tokens_details", "reasoning_tokens", tokens.reasoning),
    ):
        held = used.get(details)
        if count and not _of(used, details, name):
            made[details] = {**(held if isinstance(held, dict) else {}), name: count}
        elif held is not None and not isinstance(held, dict):
            made[details] = None
    return {**used, **made} if made else used


def _of(used: JSON, details: str, name: str) -> int:
    held: Any = used.get(details)
    count = held.get(name) if isinstance(held, dict) else None
    return count if type(count) is int else 0
