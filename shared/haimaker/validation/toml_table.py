"""A table of a TOML file, read field by field: each is checked as it is taken, and a mistake names its place and line. Pure.

https://toml.io/en/v1.0.0
"""

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

FieldPath = tuple[str | int, ...]
CLOSING_ENDINGS = ("", "]", "}", "}]", "}]}", "]}")
"""What makes a file TOML again that ends in the middle of a value."""


class TomlError(ValueError):
    """What is wrong in a table; `place` is the path of its field."""

    def __init__(self, place: FieldPath, message: str) -> None:
        super().__init__(message)
        self.place = place


class TomlTable:
    """A table whose fields are taken one by one. What is left in the end is unknown."""

    def __init__(self, place: FieldPath, fields: object, defaults: Mapping[str, Any] | None = None) -> None:
        if not isinstance(fields, Mapping):
            raise TomlError(place, "must be a table")
        self.place = place
        self.own = frozenset(fields)
        self._fields = {**(defaults or {}), **fields}

    def error(self, name: str, message: str) -> TomlError:
        return TomlError((*self.place, name), message)

    def pop(self, name: str, default: Any = None) -> Any:
        return self._fields.pop(name, default)

    def require_empty(self) -> None:
        """Raises TomlError for a field that was not taken."""
        for name in self._fields:
            if name in self.own:
                raise self.error(name, "is not known here")

    def get_str(self, name: str, default: str | None = None, *, pattern: str = r"(?s).+", example: str = "") -> str:
        return self._check_str(self.pop(name, default), name, pattern, example)

    def get_choice(self, name: str, choices: Collection[str], default: str) -> str:
        value = self.pop(name, default)
        if not isinstance(value, str) or value not in choices:
            raise self.error(name, f"must be one of {', '.join(choices)}")
        return value

    def get_strs(self, name: str, *, pattern: str = r"(?s).+", example: str = "", least: int = 0) -> tuple[str, ...]:
        values = self.pop(name, [])
        if not isinstance(values, list) or len(values) < least:
            raise self.error(name, f"must be a list of {'one or more ' if least else ''}texts")
        return tuple(self._check_str(value, (name, position), pattern, example) for position, value in enumerate(values))

    def get_float(self, name: str, default: float, most: float, *, least: float | None = None) -> float:
        """A number up to `most`, and at least `least`, or above 0 without it. Raises TomlError."""
        value = self.pop(name, default)
        if value == default:
            return default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not (value > 0 if least is None else least <= value) or value > most:
            raise self.error(name, f"must be a number {'above 0' if least is None else f'from {least:g}'} to {most:g}")
        return float(value)

    def get_int(self, name: str, default: int, least: int, most: int) -> int:
        value = self.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.error(name, f"must be a whole number from {least} to {most}")
        return value

    def get_bool(self, name: str, default: bool = False) -> bool:
        value = self.pop(name, default)
        if not isinstance(value, bool):
            raise self.error(name, "must be true or false")
        return value

    def get_tables(self, name: str, read: "Callable[[TomlTable], T]", *, least: int = 0) -> list[T]:
        """A list of tables, each of which `read` must take whole. Raises TomlError."""
        values = self.pop(name, [])
        if not isinstance(values, list) or len(values) < least:
            raise self.error(name, f"must be a list of {'one or more ' if least else ''}tables")
        return [read_whole(TomlTable((*self.place, name, position), value), read) for position, value in enumerate(values)]

    def get_named_tables(
        self, name: str, pattern: str, read: "Callable[[str, TomlTable], T]", *, defaults: Mapping[str, Any] | None = None
    ) -> dict[str, T]:
        """A table of tables with names of the deployer's own; `defaults` are fields that each has unless it says otherwise. Raises
        TomlError."""
        tables = TomlTable((*self.place, name), self.pop(name, {}))
        found = {}
        for key in sorted(tables.own, key=list(tables._fields).index):
            place = (*tables.place, key)
            if not re.fullmatch(pattern, key):
                raise TomlError(place, "is no name that can stand here")
            found[key] = read_whole(TomlTable(place, tables.pop(key), defaults), partial(read, key))
        return found

    def _check_str(self, value: object, place: str | tuple[str, int], pattern: str, example: str) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            where = (*self.place, *((place,) if isinstance(place, str) else place))
            raise TomlError(where, f"must be a text{f' such as {example}' if example else ''}")
        return value


def read_whole(table: TomlTable, read: Callable[[TomlTable], T]) -> T:
    """Reads a table and requires that nothing is left in it. Raises TomlError."""
    found = read(table)
    table.require_empty()
    return found


def find_line(text: str, place: FieldPath) -> int | None:
    """The line of a file on which a field begins, counted from 1: the shortest beginning of the file that has the field ends
    there."""
    lines = text.splitlines(keepends=True)
    for length in range(len(place), 0, -1):
        names = [part for part in place[:length] if isinstance(part, str)]
        for number, line in enumerate(lines, 1):
            if (isinstance(place[length - 1], int) or names[-1] in line) and _contains("".join(lines[:number]), place[:length]):
                return number
    return None


def _contains(text: str, place: FieldPath) -> bool:
    for found in _parse_with_endings(text):
        value: Any = found
        for part in place:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                break
        else:
            return True
    return False


def _parse_with_endings(text: str) -> Iterator[dict[str, Any]]:
    for ending in CLOSING_ENDINGS:
        try:
            yield tomllib.loads(text + ending)
        except tomllib.TOMLDecodeError:
            continue
