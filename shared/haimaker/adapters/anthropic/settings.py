"""Limits, sampling, stops, who the user is, and how long to think.

https://platform.claude.com/docs/en/api/messages, …/build-with-claude/adaptive-thinking, …/effort, …/extended-thinking
"""

import re
from collections.abc import Mapping
from typing import Any

from haimaker.adapters.anthropic.request_builder import RequestBuilder
from haimaker.http.errors import invalid_parameter
from haimaker.http.values import JSON
from haimaker.models.traits import ALWAYS, EFFORTS, NEVER
from haimaker.operations.attempt import Attempt

SERVICE_TIER: Mapping[str, str] = {
    "auto": "auto",
    "default": "standard_only",
    "priority": "auto",
    "standard_only": "standard_only",
}
USER_ID_LENGTH = 256
PERSONAL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|\+?[\d\s().-]{7,}")
"""An e-mail address or a telephone number, which Anthropic refuses as a user's id."""

MIN_BUDGET_TOKENS = 1_024
BINDING_BETA = "thinking-binding-controls-2026-08-01"
FILES_BETA = "files-api-2025-04-14"
"""https://platform.claude.com/docs/en/build-with-claude/files: a client that has only OpenAI's `file_id` can't know of it."""
MIN_TOP_P = 0.95
"""The least `top_p` beside thinking."""


def set_limits(builder: RequestBuilder, attempt: Attempt) -> None:
    asked = builder.openai_body.get("max_completion_tokens") or builder.openai_body.get("max_tokens")
    most = attempt.model_info.max_output_tokens
    wanted = asked or attempt.max_output_tokens or most or builder.traits.default_max_tokens
    builder.anthropic_body["max_tokens"] = min(wanted, most) if most else wanted
    stop = builder.openai_body.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    kept = [sequence for sequence in stops if sequence.strip()]
    if kept:
        builder.anthropic_body["stop_sequences"] = kept
    if len(kept) < len(stops):
        builder.drop("stop")


def set_sampling(builder: RequestBuilder) -> None:
    """Sets temperature, top_p and top_k. Called after thinking is set, which excludes most of them."""
    builder.anthropic_body.pop("top_k", None)
    chosen = builder.anthropic_body.get("thinking")
    thinks = isinstance(chosen, dict) and chosen.get("type") in ("enabled", "adaptive")
    for name in ("temperature", "top_p", "top_k"):
        value = builder.openai_body.get(name)
        if value is None:
            continue
        if name not in builder.traits.drops and _takes_sample(name, value, thinks, "temperature" in builder.anthropic_body):
            builder.anthropic_body[name] = value
        elif value != 1 or name == "top_k":
            builder.drop(name)


def set_account(builder: RequestBuilder) -> None:
    """Sets the end user's id and the service tier."""
    asked = builder.openai_body
    metadata = asked.get("metadata")
    named = metadata.get("user_id") if isinstance(metadata, dict) else None
    if metadata and (not isinstance(metadata, dict) or set(metadata) != {"user_id"}):
        builder.drop("metadata")
    for name, user in (("metadata", named), ("user", asked.get("user")), ("safety_identifier", asked.get("safety_identifier"))):
        if not isinstance(user, str) or not user:
            continue
        if PERSONAL.fullmatch(user) or len(user) > USER_ID_LENGTH:
            builder.drop(name)
        else:
            builder.anthropic_body.setdefault("metadata", {"user_id": user})
    tier = asked.get("service_tier")
    if isinstance(tier, str) and tier in SERVICE_TIER:
        builder.anthropic_body["service_tier"] = SERVICE_TIER[tier]
    elif tier is not None:
        builder.drop("service_tier")


def set_thinking(builder: RequestBuilder) -> None:
    """`thinking`, which is Anthropic's own and wins, or `reasoning_effort`. After the messages: they may rule it out."""
    own = builder.anthropic_body.pop("thinking", None)
    if own is not None:
        _set_own_thinking(builder, own)
        return
    effort = builder.openai_body.get("reasoning_effort")
    if effort is None:
        return
    if not isinstance(effort, str) or effort not in EFFORTS:
        raise invalid_parameter("reasoning_effort", f"it must be one of {', '.join(EFFORTS)}")
    value = (builder.traits.efforts or {}).get(effort)
    if value is None:
        if effort != "none":
            builder.drop("reasoning_effort")
    elif isinstance(value, str):
        _set_adaptive_thinking(builder, effort, value)
    elif effort != "none":
        _set_thinking_budget(builder, value)


def bind_thinking(builder: RequestBuilder) -> None:
    """Has thinking that no longer fits its conversation dropped rather than refused.

    OpenAI's format has no place for thinking that no tool call follows, so that clients can't send all of it back.
    """
    if not builder.traits.binds_thinking or not any(_is_thinking(block) for block in _blocks(builder.anthropic_body)):
        return
    chosen = builder.anthropic_body.get("thinking", {"type": "adaptive"})
    if isinstance(chosen, dict) and chosen.get("type") == "adaptive" and "block_binding" not in chosen:
        builder.anthropic_body["thinking"] = {**chosen, "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
        builder.betas.append(BINDING_BETA)


def allow_files(builder: RequestBuilder) -> None:
    """Asks for the beta of files, where a block needs it. Called after the messages are set."""
    if any(block.get("type") == "container_upload" or _is_by_id(block.get("source")) for block in _blocks(builder.anthropic_body)):
        builder.betas.append(FILES_BETA)


def _is_by_id(source: Any) -> bool:
    return isinstance(source, dict) and source.get("type") == "file"


def _set_own_thinking(builder: RequestBuilder, own: Any) -> None:
    adapts = builder.traits.thinks != NEVER and not builder.traits.thinks_by_budget
    if isinstance(own, dict) and own.get("type") == "enabled" and adapts:
        builder.drop("thinking.budget_tokens")
        own = {"type": "adaptive", "display": own.get("display", "summarized")}
    if isinstance(own, dict) and own.get("type") == "enabled" and has_lost_thinking(builder.anthropic_body["messages"]):
        builder.drop("thinking")
    else:
        builder.anthropic_body["thinking"] = own


def _set_adaptive_thinking(builder: RequestBuilder, effort: str, level: str) -> None:
    if effort == "none" and builder.traits.thinks != ALWAYS:
        if builder.traits.thinking_off:
            builder.anthropic_body["thinking"] = dict(builder.traits.thinking_off)
        return
    builder.anthropic_body["thinking"] = {"type": "adaptive", "display": "summarized"}
    own = builder.anthropic_body.get("output_config")
    builder.anthropic_body["output_config"] = {"effort": level, **(own if isinstance(own, dict) else {})}


def _set_thinking_budget(builder: RequestBuilder, wanted: int) -> None:
    """A budget has to leave room for the answer; and thinking has to precede the last call of a tool, where it was lost."""
    limit = builder.anthropic_body["max_tokens"]
    if limit <= MIN_BUDGET_TOKENS or has_lost_thinking(builder.anthropic_body["messages"]):
        builder.drop("reasoning_effort")
        return
    builder.anthropic_body["thinking"] = {"type": "enabled", "budget_tokens": min(wanted, max(MIN_BUDGET_TOKENS, limit // 2))}


def has_lost_thinking(messages: list[JSON]) -> bool:
    last: Any = next((message["content"] for message in reversed(messages) if message["role"] == "assistant"), [])
    return isinstance(last, list) and any(block.get("type") == "tool_use" for block in last) and not _is_thinking(last[0])


def _takes_sample(name: str, value: Any, thinks: bool, has_temperature: bool) -> bool:
    """A temperature above 1 is left out, for 1 is the most and what there is without one; `top_p` does not go with it."""
    if name == "temperature":
        return bool(value <= 1 and (not thinks or value == 1))
    if name == "top_p":
        return not has_temperature and (not thinks or bool(MIN_TOP_P <= value <= 1))
    return not thinks


def _is_thinking(block: JSON) -> bool:
    return block.get("type") in ("thinking", "redacted_thinking")


def _blocks(call: JSON) -> list[JSON]:
    return [block for message in call["messages"] for block in message["content"]]
