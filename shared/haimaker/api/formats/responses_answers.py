"""Answers in OpenAI's Responses format, made of a chat's, whole and as events. Pure.

https://platform.openai.com/docs/api-reference/responses/object  https://platform.openai.com/docs/api-reference/responses-streaming

An answer is a list of items: reasoning, messages and calls, each with an id of its own. A whole answer is made by the same code as
a stream: it is what the last event holds.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haimaker.api.formats import reasoning_details
from haimaker.api.formats.responses_requests import namespaces
from haimaker.http.errors import APIError
from haimaker.http.json import as_objects
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.operation import RESPONSE_PREFIX
from haimaker.pricing import usage

ECHOED: Mapping[str, Any] = {
    "background": False,
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "store": False,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, and what it says where nothing was asked."""
ACTIVE = ("queued", "in_progress")
"""States of a response that has not ended."""
CLIENTS_CODES = frozenset({"context_length_exceeded", "insufficient_quota"})
"""Of errors, which coding agents look for, beside those that the SDKs know."""
ERROR_CODES = CLIENTS_CODES | {"rate_limit_exceeded", "invalid_image", "invalid_image_url", "image_content_policy_violation"}
INCOMPLETE: Mapping[str, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}


def from_chat(answer: JSON, body: JSON, request_id: str) -> JSON:
    """A response from a whole chat completion; `body` is the request as it was sent."""
    choices = []
    for choice in answer.get("choices") or ():
        if choice.get("index") == 0:
            calls = [{"index": index, **call} for index, call in enumerate(choice["message"].get("tool_calls") or ())]
            told = {name: choice.get(name) for name in ("finish_reason", "logprobs")}
            choices.append({"index": 0, "delta": {**choice["message"], "tool_calls": calls}, **told})
    *_, last = events([{**answer, "choices": choices}], body, request_id)
    response: JSON = last["response"]
    return response


def events(chunks: Iterable[JSON], body: JSON, request_id: str) -> Iterator[JSON]:
    """A stream's events from the chunks of a chat, usage included; each has its place in `sequence_number`."""
    for number, event in enumerate(_Response(body, request_id).events(chunks)):
        yield {**event, "sequence_number": number}


def from_error(error: APIError, request_id: str) -> JSON:
    """https://platform.openai.com/docs/api-reference/responses/object#responses/object-error names few codes: of failures of a
    provider's, one; clients tell a prompt that is too long by ours, and every other refusal is one of what was asked."""
    refused = error.code if error.code in ERROR_CODES else "rate_limit_exceeded" if error.status == 429 else "invalid_prompt"
    code = "server_error" if error.status >= 500 else refused
    return {**_Response({}, request_id).whole("failed"), "error": {"code": code, "message": error.message}}


def begun(body: JSON, request_id: str, created_s: int) -> JSON:
    """A response to be made in the background, before anything of it is."""
    model = body.get("model")
    return _Response(body, request_id, {"created_at": created_s, "model": model if isinstance(model, str) else ""}).whole("queued")


def failed(response: JSON, error: APIError) -> JSON:
    """A response that ends with an error."""
    return {**response, "status": "failed", "completed_at": None, "error": from_error(error, "")["error"]}


def to_usage(used: Any) -> JSON | None:
    if not isinstance(used, dict):
        return None
    counted = usage.from_openai(used)
    cached = counted.cached + counted.cached_audio + counted.cached_image
    told: JSON = {
        "input_tokens": counted.prompt,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": counted.cache_write_5m + counted.cache_write_1h},
        "output_tokens": counted.completion,
        "output_tokens_details": {"reasoning_tokens": counted.reasoning},
        "total_tokens": counted.prompt + counted.completion,
    }
    return {**told, "cost": used["cost"]} if "cost" in used else told


@dataclass(slots=True)
class _Response:
    body: JSON
    request_id: str
    head: JSON = field(default_factory=dict)
    output: list[JSON] = field(default_factory=list)
    writing: JSON | None = None
    """The open item of text or reasoning, if there is one: its last part grows."""
    calls: dict[int, int] = field(default_factory=dict)
    """The place in the output of each of the chat's open calls."""
    logprobs: list[JSON] = field(default_factory=list)
    details: list[JSON] = field(default_factory=list)
    """What the answer's maker wants back, and no item has carried yet."""
    finish_reason: str | None = None
    used: JSON | None = None

    def events(self, chunks: Iterable[JSON]) -> Iterator[JSON]:
        for chunk in chunks:
            if not self.head:
                model = chunk.get("model") or self.body.get("model")
                self.head = {"created_at": chunk.get("created") or 0, "model": model if isinstance(model, str) else ""}
                yield {"type": "response.created", "response": self.whole("in_progress")}
                yield {"type": "response.in_progress", "response": self.whole("in_progress")}
            self.used = chunk.get("usage") or self.used
            if chunk.get("service_tier"):
                self.head["service_tier"] = chunk["service_tier"]
            for choice in chunk.get("choices") or ():
                if choice.get("index") == 0:
                    self.finish_reason = choice.get("finish_reason") or self.finish_reason
                    self.logprobs += map(_with_bytes, (choice.get("logprobs") or {}).get("content") or ())
                    yield from self._read(choice.get("delta") or {})
        yield from self._close()
        if self.details:
            yield from self._carry()
            yield from self._close()
        status = "incomplete" if self.finish_reason in INCOMPLETE else "completed"
        yield {"type": f"response.{status}", "response": self.whole(status)}

    def _read(self, delta: JSON) -> Iterator[JSON]:
        if (thought := delta.get("reasoning_content")) and self._shows_reasoning():
            yield from self._write("reasoning", "summary_text", thought)
        if (details := as_objects(delta.get(reasoning_details.FIELD))) and self._shows_reasoning():
            self.details += details
            yield from self._carry() if not self.calls else ()
        if text := delta.get("content"):
            yield from self._write("message", "output_text", text)
        if refusal := delta.get("refusal"):
            yield from self._write("message", "refusal", refusal)
        for annotation in delta.get("annotations") or ():
            yield from self._annotate(annotation)
        for call in delta.get("tool_calls") or ():
            yield from self._call(call)

    def _carry(self) -> Iterator[JSON]:
        """What its maker wants back, in an item without a summary where none is open that could have it."""
        if self.writing is None or self.writing["type"] != "reasoning":
            yield from self._close_writing()
            self.writing = {"type": "reasoning", "id": self._id("rs"), "status": "in_progress", "summary": []}
            yield from self._add(self.writing)

    def _shows_reasoning(self) -> bool:
        """Clients that let answers be stored send an item's id instead of the item, which nobody can resolve where it is not."""
        return self.body.get("store") is not None or "reasoning.encrypted_content" in (self.body.get("include") or ())

    def _write(self, kind: str, part: str, text: str) -> Iterator[JSON]:
        """Text of a message or of reasoning's summary, in an item and a part that are opened first where they are not open."""
        parts = "summary" if kind == "reasoning" else "content"
        if self.writing is None or self.writing["type"] != kind:
            yield from self._close()
            own = {"role": "assistant", "content": []} if kind == "message" else {"summary": []}
            self.writing = {"type": kind, "id": self._id("rs" if kind == "reasoning" else "msg"), "status": "in_progress", **own}
            yield from self._add(self.writing)
        item = self.writing
        if not item[parts] or item[parts][-1]["type"] != part:
            yield from self._end_part()
            item[parts].append(_part(part))
            yield {**self._where(), "type": _PART_EVENTS[kind] + ".added", "part": _part(part)}
        field_name = "refusal" if part == "refusal" else "text"
        item[parts][-1][field_name] += text
        logprobs: JSON = {"logprobs": []} if part == "output_text" else {}
        yield {**self._where(), "type": _TEXT_EVENTS[part] + ".delta", "delta": text, **logprobs}

    def _annotate(self, annotation: JSON) -> Iterator[JSON]:
        cited = annotation.get("url_citation")
        if not isinstance(cited, dict) or self.writing is None or not self.writing.get("content"):
            return
        told = {"type": "url_citation", "url": "", "title": "", "start_index": 0, "end_index": 0, **cited}
        annotations = self.writing["content"][-1].setdefault("annotations", [])
        annotations.append(told)
        where = {**self._where(), "annotation_index": len(annotations) - 1, "annotation": told}
        yield {**where, "type": "response.output_text.annotation.added"}

    def _call(self, call: JSON) -> Iterator[JSON]:
        kind = "custom" if "custom" in call else "function"
        said, grows = call.get(kind) or {}, "input" if kind == "custom" else "arguments"
        index = call.get("index", 0)
        if index not in self.calls:
            yield from self._close_writing()
            name = said.get("name") or ""
            space, name = namespaces(self.body).get(name, (None, name))
            item: JSON = {
                "type": "custom_tool_call" if kind == "custom" else "function_call",
                "id": self._id("ctc" if kind == "custom" else "fc"),
            }
            item |= {"call_id": call.get("id") or f"call_{index}", "name": name, grows: "", "status": "in_progress"}
            self.calls[index] = len(self.output)
            yield from self._add(item | ({"namespace": space} if space else {}))
        if piece := said.get(grows):
            place = self.calls[index]
            self.output[place][grows] += piece
            where = {"item_id": self.output[place]["id"], "output_index": place}
            yield {**where, "type": _CALL_EVENTS[self.output[place]["type"]] + ".delta", "delta": piece}

    def _close(self) -> Iterator[JSON]:
        """Ends all that is open."""
        yield from self._close_writing()
        for place in self.calls.values():
            item = self.output[place]
            item["status"] = "completed"
            grows = "input" if item["type"] == "custom_tool_call" else "arguments"
            where = {"item_id": item["id"], "output_index": place, grows: item[grows]}
            named = {"name": item["name"]} if grows == "arguments" else {}
            yield {**where, **named, "type": _CALL_EVENTS[item["type"]] + ".done"}
            yield {"type": "response.output_item.done", "output_index": place, "item": dict(item)}
        self.calls = {}

    def _close_writing(self) -> Iterator[JSON]:
        item = self.writing
        if item is None:
            return
        yield from self._end_part()
        item["status"] = "incomplete" if self.finish_reason in INCOMPLETE else "completed"
        if item["type"] == "reasoning":
            details, self.details = self.details, []
            item["encrypted_content"] = reasoning_details.sign(reasoning_details.merge(details))
        yield {"type": "response.output_item.done", "output_index": len(self.output) - 1, "item": _copy(item)}
        self.writing = None

    def _end_part(self) -> Iterator[JSON]:
        item = self.writing
        parts = item and (item["summary"] if item["type"] == "reasoning" else item["content"])
        if not item or not parts:
            return
        part = parts[-1]
        if part["type"] == "output_text":
            part["logprobs"], self.logprobs = self.logprobs, []
        said = {name: part[name] for name in ("text", "refusal", "logprobs") if name in part}
        yield {**self._where(), "type": _TEXT_EVENTS[part["type"]] + ".done", **said}
        yield {**self._where(), "type": _PART_EVENTS[item["type"]] + ".done", "part": dict(part)}

    def _add(self, item: JSON) -> Iterator[JSON]:
        self.output.append(item)
        yield {"type": "response.output_item.added", "output_index": len(self.output) - 1, "item": _copy(item)}

    def _where(self) -> JSON:
        """The open part's place."""
        item = self.writing or {}
        parts = "summary" if item["type"] == "reasoning" else "content"
        place = {"item_id": item["id"], "output_index": len(self.output) - 1}
        return {**place, f"{parts}_index": max(0, len(item[parts]) - 1)}

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self.request_id}_{len(self.output)}"

    def whole(self, status: str) -> JSON:
        echoed = {name: default if self.body.get(name) is None else self.body[name] for name, default in ECHOED.items()}
        text = self.body.get("text") or {}
        reasoning = self.body.get("reasoning") or {}
        reason = INCOMPLETE.get(self.finish_reason or "") if status == "incomplete" else None
        unsaid = {"description": None, "strict": None}
        return {
            "id": f"{RESPONSE_PREFIX}{self.request_id}",
            "object": "response",
            "status": status,
            "completed_at": self.head["created_at"] if status == "completed" else None,
            "error": None,
            "incomplete_details": reason and {"reason": reason},
            **echoed,
            "tools": [{**unsaid, **tool} if tool.get("type") == "function" else tool for tool in echoed["tools"]],
            "created_at": 0,
            "model": self.body.get("model") or "",
            "store": bool(echoed["store"]),
            "text": {
                "format": {"type": "text"},
                "verbosity": "medium",
                **{name: text[name] for name in text if text[name] is not None},
            },
            "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
            **self.head,
            "output": [_copy(item) for item in self.output],
            "usage": to_usage(self.used),
        }


_PART_EVENTS: Mapping[str, str] = {"message": "response.content_part", "reasoning": "response.reasoning_summary_part"}
_TEXT_EVENTS: Mapping[str, str] = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "summary_text": "response.reasoning_summary_text",
}
_CALL_EVENTS: Mapping[str, str] = {
    "function_call": "response.function_call_arguments",
    "custom_tool_call": "response.custom_tool_call_input",
}


def _part(kind: str) -> JSON:
    if kind == "refusal":
        return {"type": kind, "refusal": ""}
    return {"type": kind, "text": ""} | ({"annotations": [], "logprobs": []} if kind == "output_text" else {})


def _with_bytes(token: JSON) -> JSON:
    """A token's log probability, whose bytes are no null here."""
    told = {**token, "bytes": token.get("bytes") or []}
    return {**told, "top_logprobs": [*map(_with_bytes, token["top_logprobs"])]} if "top_logprobs" in token else told


def _copy(item: JSON) -> JSON:
    """A copy of an item as it is now, since it goes on growing."""
    return {name: [dict(part) for part in value] if isinstance(value, list) else value for name, value in item.items()}
