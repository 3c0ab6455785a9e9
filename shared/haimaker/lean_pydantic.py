"""What a request's fields are declared with: pydantic's names, over pydantic's core alone.

Pydantic's own classes take its whole package: 33 ms of a start of 105, 9 MB of memory and 4 of the layer, most of it for what no
request needs. Here a class's annotations become a schema of the core's, which is what checks a value there as well
(https://docs.pydantic.dev/latest/api/pydantic_core_schema/), when the class first checks one. A type checker sees pydantic's own.
"""

import sys
from collections.abc import Callable, Mapping
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

__all__ = [
    "AfterValidator", "AliasChoices", "BaseModel", "BeforeValidator", "ConfigDict", "Field", "PydanticKnownError", "StrictBool",
    "StrictFloat", "StrictInt", "StrictStr", "ValidationError",
]  # fmt: skip

Schema = dict[str, Any]
REQUIRED = object()


def _load_core() -> Any:
    """The compiled module without the package around it, whose types of schemas and typing_extensions take 20 ms and 3 MB, for a
    type checker to read. Whoever imports the package later gets this same module in it. Raises ImportError."""
    name = "pydantic_core._pydantic_core"
    if name not in sys.modules:
        package = PathFinder.find_spec("pydantic_core")
        spec = package and PathFinder.find_spec(name, package.submodule_search_locations)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError("No module named 'pydantic_core'", name="pydantic_core")
        core = module_from_spec(spec)
        spec.loader.exec_module(core)
        sys.modules[name] = core
    return sys.modules[name]


if TYPE_CHECKING:
    from pydantic_core import PydanticKnownError, SchemaValidator, ValidationError
else:
    _core = _load_core()
    PydanticKnownError, SchemaValidator, ValidationError = _core.PydanticKnownError, _core.SchemaValidator, _core.ValidationError

if TYPE_CHECKING:
    from pydantic import (
        AfterValidator,
        AliasChoices,
        BaseModel,
        BeforeValidator,
        ConfigDict,
        Field,
        StrictBool,
        StrictFloat,
        StrictInt,
        StrictStr,
    )
else:
    ConfigDict = dict

    class Field:
        """Bounds of a value, in the words of the core's schemas; or a field's default, and the names that it has in a body."""

        def __init__(self, default: object = REQUIRED, *, validation_alias: "AliasChoices | None" = None, **bounds: object) -> None:
            self.default, self.alias, self.bounds = default, validation_alias, bounds

        def wrap(self, schema: Schema) -> Schema:
            if schema["type"] != "union":
                return {**schema, **self.bounds}
            return {**_call("after", _bounds_check(self.bounds), schema), "metadata": self.bounds}

    class AliasChoices:
        """Names, the first of which that a body has is taken."""

        def __init__(self, *names: str) -> None:
            self.names = names

    class AfterValidator:
        def __init__(self, function: Callable[[Any], object]) -> None:
            self.function = function

        def wrap(self, schema: Schema) -> Schema:
            return _call("after", self.function, schema)

    class BeforeValidator(AfterValidator):
        def wrap(self, schema: Schema) -> Schema:
            return _call("before", self.function, schema)

    StrictBool, StrictFloat, StrictInt, StrictStr = (Annotated[kind, Field(strict=True)] for kind in (bool, float, int, str))

    class BaseModel:
        """Fields with a type each, inherited as usual. Its objects have them as attributes; what else the core sets is in slots."""

        __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")
        model_config: ClassVar[Mapping[str, Any]] = {}
        model_fields: ClassVar[Mapping[str, Any]] = {}
        _validator: ClassVar[SchemaValidator | None] = None

        def __init_subclass__(cls) -> None:
            cls.model_config = {**cls.__base__.model_config, **cls.__dict__.get("model_config", {})}
            own = {
                name: (annotation, cls.__dict__.get(name, REQUIRED))
                for name, annotation in cls.__annotations__.items()
                if get_origin(annotation) is not ClassVar
            }
            cls.model_fields = {**cls.__base__.model_fields, **own}
            cls._validator = None if cls.model_config.get("defer_build") else SchemaValidator(schema_of(cls))

        @classmethod
        def model_validate(cls, value: object) -> Any:
            """An object of the class. Raises ValidationError."""
            if cls._validator is None:
                cls._validator = SchemaValidator(schema_of(cls))
            return cls._validator.validate_python(value)

        @property
        def model_fields_set(self) -> set[str]:
            """Names of the fields that the body had."""
            return self.__pydantic_fields_set__

        def model_copy(self, *, update: Mapping[str, object]) -> Any:
            copied = object.__new__(type(self))
            copied.__dict__.update({**self.__dict__, **update})
            object.__setattr__(copied, "__pydantic_fields_set__", self.model_fields_set | update.keys())
            return copied

        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(f"cannot assign to field {name!r}")

        def __eq__(self, other: object) -> bool:
            return type(self) is type(other) and self.__dict__ == other.__dict__

        def __repr__(self) -> str:
            return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


def schema_of(kind: Any) -> Schema:
    """The core's schema of a type. Raises TypeError for one that no field has."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return {"type": "any"}
    if kind in (bool, float, int, str):
        return {"type": kind.__name__}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _schema_of_model(kind)
    if origin is Annotated:
        schema = schema_of(args[0])
        for mark in args[1:]:
            schema = mark.wrap(schema)
        return schema
    if origin in (Union, UnionType):
        choices = [schema_of(choice) for choice in args if choice is not NoneType]
        schema = choices[0] if len(choices) == 1 else {"type": "union", "choices": choices}
        return {"type": "nullable", "schema": schema} if NoneType in args else schema
    if origin is Literal:
        return {"type": "literal", "expected": list(args)}
    if origin is list:
        return {"type": "list", "items_schema": schema_of(args[0])}
    if origin is tuple and args[1:] == (...,):
        return {"type": "tuple", "items_schema": [schema_of(args[0])], "variadic_item_index": 0}
    if origin is dict:
        return {"type": "dict", "keys_schema": schema_of(args[0]), "values_schema": schema_of(args[1])}
    raise TypeError(f"A field can't be {kind!r}.")


def _schema_of_model(cls: Any) -> Schema:
    fields = {name: _schema_of_field(annotation, default) for name, (annotation, default) in cls.model_fields.items()}
    config = {"extra_fields_behavior": cls.model_config.get("extra", "ignore")}
    inner = {"type": "model-fields", "model_name": cls.__name__, "fields": fields}
    return {"type": "model", "cls": cls, "schema": inner, "config": config}


def _schema_of_field(annotation: Any, default: Any) -> Schema:
    found: Schema = {"type": "model-field", "schema": schema_of(annotation)}
    if type(default) is Field:
        if default.alias:
            found["validation_alias"] = [[name] for name in default.alias.names]
        default = default.default
    if default is not REQUIRED:
        found["schema"] = {"type": "default", "schema": found["schema"], "default": default}
    return found


def _call(when: str, function: Callable[[Any], object], schema: Schema) -> Schema:
    return {"type": f"function-{when}", "function": {"type": "no-info", "function": function}, "schema": schema}


def _bounds_check(bounds: Mapping[str, Any]) -> Callable[[Any], object]:
    """Of a union, which has none in the core."""
    least, most = bounds["ge"], bounds["le"]

    def check(value: Any) -> object:
        if not value >= least:
            raise PydanticKnownError("greater_than_equal", {"ge": least})
        if not value <= most:
            raise PydanticKnownError("less_than_equal", {"le": most})
        return value

    return check
