"""The positions of tool calls in a stream: from 0, without gaps, each its own. Pure.

Who translates from another format may number blocks instead of calls, or begin each call at 0; the official SDK then joins
arguments wrongly: https://platform.openai.com/docs/guides/function-calling#streaming
"""

from dataclasses import dataclass, field
from typing import Any

from haimaker.wire import JSON


@dataclass(slots=True)
class Numbering:
    """Of one stream."""

    _open: dict[tuple[Any, Any], tuple[int, Any]] = field(default_factory=dict)
    """By a choice and the provider's position: our position and the id of the call that is being written there."""
    _count: dict[Any, int] = field(default_factory=dict)

    def any_in(self, choice: int) -> bool:
        """Whether a choice has calls so far."""
        return choice in self._count

    def numbered(self, body: JSON) -> JSON:
        """A chunk with our positions; the same object where they are the provider's."""
        choices = body.get("choices")
        if not isinstance(choices, list):
            return body
        made = [self._choice(choice) for choice in choices]
        return {**body, "choices": made} if any(new is not old for new, old in zip(made, choices, strict=True)) else body

    def _choice(self, choice: Any) -> Any:
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(delta, dict) or not isinstance(calls := delta.get("tool_calls"), list):
            return choice
        at = choice.get("index")
        made = [self._call(call, at if isinstance(at, int) else 0) for call in calls]
        if all(new is old for new, old in zip(made, calls, strict=True)):
            return choice
        return {**choice, "delta": {**delta, "tool_calls": made}}

    def _call(self, call: Any, choice: int) -> Any:
        theirs = call.get("index") if isinstance(call, dict) else None
        if type(theirs) is not int:
            return call
        function, identifier = call.get("function"), call.get("id")
        known = self._open.get((choice, theirs))
        begins = identifier and isinstance(function, dict) and function.get("name")
        if known is None or (begins and known[1] and identifier != known[1]):
            known = (self._count.get(choice, 0), identifier)
            self._count[choice] = known[0] + 1
            self._open[choice, theirs] = known
        return call if known[0] == theirs else {**call, "index": known[0]}
