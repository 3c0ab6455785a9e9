"""A table of a TOML file, read field by field: each is checked as it is taken, and a mistake names its place and line. Pure.

https://toml.io/en/v1.0.0
"""

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

Place = tuple[str | int, ...]
ENDINGS = ("", "]", "}", "}]", "}]}", "]}")
"""What makes a file TOML again that ends in the middle of a value."""


class Mistake(ValueError):
    """What is wrong, and where in the file."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


class Table:
    """One table and its place in the file. What is left when all is taken was not known."""

    def __init__(self, place: Place, fields: object, defaults: Mapping[str, Any] | None = None) -> None:
        if not isinstance(fields, Mapping):
            raise Mistake(place, "must be a table")
        self.place = place
        self.own = frozenset(fields)
        self._fields = {**(defaults or {}), **fields}

    def wrong(self, name: str, message: str) -> Mistake:
        return Mistake((*self.place, name), message)

    def take(self, name: str, default: Any = None) -> Any:
        return self._fields.pop(name, default)

    def done(self) -> None:
        """Raises Mistake for a field that is not known."""
        for name in self._fields:
            if name in self.own:
                raise self.wrong(name, "is not known here")

    def text(self, name: str, default: str | None = None, *, pattern: str = r"(?s).+", example: str = "") -> str:
        return self._text(self.take(name, default), name, pattern, example)

    def one_of(self, name: str, choices: Collection[str], default: str) -> str:
        value = self.take(name, default)
        if not isinstance(value, str) or value not in choices:
            raise self.wrong(name, f"must be one of {', '.join(choices)}")
        return value

    def texts(self, name: str, *, pattern: str = r"(?s).+", example: str = "", least: int = 0) -> tuple[str, ...]:
        values = self.take(name, [])
        if not isinstance(values, list) or len(values) < least:
            raise self.wrong(name, f"must be a list of {'one or more ' if least else ''}texts")
        return tuple(self._text(value, (name, position), pattern, example) for position, value in enumerate(values))

    def number(self, name: str, default: float, most: float, *, least: float | None = None) -> float:
        """Without `least` it is above 0."""
        value = self.take(name, default)
        if value == default:
            return default
        if not _is_number(value) or not (value > 0 if least is None else least <= value) or value > most:
            raise self.wrong(name, f"must be a number {'above 0' if least is None else f'from {least:g}'} to {most:g}")
        return float(value)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        value = self.take(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(name, f"must be a whole number from {least} to {most}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def tables(self, name: str, read: "Callable[[Table], T]", *, least: int = 0) -> list[T]:
        """A list of tables, each of which is read whole."""
        values = self.take(name, [])
        if not isinstance(values, list) or len(values) < least:
            raise self.wrong(name, f"must be a list of {'one or more ' if least else ''}tables")
        return [whole(Table((*self.place, name, position), value), read) for position, value in enumerate(values)]

    def by_name(
        self, name: str, pattern: str, read: "Callable[[str, Table], T]", *, defaults: Mapping[str, Any] | None = None
    ) -> dict[str, T]:
        """A table of tables whose names are the deployer's own; `defaults` are fields that each has unless it says otherwise."""
        tables = Table((*self.place, name), self.take(name, {}))
        found = {}
        for key in sorted(tables.own, key=list(tables._fields).index):
            place = (*tables.place, key)
            if not re.fullmatch(pattern, key):
                raise Mistake(place, "is no name that can stand here")
            found[key] = whole(Table(place, tables.take(key), defaults), partial(read, key))
        return found

    def _text(self, value: object, place: str | tuple[str, int], pattern: str, example: str) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            where = (*self.place, *((place,) if isinstance(place, str) else place))
            raise Mistake(where, f"must be a text{f' such as {example}' if example else ''}")
        return value


def whole(table: Table, read: Callable[[Table], T]) -> T:
    """What `read` makes of a table, which then has to be empty."""
    found = read(table)
    table.done()
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def line_of(text: str, place: Place) -> int | None:
    """The line of a file on which something begins: the first at whose end it is there. Counted from 1."""
    lines = text.splitlines(keepends=True)
    for length in range(len(place), 0, -1):
        names = [part for part in place[:length] if isinstance(part, str)]
        for number, line in enumerate(lines, 1):
            if (isinstance(place[length - 1], int) or names[-1] in line) and _has("".join(lines[:number]), place[:length]):
                return number
    return None


def _has(text: str, place: Place) -> bool:
    for found in _parsed(text):
        value: Any = found
        for part in place:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                break
        else:
            return True
    return False


def _parsed(text: str) -> Iterator[dict[str, Any]]:
    for ending in ENDINGS:
        try:
            yield tomllib.loads(text + ending)
        except tomllib.TOMLDecodeError:
            continue
