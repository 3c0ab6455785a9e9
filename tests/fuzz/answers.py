"""Whether the official SDKs read an answer: each operation's body and events by the types that they have for them."""

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from cohere.v2.types import V2RerankResponse
from openai.types import Completion, CreateEmbeddingResponse, ImagesResponse, ModerationCreateResponse
from openai.types.audio import (
    Transcription,
    TranscriptionDiarized,
    TranscriptionTextDeltaEvent,
    TranscriptionTextDoneEvent,
    TranscriptionVerbose,
)
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

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
FORMATS: Mapping[str, type[BaseModel]] = {"verbose_json": TranscriptionVerbose, "diarized_json": TranscriptionDiarized}


def check_whole(operation: str, body: Any, response_format: object = None) -> None:
    """Raises ValueError or AttributeError for a JSON body that an SDK does not read."""
    model = FORMATS.get(str(response_format)) if operation.startswith("audio_") else None
    if model := model or WHOLE.get(operation):
        _check(model, body)


def check_event(operation: str, body: Any) -> None:
    """Raises ValueError or AttributeError for an event that an SDK does not read."""
    if "error" in body or body.get("type") in ("ping", "error"):
        return
    if adapter := UNIONS.get(operation):
        adapter.validate_python(_whole_text(body))
    if model := EVENTS.get(operation) or EVENTS.get(str(body.get("type"))):
        _check(model, body)
    if operation.startswith("images_") and not isinstance(body.get("b64_json", ""), str):
        raise ValueError("an image that is no text")


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
    """Without what OpenAI itself says in other words than its SDK has, which is DALL-E's quality, seconds at a stream's end,
    tokens of a transcript with times, or what another provider says of images; and with vectors decoded, as the SDK does it."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("quality"), str):
        body = {**body, "quality": None}
    used = body.get("usage")
    if isinstance(used, dict) and used.get("type") == ("duration" if body.get("type") else "tokens"):
        body = {**body, "usage": None}
    if isinstance(body.get("results"), list):
        body = {**body, "results": [_without_kinds(result) for result in body["results"]]}
    if body.get("object") == "list" and isinstance(body.get("data"), list):
        body = {**body, "data": [_decoded(item) for item in body["data"]]}
    return body


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
