"""JSON Schema as Google's `Schema`, a subset of OpenAPI's, where that can say the same.

https://ai.google.dev/api/caching#Schema. Where it can't, a schema goes as JSON Schema, which newer models read in part:
https://ai.google.dev/gemini-api/docs/structured-output#json-schema-support
"""

from collections.abc import Callable, Mapping
from typing import Any

from haimaker.http.values import JSON

KEPT = frozenset(
    {"title", "description", "default", "example", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum"}
    | {"minProperties", "maxProperties", "pattern", "nullable", "propertyOrdering"}
)
IGNORED = frozenset(
    {"$schema", "$id", "$comment", "strict", "additionalProperties", "examples", "deprecated", "readOnly", "writeOnly", "required"}
)
"""Keywords that say nothing here, or are read together with others."""
FORMATS: Mapping[str, frozenset[str]] = {
    "string": frozenset({"date-time", "enum"}),
    "number": frozenset({"float", "double"}),
    "integer": frozenset({"int32", "int64"}),
}
TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object"})


class _Inexpressible(Exception):
    """The schema says something for which `Schema` has no word."""


def to_schema(schema: JSON) -> JSON | None:
    """None if `Schema` can't say it."""
    try:
        return _schema(schema)
    except _Inexpressible:
        return None


def _schema(schema: Any) -> JSON:
    if not isinstance(schema, dict):
        raise _Inexpressible
    made: JSON = {}
    for name, value in schema.items():
        if name in KEPT:
            made[name] = value
        elif name in KEYWORDS:
            made.update(KEYWORDS[name](value))
        elif name not in IGNORED:
            raise _Inexpressible
    if isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"]:
        raise _Inexpressible
    if made.get("format") is not None and made["format"] not in FORMATS.get(made.get("type", ""), ()):
        raise _Inexpressible
    if made.get("type") == "object" and not made.get("properties"):
        raise _Inexpressible  # refused: an object must have properties
    if schema.get("required"):
        made["required"] = _required(schema["required"], made)
    if not made.get("type") and not made.get("anyOf"):
        raise _Inexpressible
    return _alone(made) if "anyOf" in made else made


def _alone(made: JSON) -> JSON:
    """`anyOf` without anything beside it, which Vertex AI refuses: what can be said of each alternative is said of each.
    https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/function-calling#schema"""
    if not made.keys() <= {"anyOf", "nullable", "description", "title", "default", "example"}:
        raise _Inexpressible
    shared = {name: made[name] for name in ("nullable", "description") if name in made}
    return {"anyOf": [inner if "anyOf" in inner else {**shared, **inner} for inner in made["anyOf"]]}


def _type(value: Any) -> JSON:
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise _Inexpressible
    kinds = [name for name in named if name != "null"]
    if len(kinds) != 1 or kinds[0] not in TYPES:
        raise _Inexpressible
    return {"type": kinds[0], **({"nullable": True} if len(named) > 1 else {})}


def _properties(value: Any) -> JSON:
    if not isinstance(value, dict):
        raise _Inexpressible
    return {"properties": {name: _schema(inner) for name, inner in value.items()}} if value else {}


def _any_of(value: Any) -> JSON:
    """Null is not a type here but a property of the others."""
    if not isinstance(value, list):
        raise _Inexpressible
    others = [inner for inner in value if inner != {"type": "null"}]
    if not others:
        raise _Inexpressible
    nullable: JSON = {"nullable": True} if len(others) < len(value) else {}
    if len(others) == 1:
        return {**_schema(others[0]), **nullable}
    return {"anyOf": [_schema(inner) for inner in others], **nullable}


def _enum(value: Any) -> JSON:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise _Inexpressible
    return {"enum": value}


def _required(value: Any, made: JSON) -> list[Any]:
    """Google refuses a required property that is not described."""
    described = made.get("properties", {})
    if not isinstance(value, list) or not all(isinstance(name, str) and name in described for name in value):
        raise _Inexpressible
    return value


KEYWORDS: Mapping[str, Callable[[Any], JSON]] = {
    "type": _type,
    "properties": _properties,
    "items": lambda value: {"items": _schema(value)},
    "anyOf": _any_of,
    "enum": _enum,
    "const": lambda value: _enum([value]),
    "format": lambda value: {"format": value},
}
