"""Reads the events of one answer and gives the deltas of OpenAI's message. A whole answer is an event too, the only one.

https://platform.claude.com/docs/en/build-with-claude/streaming. Blocks of the provider's own tools are not shown: they are not for
the client to run. Of the tool that stands for a JSON answer the input is the text.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haimaker.adapters.anthropic import counts, names, thinking_ids
from haimaker.adapters.anthropic.citations import to_annotations
from haimaker.adapters.anthropic.pauses import PAUSED, add_usage
from haimaker.adapters.anthropic.thinking_ids import PlacedBlock
from haimaker.http.errors import BadGatewayError
from haimaker.http.json import as_objects, as_text
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

FINISH_REASON: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "refusal": "content_filter",
    "tool_use": "tool_calls",
}
"""https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons; any other is `stop`."""


@dataclass(slots=True)
class Block:
    """A content block that has begun: what it is, and what has come of it that is needed at its end."""

    kind: str
    start: JSON
    call: int | None = None
    """Its number among the calls of tools, if it is one for the client."""
    begun_at: int = 0
    wrote: bool = False
    thinking: str = ""
    signature: str = ""
    citations: list[JSON] = field(default_factory=list)


@dataclass(slots=True)
class Answer:
    id: str = ""
    model: str = ""
    usage: JSON = field(default_factory=dict)
    """The usage of the turn that comes."""
    before: JSON = field(default_factory=dict)
    """The usage of turns that the provider paused, after which it was asked to go on."""
    stop_reason: str | None = None
    refusal: str | None = None
    container: JSON | None = None
    """Where its tools ran, for a client that wants to go on there."""
    ended: bool = False
    wrote: bool = False
    """Whether a block has begun."""
    calls: int = 0
    length: int = 0
    """The length of the text so far."""
    opened: dict[int, Block] = field(default_factory=dict)
    thinking: list[PlacedBlock] = field(default_factory=list)
    uncarried: list[PlacedBlock] = field(default_factory=list)
    """Thinking since the last call of a tool."""
    annotations: list[JSON] = field(default_factory=list)

    def read(self, event: JSON) -> Iterator[JSON]:
        kind = event.get("type")
        if kind == "content_block_delta":
            yield from self._continue(event)
        elif kind == "content_block_start":
            yield from self._start(event)
        elif kind == "content_block_stop":
            yield from self._stop(_index(event))
        elif kind == "message_start":
            yield from self._begin(event.get("message"))
        elif kind == "message_delta":
            self._conclude(event.get("delta"))
        elif kind == "message_stop":
            self.ended = self.stop_reason != PAUSED
        self.usage = counts.merge_counts(self.usage, event.get("usage"), wrote=self.wrote)

    def read_text(self, event: JSON) -> str:
        """The text of an event that is a piece of it and nothing else, as most are; empty for any other, which `read` reads."""
        delta = event.get("delta")
        if event.get("type") != "content_block_delta" or type(delta) is not dict or "usage" in event:
            return ""
        text, block = delta.get("text"), self.opened.get(_index(event))
        if delta.get("type") != "text_delta" or type(text) is not str or (block is not None and block.kind != "text"):
            return ""
        self.length += len(text)
        return text

    def rest(self) -> Iterator[JSON]:
        """What is still open when the answer ends, and the delta that goes with the finish reason."""
        for index in list(self.opened):
            yield from self._stop(index)
        last: JSON = {}
        if self.thinking:
            last["thinking_blocks"] = [placed.block for placed in self.thinking]
        if self.annotations:
            last["annotations"] = self.annotations
        if self.refusal:
            last["refusal"] = self.refusal
        yield last

    @property
    def used(self) -> JSON:
        """The usage of all turns together."""
        return add_usage(self.before, self.usage)

    @property
    def is_refused(self) -> bool:
        """Whether it was declined before anything of an answer, which is not billed:
        https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback"""
        return self.stop_reason == "refusal" and not self.wrote and not counts.to_usage(self.usage).completion

    @property
    def finish_reason(self) -> str:
        reason = FINISH_REASON.get(self.stop_reason or "", "stop")
        if reason in ("length", "content_filter"):
            return reason
        return "tool_calls" if self.calls else "stop"

    def _begin(self, message: Any) -> Iterator[JSON]:
        """A message may begin with blocks in it: all of a whole answer's, or those for which no events follow.

        One that begins twice goes on; another one within it would be told as if both were one answer.
        """
        if not isinstance(message, dict) or (self.opened and message.get("id") == self.id):
            return
        if self.opened:
            raise BadGatewayError("The provider's stream began another answer within this one.", code="stream_interrupted")
        if self.stop_reason == PAUSED:
            self.before, self.usage, self.stop_reason = self.used, {}, None
        self.id = as_text(message.get("id")) or self.id
        self.model = as_text(message.get("model")) or self.model
        self.usage = counts.merge_counts(self.usage, message.get("usage"))
        whole = as_text(message.get("content"))
        for block in [{"type": "text", "text": whole}] if whole else as_objects(message.get("content")):
            yield from self._start({"content_block": block})
        for index in list(self.opened):
            yield from self._stop(index)
        self._conclude(message)

    def _conclude(self, delta: Any) -> None:
        if isinstance(delta, dict):
            self.stop_reason = as_text(delta.get("stop_reason")) or self.stop_reason
            self.container = delta["container"] if isinstance(delta.get("container"), dict) else self.container
            details = delta.get("stop_details")
            self.refusal = (as_text(details.get("explanation")) or self.refusal) if isinstance(details, dict) else self.refusal

    def _start(self, event: JSON) -> Iterator[JSON]:
        start = event.get("content_block")
        if not isinstance(start, dict):
            return
        index = _index(event)
        self.wrote = self.wrote or start.get("type") != "fallback"
        yield from self._stop(index)
        block = self.opened[index] = Block(as_text(start.get("type")), start, begun_at=self.length)
        if block.kind == "text":
            block.citations = as_objects(start.get("citations"))
            yield from self._write(as_text(start.get("text")))
        elif block.kind == "thinking":
            block.signature = as_text(start.get("signature"))
            yield from self._think(block, as_text(start.get("thinking")))
        elif block.kind == "tool_use" and start.get("name") != names.ANSWER_TOOL:
            yield self._call(block)
        elif block.kind == "fallback" and isinstance(start.get("to"), dict):
            self.model = as_text(start["to"].get("model")) or self.model

    def _continue(self, event: JSON) -> Iterator[JSON]:
        delta = event.get("delta")
        if not isinstance(delta, dict):
            return
        block = self.opened.get(_index(event))
        kind = delta.get("type")
        if kind == "text_delta" and (block is None or block.kind == "text"):
            yield from self._write(as_text(delta.get("text")))
        elif block is None:
            yield from self._think(None, as_text(delta.get("thinking")))
        elif kind == "input_json_delta" and block.kind == "tool_use":
            yield from self._argue(block, as_text(delta.get("partial_json")))
        elif kind == "thinking_delta":
            yield from self._think(block, as_text(delta.get("thinking")))
        elif kind == "signature_delta":
            block.signature += as_text(delta.get("signature"))
        elif kind == "citations_delta" and isinstance(delta.get("citation"), dict):
            block.citations.append(delta["citation"])

    def _stop(self, index: int) -> Iterator[JSON]:
        block = self.opened.pop(index, None)
        if block is None:
            return
        if block.kind == "tool_use" and not block.wrote:
            yield from self._argue(block, _arguments(block.start.get("input")))
        elif block.kind == "text":
            self.annotations += to_annotations(block.citations, block.begun_at, self.length)
        elif block.kind in ("thinking", "redacted_thinking"):
            written = {"thinking": block.thinking, "signature": block.signature} if block.kind == "thinking" else {}
            clean = thinking_ids.clean_block({**block.start, **written})
            if clean and clean.get("signature") != "":
                self.thinking.append(PlacedBlock(block.begun_at, clean))
                self.uncarried.append(self.thinking[-1])

    def _call(self, block: Block) -> JSON:
        block.call = self.calls
        self.calls += 1
        said = thinking_ids.Call(as_text(block.start.get("id")) or f"call_{block.call}", self.length, tuple(self.uncarried))
        self.uncarried.clear()
        function = {"name": names.decode(as_text(block.start.get("name"))), "arguments": ""}
        return {"tool_calls": [{"index": block.call, "id": thinking_ids.pack(said), "type": "function", "function": function}]}

    def _argue(self, block: Block, arguments: str) -> Iterator[JSON]:
        if not arguments:
            return
        block.wrote = True
        if block.call is None:
            yield from self._write(arguments)
        else:
            yield {"tool_calls": [{"index": block.call, "function": {"arguments": arguments}}]}

    def _write(self, text: str) -> Iterator[JSON]:
        if text:
            self.length += len(text)
            yield {"content": text}

    def _think(self, block: Block | None, text: str) -> Iterator[JSON]:
        if text:
            if block:
                block.thinking += text
            yield {"reasoning_content": text}


def merge_deltas(deltas: Iterable[JSON]) -> JSON:
    """The message that deltas add up to."""
    message: JSON = {"role": "assistant", "content": None}
    for delta in deltas:
        for name, value in delta.items():
            if name == "tool_calls":
                _fold_calls(message.setdefault(name, []), value)
            elif name in ("content", "reasoning_content"):
                message[name] = (message.get(name) or "") + value
            else:
                message[name] = value
    return message


def _fold_calls(calls: list[JSON], pieces: list[JSON]) -> None:
    for piece in pieces:
        index = piece["index"]
        if index == len(calls):
            calls.append({**{name: value for name, value in piece.items() if name != "index"}, "function": {**piece["function"]}})
        else:
            calls[index]["function"]["arguments"] += piece["function"]["arguments"]


def _arguments(given: Any) -> str:
    """An input that came at once: an object, and from some who speak the format a text."""
    if isinstance(given, str):
        return given or "{}"
    return json.dumps(given, ensure_ascii=False) if given and isinstance(given, dict) else "{}"


def _index(event: JSON) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else -1
