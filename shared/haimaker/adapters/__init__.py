"""Wire formats: a folder per format, a module per operation, imported when first used.

A provider is who, an adapter is how. For chat an adapter is four pure functions over values: no socket, key, clock, random
number, log or environment, so that a recorded case tests all of it. Provider differences that are data are in `providers/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from haimaker.http.values import JSON, ErrorFields, Event, StreamEvent, UpstreamRequest, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import Accepted, ChatRequest, CompletionRequest

if TYPE_CHECKING:
    from haimaker.operations.operation import Answer, Made, Sound
    from haimaker.providers.provider import Provider

CHAT: Mapping[str, str] = {
    "anthropic": "haimaker.adapters.anthropic.chat",
    "anthropic_bedrock": "haimaker.adapters.anthropic.bedrock",
    "anthropic_vertex": "haimaker.adapters.anthropic.vertex",
    "bedrock": "haimaker.adapters.bedrock.chat",
    "cohere": "haimaker.adapters.cohere.chat",
    "databricks": "haimaker.adapters.databricks.chat",
    "gemini": "haimaker.adapters.gemini.chat",
    "gemini_vertex": "haimaker.adapters.gemini.vertex",
    "mistral": "haimaker.adapters.mistral.chat",
    "openai": "haimaker.adapters.openai.chat",
}


class ChatAdapter(Protocol):
    """What a chat module has."""

    def to_upstream(self, request: ChatRequest, attempt: Attempt) -> UpstreamRequest:
        """The call to make, without address and secrets. Raises BadRequestError for what the provider can't do."""

    def from_upstream(self, body: JSON, attempt: Attempt) -> JSON:
        """The body of a 2xx answer as OpenAI's. Raises APIError where it is an error after all or lacks what it must have."""

    def from_stream(self, events: Iterable[Event], attempt: Attempt) -> Iterator[StreamEvent]:
        """A stream as OpenAI's chunks. Raises APIError for an error event and for a stream that ends too early."""

    def read_error(self, body: object) -> ErrorFields:
        """What a body, of whatever shape, says of a failure."""


COMPLETIONS: Mapping[str, str] = {
    "openai": "haimaker.adapters.openai.completions",
}
"""For models that complete a text themselves; of all others a chat adapter is made to do it."""


IMAGES: Mapping[str, str] = {
    "bedrock": "haimaker.adapters.bedrock.images",
    "gemini": "haimaker.adapters.gemini.images",
    "gemini_vertex": "haimaker.adapters.gemini.vertex_images",
    "openai": "haimaker.adapters.openai.images",
    "recraft": "haimaker.adapters.recraft.images",
    "together": "haimaker.adapters.together.images",
    "xai": "haimaker.adapters.xai.images",
}

TASKS: Mapping[str, Mapping[str, str]] = {
    "images_edits": IMAGES,
    "images_generations": IMAGES,
    "images_variations": IMAGES,
    "audio_speech": {
        "deepgram": "haimaker.adapters.deepgram.speech",
        "elevenlabs": "haimaker.adapters.elevenlabs.speech",
        "gemini": "haimaker.adapters.gemini.speech",
        "gemini_vertex": "haimaker.adapters.gemini.vertex_speech",
        "google_speech": "haimaker.adapters.google_speech.speech",
        "mistral": "haimaker.adapters.mistral.speech",
        "openai": "haimaker.adapters.openai.speech",
        "polly": "haimaker.adapters.polly.speech",
    },
    "audio_transcriptions": {
        "deepgram": "haimaker.adapters.deepgram.transcriptions",
        "elevenlabs": "haimaker.adapters.elevenlabs.transcriptions",
        "gemini": "haimaker.adapters.gemini.transcriptions",
        "gemini_vertex": "haimaker.adapters.gemini.vertex_transcriptions",
        "google_speech": "haimaker.adapters.google_speech.transcriptions",
        "mistral": "haimaker.adapters.mistral.transcriptions",
        "openai": "haimaker.adapters.openai.transcriptions",
        "xai": "haimaker.adapters.xai.transcriptions",
    },
    "audio_translations": {
        "gemini": "haimaker.adapters.gemini.transcriptions",
        "gemini_vertex": "haimaker.adapters.gemini.vertex_transcriptions",
        "openai": "haimaker.adapters.openai.transcriptions",
    },
    "embeddings": {
        "bedrock": "haimaker.adapters.bedrock.embeddings",
        "cohere": "haimaker.adapters.cohere.embeddings",
        "gemini": "haimaker.adapters.gemini.embeddings",
        "gemini_vertex": "haimaker.adapters.gemini.vertex_embeddings",
        "huggingface": "haimaker.adapters.huggingface.embeddings",
        "openai": "haimaker.adapters.openai.embeddings",
    },
    "moderations": {
        "bedrock": "haimaker.adapters.bedrock.moderations",
        "content_safety": "haimaker.adapters.content_safety.moderations",
        "mistral": "haimaker.adapters.mistral.moderations",
        "openai": "haimaker.adapters.openai.moderations",
    },
    "rerank": {
        "bedrock": "haimaker.adapters.bedrock.rerank",
        "cohere": "haimaker.adapters.cohere.rerank",
        "deepinfra": "haimaker.adapters.deepinfra.rerank",
        "discovery_engine": "haimaker.adapters.discovery_engine.rerank",
        "nvidia": "haimaker.adapters.nvidia.rerank",
        "openai": "haimaker.adapters.openai.rerank",
        "tei": "haimaker.adapters.tei.rerank",
    },
}
"""By operation, and by the adapter that a provider names."""


class TaskAdapter(Protocol):
    """What a module of another operation has. All get the request, since an answer may have to be made to fit it."""

    def to_upstream(self, request: Any, attempt: Attempt) -> UpstreamRequest:
        """As in ChatAdapter."""

    def from_upstream(self, answer: Answer, request: Any, attempt: Attempt) -> Made:
        """A 2xx answer in OpenAI's shape, and what was used."""

    def read_error(self, body: object) -> ErrorFields:
        """As in ChatAdapter."""


class EventsAdapter(TaskAdapter, Protocol):
    """One whose provider streams events."""

    def from_stream(self, events: Iterable[Event], request: Any, attempt: Attempt) -> Iterator[StreamEvent]:
        """As OpenAI's events; the last has the usage."""


class PiecesAdapter(Protocol):
    """One of an operation whose answer is bytes, passed on as they come."""

    def to_upstream(self, request: Any, attempt: Attempt) -> UpstreamRequest:
        """As in ChatAdapter."""

    def from_pieces(self, answer: UpstreamResponse, request: Any, attempt: Attempt) -> Sound:
        """The bytes that the client asked for, of an answer that is still to be read. Raises APIError while they are read."""

    def read_error(self, body: object) -> ErrorFields:
        """As in ChatAdapter."""


class BatchAdapter(TaskAdapter, Protocol):
    """One whose provider takes only so many inputs, or gives only so many results, in a call."""

    def most_at_once(self, attempt: Attempt) -> int: ...


class Adapter(Protocol):
    """What a module of any generating operation has; see ChatAdapter."""

    def to_upstream(self, request: Any, attempt: Attempt) -> UpstreamRequest: ...
    def from_upstream(self, body: JSON, attempt: Attempt) -> JSON: ...
    def from_stream(self, events: Iterable[Event], attempt: Attempt) -> Iterator[StreamEvent]: ...
    def read_error(self, body: object) -> ErrorFields: ...


def find(request: Accepted, attempt: Attempt) -> Any:
    """The adapter for a request at a target."""
    if request.endpoint in TASKS:
        return task(request.endpoint, attempt)
    if isinstance(request, CompletionRequest):
        return completion(attempt)
    dialect = attempt.provider.dialect.for_model(attempt.model_info.model)
    adapter = chat(attempt.provider.adapter)
    if dialect.answer_tool and "response_format" in request.body:
        adapter = _with_answer_tool(adapter, request.body, dialect.answer_tool)
    if dialect.keeps_functions:
        return adapter
    return _in_todays_terms(adapter, request.body)


def _with_answer_tool(adapter: ChatAdapter, body: JSON, situations: tuple[str, ...]) -> ChatAdapter:
    from haimaker.adapters.answer_tool import wants_answer_tool, with_answer_tool

    return with_answer_tool(adapter, body) if wants_answer_tool(body, situations) else adapter


def _in_todays_terms(adapter: ChatAdapter, body: JSON) -> ChatAdapter:
    """For a chat with what OpenAI's models alone know: custom tools, and functions as they were called once."""
    messages: Iterable[JSON] = body.get("messages") or ()
    if any("tool_calls" in message for message in messages) or body.get("tools"):
        from haimaker.adapters.custom_tools import speaks_of_custom_tools, with_custom_tools

        adapter = with_custom_tools(adapter, body) if speaks_of_custom_tools(body) else adapter
    old = "functions" in body or "function_call" in body
    if old or any(message.get("role") == "function" or "function_call" in message for message in messages):
        from haimaker.adapters.old_functions import with_old_functions

        adapter = with_old_functions(adapter, body)
    return adapter


def task(endpoint: str, attempt: Attempt) -> TaskAdapter:
    """The adapter for an operation that is no text generation, at a target that `serves` it."""
    return cast(TaskAdapter, _module(TASKS[endpoint][attempt.provider.adapter]))


def serves(provider: Provider, endpoint: str) -> bool:
    """Whether there is an adapter for a definition's operation."""
    return provider.adapter in TASKS.get(endpoint, CHAT)


def completion(attempt: Attempt) -> Adapter:
    if completes(attempt):
        return cast(Adapter, _module(COMPLETIONS[attempt.provider.adapter]))
    from haimaker.adapters.over_chat import OverChat

    return OverChat(chat(attempt.provider.adapter))


def tool_passes(attempt: Attempt) -> int:
    """How many times a target may read the prompt again for tools of its own, each of which is billed; 0 where it is not."""
    return getattr(chat(attempt.provider.adapter), "TOOL_PASSES", 0) if attempt.provider.adapter else 0


def completes(attempt: Attempt) -> bool:
    """Whether the model has legacy completions of its own."""
    return bool(attempt.provider.catalog.completes and re.match(attempt.provider.catalog.completes, attempt.model_info.model))


def chat(name: str) -> ChatAdapter:
    return cast(ChatAdapter, _module(CHAT[name]))


@cache
def _module(path: str) -> object:
    return import_module(path)
