"""Google's `Schema` as JSON Schema, for models of other vendors. Pure.

https://ai.google.dev/api/caching#Schema: types in capitals, `nullable` in place of the type null, counts as texts.
"""

from collections.abc import Mapping
from typing import Any

from haimaker.api.formats.gemini_contents import to_camel
from haimaker.http.json import to_whole_number
from haimaker.http.values import JSON

COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
RENAMED: Mapping[str, str] = {"example": "examples", "defs": "$defs", "ref": "$ref"}
LEFT_OUT = frozenset({"propertyOrdering", "nullable"})
UNSPECIFIED = "TYPE_UNSPECIFIED"


def to_json_schema(given: Any) -> Any:
    """What is no schema comes back as it is."""
    if not isinstance(given, dict):
        return given
    made: JSON = {}
    for name, value in given.items():
        name = to_camel(name)
        if name in LEFT_OUT or (name == "type" and value == UNSPECIFIED):
            continue
        made[RENAMED.get(name, name)] = _value(name, value)
    return _nullable(made) if given.get("nullable") is True else made


def is_strict(schema: Any) -> bool:
    """Whether a schema is such as OpenAI takes to the letter: each object closed, with all of its properties required.

    https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or isinstance(properties, dict):
        named = properties if isinstance(properties, dict) else {}
        required = schema.get("required")
        if schema.get("additionalProperties") is not False or {*named} != {*(required if isinstance(required, list) else ())}:
            return False
    return all(
        is_strict(list(value.values()) if name in ("properties", "$defs") and isinstance(value, dict) else value)
        for name, value in schema.items()
        if name in ("properties", "$defs", "items", "anyOf")
    )


def _value(name: str, value: Any) -> Any:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name in COUNTS and isinstance(value, str) and (number := to_whole_number(value)) is not None:
        return number
    if name in ("properties", "defs", "$defs") and isinstance(value, dict):
        return {key: to_json_schema(inner) for key, inner in value.items()}
    if name in ("items", "additionalProperties"):
        return to_json_schema(value)
    if name in ("anyOf", "prefixItems") and isinstance(value, list):
        return [to_json_schema(inner) for inner in value]
    return [value] if name == "example" else value


def _nullable(made: JSON) -> JSON:
    if isinstance(made.get("type"), str):
        values = {"enum": [*made["enum"], None]} if isinstance(made.get("enum"), list) else {}
        return {**made, "type": [made["type"], "null"], **values}
    if isinstance(made.get("anyOf"), list):
        return {**made, "anyOf": [*made["anyOf"], {"type": "null"}]}
    return made
