"""The table of models and prices: lines are found in it without parsing the rest. Pure.

It has sorted lines of `provider/model`, a tab and JSON, after one with its date; `data/README.md` says where they come from.
The table of this package is opened at the first look-up, never at import; a newer one may take its place while requests are served,
each of which keeps the version that it began with.
"""

import datetime
import json
import mmap
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

MAX_AGE_DAYS = 90
"""The most days of a table that needs no renewal."""
TABLE = Path(__file__).with_name("data") / "models.tsv"


class Table:
    """One version of the table."""

    def __init__(self, lines: bytes | mmap.mmap) -> None:
        self._lines = lines

    @cached_property
    def date(self) -> str:
        """When the prices were taken, as `2026-11-29`. Raises ValueError or KeyError for what is no table."""
        lines = self._lines
        taken: str = json.loads(lines[: lines.find(b"\n")].partition(b"\t")[2])["date"]
        return taken

    def is_outdated(self, today: datetime.date) -> bool:
        return (today - datetime.date.fromisoformat(self.date)).days > MAX_AGE_DAYS

    def find_row(self, name: str) -> Mapping[str, Any] | None:
        """The row of a `provider/model`, or None."""
        encoded = name.encode("utf-8", "surrogatepass")  # names come from clients: JSON can carry half of a surrogate pair
        lines, start = self._lines, self._find(encoded)
        found, _, row = lines[start : lines.find(b"\n", start)].partition(b"\t")
        parsed: Mapping[str, Any] | None = json.loads(row) if found == encoded else None
        return parsed

    def rows_with(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """The rows whose name begins with `prefix`: the rest of the name, and the row's JSON."""
        encoded = prefix.encode("utf-8", "surrogatepass")
        lines, start = self._lines, self._find(encoded)
        while lines[start : start + len(encoded)] == encoded:
            end = lines.find(b"\n", start)
            name, _, row = lines[start + len(encoded) : end].partition(b"\t")
            yield name.decode(), row
            start = end + 1

    def _find(self, name: bytes) -> int:
        """The offset of the first line whose name is not before `name`, found by halving over whole lines."""
        lines = self._lines
        low, high = 0, len(lines)
        while low < high:
            start = max(low, lines.rfind(b"\n", low, (low + high) // 2) + 1)
            if lines[start : lines.find(b"\t", start)] < name:
                low = lines.find(b"\n", start) + 1
            else:
                high = start
        return low


_newer: Table | None = None


def current_table() -> Table:
    """The newest table that this process knows."""
    return _newer or packaged_table()


def use_table(table: Table | None) -> None:
    """Puts a table in the place of the package's own, for what is looked up from now on; None takes it back."""
    global _newer
    _newer = table


@cache
def packaged_table() -> Table:
    with TABLE.open("rb") as file:
        return Table(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
