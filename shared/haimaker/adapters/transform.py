"""A chat adapter made of another one, for what OpenAI's clients may write and a model does not know: the request is written
anew in words that it knows, and its answer, whole or streamed, in the client's. Pure.
"""

from collections.abc import Callable, Iterable, Iterator

from haimaker.adapters import Adapter
from haimaker.http.values import JSON, ErrorFields, Event, StreamEvent, UpstreamRequest
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import ChatRequest
from haimaker.operations.operation import Result, UpstreamBody

Reader = Callable[[JSON, str], JSON]
"""Reads the choices of one answer in turn: a choice, and where in it stands what the model wrote, `message` or `delta`. Gives the
choice that the client gets; the same object where that is no other."""


@dataclass(frozen=True, slots=True)
class Transform:
    """One way of it, around an adapter."""

    chat: Adapter
    write: Callable[[JSON], tuple[JSON, tuple[str, ...]]]
    """The client's body anew, and the names of what is lost by it. Raises BadRequestError."""
    reader: Callable[[], Reader]
    """Makes one for each answer."""

    def to_upstream(self, request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
        body, lost = self.write(request.body)
        made = self.chat.to_upstream(replace(request, body=body), attempt)
        return replace(made, dropped=(*lost, *made.dropped)) if lost else made

    def from_upstream(self, body: UpstreamBody, request: ChatRequest, attempt: Attempt) -> Result:
        result = self.chat.from_upstream(body, request, attempt)
        return result._replace(body=_read(result.body, "message", self.reader()))

    def from_stream(self, events: Iterable[Event], request: ChatRequest, attempt: Attempt) -> Iterator[StreamEvent]:
        reader = self.reader()
        for chunk in self.chat.from_stream(events, request, attempt):
            told = _read(chunk.body, "delta", reader)
            yield chunk if told is chunk.body else StreamEvent(told)

    def read_error(self, body: object) -> ErrorFields:
        return self.chat.read_error(body)


def _read(body: JSON, holder: str, reader: Reader) -> JSON:
    choices = body["choices"]
    made = [reader(choice, holder) for choice in choices]
    return {**body, "choices": made} if any(new is not old for new, old in zip(made, choices, strict=True)) else body


def called_function(call: JSON) -> JSON:
    """The function of a call; empty where it says none, or is no call."""
    function = call.get("function") if isinstance(call, dict) else None
    return function if isinstance(function, dict) else {}
