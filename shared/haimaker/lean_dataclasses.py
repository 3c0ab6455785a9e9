"""Dataclasses that are made as they are used: what a function imports when it starts has over seventy, and makes objects of few.

The standard library's `dataclass` writes a class's methods as source and compiles it, half a millisecond each, and its module takes
`inspect` and a parser of Python with it, 8 ms and 1.6 MB (https://docs.python.org/3/library/dataclasses.html). Here `__init__` is
compiled when a class has its second object, and the other methods are shared. A type checker sees the standard library's own, whose
`replace`, `fields` and `asdict` work on these as well. With `slots=True` a class has no slots here: that it has no other attributes
is for the type checker to see. `replace` here does what the standard library's does in an eighth of its time, which a request pays
for twenty times.
"""

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["KW_ONLY", "dataclass", "field", "fields", "replace"]

if TYPE_CHECKING:
    from dataclasses import KW_ONLY, MISSING, Field, dataclass, field, fields, replace
else:
    MISSING, KW_ONLY = object(), object()

    class Field:
        """A field of a class, in the standard library's words."""

        __slots__ = ("compare", "default", "default_factory", "init", "kw_only", "name", "repr", "type")

        def __init__(self, default: object, default_factory: object, init: bool, repr: bool, compare: bool) -> None:
            self.default, self.default_factory = default, default_factory
            self.init, self.repr, self.compare = init, repr, compare

    def field(
        *,
        default: object = MISSING,
        default_factory: object = MISSING,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
    ) -> Field:
        return Field(default, default_factory, init, repr, compare)

    def fields(of: Any) -> tuple[Field, ...]:
        """The fields of a class, or of an object's class, in their order."""
        return tuple(of._own_fields.values())

    def replace(changed: Any, /, **changes: object) -> Any:
        """An object of the same class with other values of some fields. Raises TypeError for a name that is none of its fields."""
        cls = type(changed)
        names = cls.__dict__.get("_init_names")
        if names is None or not changes.keys() <= names:
            import dataclasses  # says what is wrong

            return dataclasses.replace(changed, **changes)
        values = changed.__dict__
        if len(values) != len(names):  # there are some that were computed
            values = {name: values[name] for name in names}
        if cls._is_computed:
            return cls(**{**values, **changes})
        made = object.__new__(cls)
        object.__setattr__(made, "__dict__", {**values, **changes})
        return made

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, slots: bool = False) -> Any:
        """A class decorator. Defaults, `field`, `KW_ONLY`, `__post_init__` and inheritance are as the standard library has them."""

        def decorate(decorated: type) -> type:
            return _build(decorated, frozen)

        return decorate if cls is None else decorate(cls)


def _build(cls: type, frozen: bool) -> type:
    found = _fields_of(cls)
    compared = [each.name for each in found.values() if each.compare]
    made = {
        "_own_fields": found,
        "__dataclass_fields__": _StandardFields(),
        "__match_args__": tuple(each.name for each in found.values() if each.init and not each.kw_only),
        "__init__": _compiling(cls, found, frozen),
        "__repr__": _represent,
        "__eq__": _equal,
        "__hash__": _hash if frozen else None,
        "_compared_values": attrgetter(*compared) if compared else lambda _: (),
        "_init_names": {each.name: None for each in found.values() if each.init}.keys(),
        "_is_computed": hasattr(cls, "__post_init__") or not all(each.init for each in found.values()),
    }
    if frozen:
        made |= {"__setattr__": _refuse, "__delattr__": _refuse}
    for name, value in made.items():
        if name not in cls.__dict__:
            setattr(cls, name, value)
    return cls


def _fields_of(cls: type) -> dict[str, "Field[Any]"]:
    found: dict[str, Field[Any]] = {}
    for base in reversed(cls.__mro__[1:]):
        found |= base.__dict__.get("_own_fields", {})
    kw_only = False
    for name, annotation in cls.__annotations__.items():
        if annotation is KW_ONLY:
            kw_only = True
            continue
        default = cls.__dict__.get(name, MISSING)
        each: Any = default if isinstance(default, Field) else field(default=default)
        each.name, each.type, each.kw_only = name, annotation, kw_only
        if default is not MISSING:
            delattr(cls, name)  # an attribute of the class would make those of its objects slower to read
        found[name] = each
    return found


class _StandardFields:
    """What the standard library's functions ask a class for, which is made when they do."""

    def __get__(self, _: object, cls: Any) -> Mapping[str, "Field[Any]"]:
        import dataclasses

        found: dict[str, Any] = {}
        for name, own in cls._own_fields.items():
            defaults = {kind: getattr(own, kind) for kind in ("default", "default_factory") if getattr(own, kind) is not MISSING}
            options = {option: getattr(own, option) for option in ("init", "repr", "compare", "kw_only")}
            found[name] = dataclasses.field(**defaults, **options)
            found[name].name, found[name].type = name, own.type
            found[name]._field_type = dataclasses._FIELD  # type: ignore[attr-defined]
        cls.__dataclass_fields__ = found
        return found


def _compiling(cls: type, found: Mapping[str, "Field[Any]"], frozen: bool) -> Callable[..., None]:
    """An `__init__` that puts a compiled one into its place when a second object is made: many classes have only one."""
    has_post_init = hasattr(cls, "__post_init__")
    is_first = True

    def __init__(self: Any, *args: object, **fields: object) -> None:
        nonlocal is_first
        if is_first and (values := _values_of(found.values(), args, fields)) is not None:
            is_first = False
            for name, value in values.items():
                object.__setattr__(self, name, value)
            if has_post_init:
                self.__post_init__()
            return
        cls.__init__ = _init(found.values(), frozen, has_post_init)  # type: ignore[misc]
        cls.__init__(self, *args, **fields)  # type: ignore[misc]

    return __init__


def _values_of(found: Iterable["Field[Any]"], args: tuple[object, ...], fields: Mapping[str, object]) -> dict[str, object] | None:
    """The values of an object's fields; None where the arguments are not those that its class takes."""
    given = {**dict(zip((each.name for each in found if each.init and not each.kw_only), args, strict=False)), **fields}
    if len(given) != len(args) + len(fields):
        return None
    values = {}
    for each in found:
        if each.init and each.name in given:
            values[each.name] = given.pop(each.name)
        elif each.default_factory is not MISSING:
            values[each.name] = each.default_factory()
        elif each.default is not MISSING:
            values[each.name] = each.default
        elif each.init:
            return None
    return None if given else values


def _init(fields: Iterable["Field[Any]"], frozen: bool, has_post_init: bool) -> Callable[..., None]:
    """Written out and compiled, as the standard library does it: nothing else is as fast."""
    parameters, keywords, lines = ["self"], ["*"], list[str]()
    values: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    for each in fields:
        name, makes = each.name, each.default_factory is not MISSING
        values[f"_default_{name}"] = each.default_factory if makes else each.default
        has_default = makes or each.default is not MISSING
        default = f"={'_MISSING' if makes else f'_default_{name}'}" if has_default else ""
        if each.init:
            (keywords if each.kw_only else parameters).append(name + default)
            value = f"_default_{name}() if {name} is _MISSING else {name}" if makes else name
        elif has_default:
            value = f"_default_{name}{'()' if makes else ''}"
        else:
            continue
        lines.append(f"{name!r}: {value}" if frozen else f"self.{name} = {value}")
    if frozen:  # all at once is several times as fast as one by one
        lines = [f"_set(self, '__dict__', {{{', '.join(lines)}}})"]
    if has_post_init:
        lines.append("self.__post_init__()")
    names = ", ".join(parameters + (keywords if len(keywords) > 1 else []))
    exec(f"def __init__({names}):\n " + "\n ".join(lines or ["pass"]), values)  # noqa: S102 - of names of fields only
    made: Callable[..., None] = values["__init__"]
    return made


def _equal(self: Any, other: Any) -> Any:
    if type(self) is not type(other):
        return NotImplemented
    values = type(self)._compared_values
    return values(self) == values(other)


def _hash(self: Any) -> int:
    return hash(type(self)._compared_values(self))


@recursive_repr()
def _represent(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: object, name: str, value: object = None) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")
