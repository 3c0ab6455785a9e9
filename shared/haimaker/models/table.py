"""The table of models and prices: lines are found in it without parsing the rest. Pure.

It has sorted lines of `provider/model`, a tab and JSON; `data/README.md` says where they come from. It is opened at the first
look-up, never at import.
"""

import json
import mmap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("data") / "models.tsv"


def table_date() -> str:
    """When the prices were taken, as `2026-11-29`."""
    table = _table()
    date: str = json.loads(table[: table.find(b"\n")].partition(b"\t")[2])["date"]
    return date


def find_row(name: str) -> Mapping[str, Any] | None:
    """The row of a `provider/model`, or None."""
    encoded = name.encode("utf-8", "surrogatepass")  # names come from clients: JSON can carry half of a surrogate pair
    table, start = _table(), _find(encoded)
    found, _, row = table[start : table.find(b"\n", start)].partition(b"\t")
    parsed: Mapping[str, Any] | None = json.loads(row) if found == encoded else None
    return parsed


def rows_with(prefix: str) -> Iterator[tuple[str, bytes]]:
    """The rows whose name begins with `prefix`: the rest of the name, and the row's JSON."""
    encoded = prefix.encode("utf-8", "surrogatepass")
    table, start = _table(), _find(encoded)
    while table[start : start + len(encoded)] == encoded:
        end = table.find(b"\n", start)
        name, _, row = table[start + len(encoded) : end].partition(b"\t")
        yield name.decode(), row
        start = end + 1


@cache
def _table() -> mmap.mmap:
    with TABLE.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _find(name: bytes) -> int:
    """Where the first line starts whose name is not before `name`: by halves, over whole lines."""
    table = _table()
    low, high = 0, len(table)
    while low < high:
        start = max(low, table.rfind(b"\n", low, (low + high) // 2) + 1)
        if table[start : table.find(b"\t", start)] < name:
            low = table.find(b"\n", start) + 1
        else:
            high = start
    return low
