"""OpenAI's old `functions` for models that know tools only: tools upstream, `function_call` for the client that asked so. Pure.

https://platform.openai.com/docs/api-reference/chat/create#chat_create-functions
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from haimaker.adapters import ChatAdapter
from haimaker.schema import ChatRequest
from haimaker.wire import JSON, Attempt, Chunk, ErrorFields, Event, UpstreamRequest

FINISH_REASON = "function_call"


@dataclass(frozen=True, slots=True)
class OldFunctions:
    """A chat adapter made of another one."""

    chat: ChatAdapter
    calls: bool
    """Whether the client sent functions, and so reads calls of them; else only earlier turns have some."""

    def to_upstream(self, request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
        return self.chat.to_upstream(replace(request, body=_with_tools(request.body)), attempt)

    def from_upstream(self, body: JSON, attempt: Attempt) -> JSON:
        return self._told(self.chat.from_upstream(body, attempt), "message")

    def from_stream(self, events: Iterable[Event], attempt: Attempt) -> Iterator[Chunk]:
        for chunk in self.chat.from_stream(events, attempt):
            told = self._told(chunk.body, "delta")
            yield chunk if told is chunk.body else Chunk(told)

    def read_error(self, body: object) -> ErrorFields:
        return self.chat.read_error(body)

    def _told(self, body: JSON, holder: str) -> JSON:
        choices = body["choices"]
        made = [_choice(choice, holder) for choice in choices] if self.calls else choices
        return {**body, "choices": made} if any(new is not old for new, old in zip(made, choices, strict=True)) else body


def sends_functions(body: JSON) -> bool:
    return bool(body.get("functions")) and not body.get("tools")


def _choice(choice: JSON, holder: str) -> JSON:
    """With the first call, for there was only one; its id had no place."""
    message, made = choice.get(holder), dict[str, Any]()
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if isinstance(message, dict) and calls:
        kept = {name: value for name, value in message.items() if name != "tool_calls"}
        first = next((call.get("function") for place, call in enumerate(calls) if call.get("index", place) == 0), None)
        made[holder] = {**kept, "function_call": first} if first else kept
    if choice.get("finish_reason") == "tool_calls":
        made["finish_reason"] = FINISH_REASON
    return {**choice, **made} if made else choice


def _with_tools(body: JSON) -> JSON:
    messages = _messages(body["messages"])
    functions = body.get("functions")
    if not isinstance(functions, list) or not sends_functions(body):
        return {**body, "messages": messages}
    kept = {name: value for name, value in body.items() if name not in ("functions", "function_call", "tools")}
    made: JSON = {"messages": messages, "tools": [{"type": "function", "function": function} for function in functions]}
    choice = body.get("function_call")
    if choice is not None:
        made["tool_choice"] = choice if isinstance(choice, str) else {"type": "function", "function": choice}
    return {**kept, **made}


def _messages(messages: list[JSON]) -> list[JSON]:
    """Old calls have no id, and each is answered by the next message: its number serves, in nine letters, as Mistral wants it."""
    made: list[JSON] = []
    count = 0
    for message in messages:
        call = message.get("function_call")
        rest = {name: value for name, value in message.items() if name != "function_call"}
        if message.get("role") == "function":
            content = "" if message.get("content") is None else message["content"]
            rest = {name: value for name, value in rest.items() if name != "name"}
            message = {**rest, "role": "tool", "tool_call_id": _id(max(count, 1)), "content": content}
        elif message.get("role") == "assistant" and isinstance(call, dict):
            count += 1
            message = {"tool_calls": [{"id": _id(count), "type": "function", "function": call}], **rest}
        made.append(message)
    return made


def _id(number: int) -> str:
    return f"call{number:05d}"
