"""JSON schemas as Bedrock's models take them.

https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html,
https://docs.aws.amazon.com/nova/latest/userguide/tool-use-definition.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from haimaker.adapters.bedrock.families import Family
from haimaker.http.values import JSON

OBJECT: Mapping[str, Any] = {"type": "object", "properties": {}}
PLAIN = ("type", "properties", "required")
DEFINITIONS = ("$defs", "definitions")
MAX_INLINED = 10_000
"""Places in a schema; one that grows beyond while its references are replaced keeps them."""

UNENFORCED = frozenset(
    {
        "$schema",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxItems",
        "maxLength",
        "maximum",
        "minLength",
        "minimum",
        "multipleOf",
        "maxProperties",
        "minProperties",
        "uniqueItems",
    }
)
"""What native structured output refuses; the model still reads what the descriptions say."""


def for_tool(schema: Any, family: Family) -> JSON:
    """The parameters of a tool: an object, with its definitions where they are used if the family wants that."""
    if not isinstance(schema, dict) or not schema:
        return dict(OBJECT)
    found: JSON = inline(schema) if family.inlines_definitions else schema
    made = {"type": "object", **{name: value for name, value in found.items() if name != "$schema"}}
    return {"properties": {}, **{name: value for name, value in made.items() if name in PLAIN}} if family.plain_schema else made


def inline(schema: JSON) -> JSON:
    """The schema with its own definitions in the places that refer to them; one that contains itself ends in any object."""
    definitions = {f"#/{group}/{name}": value for group in DEFINITIONS for name, value in _items(schema.get(group))}
    if not definitions:
        return schema
    places = iter(range(MAX_INLINED))
    try:
        body = {name: value for name, value in schema.items() if name not in DEFINITIONS}
        made = _inline(body, definitions, (), places)
    except StopIteration:
        return schema
    return made if isinstance(made, dict) else schema


def enforceable(schema: Any) -> Any:
    """The schema as native structured output takes it: closed objects, no bounds, alternatives as `anyOf`."""
    if isinstance(schema, list):
        return [enforceable(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    made: JSON = {}
    for name, value in schema.items():
        if name in ("properties", *DEFINITIONS) and isinstance(value, dict):
            made[name] = {inner: enforceable(found) for inner, found in value.items()}
        elif name in ("enum", "const", "default", "examples"):
            made[name] = value
        elif name not in UNENFORCED and not (name == "minItems" and value not in (0, 1)):
            made["anyOf" if name == "oneOf" else name] = enforceable(value)
    if made.get("type") == "object" or "properties" in made:
        made["additionalProperties"] = False
    return made


def _inline(value: Any, definitions: Mapping[str, Any], inside: tuple[str, ...], places: Iterator[int]) -> Any:
    next(places)
    if isinstance(value, list):
        return [_inline(inner, definitions, inside, places) for inner in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str) and reference in definitions:
        if reference in inside:
            return {"type": "object"}
        beside = {name: inner for name, inner in value.items() if name != "$ref"}
        found = _inline(definitions[reference], definitions, (*inside, reference), places)
        return {**found, **beside} if isinstance(found, dict) else found
    return {name: _inline(inner, definitions, inside, places) for name, inner in value.items()}


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
