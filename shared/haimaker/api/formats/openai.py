"""OpenAI's other operations: a JSON body or bytes, or events that have names. Each parser is in the module of its operation.

https://platform.openai.com/docs/api-reference
"""

from collections.abc import Iterator
from importlib import import_module
from typing import cast

from haimaker.api.formats import openai_chat
from haimaker.http.sse import encode
from haimaker.http.values import Request, StreamEvent
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.operation import OperationRequest, Result


def render(request: OperationRequest, result: Result, request_id: str) -> tuple[str, bytes]:
    return request.render(result)


def events(request: OperationRequest, events: Iterator[StreamEvent], request_id: str) -> Iterator[bytes]:
    for event in events:
        yield f"event: {event.body.get('type', 'message')}\n".encode() + encode(event)


def _format(module: str, name: str = "parse") -> ClientFormat:
    def parse(request: Request) -> OperationRequest:
        return cast(OperationRequest, getattr(import_module(f"haimaker.operations.{module}"), name)(request))

    chat = openai_chat.FORMAT
    return ClientFormat(parse, render, events, chat.render_error, chat.error_event, chat.keep_alive)


EMBEDDINGS = _format("embeddings")
IMAGES_GENERATIONS = _format("images", "parse_generation")
IMAGES_EDITS = _format("images", "parse_edit")
IMAGES_VARIATIONS = _format("images", "parse_variation")
AUDIO_TRANSCRIPTIONS = _format("transcriptions", "parse_transcription")
AUDIO_TRANSLATIONS = _format("transcriptions", "parse_translation")
AUDIO_SPEECH = _format("speech")
MODERATIONS = _format("moderations")
RERANK = _format("rerank")
