"""One message of a request in a provider's dialect. Pure; a message may hold anything, and what is not understood passes.

https://platform.openai.com/docs/api-reference/chat/create#chat_create-messages
"""

from collections.abc import Collection
from typing import Any

from haimaker.adapters.repairs import CARRIED, cache_mark, plain_id
from haimaker.http.values import JSON
from haimaker.providers.provider import Dialect, MessageRules

FOREIGN = ("thinking_blocks", "tool_plan", "extra_content")
"""Fields of other formats, which a client may have kept from an earlier answer: of a message, or of a call in it."""
DETAILS = "reasoning_details"
LOST_REASONING = " "
"""Stands for reasoning that the client has not kept; an empty text is refused."""


def edit_message(message: JSON, dialect: Dialect, *, thinks: bool) -> JSON:
    rules = dialect.messages
    message = _with_roles(message, rules)
    message = message if rules.keeps_call_ids else _with_plain_calls(message)
    if rules.reasoning_history and message.get("reasoning_content"):
        message = {rules.reasoning_history: message["reasoning_content"], **without_fields(message, ("reasoning_content",))}
    foreign = FOREIGN if rules.keeps_reasoning_details else (*FOREIGN, DETAILS)
    message = without_fields(message, (*foreign, *rules.strips_fields))
    message = _with_cache_control(message, dialect)
    message = message if dialect.takes_breakpoints else _without_breakpoints(message, dialect)
    role, content = message.get("role"), message.get("content")
    if isinstance(content, list) and (rules.flattens_content or (rules.flattens_assistant_content and role == "assistant")):
        message = {**message, "content": _flatten(content)}
    if rules.strips_nulls:
        message = {name: value for name, value in message.items() if value is not None}
    if rules.strips_names and role != "tool":
        message = without_fields(message, ("name",))
    if thinks and rules.wants_reasoning_back and message.get("tool_calls"):
        message = {**message, "reasoning_content": message.get("reasoning_content") or LOST_REASONING}
    return message


def without_fields(found: JSON, names: Collection[str]) -> JSON:
    """The object without some fields; the same object where it has none of them."""
    return {name: value for name, value in found.items() if name not in names} if any(name in found for name in names) else found


def _with_roles(message: JSON, rules: MessageRules) -> JSON:
    role = message.get("role")
    if role == "developer" and not rules.keeps_developer:
        return {**message, "role": "system"}
    return message


def _with_plain_calls(message: JSON) -> JSON:
    """Calls, and the result of one, without what another format let a client carry in them."""
    if isinstance(message.get("tool_call_id"), str):
        return {**message, "tool_call_id": plain_id(message["tool_call_id"])}
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    plain = [_plain_call(call) if isinstance(call, dict) else call for call in calls]
    return {**message, "tool_calls": plain} if any(new is not old for new, old in zip(plain, calls, strict=True)) else message


def _plain_call(call: JSON) -> JSON:
    """Nor with the place that a call has in a stream, which clients that collect one keep."""
    identifier, call = call.get("id"), without_fields(call, (*FOREIGN, "index"))
    return {**call, "id": plain_id(identifier)} if isinstance(identifier, str) and CARRIED.search(identifier) else call


def _with_cache_control(message: JSON, dialect: Dialect) -> JSON:
    if dialect.cache_control == "keep":
        return message
    marker, content = message.get("cache_control"), message.get("content")
    message = without_fields(message, ("cache_control",))
    if dialect.cache_control == "parts":
        return {**message, "content": _move_mark(content, marker)} if marker and content else message
    return _without_marks(message, "cache_control")


def _without_breakpoints(message: JSON, dialect: Dialect) -> JSON:
    """The message without OpenAI's marks for the cache, which become Anthropic's where the provider knows these."""
    content = message.get("content")
    if dialect.cache_control != "strip" and isinstance(content, list):
        marks = [cache_mark(part) if isinstance(part, dict) else None for part in content]
        content = [{**part, "cache_control": mark} if mark else part for part, mark in zip(content, marks, strict=True)]
        message = {**message, "content": content} if any(marks) else message
    return _without_marks(message, "prompt_cache_breakpoint")


def _without_marks(message: JSON, name: str) -> JSON:
    """The message without this field in any of its parts."""
    content = message.get("content")
    if not isinstance(content, list) or not any(isinstance(part, dict) and name in part for part in content):
        return message
    return {**message, "content": [without_fields(part, (name,)) if isinstance(part, dict) else part for part in content]}


def _move_mark(content: Any, marker: Any) -> Any:
    """A message's mark on the last of its parts, where the provider looks for it."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(parts, list) or not isinstance(parts[-1], dict):
        return content
    return [*parts[:-1], {**parts[-1], "cache_control": marker}]


def _flatten(parts: list[Any]) -> Any:
    """Text parts as one string, without anything between them; a list with anything else stays, for the provider to judge."""
    if all(isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str) for part in parts):
        return "".join(part["text"] for part in parts)
    return parts
