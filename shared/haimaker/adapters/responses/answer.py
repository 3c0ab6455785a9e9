"""Reads the events of one response and gives the deltas of a chat's message; a whole response is told by its items. Pure.

https://platform.openai.com/docs/api-reference/responses-streaming. Items of the provider's own tools are not shown, for the client
runs none of them, but counted: https://platform.openai.com/docs/pricing#built-in-tools.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from haimaker.adapters.openai.messages import DETAILS
from haimaker.adapters.openai.normalize import OTHER_ANNOTATIONS
from haimaker.adapters.responses.requests import DETAIL_FORMAT
from haimaker.http.json import as_objects, as_text
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.operation import STORED
from haimaker.operations.server_tools import container_gb
from haimaker.pricing import usage

ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
FINISH_REASON: Mapping[str, str] = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""By `incomplete_details.reason`; any other is `length`."""
CALLS: Mapping[str, tuple[str, str]] = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
"""By an item's type, the chat's kind of call and the field that grows."""
TEXT_DELTA = "response.output_text.delta"
DELTAS: Mapping[str, str] = {
    TEXT_DELTA: "content",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "reasoning_content",
    "response.reasoning_text.delta": "reasoning_content",
}
CALL_DELTAS = ("response.function_call_arguments.delta", "response.custom_tool_call_input.delta")
BILLED: Mapping[str, str] = {
    "file_search_call": "file_search_requests",
    "image_generation_call": "other",
    "web_search_call": "web_search_requests",
}
"""By an item's type, the count of chat's usage in which it is."""


MAX_ITEMS_TOLD = 100
RUN_IN_CONTAINERS = ("code_interpreter_call", "shell_call")


@dataclass(slots=True)
class Answer:
    id: str = ""
    model: str = ""
    created_s: int | None = None
    service_tier: str | None = None
    usage: JSON = field(default_factory=dict)
    status: str = ""
    reason: str = ""
    error: JSON = field(default_factory=dict)
    ended: bool = False
    wrote: bool = False
    calls: dict[object, int] = field(default_factory=dict)
    """The chat's number of each call, by the place of its item."""
    uses: dict[str, int] = field(default_factory=dict)
    containers: set[str] = field(default_factory=set)
    """Containers in which code was run."""
    container_gb: int = 1
    """Their memory, of each."""
    grown: dict[object, int] = field(default_factory=dict)
    """Letters that came of each item, by its place."""
    items: list[str] = field(default_factory=list)
    """Their ids."""
    thoughts: int = 0
    """Parts of a summary that have begun."""
    details: int = 0
    """Items of reasoning that were told, encrypted."""

    def read(self, event: JSON) -> Iterator[JSON]:
        kind, place = str(event.get("type")), _place(event)
        if isinstance(event.get("response"), dict):
            self._note(event["response"])
        if kind in DELTAS:
            yield from self._write(DELTAS[kind], event, place)
        elif kind in CALL_DELTAS and place in self.calls:
            yield from self._argue(place, event.get("delta"), "custom" if kind == CALL_DELTAS[1] else "function")
        elif kind == "response.output_item.added" and isinstance(event.get("item"), dict):
            yield from self._begin(event["item"], place)
        elif kind == "response.reasoning_summary_part.added":
            self.thoughts += 1
            yield from [{"reasoning_content": "\n\n"}] if self.thoughts > 1 else []
        elif kind == "response.output_text.annotation.added":
            yield from _annotations([event.get("annotation")])
        elif kind == "response.output_item.done" and isinstance(event.get("item"), dict):
            yield from self._end(event["item"], place)
        elif kind in ENDS:
            self.ended = True

    def read_text(self, event: JSON) -> str:
        """What an event adds to the text, if it does nothing else."""
        if event.get("type") != TEXT_DELTA or event.get("logprobs"):
            return ""
        text, place = as_text(event.get("delta")), _place(event)
        self.grown[place] = self.grown.get(place, 0) + len(text)
        return text

    def whole(self, response: JSON) -> Iterator[JSON]:
        self._note(response)
        for place, item in enumerate(as_objects(response.get("output"))):
            yield from self._end(item, place)

    @property
    def finish_reason(self) -> str:
        if self.status == "incomplete":
            return FINISH_REASON.get(self.reason, "length")
        return "tool_calls" if self.calls else "stop"

    @property
    def is_failed(self) -> bool:
        return self.status in ("failed", "cancelled")

    def chat_usage(self) -> JSON:
        """The field `usage`; without one where none was told, or none that can be."""
        if not usage.is_plausible(self.usage):
            return {}
        told = usage.to_openai(usage.from_openai(self.usage, self.service_tier))
        uses = {**(told.get("server_tool_use") or {}), **self.uses}
        if self.containers:
            uses["container_gigabytes"] = len(self.containers) * self.container_gb
        cost = {name: self.usage[name] for name in ("cost", "cost_in_usd_ticks") if name in self.usage}
        return {"usage": {**told, **({"server_tool_use": uses} if uses else {}), **cost}}

    def stored(self) -> JSON:
        """What the record notes of a response that its provider keeps."""
        return {STORED: {"response_id": self.id, "response_items": self.items[:MAX_ITEMS_TOLD]}}

    def _note(self, response: JSON) -> None:
        self.id = as_text(response.get("id")) or self.id
        self.model = as_text(response.get("model")) or self.model
        created = response.get("created_at")
        self.created_s = int(created) if isinstance(created, int | float) else self.created_s
        self.service_tier = as_text(response.get("service_tier")) or self.service_tier
        self.status = as_text(response.get("status")) or self.status
        for tool in as_objects(response.get("tools")):
            self.container_gb = max(self.container_gb, container_gb(tool))
        for name in ("usage", "error"):
            if isinstance(response.get(name), dict):
                setattr(self, name, response[name])
        details = response.get("incomplete_details")
        self.reason = as_text(details.get("reason")) if isinstance(details, dict) else self.reason

    def _write(self, name: str, event: JSON, place: object) -> Iterator[JSON]:
        text = as_text(event.get("delta"))
        if text:
            self.wrote = True
            self.grown[place] = self.grown.get(place, 0) + len(text)
            logprobs = event.get("logprobs")
            yield {name: text, **({"logprobs": logprobs} if logprobs and isinstance(logprobs, list) else {})}

    def _begin(self, item: JSON, place: object) -> Iterator[JSON]:
        kind = str(item.get("type"))
        if kind not in CALLS or place in self.calls:
            return
        self.wrote = True
        self.calls[place] = len(self.calls)
        holder, grows = CALLS[kind]
        said = {"name": as_text(item.get("name")), grows: ""}
        yield {"tool_calls": [{"index": self.calls[place], "id": as_text(item.get("call_id")), "type": holder, holder: said}]}

    def _argue(self, place: object, text: Any, holder: str) -> Iterator[JSON]:
        if isinstance(text, str) and text:
            self.grown[place] = self.grown.get(place, 0) + len(text)
            grows = "input" if holder == "custom" else "arguments"
            yield {"tool_calls": [{"index": self.calls[place], holder: {grows: text}}]}

    def _end(self, item: JSON, place: object) -> Iterator[JSON]:
        """What an item holds of which nothing came before."""
        kind = str(item.get("type"))
        if kind in BILLED and _is_billed(item):
            self.uses[BILLED[kind]] = self.uses.get(BILLED[kind], 0) + 1
        if as_text(item.get("id")):
            self.items.append(as_text(item.get("id")))
        if kind in RUN_IN_CONTAINERS:
            self.containers.add(as_text(item.get("container_id")) or kind)
        came = self.grown.get(place)
        if kind in CALLS:
            yield from self._begin(item, place)
            holder, grows = CALLS[kind]
            yield from () if came else self._argue(place, item.get(grows), holder)
        elif kind == "message" and not came:
            for part in as_objects(item.get("content")):
                yield from self._write("content", {"delta": part.get("text"), "logprobs": part.get("logprobs")}, place)
                yield from self._write("refusal", {"delta": part.get("refusal")}, place)
                yield from _annotations(part.get("annotations"))
        elif kind == "reasoning":
            parts = [as_text(part.get("text")) for part in as_objects(item.get("summary") or item.get("content"))]
            if not came:
                yield from self._write("reasoning_content", {"delta": "\n\n".join(filter(None, parts))}, place)
            if data := as_text(item.get("encrypted_content")):
                detail = {"type": "reasoning.encrypted", "data": data, "id": item.get("id"), "format": DETAIL_FORMAT}
                yield {DETAILS: [{**detail, "index": self.details}]}
                self.details += 1


def merge_deltas(deltas: Iterator[JSON]) -> tuple[JSON, JSON | None]:
    """The message that deltas add up to, and its log probabilities."""
    message: JSON = {"role": "assistant", "content": None}
    logprobs: list[JSON] = []
    for delta in deltas:
        logprobs += delta.get("logprobs") or ()
        for name in ("content", "refusal", "reasoning_content"):
            if delta.get(name):
                message[name] = (message.get(name) or "") + delta[name]
        for call in delta.get("tool_calls") or ():
            _add_call(message.setdefault("tool_calls", []), call)
        for name in ("annotations", OTHER_ANNOTATIONS, DETAILS):
            if delta.get(name):
                message[name] = [*message.get(name, ()), *delta[name]]
    return message, {"content": logprobs, "refusal": None} if logprobs else None


def _add_call(calls: list[JSON], piece: JSON) -> None:
    if piece["index"] == len(calls):
        calls.append({name: dict(value) if isinstance(value, dict) else value for name, value in piece.items() if name != "index"})
        return
    call = calls[piece["index"]]
    for holder, grows in CALLS.values():
        if holder in piece and holder in call:
            call[holder][grows] += piece[holder][grows]


def _annotations(found: Any) -> Iterator[JSON]:
    """Citations of pages as a chat has them, and those of files under a name of their own."""
    notes = as_objects(found)
    cited = [
        {"type": "url_citation", "url_citation": {name: each[name] for name in each if name != "type"}}
        for each in notes
        if each.get("type") == "url_citation"
    ]
    others = [each for each in notes if each.get("type") != "url_citation"]
    if notes:
        yield {**({"annotations": cited} if cited else {}), **({OTHER_ANNOTATIONS: others} if others else {})}


def _is_billed(item: JSON) -> bool:
    """A page that is opened or looked through is no search of its own."""
    action = item.get("action")
    return not isinstance(action, dict) or action.get("type") in (None, "search")


def _place(event: JSON) -> int | None:
    """The position in the output of an event's item."""
    place = event.get("output_index")
    return place if type(place) is int else None
