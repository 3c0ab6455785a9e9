"""Which fields of a request a translation does not read, by a table of those that it does. Pure.

A table has the names of an object's fields, and under each a table of what is in it; None where all of it is read, or where nothing
of it would say anything to another vendor, as an item's id. A list has its items' table. `Kinds` has one for each `type`, and what
is of no type that it knows is named as a whole.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass

Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Objects of several types."""

    tables: Mapping[str, Table | None]
    otherwise: str = ""
    """The type of one that says none."""


def find_unread(given: Any, table: Table | Kinds | None, path: str = "", spell: Callable[[str], str] = str) -> Iterator[str]:
    """The names of what is said and not read, as `tools.strict`, as often as it stands there. What is false or null says nothing.
    `spell` writes the name of a field as the table does."""
    if table is None:
        return
    if isinstance(given, list):
        for one in given:
            yield from find_unread(one, table, path, spell)
    elif isinstance(given, dict):
        if isinstance(table, Kinds):
            kind = given.get("type") or table.otherwise
            path = f"{path}.{kind}"
            if not isinstance(kind, str) or kind not in table.tables:
                yield path
                return
            table = table.tables[kind]
        yield from _of_object(given, table, path, spell)


def _of_object(given: JSON, table: Table | None, path: str, spell: Callable[[str], str]) -> Iterator[str]:
    if table is None:
        return
    for name, value in given.items():
        if value is None or value is False:
            continue
        name = spell(name)
        place = f"{path}.{name}" if path else name
        if name not in table:
            yield place
        elif (inner := table[name]) is not None and isinstance(value, dict | list):
            yield from find_unread(value, inner, place, spell)
