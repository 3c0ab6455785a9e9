"""JSON Schemas of requests' bodies, read from the schemas by which they are checked.

https://json-schema.org/draft/2020-12/json-schema-validation
"""

import inspect
from collections.abc import Collection, Mapping

from haimaker.http.values import JSON
from haimaker.lean_pydantic import schema_of
from haimaker.validation.shapes import Shape

REFERENCE = "#/components/schemas/"
TYPES: Mapping[str, str] = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "dict": "object",
    "list": "array",
}
BOUNDS: Mapping[str, Mapping[str, str]] = {
    "list": {"min_length": "minItems", "max_length": "maxItems"},
    "tuple": {"min_length": "minItems", "max_length": "maxItems"},
    "dict": {"min_length": "minProperties", "max_length": "maxProperties"},
    "str": {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"},
    "int": {"ge": "minimum", "le": "maximum"},
    "float": {"ge": "minimum", "le": "maximum"},
}


def from_shape(shape: Shape, required: Collection[str] = ()) -> JSON:
    """The schema of a value of a shape. Null is as if a field were absent, so that a required one is neither, nor an empty list."""
    if isinstance(shape, tuple):
        return {"anyOf": [from_shape(each) for each in shape]}
    if isinstance(shape, Mapping):
        properties = {
            name: {**from_shape(each), "minItems": 1} if name in required else {"anyOf": [from_shape(each), {"type": "null"}]}
            for name, each in shape.items()
        }
        return {"type": "object", "properties": properties}
    if isinstance(shape, list):
        return {"type": "array", "items": from_shape(shape[0])}
    return {"type": TYPES[shape.__name__]}


def reference(kind: type, schemas: JSON) -> JSON:
    """A reference to the schema of a class of fields, which is added to `schemas` with those that it refers to."""
    return _reference(schema_of(kind), schemas)


def _reference(model: JSON, schemas: JSON) -> JSON:
    name = model["cls"].__name__
    if name not in schemas:
        fields, description = model["schema"]["fields"], inspect.getdoc(model["cls"])
        schemas[name] = {
            "type": "object",
            **({"description": description} if model["cls"].__doc__ else {}),
            "properties": {_name(name, field): _schema(field["schema"], schemas) for name, field in fields.items()},
            "required": [_name(name, field) for name, field in fields.items() if field["schema"]["type"] != "default"],
            **({"additionalProperties": False} if model["config"]["extra_fields_behavior"] == "forbid" else {}),
        }
    return {"$ref": REFERENCE + name}


def _name(name: str, field: JSON) -> str:
    """The name of a field in a body."""
    first: list[str] = field.get("validation_alias", [[name]])[0]
    return first[0]


def _schema(core: JSON, schemas: JSON) -> JSON:
    kind = core["type"]
    if kind == "model":
        return _reference(core, schemas)
    if kind == "default":
        default = core["default"]
        return {**_schema(core["schema"], schemas), "default": list(default) if isinstance(default, tuple) else default}
    if kind.startswith("function-"):
        return {**_schema(core["schema"], schemas), **_bounds("float", core.get("metadata", {}))}
    if kind == "nullable":
        inner = _schema(core["schema"], schemas)
        return {"anyOf": [*(inner["anyOf"] if inner.keys() == {"anyOf"} else [inner]), {"type": "null"}]}
    if kind == "union":
        return {"anyOf": [_schema(choice, schemas) for choice in core["choices"]]}
    if kind == "literal":
        return {"type": "string", "enum": core["expected"]}
    bounds = _bounds(kind, core)
    if kind in ("list", "tuple"):
        [items] = core["items_schema"] if kind == "tuple" else [core["items_schema"]]
        return {"type": "array", "items": _schema(items, schemas), **bounds}
    if kind == "dict":
        names = _bounds("str", core["keys_schema"])
        values = _schema(core["values_schema"], schemas)
        return {"type": "object", "additionalProperties": values or True, **({"propertyNames": names} if names else {}), **bounds}
    return {"type": TYPES[kind], **bounds} if kind in TYPES else {}


def _bounds(kind: str, core: JSON) -> JSON:
    return {shown: core[name] for name, shown in BOUNDS.get(kind, {}).items() if name in core}
