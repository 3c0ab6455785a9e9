"""The positions of tool calls in a stream: from 0, without gaps, each its own; its id and name are told once. Pure.

Who translates from another format may number blocks instead of calls, begin each call at 0, or repeat a call's id with every piece;
the official SDK then joins them wrongly: https://platform.openai.com/docs/guides/function-calling#streaming
"""

from collections.abc import Callable
from typing import Any

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field


@dataclass(slots=True)
class Call:
    """A call that is being written."""

    position: int
    id: str | None
    name: str | None


@dataclass(slots=True)
class Numbering:
    """Numbers the calls of tools in one stream."""

    new_id: Callable[[int, int], str]
    """By choice and position, for a call that has no id."""
    _open: dict[tuple[int, int | None], Call] = field(default_factory=dict)
    """By a choice and the provider's position, None where it tells none."""
    _count: dict[int, int] = field(default_factory=dict)

    def number_calls(self, delta: JSON, choice: int) -> JSON:
        """A delta with our positions; the same object where they are the provider's."""
        calls = delta.get("tool_calls")
        if not isinstance(calls, list):
            return delta
        made = [self._call(call, choice) for call in calls]
        if all(new is old for new, old in zip(made, calls, strict=True)):
            return delta
        return {**delta, "tool_calls": made}

    def _call(self, piece: JSON, choice: int) -> JSON:
        theirs = piece.get("index") if type(piece.get("index")) is int else None
        held = piece.get("function")
        function: JSON = held if isinstance(held, dict) else {}
        identifier, name = _text_or_none(piece.get("id")), _text_or_none(function.get("name"))
        call = self._open.get((choice, theirs))
        if call is None or _is_another(call, theirs, identifier, name):
            call = self._begin(choice, theirs, identifier, name)
            lacks = {} if identifier else {"id": self.new_id(choice, call.position)}
            lacks |= {} if piece.get("type") else {"type": "function"}
            return piece if not lacks and theirs == call.position else {**piece, **lacks, "index": call.position}
        again = identifier is not None or (name is not None and name == call.name)
        call.name = call.name or name
        if theirs == call.position and not again:
            return piece
        kept = {key: value for key, value in piece.items() if key != "id"} | {"index": call.position}
        if name and name == call.name and again:
            kept["function"] = {key: value for key, value in function.items() if key != "name"}
        return kept

    def _begin(self, choice: int, theirs: int | None, identifier: str | None, name: str | None) -> Call:
        call = self._open[choice, theirs] = Call(self._count.get(choice, 0), identifier, name)
        self._count[choice] = call.position + 1
        return call


def _is_another(call: Call, theirs: int | None, identifier: str | None, name: str | None) -> bool:
    """Whether a piece at a known position begins a call of its own."""
    if name is None:
        return False
    if identifier and call.id:
        return identifier != call.id
    return theirs is None or (call.id is None and call.name not in (None, name))


def _text_or_none(value: Any) -> str | None:
    return value if value and isinstance(value, str) else None
