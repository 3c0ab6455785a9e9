"""How the requests of each operation that models serve are read: functions by the operation's name, imported when first used."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import cast

from haimaker.http.values import Request
from haimaker.operations.chat import parse_chat
from haimaker.operations.operation import OperationRequest
from haimaker.operations.completions import parse_completion

Parse = Callable[[Request], OperationRequest]
"""Raises BadRequestError."""


def _task(module: str, parse: str) -> Parse:
    def accepted(request: Request) -> OperationRequest:
        return cast(OperationRequest, getattr(import_module(f"haimaker.operations.{module}"), parse)(request))

    return accepted


PARSERS: Mapping[str, Parse] = {
    "chat_completions": lambda request: parse_chat(request.body, request.path.get("model")),
    "completions": lambda request: parse_completion(request.body, request.path.get("model")),
    "embeddings": _task("embeddings", "parse"),
    "images_generations": _task("images", "parse_generation"),
    "images_edits": _task("images", "parse_edit"),
    "images_variations": _task("images", "parse_variation"),
    "audio_transcriptions": _task("transcriptions", "parse_transcription"),
    "audio_translations": _task("transcriptions", "parse_translation"),
    "audio_speech": _task("speech", "parse"),
    "moderations": _task("moderations", "parse"),
    "rerank": _task("rerank", "parse"),
}
