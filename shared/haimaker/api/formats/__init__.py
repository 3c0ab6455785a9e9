"""How clients ask and are answered: a module for each format, with a `ClientFormat` in it, imported when it is first used."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import cast
from urllib.parse import unquote

from haimaker.api.paths import MODEL_OPERATIONS, OF_GOOGLE, ROUTES
from haimaker.http.errors import APIError
from haimaker.http.responses import error_response
from haimaker.http.values import ANTHROPIC, Request, Response
from haimaker.operations.client_format import ClientFormat

ACTIONS = tuple({f":{route.action}" for route in ROUTES if route.action})


def find(operation: str, request: Request | None = None) -> ClientFormat:
    """The format of an operation of the table in `paths.py`, as a request asks for it. Raises KeyError for one that models don't
    serve."""
    found = _format(operation)
    return found.choose(request) if found.choose and request else found


def refuse(error: APIError, request_id: str, headers: Mapping[str, str], operation: str = "", path: str = "") -> Response:
    """An error as the SDK that asked reads it, also where it is refused before anything of it was read: by the operation, else by
    what Anthropic's and Google's send, and where; as OpenAI has it to everybody else."""
    segments = unquote(path).split("/")
    if operation in MODEL_OPERATIONS:
        asked = operation
    elif operation.startswith(OF_GOOGLE) or "x-goog-api-key" in headers or "v1beta" in segments or segments[-1].endswith(ACTIONS):
        asked = "gemini_generate"
    elif operation.startswith("messages") or ANTHROPIC in headers or "messages" in segments:
        asked = "messages"
    else:
        return error_response(error)
    return error_response(error, find(asked).render_error(error, request_id))


@cache
def _format(operation: str) -> ClientFormat:
    module, _, name = MODEL_OPERATIONS[operation].format.partition(":")
    return cast(ClientFormat, getattr(import_module(f"haimaker.api.formats.{module}"), name or "FORMAT"))
