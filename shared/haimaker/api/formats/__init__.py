"""How clients ask and are answered: a module for each format, with a `ClientFormat` in it, imported when it is first used."""

from functools import cache
from importlib import import_module
from typing import cast

from haimaker.api.paths import MODEL_OPERATIONS
from haimaker.http.values import Request
from haimaker.operations.client_format import ClientFormat


def find(operation: str, request: Request | None = None) -> ClientFormat:
    """The format of an operation of the table in `paths.py`, as a request asks for it. Raises KeyError for one that models don't
    serve."""
    found = _format(operation)
    return found.choose(request) if found.choose and request else found


@cache
def _format(operation: str) -> ClientFormat:
    module, _, name = MODEL_OPERATIONS[operation].format.partition(":")
    return cast(ClientFormat, getattr(import_module(f"haimaker.api.formats.{module}"), name or "FORMAT"))
