"""The request and the answer of one request, collected while the answer is sent, merged if it was streamed, and redacted.

Pure: it writes nothing; `log.py` does.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

from haimaker.content.client_events import merge_client_events
from haimaker.http import sse
from haimaker.http.json import read_or_none
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.observability.redaction import Redaction
from haimaker.store import Record

T = TypeVar("T")

MAX_BYTES = 4_000_000
"""How many bytes of an answer are kept."""
RECORD_FIELDS = (
    "operation", "client_format", "status", "http_status", "error", "asked_model", "provider", "model", "stream",
    "key_name", "key_alias", "tags", "input_tokens", "output_tokens", "cost_usd", "duration_ms",
)  # fmt: skip
"""The fields of the request's record that stand beside the content."""
CONCATENATED_FIELDS = ("content", "reasoning_content", "reasoning", "refusal", "text")


@dataclass(slots=True)
class Conversation:
    """The request and the answer of one request. `done` is called once, when the answer has ended."""

    asked: JSON
    redaction: Redaction
    done: Callable[["Conversation"], None] = field(repr=False)
    record: Record | None = None
    _answer: bytearray = field(default_factory=bytearray, repr=False)
    _size: int = 0

    def tee(self, items: Iterator[T]) -> Generator[T, None, None]:
        """Yields the items unchanged, and keeps those that are bytes as the answer."""
        for item in items:
            if isinstance(item, bytes):
                self._answer += item[: max(0, MAX_BYTES - self._size)]
                self._size += len(item)
            yield item

    def end(self, record: Record) -> None:
        """Ends the conversation, with the request's record."""
        self.record = record
        self.done(self)

    def entry(self) -> JSON:
        """The JSON that is kept, redacted."""
        assert self.record is not None
        record = self.record
        cut = {"truncated": True} if self._size > MAX_BYTES else {}
        return {
            "request_id": record.request_id,
            "started_s": record.started_s,
            **{name: record.detail.get(name) for name in RECORD_FIELDS},
            **cut,
            "request": self.redaction.redact(self.asked),
            "response": self.redaction.redact(self._response()),
        }

    def _response(self) -> object:
        """The answer as one document: JSON as it is, a stream merged into the whole answer, anything else by its size and hash."""
        raw = bytes(self._answer)
        if not raw:
            return None
        if raw.lstrip().startswith((b"data:", b"event:", b":")):
            events = [read_or_none(event.data) for event in sse.decode([raw])]
            merged = merge_client_events(events)
            return merge_chunks(events) if merged is None else merged
        found = read_or_none(raw)
        if isinstance(found, list) and (merged := merge_client_events(found)):
            return merged
        return found if found is not None else {"bytes": self._size, "sha256": hashlib.sha256(raw).hexdigest()}


def merge_chunks(events: list[Any]) -> JSON:
    """The whole answer of a stream of chunks. Of events that are not chunks, the last one's fields win."""
    whole: JSON = {}
    choices: dict[int, JSON] = {}
    for event in events:
        if not isinstance(event, dict):
            continue
        whole |= {name: value for name, value in event.items() if name != "choices" and value is not None}
        said = event.get("choices")
        for choice in said if isinstance(said, list) else ():
            if isinstance(choice, dict):
                _add_choice(choices.setdefault(choice.get("index") or 0, {}), choice)
    return {**whole, "choices": [choices[index] for index in sorted(choices)]} if choices else whole


def _add_choice(whole: JSON, choice: JSON) -> None:
    delta = choice.get("delta")
    if isinstance(delta, dict):
        _add_message(whole.setdefault("message", {}), delta)
    for name in ("index", "finish_reason"):
        if choice.get(name) is not None:
            whole[name] = choice[name]
    if isinstance(choice.get("text"), str):
        whole["text"] = whole.get("text", "") + choice["text"]


def _add_message(message: JSON, delta: JSON) -> None:
    for name, value in delta.items():
        if name in CONCATENATED_FIELDS and isinstance(value, str):
            message[name] = (message.get(name) or "") + value
        elif name == "tool_calls" and isinstance(value, list):
            for call in value:
                if isinstance(call, dict):
                    _add_call(message.setdefault("tool_calls", []), call)
        elif value is not None:
            message[name] = value


def _add_call(calls: list[JSON], call: JSON) -> None:
    index = call.get("index")
    same = next((one for one in calls if one.get("index") == index and index is not None), None)
    function = call.get("function")
    if same is None:
        calls.append({**call, **({"function": dict(function)} if isinstance(function, dict) else {})})
    elif isinstance(function, dict):
        whole = same.setdefault("function", {})
        for name in ("name", "arguments"):
            if isinstance(function.get(name), str):
                whole[name] = (whole.get(name) or "") + function[name]
