"""Legacy completions from a provider that only chats: the prompt is a user's message, the answer's content is the text. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haimaker.adapters import Adapter
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON, ErrorFields, Event, StreamEvent, UpstreamRequest
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.lean_pydantic import ValidationError
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatFields, ChatRequest
from haimaker.operations.completions import CompletionRequest
from haimaker.operations.fields import raise_validation_error
from haimaker.operations.operation import Result, UpstreamBody

REFUSED: Mapping[str, tuple[object, ...]] = {
    "suffix": (None, ""),
    "echo": (None, False),
    "logprobs": (None,),
}
"""What chat has no place for, and the values of it that ask for nothing; of `best_of` that is as many as are wanted."""
FINISH_REASONS = frozenset({"stop", "length", "content_filter"})
"""Those that a completion can have; chat has more."""


@dataclass(frozen=True, slots=True)
class OverChat:
    """A completions adapter made of a chat adapter. It gets one prompt at a time."""

    chat: Adapter

    def to_upstream(self, request: CompletionRequest, attempt: Attempt) -> UpstreamRequest:
        dropped = _dropped(request)
        made = self.chat.to_upstream(_as_chat(request), attempt)
        return replace(made, dropped=(*dropped, *made.dropped))

    def from_upstream(self, body: UpstreamBody, request: CompletionRequest, attempt: Attempt) -> Result:
        result = self.chat.from_upstream(body, _as_chat(request), attempt)
        return Result(_as_completion(result.body, "message"))

    def from_stream(self, events: Iterable[Event], request: CompletionRequest, attempt: Attempt) -> Iterator[StreamEvent]:
        for chunk in self.chat.from_stream(events, _as_chat(request), attempt):
            yield StreamEvent(_as_completion(chunk.body, "delta"))

    def read_error(self, body: object) -> ErrorFields:
        return self.chat.read_error(body)


def _dropped(request: CompletionRequest) -> tuple[str, ...]:
    """What the client loses, if it asks to drop what can't be had; raises BadRequestError otherwise."""
    refused = {**REFUSED, "best_of": (None, 0, request.fields.n or 1)}
    lost = tuple(name for name, nothing in refused.items() if request.body.get(name) not in nothing)
    if lost and not request.body.get("drop_params"):
        raise _unsupported(lost[0], 'Leave it out, or send "drop_params": true.')
    return lost


def _as_chat(request: CompletionRequest) -> ChatRequest:
    """Raises BadRequestError for what no chat has, and for fields of chat that are none."""
    [prompt] = request.prompts
    if not isinstance(prompt, str):
        raise _unsupported("prompt", "Its prompt must be text, not the ids of tokens.")
    if request.max_output_tokens == 0:
        raise _unsupported("max_tokens", "It writes at least one token.")
    kept = {name: value for name, value in request.body.items() if name not in (*REFUSED, "best_of", "prompt")}
    body = {**kept, "messages": [{"role": "user", "content": prompt}]}
    try:
        return ChatRequest(ChatFields.model_validate(body), body, request.size)
    except ValidationError as error:
        raise_validation_error(error)


def _unsupported(name: str, advice: str) -> BadRequestError:
    message = f"The model only chats: it does not support the parameter '{name}' in this form. {advice}"
    return BadRequestError(message, param=name, code="unsupported_parameter")


def _as_completion(body: JSON, holder: str) -> JSON:
    choices = [_choice(choice, holder) for choice in body.get("choices") or () if isinstance(choice, dict)]
    identity = {"id": str(body.get("id", "")).replace("chatcmpl-", "cmpl-", 1), "object": "text_completion"}
    return {**body, **identity, "choices": choices}


def _choice(choice: JSON, holder: str) -> JSON:
    message: Any = choice.get(holder)
    content = message.get("content") if isinstance(message, dict) else None
    reason = choice.get("finish_reason")
    return {
        "text": content if isinstance(content, str) else "",
        "index": choice.get("index", 0),
        "logprobs": None,
        "finish_reason": reason if reason is None or reason in FINISH_REASONS else "stop",
    }
