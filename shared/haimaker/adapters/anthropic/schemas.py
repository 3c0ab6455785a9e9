"""JSON schemas in the subset that Anthropic constrains its answers by; what it can't enforce is told in the description.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

import json
from typing import Any

from haimaker.http.values import JSON

NESTED = ("properties", "$defs", "definitions")
LISTED = ("anyOf", "allOf")
KEPT = frozenset(["$ref", "type", "title", "description", "enum", "const", "default", "required", "format", "pattern"])
FORMATS = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"])
SILENT = frozenset(["$schema", "$id", "additionalProperties", "examples", "strict"])
"""Left out without a word: they say nothing of the values, or it is said otherwise."""
UNSUPPORTED_PATTERN = ("(?", "\\b", "\\B", "\\1", "\\2")


def to_subset(schema: Any) -> Any:
    """Booleans, which stand for a schema too, and whatever else is not one, stay."""
    if not isinstance(schema, dict):
        return schema
    kept: JSON = {}
    unenforced: JSON = {}
    for name, value in schema.items():
        if name in NESTED and isinstance(value, dict):
            kept[name] = {key: to_subset(inner) for key, inner in value.items()}
        elif name in LISTED and isinstance(value, list):
            kept[name] = [to_subset(inner) for inner in value]
        elif name == "oneOf" and isinstance(value, list):
            kept["anyOf"] = [to_subset(inner) for inner in value]
        elif name == "items":
            kept[name] = to_subset(value)
        elif _is_kept(name, value):
            kept[name] = value
        elif name not in SILENT:
            unenforced[name] = value
    if unenforced:
        described = kept.get("description")
        limits = json.dumps(unenforced, ensure_ascii=False)
        kept["description"] = f"{described}\n\n{limits}" if isinstance(described, str) and described else limits
    if _is_object(kept):
        kept["additionalProperties"] = False
    return kept


def _is_kept(name: str, value: Any) -> bool:
    if name == "format":
        return value in FORMATS if isinstance(value, str) else False
    if name == "pattern":
        return isinstance(value, str) and not any(sign in value for sign in UNSUPPORTED_PATTERN)
    if name == "minItems":
        return value in (0, 1)
    return name in KEPT


def _is_object(schema: JSON) -> bool:
    kind = schema.get("type")
    return kind == "object" or "properties" in schema or (isinstance(kind, list) and "object" in kind)


def is_closed(schema: Any) -> bool:
    """Whether all its objects name their properties. Anthropic's subset has no others."""
    if isinstance(schema, list):
        return all(map(is_closed, schema))
    if not isinstance(schema, dict):
        return True
    named = not _is_object(schema) or bool(schema.get("properties"))
    inner = [found for name in NESTED for found in _values(schema.get(name))]
    return named and is_closed([*inner, schema.get("items"), *(schema.get(name) for name in (*LISTED, "oneOf"))])


def _values(named: Any) -> list[Any]:
    return list(named.values()) if isinstance(named, dict) else []
