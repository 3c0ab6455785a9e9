"""Answers that Anthropic pauses while its own tools run, and how they are asked to go on. Pure.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/server-tools#the-server-side-loop-and-pause-turn: what came is sent
back as it was, behind the conversation. Only the gateway can do so, since it shows clients no blocks of tools that are not theirs.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from haimaker.adapters.anthropic import counts
from haimaker.adapters.events import json_object
from haimaker.http.json import as_object, read_or_none
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Event, UpstreamRequest
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.pricing.usage import Usage

PAUSED = "pause_turn"
APPENDED = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature", "input_json_delta": "input"}
"""By the type of a delta, the field of its block that it goes on with."""


@dataclass(slots=True)
class PausedTurn:
    """What has come of an answer, over all its turns, to be sent back if it pauses."""

    content: list[JSON] = field(default_factory=list)
    usage: JSON = field(default_factory=dict)
    """Of all turns that have ended, in Anthropic's words."""
    container: str | None = None
    is_paused: bool = False
    _used: JSON = field(default_factory=dict)
    """The usage of the turn that comes."""
    _last: JSON = field(default_factory=dict)
    """The usage of the turn that ended last."""
    _opened: dict[int, JSON] = field(default_factory=dict)
    _pieces: dict[int, str] = field(default_factory=dict)
    """The pieces of an input that comes piece by piece."""

    @property
    def tokens(self) -> Usage:
        """What all turns have used that have ended."""
        return counts.to_usage(self.usage)

    def counted(self) -> Usage | None:
        """What has been counted of all turns; None if nothing has."""
        used = add_usage(self.usage, self._used)
        return counts.to_usage(used) if used else None

    def with_whole_prompt(self, lost: Usage) -> Usage:
        """An estimate of a turn that has no end: it read at least what the one before it read and wrote."""
        before = counts.to_usage(self._last)
        return replace(lost, input=max(lost.input, before.prompt + before.completion))

    def read_whole(self, raw: bytes) -> bytes:
        """One turn, whole; all turns so far as if they were one. What is no answer stays as it is."""
        body = read_or_none(raw)
        if not isinstance(body, dict) or not isinstance(body.get("content"), list):
            self.is_paused = False
            return raw
        used = body.get("usage")
        self.content += body["content"]
        self._last = used if isinstance(used, dict) else {}
        self.usage = add_usage(self.usage, self._last)
        self._end(body)
        return dumps({**body, "content": self.content, "usage": self.usage})

    def read(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events of one turn, as they pass."""
        self._used, self.is_paused = {}, False
        for event in events:
            body = json_object(event)
            index, kind = body.get("index"), body.get("type")
            index = index if isinstance(index, int) else 0
            if kind == "content_block_start" and isinstance(body.get("content_block"), dict):
                self._opened[index] = dict(body["content_block"])
            elif kind == "content_block_delta" and index in self._opened and isinstance(body.get("delta"), dict):
                self._add(index, self._opened[index], body["delta"])
            elif kind == "content_block_stop" and index in self._opened:
                block, written = self._opened.pop(index), self._pieces.pop(index, "")
                self.content.append({**block, "input": as_object(read_or_none(written.encode()))} if written else block)
            elif kind == "message_delta" and isinstance(body.get("delta"), dict):
                self._end(body["delta"])
            message = body.get("message")
            self._used = counts.merge_counts(self._used, message.get("usage") if isinstance(message, dict) else body.get("usage"))
            yield event
        self.usage, self._used = add_usage(self.usage, self._used), {}

    def resume_request(self, request: UpstreamRequest) -> UpstreamRequest:
        """The call that was paused, to go on."""
        body = json.loads(request.body)
        body["messages"] = [*body["messages"], {"role": "assistant", "content": self.content}]
        if self.container:
            body["container"] = self.container
        return replace(request, body=dumps(body))

    def _add(self, index: int, block: JSON, delta: JSON) -> None:
        kind = delta.get("type")
        name = APPENDED.get(kind) if isinstance(kind, str) else None
        if kind == "input_json_delta":
            self._pieces[index] = self._pieces.get(index, "") + str(delta.get("partial_json") or "")
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta.get("citation")]
        elif name:
            block[name] = str(block.get(name) or "") + str(delta.get(name) or "")

    def _end(self, delta: JSON) -> None:
        self.is_paused = delta.get("stop_reason") == PAUSED
        container = delta.get("container")
        if isinstance(container, dict) and isinstance(container.get("id"), str):
            self.container = container["id"]


def add_usage(before: JSON, later: JSON) -> JSON:
    """Two turns' counts together; `iterations` have each, since each is priced by the size of its own prompt."""
    if not before or not later:
        return before or later
    passes = [*_passes(before), *_passes(later)]
    return {**_sum(before, later), "iterations": passes}


def _passes(usage: JSON) -> list[Any]:
    found = usage.get("iterations")
    return found if isinstance(found, list) and found else [{"type": "message", **usage}]


def _sum(before: JSON, later: JSON) -> JSON:
    made = {**before, **later}
    for name, value in before.items():
        if type(value) is int and type(later.get(name)) is int:
            made[name] = value + later[name]
        elif isinstance(value, dict) and isinstance(later.get(name), dict):
            made[name] = _sum(value, later[name])
    return made
