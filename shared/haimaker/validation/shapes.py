"""Types of a body's fields, by tables: what a client format's reference says of those that no operation's schema has. Pure.

What is of another type is refused before anybody reads it: a text where a switch belongs would be true, a list where a text belongs
nothing at all. Fields that a table does not name pass, and so does null, which is as if a field were absent.
"""

from collections.abc import Callable, Iterable
from typing import Any

from haimaker.http.errors import invalid_value

Shape = Any
"""`bool`, `int`, `float` (any number), `str`, `dict` (any object) or `list`; a dict of shapes by name, of an object's fields; a
list with the shape of its items; a tuple of shapes with different types, one of which a value has."""
WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    dict: "an object",
    list: "a list",
}


def check_shape(value: Any, shape: Shape, spell: Callable[[str], str] | None = None) -> None:
    """`spell` gives the names of the table for those that a body may spell otherwise. Raises BadRequestError."""
    if wrong := _find_wrong(value, shape, spell):
        path, expected = wrong
        raise invalid_value(path.lstrip("."), expected)


def _find_wrong(value: Any, shape: Shape, spell: Callable[[str], str] | None) -> tuple[str, str] | None:
    """The path of what has another type in a value, and what it must be; None if all is right."""
    if value is None:
        return None
    if isinstance(shape, tuple):
        found = [each for each in shape if _fits(value, each)]
        return _find_wrong(value, found[0], spell) if found else ("", _words(shape))
    if not _fits(value, shape):
        return "", _words((shape,))
    if isinstance(shape, dict):
        for name, inner in value.items():
            known = shape.get(spell(name) if spell else name)
            if known is not None and (wrong := _find_wrong(inner, known, spell)):
                return f".{name}{wrong[0]}", wrong[1]
    elif isinstance(shape, list):
        for index, inner in enumerate(value):
            if wrong := _find_wrong(inner, shape[0], spell):
                return f"[{index}]{wrong[0]}", wrong[1]
    return None


def _type_of(shape: Shape) -> type:
    return shape if isinstance(shape, type) else type(shape)


def _fits(value: Any, shape: Shape) -> bool:
    wanted, kind = _type_of(shape), type(value)
    return kind is wanted or (wanted is float and kind is int)


def _words(shapes: Iterable[Shape]) -> str:
    return " or ".join(WORDS[_type_of(shape)] for shape in shapes)
