"""Reads what a stream uses while its events pass, and keeps back the one that will carry the cost. Pure.

Providers of text differ in where usage comes: in a chunk of its own with no choices, with the last choice, or with every chunk.
What the client did not ask for is not shown to it. Of other operations the event that ends a result has it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from haimaker.http.errors import BadGatewayError
from haimaker.http.values import JSON, StreamEvent
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.operations.attempt import Attempt
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage

NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null')


class CountsUsage(Protocol):
    """What a request knows of the usage of its answers."""

    def read_usage(self, body: Any, attempt: Attempt) -> Usage | None: ...

    def estimate_usage(self, attempt: Attempt, text_bytes: int) -> Usage: ...


class StreamUsage(Protocol):
    """The usage of one stream."""

    text_bytes: int
    """The bytes of what a model wrote so far."""

    @property
    def provider_usage(self) -> Any:
        """The usage object that the provider sent last, if it did."""

    def read(self, events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        """The events as they come, but for those that are kept back until the cost is known."""

    def count(
        self, attempt: Attempt, known: Usage | None, sent_bytes: int, *, cut: bool, so_far: Usage | None = None
    ) -> tuple[Usage, bool] | None:
        """What was used and whether that is estimated; None where what was `known` before holds.

        `sent_bytes` went to the client; `cut` is an answer that did not come to its end; its provider has counted `so_far` of it.
        """

    def last_events(self, usage: JSON) -> Sequence[StreamEvent]:
        """The events that were kept back, with the usage that the client is told."""


@dataclass(slots=True)
class ResultUsage:
    """The usage of a stream of results, each with an event that ends it."""

    request: CountsUsage
    ends: list[StreamEvent] = field(default_factory=list)
    text_bytes: int = 0

    @property
    def provider_usage(self) -> Any:
        return self.ends[-1].body.get("usage") if self.ends else None

    def read(self, events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        """Raises BadGatewayError where no result came to its end."""
        for event in events:
            if is_last(event.body):
                self.ends.append(event)
            else:
                yield event
        if not self.ends:
            raise BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")

    def count(
        self, attempt: Attempt, known: Usage | None, sent_bytes: int, *, cut: bool, so_far: Usage | None = None
    ) -> tuple[Usage, bool] | None:
        if known is not None:
            return None
        counted = [tokens for end in self.ends if (tokens := self.request.read_usage(end.body, attempt))]
        return (usage.sum_usages(counted), False) if counted else (self.request.estimate_usage(attempt, sent_bytes), True)

    def last_events(self, usage: JSON) -> Sequence[StreamEvent]:
        if not self.ends:
            return ()
        return (*self.ends[:-1], self.ends[-1]._replace(body={**self.ends[-1].body, "usage": usage}, raw=None))


@dataclass(slots=True)
class TextUsage:
    """The usage of a text that comes in chunks."""

    request: CountsUsage
    wants_usage: bool
    """Whether the client does."""
    provider_usage: JSON | None = None
    text_bytes: int = 0
    so_far: JSON | None = None
    """What the provider told at the begin."""
    last: StreamEvent | None = None
    """The chunk whose usage is the final one, kept back until its cost is known."""
    head: JSON | None = None
    """Id, model and the like, as the first chunk had them."""

    def read(self, events: Iterable[StreamEvent]) -> Iterator[StreamEvent]:
        passes: object = None  # what chunks are like that say nothing of usage
        for chunk in events:
            if self.last:
                yield from self._not_last()
            if chunk.template is not None and chunk.template is passes:
                self.text_bytes += chunk.text_bytes
                yield chunk
                continue
            if self.head is None:
                self.head = {name: value for name, value in chunk.body.items() if name not in ("choices", "usage")}
            self.so_far = chunk.so_far or self.so_far
            self.text_bytes += text_bytes(chunk.body, "delta")
            said = chunk.body.get("usage")
            if isinstance(said, dict) and said:
                self.provider_usage = said
                yield from self._with_usage(chunk)
            elif "usage" in chunk.body and not self.wants_usage:
                yield without_usage(chunk)
            else:
                passes = chunk.template or passes
                yield chunk

    def count(
        self, attempt: Attempt, known: Usage | None, sent_bytes: int, *, cut: bool, so_far: Usage | None = None
    ) -> tuple[Usage, bool] | None:
        """The usage as the provider counted it, else an estimate; of a stream that was cut, at least what arrived."""
        counted = self._read_usage(self.provider_usage, attempt) or so_far
        if counted is None and cut and self.so_far:
            counted = self._read_usage(self.so_far, attempt)
        tokens = counted or self.request.estimate_usage(attempt, self.text_bytes)
        uncounted = max(0, usage.estimate_tokens(self.text_bytes) - tokens.completion) if cut else 0
        return replace(tokens, output=tokens.output + uncounted), counted is None or uncounted > 0

    def _read_usage(self, used: JSON | None, attempt: Attempt) -> Usage | None:
        return self.request.read_usage({**(self.head or {}), "usage": used}, attempt)

    def last_events(self, usage: JSON) -> Sequence[StreamEvent]:
        """The chunk that tells the usage; none if the client did not ask for one."""
        if not self.wants_usage:
            return ()
        last = self.last or StreamEvent({**(self.head or {}), "choices": []})
        return (last._replace(body={**last.body, "usage": usage}, raw=None),)

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
            yield without_usage(chunk)


def without_usage(chunk: StreamEvent) -> StreamEvent:
    if chunk.raw is not None and chunk.body["usage"] is None:
        raw, found = NULL_USAGE.subn(b"", chunk.raw)
        if found == chunk.raw.count(b'"usage"') == 1:
            return chunk._replace(raw=raw)
    return chunk._replace(body={name: value for name, value in chunk.body.items() if name != "usage"}, raw=None)


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
    return utf8_bytes(value) if isinstance(value, str) else 0


def utf8_bytes(text: str) -> int:
    """Bytes in UTF-8; of a text that is ASCII, without making them."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def is_last(event: JSON) -> bool:
    """Whether an event of OpenAI's ends the answer, or one of several results, and tells what was used."""
    return str(event.get("type")).endswith((".done", ".completed"))
