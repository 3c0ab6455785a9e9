"""A conversation as Anthropic's: system blocks, then turns of user and assistant that alternate and begin with the user.

https://platform.claude.com/docs/en/api/messages. What comes first of the system goes into `system`; what comes later stays in its
place, for moving it would change the cached prefix: as a turn of the system where the model takes one there, else as the user's.
"""

from collections.abc import Sequence
from typing import Any

from haimaker.adapters.anthropic import names, parts, thinking_ids
from haimaker.adapters.anthropic.parts import text, with_cache_control
from haimaker.adapters.repairs import arguments_object
from haimaker.http.errors import invalid_parameter
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass

SYSTEM = ("system", "developer")
PLACEHOLDER = "."
"""For a turn that has to be there and has nothing to say."""
CONTINUE = "Continue."
"""The user's turn after a last one of the assistant, for models that don't complete it."""


@dataclass(frozen=True, slots=True)
class Turn:
    role: str
    blocks: Sequence[JSON]


def to_conversation(messages: Sequence[JSON], *, prefills: bool, system_turns: bool) -> tuple[list[JSON], list[JSON]]:
    """The `system` blocks and the `messages`."""
    system: list[JSON] = []
    turns: list[Turn] = []
    for position, message in enumerate(messages):
        turn = _turn(message, position)
        if turn.role == "system" and not turns:
            system += turn.blocks
        elif turn.blocks:
            turns.append(turn)
    turns = _merge(_with_system_placed(_merge(turns), system_turns))
    if not turns or turns[0].role != "user":
        turns = [Turn("user", [text(PLACEHOLDER)]), *turns]
    turns = _end_last_turn([_in_order(turn) for turn in turns], prefills)
    return system, [{"role": turn.role, "content": list(turn.blocks)} for turn in turns]


def _turn(message: JSON, position: int) -> Turn:
    role, param = message.get("role"), f"messages[{position}]"
    if role in SYSTEM:
        blocks = parts.to_blocks(message.get("content"), f"{param}.content")
        if any(block.get("type") != "text" for block in blocks):
            raise invalid_parameter(f"{param}.content", "the provider takes only text from the system")
        return Turn("system", with_cache_control(blocks, message))
    if role == "user":
        return Turn("user", with_cache_control(parts.to_blocks(message.get("content"), f"{param}.content"), message))
    if role == "assistant":
        return Turn("assistant", with_cache_control(_assistant_blocks(message, position), message))
    if role == "tool":
        return Turn("user", with_cache_control([_result(message, param)], message))
    raise invalid_parameter(f"{param}.role", "it must be system, developer, user, assistant or tool")


def _result(message: JSON, param: str) -> JSON:
    identifier = message.get("tool_call_id")
    if not isinstance(identifier, str):
        raise invalid_parameter(f"{param}.tool_call_id", "it must be a string")
    result: JSON = {"type": "tool_result", "tool_use_id": names.call_id(thinking_ids.unpack(identifier).id)}
    if content := parts.to_blocks(message.get("content"), f"{param}.content"):
        result["content"] = content
    if isinstance(message.get("is_error"), bool):
        result["is_error"] = message["is_error"]
    return result


def _assistant_blocks(message: JSON, position: int) -> list[JSON]:
    """An assistant's message: its thinking, its text, its calls, each where it was."""
    param = f"messages[{position}]"
    said = parts.to_blocks(message.get("content"), f"{param}.content")
    if not said and isinstance(message.get("refusal"), str):
        said = parts.to_blocks(message["refusal"], f"{param}.refusal")
    calls = [_call(call, f"{param}.tool_calls[{index}]") for index, call in enumerate(_list(message, "tool_calls", param))]
    if any(call.thinking for call, _ in calls) and all(block.get("type") == "text" for block in said):
        return _interleave(said, calls)
    kept = [thinking_ids.clean_block(block) for block in _list(message, "thinking_blocks", param)]
    thinking = [block for block in kept if block] or [placed.block for call, _ in calls for placed in call.thinking]
    return [*thinking, *said, *(use for _, use in calls)]


def _call(call: Any, param: str) -> tuple[thinking_ids.Call, JSON]:
    if not isinstance(call, dict):
        raise invalid_parameter(param, "it must be an object")
    identifier = call.get("id")
    if not isinstance(identifier, str):
        raise invalid_parameter(f"{param}.id", "it must be a string")
    said = thinking_ids.unpack(identifier)
    use = _use(call.get("function"), f"{param}.function", said.id)
    control = call.get("cache_control")
    return said, {**use, "cache_control": control} if isinstance(control, dict) else use


def _use(function: Any, param: str, identifier: str) -> JSON:
    if not isinstance(function, dict):
        raise invalid_parameter(param, "it must be an object")
    name = names.encode(function.get("name"), f"{param}.name")
    return {"type": "tool_use", "id": names.call_id(identifier), "name": name, "input": arguments_object(function.get("arguments"))}


def _interleave(said: Sequence[JSON], calls: Sequence[tuple[thinking_ids.Call, JSON]]) -> list[JSON]:
    """Text cut where thinking and calls were; of a call that does not say where it was, before the next one that does."""
    whole = "".join(block["text"] for block in said)
    places: list[int] = []
    following = len(whole)
    for call, _ in reversed(calls):
        places.insert(0, following if call.at is None else call.at)
        following = min(placed.at for placed in call.thinking) if call.thinking else places[0]
    blocks: list[JSON] = []
    done = 0
    for place, (call, use) in zip(places, calls, strict=True):
        for at, block in [*((placed.at, placed.block) for placed in call.thinking), (place, use)]:
            blocks += [text(whole[done:at]), block] if whole[done:at].strip() else [block]
            done = max(done, at)
    return [*blocks, text(whole[done:])] if whole[done:].strip() else blocks


def _merge(turns: Sequence[Turn]) -> list[Turn]:
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            turn = Turn(turn.role, [*merged.pop().blocks, *turn.blocks])
        merged.append(turn)
    return merged


def _with_system_placed(turns: Sequence[Turn], system_turns: bool) -> list[Turn]:
    """A turn of the system has to follow the user's and to be the last or followed by the assistant's.
    https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages"""
    placed = []
    for index, turn in enumerate(turns):
        after_user = index > 0 and turns[index - 1].role == "user"
        before_assistant = index + 1 == len(turns) or turns[index + 1].role == "assistant"
        stays = turn.role != "system" or (system_turns and after_user and before_assistant)
        placed.append(turn if stays else Turn("user", turn.blocks))
    return placed


def _in_order(turn: Turn) -> Turn:
    """Results before everything else of a turn, and each result and call once."""
    kind = {"user": "tool_result", "assistant": "tool_use"}.get(turn.role)
    name = {"tool_result": "tool_use_id", "tool_use": "id"}
    seen: set[object] = set()
    kept: list[JSON] = []
    for block in turn.blocks:
        identifier = str(block.get(name[kind])) if kind and block.get("type") == kind else None
        if identifier is None or identifier not in seen:
            kept.append(block)
        seen.add(identifier)
    return Turn(turn.role, sorted(kept, key=lambda block: block.get("type") != "tool_result") if turn.role == "user" else kept)


def _end_last_turn(turns: list[Turn], prefills: bool) -> list[Turn]:
    """A last turn of the assistant loses the white space at its end, which is refused, or gets one of the user's after it."""
    *others, last = turns
    if last.role != "assistant":
        return turns
    if not prefills:
        return [*turns, Turn("user", [text(CONTINUE)])]
    *blocks, end = last.blocks
    return [*others, Turn(last.role, [*blocks, {**end, "text": end["text"].rstrip()} if end.get("type") == "text" else end])]


def _list(message: JSON, name: str, param: str) -> list[Any]:
    value = message.get(name)
    if value is not None and not isinstance(value, list):
        raise invalid_parameter(f"{param}.{name}", "it must be a list")
    return value or []
