"""Wire formats: a folder per format, a module per operation, imported when first used.

A provider is who, an adapter is how. For chat an adapter is four pure functions over values: no socket, key, clock, random
number, log or environment, so that a recorded case tests all of it. Provider differences that are data are in `providers.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from haimaker.schema import ChatRequest
from haimaker.wire import JSON, Attempt, Chunk, ErrorFields, Event, UpstreamRequest

CHAT: Mapping[str, str] = {
    "openai": "haimaker.adapters.openai.chat",
}


class ChatAdapter(Protocol):
    """What a chat module has."""

    def to_upstream(self, request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
        """The call to make, without address and secrets. Raises BadRequestError for what the provider can't do."""

    def from_upstream(self, body: JSON, attempt: Attempt) -> JSON:
        """The body of a 2xx answer as OpenAI's. Raises APIError where it is an error after all or lacks what it must have."""

    def from_stream(self, events: Iterable[Event], attempt: Attempt) -> Iterator[Chunk]:
        """A stream as OpenAI's chunks. Raises APIError for an error event and for a stream that ends too early."""

    def read_error(self, body: object) -> ErrorFields:
        """What a body, of whatever shape, says of a failure."""


@cache
def chat(name: str) -> ChatAdapter:
    return cast(ChatAdapter, import_module(CHAT[name]))
