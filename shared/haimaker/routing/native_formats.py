"""Whether a request passes as it is at a provider that speaks the client's format. Pure.

Who speaks a format does not always know all of it. What its definition says it lacks leads to a translation, which says it
otherwise, does it here, or leaves it out and tells the client.
"""

from collections.abc import Iterator
from typing import Any

from haimaker.http.json import as_objects
from haimaker.http.values import JSON
from haimaker.operations.operation import OUR_SIGNATURE, Original
from haimaker.providers.provider import Provider

ENCRYPTED = "encrypted_reasoning"
"""The type of a reasoning item that its maker alone can read."""


def passes(own: Provider, original: Original | None) -> bool:
    """`own` is the definition by which a provider serves the client's format."""
    if original is None:
        return True
    dialect, limits, body = own.dialect, own.limits, original.body
    if not limits.keeps_responses and _is_to_be_kept(original):
        return False
    if any(_has(body, name) for name in dialect.refuse):
        return False
    if dialect.tool_types or dialect.native_with:
        types = {str(tool.get("type")) for tool in as_objects(body.get("tools"))}
        if dialect.tool_types and not types.issubset(dialect.tool_types):
            return False
        if dialect.native_with and types.isdisjoint(dialect.native_with):
            return False
    return not dialect.input_types or all(kind in dialect.input_types for kind in _input_types(body.get("input")))


def passes_always(own: Provider) -> bool:
    """Whether no request in the client's format is looked at."""
    dialect = own.dialect
    return own.limits.keeps_responses and not (dialect.refuse or dialect.tool_types or dialect.native_with or dialect.input_types)


def _has(body: JSON, name: str) -> bool:
    """Whether a parameter, or a `field.of it`, has a value."""
    name, _, inner = name.partition(".")
    value = body.get(name)
    return value is not None and (not inner or (isinstance(value, dict) and value.get(inner) is not None))


def _is_to_be_kept(original: Original) -> bool:
    """Whether an answer is to be asked for by its id later, or goes on from one that was."""
    body = original.body
    wanted = original.background or body.get("store") is True or body.get("previous_response_id") is not None
    return wanted or original.keep is not None


def _input_types(given: Any) -> Iterator[str]:
    """The types of the items of a conversation in Responses, and of their parts."""
    for item in as_objects(given):
        kind = item.get("type") or "message"
        yield ENCRYPTED if kind == "reasoning" and _is_encrypted(item) else str(kind)
        for holder in ("content", "output"):
            yield from (str(part.get("type")) for part in as_objects(item.get(holder)))


def _is_encrypted(item: JSON) -> bool:
    """Whether an item was encrypted by its provider. What the gateway itself shows in that field is taken out for every target."""
    held = item.get("encrypted_content")
    return isinstance(held, str) and bool(held) and not held.startswith(OUR_SIGNATURE)
