"""Wire formats: a folder per vendor, a module per operation, imported when first used.

A provider is who, an adapter is how. An adapter is a few pure functions over values: no socket, key, clock, random number, log or
environment, so that a recorded case tests all of it. Provider differences that are data are in `providers/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from haimaker.http.values import JSON, ErrorFields, Event, StreamEvent, UpstreamRequest
from haimaker.operations.attempt import Attempt

if TYPE_CHECKING:
    from haimaker.operations.chat import ChatRequest
    from haimaker.operations.operation import OperationRequest, Result, UpstreamBody
    from haimaker.providers.provider import Dialect, Provider


CHATS = ("chat_completions", "completions", "messages", "responses", "gemini_generate")
"""Operations that whoever chats can be made to serve."""
KNOW_SCHEMAS = ("anthropic", "anthropic_bedrock", "anthropic_vertex", "bedrock", "responses")
"""Formats that ask for answers in JSON as the model takes it."""


class Adapter(Protocol):
    """What a module has: how a vendor is called for an operation. All get the request, since an answer may have to fit it.

    One without streams has no `from_stream`. One whose answer is passed on as bytes has `from_bytes(response, request, attempt) ->
    ByteStream` instead of `from_upstream`, for an answer that is still to be read. One whose vendor pauses answers has a class
    `PausedTurn`. `most_at_once(attempt)` is how many inputs its vendor takes, or results it gives, in one call, where that has a
    limit.
    """

    def to_upstream(self, request: Any, attempt: Attempt) -> UpstreamRequest:
        """The call to make, without address and secrets. Raises BadRequestError for what the provider can't do."""

    def from_upstream(self, body: UpstreamBody, request: Any, attempt: Attempt) -> Result:
        """A 2xx answer in the operation's shape, and what was used. Raises APIError where it is an error after all or lacks what it
        must have."""

    def from_stream(self, events: Iterable[Event], request: Any, attempt: Attempt) -> Iterator[StreamEvent]:
        """A stream as the operation's events, the last of which has the usage. Raises APIError for an error event and for a stream
        that ends too early."""

    def read_error(self, body: object) -> ErrorFields:
        """What a body, of whatever shape, says of a failure."""


IMAGES: Mapping[str, str] = {
    "bedrock": "haimaker.adapters.bedrock.images",
    "gemini": "haimaker.adapters.gemini.images",
    "gemini_vertex": "haimaker.adapters.gemini.vertex_images",
    "openai": "haimaker.adapters.openai.images",
    "recraft": "haimaker.adapters.recraft.images",
    "together": "haimaker.adapters.together.images",
    "xai": "haimaker.adapters.xai.images",
}

ADAPTERS: Mapping[str, Mapping[str, str]] = {
    "chat_completions": {
        "anthropic": "haimaker.adapters.anthropic.chat",
        "anthropic_bedrock": "haimaker.adapters.anthropic.bedrock",
        "anthropic_vertex": "haimaker.adapters.anthropic.vertex",
        "bedrock": "haimaker.adapters.bedrock.chat",
        "cohere": "haimaker.adapters.cohere.chat",
        "gemini": "haimaker.adapters.gemini.chat",
        "gemini_vertex": "haimaker.adapters.gemini.vertex",
        "mistral": "haimaker.adapters.mistral.chat",
        "openai": "haimaker.adapters.openai.chat",
        "responses": "haimaker.adapters.responses.chat",
    },
    "responses": {
        "responses": "haimaker.adapters.responses.native",
    },
    "messages": {
        "anthropic": "haimaker.adapters.anthropic.native",
        "anthropic_bedrock": "haimaker.adapters.anthropic.native_bedrock",
        "anthropic_vertex": "haimaker.adapters.anthropic.native_vertex",
    },
    "gemini_generate": {
        "gemini": "haimaker.adapters.gemini.native",
        "gemini_vertex": "haimaker.adapters.gemini.native_vertex",
    },
    "gemini_embed": {
        "gemini": "haimaker.adapters.gemini.native_embeddings",
    },
    "gemini_batch_embed": {
        "gemini": "haimaker.adapters.gemini.native_embeddings",
    },
    "completions": {
        "openai": "haimaker.adapters.openai.completions",
    },
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
"""By operation, and by the adapter that a provider names. Models that have no completions are made to complete by way of chat, and
who does not speak the client's own format, such as `messages`, is asked for a chat that is its translation."""


def find(request: OperationRequest, attempt: Attempt) -> Adapter:
    """The adapter for a request at a target that serves it. Raises the BadRequestError of what can't be translated for it."""
    if is_native(request, attempt):
        assert request.original
        return load(request.original.format, attempt.provider.adapter)
    if request.original and request.original.refusal:
        raise request.original.refusal
    if request.operation == "completions" and not attempt.completes:
        from haimaker.adapters.over_chat import OverChat

        return OverChat(load("chat_completions", attempt.provider.adapter))
    if request.operation != "chat_completions":
        return load(request.operation, attempt.provider.adapter)
    adapter = load(request.operation, attempt.provider.adapter)
    if "response_format" in request.body:
        adapter = _with_answer_tool(adapter, request.body, attempt)
    return _in_todays_terms(adapter, request.body, attempt.provider.dialect)


def paused_turn(request: OperationRequest, attempt: Attempt) -> Any:
    """What an answer is kept in that its vendor may pause, to be asked to go on; None for all others.

    Only tools that the vendor runs itself lead to pauses; a client that asks in the vendor's own format sees to them itself.
    """
    if request.operation != "chat_completions" or is_native(request, attempt):
        return None
    kind = getattr(load(request.operation, attempt.provider.adapter), "PausedTurn", None)
    return kind() if kind and cast("ChatRequest", request).has_own_tools(attempt) else None


def is_native(request: OperationRequest, attempt: Attempt) -> bool:
    """Whether a target speaks the format in which the client asks, so that nothing has to be translated."""
    original, provider = request.original, attempt.provider
    if original is None or provider.adapter not in original.spoken_by:
        return False
    return not original.compacts or provider.limits.compacts_responses


def _with_answer_tool(adapter: Adapter, body: JSON, attempt: Attempt) -> Adapter:
    """The adapter, with the answer tool where the provider or the model takes no schema, or none beside tools. Some formats do
    without it."""
    from haimaker.adapters.answer_tool import wants_answer_tool, with_answer_tool

    situations = attempt.provider.dialect.for_model(attempt.traits).answer_tool
    if attempt.provider.adapter not in KNOW_SCHEMAS and not attempt.provider.dialect.schema_in_words:
        situations += () if attempt.traits.schema else ("schema",)
        situations += () if attempt.traits.schema_with_tools else ("tools",)
    return with_answer_tool(adapter, body) if wants_answer_tool(body, situations) else adapter


def _in_todays_terms(adapter: Adapter, body: JSON, dialect: Dialect) -> Adapter:
    """The adapter for a chat that has custom tools or the old `functions`, which the provider does not know."""
    messages: Iterable[JSON] = body.get("messages") or ()
    if not dialect.keeps_custom_tools and (body.get("tools") or any("tool_calls" in message for message in messages)):
        from haimaker.adapters.custom_tools import has_custom_tools, with_custom_tools

        adapter = with_custom_tools(adapter, body) if has_custom_tools(body) else adapter
    if dialect.keeps_functions:
        return adapter
    old = "functions" in body or "function_call" in body
    if old or any(message.get("role") == "function" or "function_call" in message for message in messages):
        from haimaker.adapters.legacy_functions import with_legacy_functions

        adapter = with_legacy_functions(adapter, body)
    return adapter


def serves(provider: Provider, operation: str) -> bool:
    """Whether there is an adapter for an operation of a provider."""
    return provider.adapter in ADAPTERS["chat_completions" if operation in CHATS else operation]


@cache
def load(operation: str, name: str) -> Adapter:
    """A module by the operation and the adapter's name. Raises KeyError where there is none."""
    return cast(Adapter, import_module(ADAPTERS[operation][name]))
