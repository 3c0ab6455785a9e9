"""Function calls that arrive in pieces: each piece says where in the arguments it belongs, and whether more will come.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling#streaming-fc
"""

import re
from typing import Any

from haimaker.http.json import as_object, as_objects
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d+)\]|\[['"]([^'"]*)['"]\]""")
VALUES = ("stringValue", "numberValue", "boolValue")


@dataclass(slots=True)
class PartialCall:
    """A call that is not complete yet, as it would have come in one piece."""

    call: JSON
    signature: str | None = None
    arguments: JSON = field(default_factory=dict)

    def add(self, pieces: Any) -> None:
        for piece in as_objects(pieces):
            path = piece.get("jsonPath")
            steps = [_step(*found) for found in STEP.findall(path)] if isinstance(path, str) else []
            if steps and isinstance(steps[0], str):
                value = next((piece[name] for name in VALUES if name in piece), None)
                _put(self.arguments, steps, value)

    def whole(self) -> JSON:
        return {**self.call, "args": {**as_object(self.call.get("args")), **self.arguments}}


def _step(name: str, index: str, quoted: str) -> str | int:
    return int(index) if index.isascii() and index and len(index) < 9 else name or quoted


def _put(holder: Any, steps: list[str | int], value: Any) -> None:
    """Puts a value at the end of the steps, a text behind the text that is there; what does not fit is left out."""
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        key: Any = step
        if isinstance(holder, dict) and isinstance(key, str):
            holder.setdefault(key, _empty(following))
        elif isinstance(holder, list) and isinstance(key, int):
            if key >= len(holder):
                key = len(holder)
                holder.append(_empty(following))
        else:
            return
        if following is None:
            there = holder[key]
            holder[key] = there + value if isinstance(there, str) and isinstance(value, str) else value
        holder = holder[key]


def _empty(following: str | int | None) -> Any:
    return None if following is None else [] if isinstance(following, int) else {}
