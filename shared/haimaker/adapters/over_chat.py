"""Legacy completions from a provider that only chats: the prompt is a user's message, the answer's content is the text. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from haimaker.adapters import ChatAdapter
from haimaker.errors import BadRequestError
from haimaker.schema import ChatFields, ChatRequest, CompletionRequest
from haimaker.wire import JSON, Attempt, Chunk, ErrorFields, Event, UpstreamRequest

REFUSED: Mapping[str, tuple[object, ...]] = {
    "suffix": (None, ""),
    "echo": (None, False),
    "logprobs": (None, 0),
    "best_of": (None, 1),
}
"""What chat has no place for, and the values of it that ask for nothing."""


@dataclass(frozen=True, slots=True)
class OverChat:
    """A completions adapter made of a chat adapter. It gets one prompt at a time."""

    chat: ChatAdapter

    def to_upstream(self, request: CompletionRequest, attempt: Attempt) -> UpstreamRequest:
        return self.chat.to_upstream(_as_chat(request), attempt)

    def from_upstream(self, body: JSON, attempt: Attempt) -> JSON:
        return _as_completion(self.chat.from_upstream(body, attempt), "message")

    def from_stream(self, events: Iterable[Event], attempt: Attempt) -> Iterator[Chunk]:
        for chunk in self.chat.from_stream(events, attempt):
            yield Chunk(_as_completion(chunk.body, "delta"))

    def read_error(self, body: object) -> ErrorFields:
        return self.chat.read_error(body)


def _as_chat(request: CompletionRequest) -> ChatRequest:
    for name, nothing in REFUSED.items():
        if request.body.get(name) not in nothing:
            message = f"The model only chats, so the parameter '{name}' of a completion can't be had."
            raise BadRequestError(message, param=name, code="unsupported_parameter")
    [prompt] = request.prompts
    if not isinstance(prompt, str):
        message = "The model only chats, so its prompt must be text, not token ids."
        raise BadRequestError(message, param="prompt", code="unsupported_parameter")
    kept = {name: value for name, value in request.body.items() if name not in REFUSED and name != "prompt"}
    body = {**kept, "messages": [{"role": "user", "content": prompt}]}
    return ChatRequest(ChatFields.model_validate(body), body, request.size)


def _as_completion(body: JSON, holder: str) -> JSON:
    choices = [_choice(choice, holder) for choice in body.get("choices") or () if isinstance(choice, dict)]
    identity = {"id": str(body.get("id", "")).replace("chatcmpl-", "cmpl-", 1), "object": "text_completion"}
    return {**body, **identity, "choices": choices}


def _choice(choice: JSON, holder: str) -> JSON:
    message: Any = choice.get(holder)
    content = message.get("content") if isinstance(message, dict) else None
    return {
        "text": content if isinstance(content, str) else "",
        "index": choice.get("index", 0),
        "logprobs": None,
        "finish_reason": choice.get("finish_reason"),
    }
