"""How clients ask and are answered: a module for each format, with a `ClientFormat` in it, imported when it is first used."""

from functools import cache
from importlib import import_module
from typing import cast

from haimaker.api.paths import MODEL_OPERATIONS
from haimaker.operations.client_format import ClientFormat


@cache
def find(operation: str) -> ClientFormat:
    """The format of an operation of the table in `paths.py`. Raises KeyError for one that models don't serve."""
    module, _, name = MODEL_OPERATIONS[operation].format.partition(":")
    return cast(ClientFormat, getattr(import_module(f"haimaker.api.formats.{module}"), name or "FORMAT"))
