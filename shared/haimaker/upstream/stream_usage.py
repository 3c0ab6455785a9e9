"""Reads what a stream uses while its chunks pass, and keeps back the one that will carry the cost. Pure.

Providers differ in where usage comes: in a chunk of its own with no choices, with the last choice, or with every chunk. What the
client did not ask for is not shown to it.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from haimaker.http.values import JSON, StreamEvent
from haimaker.lean_dataclasses import dataclass

NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null')


@dataclass(slots=True)
class Meter:
    """The usage of one stream, and the chunk that tells it."""

    wants_usage: bool
    usage: JSON | None = None
    """The last that the provider sent."""
    text_bytes: int = 0
    """Of the answer so far, for an estimate where no usage comes."""
    last: StreamEvent | None = None
    """The chunk whose usage is the final one, kept back until its cost is known."""
    head: JSON | None = None
    """Id, model and the like, as the first chunk had them."""

    def read(self, chunks: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        for chunk in chunks:
            yield from self._not_last()
            if self.head is None:
                self.head = {name: value for name, value in chunk.body.items() if name not in ("choices", "usage")}
            self.text_bytes += text_bytes(chunk.body, "delta")
            usage = chunk.body.get("usage")
            if isinstance(usage, dict) and usage:
                self.usage = usage
                yield from self._with_usage(chunk)
            elif "usage" in chunk.body and not self.wants_usage:
                yield without_usage(chunk)
            else:
                yield chunk

    def last_chunk(self, usage: JSON) -> StreamEvent | None:
        """The chunk that tells the usage, with `usage` in it; None if the client did not ask for one."""
        if not self.wants_usage:
            return None
        if self.last:
            return StreamEvent({**self.last.body, "usage": usage})
        return StreamEvent({**(self.head or {}), "choices": [], "usage": usage})

    def _not_last(self) -> Iterator[StreamEvent]:
        """The chunk that was kept back, where others follow: the usage is told once, at the end."""
        if self.last and self.last.body.get("choices"):
            yield without_usage(self.last)
        self.last = None

    def _with_usage(self, chunk: StreamEvent) -> Iterator[StreamEvent]:
        said = chunk.body.get("choices")
        choices = said if isinstance(said, list) else []
        if not self.wants_usage:
            if choices:
                yield without_usage(chunk)
        elif not choices or any(choice.get("finish_reason") for choice in choices if isinstance(choice, dict)):
            self.last = chunk
        else:
            yield chunk


def without_usage(chunk: StreamEvent) -> StreamEvent:
    if chunk.raw is not None and chunk.body["usage"] is None:
        raw, found = NULL_USAGE.subn(b"", chunk.raw)
        if found == chunk.raw.count(b'"usage"') == 1:
            return StreamEvent(chunk.body, raw)
    return StreamEvent({name: value for name, value in chunk.body.items() if name != "usage"})


def text_bytes(body: JSON, holder: str) -> int:
    """Bytes of what the model wrote in the choices of a chunk (holder `delta`) or of a whole answer (`message`)."""
    total = 0
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            message = choice.get(holder)
            total += _message_bytes(message) if isinstance(message, dict) else _bytes(choice.get("text"))
    return total


def _message_bytes(message: JSON) -> int:
    total = max((_bytes(message.get(name)) for name in ("reasoning_content", "reasoning")), default=0)
    total += _bytes(message.get("content")) + _bytes(message.get("refusal"))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            total += _bytes(function.get("name")) + _bytes(function.get("arguments"))
        custom = call.get("custom") if isinstance(call, dict) else None
        if isinstance(custom, dict):
            total += _bytes(custom.get("name")) + _bytes(custom.get("input"))
    return total


def _bytes(value: Any) -> int:
    """Bytes in UTF-8; of a text that is ASCII, without making them."""
    if not isinstance(value, str):
        return 0
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))
