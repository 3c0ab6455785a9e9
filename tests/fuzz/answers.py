"""Whether the official SDKs read an answer: each operation's body and events by the types that they have for them."""

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any

from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from cohere.v2.types import V2RerankResponse
from google.genai import types
from openai._models import construct_type_unchecked
from openai.pagination import SyncCursorPage, SyncPage
from openai.types import (
    Completion,
    CreateEmbeddingResponse,
    FileDeleted,
    FileObject,
    ImagesResponse,
    Model,
    ModerationCreateResponse,
    Upload,
)
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import CompactedResponse, Response, ResponseStreamEvent
from openai.types.uploads import UploadPart
from pydantic import BaseModel, TypeAdapter

from haimaker.api.formats.responses_answers import CLIENTS_CODES, ECHOED
from haimaker.http.sse import dumps

WHOLE: Mapping[str, type[BaseModel]] = {
    "chat_completions": ChatCompletion,
    "completions": Completion,
    "embeddings": CreateEmbeddingResponse,
    **dict.fromkeys(("images_generations", "images_edits", "images_variations"), ImagesResponse),
    **dict.fromkeys(("audio_transcriptions", "audio_translations"), Transcription),
    "moderations": ModerationCreateResponse,
    "rerank": V2RerankResponse,
    "messages": Message,
    "responses": Response,
    "responses_retrieve": Response,
    "responses_compact": CompactedResponse,
    "messages_count_tokens": MessageTokensCount,
    "models_list": SyncPage[Model],
    "models_retrieve": Model,
    **dict.fromkeys(("files_create", "files_retrieve"), FileObject),
    "files_list": SyncCursorPage[FileObject],
    "files_delete": FileDeleted,
    **dict.fromkeys(("uploads_create", "uploads_complete", "uploads_cancel"), Upload),
    "uploads_add_part": UploadPart,
}
EVENTS: Mapping[str, type[BaseModel]] = {
    "chat_completions": ChatCompletionChunk,
    "completions": Completion,
    "transcript.text.delta": TranscriptionTextDeltaEvent,
    "transcript.text.done": TranscriptionTextDoneEvent,
}
"""By the operation, or by what an event says that it is."""
UNIONS: Mapping[str, TypeAdapter[Any]] = {
    "messages": TypeAdapter(RawMessageStreamEvent),
    "responses": TypeAdapter(ResponseStreamEvent),
}
"""Of operations whose events are of one of several types."""
LOOSE: Mapping[str, Any] = {"messages": RawMessageStreamEvent, "responses": ResponseStreamEvent}
GOOGLE: Mapping[str, Any] = {
    "gemini_generate": types.GenerateContentResponse,
    "gemini_stream": types.GenerateContentResponse,
    "gemini_embed": types.EmbedContentResponse,
    "gemini_batch_embed": types.EmbedContentResponse,
    "gemini_count_tokens": types.CountTokensResponse,
}
"""Google's SDK checks types itself, of all that it knows: https://googleapis.github.io/python-genai/"""
FORMATS: Mapping[str, type[BaseModel]] = {"verbose_json": TranscriptionVerbose, "diarized_json": TranscriptionDiarized}


def check_whole(operation: str, body: Any, response_format: object = None, *, same_format: bool = False) -> None:
    """Raises ValueError or AttributeError for a JSON body that an SDK does not read; what a provider says in the client's own
    format is passed on, and read as SDKs read what is newer than they are."""
    if operation in GOOGLE:
        for answer in body if isinstance(body, list) else [body]:
            _check_google(operation, answer)
        return
    if same_format:
        construct_type_unchecked(value=_whole_text(body), type_=WHOLE[operation])
        return
    if operation.startswith("models_") and not {"models", "has_more", "baseModelId", "display_name"}.isdisjoint(body):
        return  # as Google's or Anthropic's clients ask for them
    model = FORMATS.get(str(response_format)) if operation.startswith("audio_") else None
    if model := model or WHOLE.get(operation):
        _check(model, body)


def check_event(operation: str, body: Any, *, same_format: bool = False) -> None:
    """Raises ValueError or AttributeError for an event that an SDK does not read."""
    if "error" in body or body.get("type") in ("ping", "error"):
        return
    if operation in GOOGLE:
        _check_google(operation, body)
        return
    if same_format:
        construct_type_unchecked(value=_whole_text(body), type_=LOOSE[operation])
        return
    if body.get("type") == "response.failed" and body["response"]["error"].get("code") in CLIENTS_CODES:
        body = {**body, "response": {**body["response"], "error": {**body["response"]["error"], "code": "server_error"}}}
    if adapter := UNIONS.get(operation):
        adapter.validate_python(_whole_text(_as_said(body)))
    if model := EVENTS.get(operation) or EVENTS.get(str(body.get("type"))):
        _check(model, body)
    if operation.startswith("images_") and not isinstance(body.get("b64_json", ""), str):
        raise ValueError("an image that is no text")


def _check_google(operation: str, body: Any) -> None:
    if "error" not in body:
        GOOGLE[operation]._from_response(response=_whole_text(body), kwargs={})


def readable(raw: bytes) -> Any:
    """JSON as JavaScript reads it. Raises ValueError."""
    return json.loads(raw, parse_constant=_no_json)


def as_sent(body: Any) -> Any:
    """What arrives of a body that is written as JSON."""
    return readable(dumps(body))


def _check(model: type[BaseModel], body: Any) -> None:
    model.model_validate(_whole_text(_as_said(body)))


def _whole_text(body: Any) -> Any:
    """Without halves of surrogate pairs, which pydantic takes in no text."""
    return json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))


def _as_said(body: Any) -> Any:
    """Without what OpenAI itself says in other words than its SDK has, which is DALL-E's quality, ends of legacy completions,
    seconds at a stream's end and tokens of a transcript with times, or what another provider says of images; without what a
    response repeats of its request; and with vectors decoded, as the SDK does it."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("quality"), str):
        body = {**body, "quality": None}
    if body.get("object") == "response" or isinstance(body.get("response"), dict):
        body = _unasked(body)
    if body.get("object") == "text_completion":
        body = {**body, "choices": [_as_streamed(choice) for choice in body["choices"]]}
    used = body.get("usage")
    if isinstance(used, dict) and used.get("type") == ("duration" if body.get("type") else "tokens"):
        body = {**body, "usage": None}
    if isinstance(body.get("results"), list):
        body = {**body, "results": [_without_kinds(result) for result in body["results"]]}
    if body.get("object") == "list" and isinstance(body.get("data"), list):
        body = {**body, "data": [_decoded(item) for item in body["data"]]}
    return body


def _unasked(body: Any) -> Any:
    """A response without what it repeats of its request, which is as its client sent it."""
    if isinstance(body.get("response"), dict):
        return {**body, "response": _unasked(body["response"])}
    return {**body, **{name: ECHOED.get(name) for name in (*ECHOED, "text", "reasoning") if name in body}}


def _as_streamed(choice: Any) -> Any:
    """Its streams have no reason before the end, and of a prompt's first token no likelihood."""
    return {**choice, "finish_reason": choice.get("finish_reason") or "stop", "logprobs": None}


def _without_kinds(result: Any) -> Any:
    """OpenAI looks for hate in texts only, Azure in images as well."""
    kinds = result.get("category_applied_input_types") if isinstance(result, dict) else None
    if not isinstance(kinds, dict):
        return result
    return {**result, "category_applied_input_types": {name: [] if kind == ["image"] else kind for name, kind in kinds.items()}}


def _decoded(item: Any) -> Any:
    if not isinstance(item, dict) or not isinstance(item.get("embedding"), str):
        return item
    raw = base64.b64decode(item["embedding"], validate=True)
    return {**item, "embedding": list(struct.unpack(f"<{len(raw) // 4}f", raw))}


def _no_json(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
