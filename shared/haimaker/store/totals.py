"""Totals of a UTC day: what a record adds to which of them, and sums over records. Pure.

A record adds to its day, to its key's day and to the day of each name that it has: key, team, user, model, provider and tags.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.store import Record

By = Literal["day", "key", "team", "user", "model", "provider", "tag"]

DAY_S = 86_400
MAX_ROWS = 50_000
"""Totals that are read at once: a thousand names on fifty days."""
MAX_TAGS = 92
"""The most tags of one record; with more, its totals would not fit into a transaction."""
NAME_BYTES = 900
"""The most bytes of a name: a key of DynamoDB takes 1,024 bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class Total:
    """What the records of one day, or of one name on that day, add up to. `name` is empty for a whole day."""

    day: str
    name: str
    requests: int
    errors: int
    input_tokens: int
    output_tokens: int
    cost_nanousd: int


AMOUNTS = ("requests", "errors", "input_tokens", "output_tokens", "cost_nanousd")


def names_of(account_id: str, detail: JSON) -> Iterator[tuple[By, str]]:
    """Every name under which a record counts, each once; a key goes by its account's id."""
    found: list[tuple[By, Any]] = [("key", account_id), ("team", detail.get("team_id")), ("user", detail.get("user"))]
    found += [("tag", tag) for tag in (detail.get("tags") or ())[:MAX_TAGS]]
    provider, model = detail.get("provider"), detail.get("model")
    if provider and model:
        found += [("provider", provider), ("model", f"{provider}/{model}")]
    yield from dict.fromkeys((by, truncate_name(name)) for by, name in found if name)


def amounts_of(status: str, cost_nanousd: int, detail: JSON) -> Mapping[str, int]:
    return {
        "requests": 1,
        "errors": int(status != "ok"),
        "input_tokens": int(detail.get("input_tokens", 0)),
        "output_tokens": int(detail.get("output_tokens", 0)),
        "cost_nanousd": int(cost_nanousd),
    }


def truncate_name(name: str) -> str:
    """The beginning of a name, as much as fits into a key, in characters that UTF-8 has."""
    return name.encode("utf-8", "ignore")[:NAME_BYTES].decode("utf-8", "ignore")


def to_day(time_s: float) -> str:
    return _day(int(time_s // DAY_S))


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return str(datetime.fromtimestamp(number * DAY_S, UTC).date())


def day_to_s(day: str) -> float:
    """When a day begins."""
    return datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()


def each_item(page: Callable[[str | None], tuple[Sequence[Record], str | None]]) -> Iterator[Record]:
    """All records of all pages, read one after another: `page` takes a cursor."""
    after: str | None = None
    while True:
        records, after = page(after)
        yield from records
        if after is None:
            return


def sum_records(records: Iterable[Record], by: By) -> list[Total]:
    """Totals of records, in the order of day and name."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    for record in records:
        day = to_day(record.started_s)
        names = [("day", "")] if by == "day" else names_of(record.account_id, record.detail)
        for kind, name in names:
            if kind == by:
                amounts = amounts_of(record.status, record.cost_nanousd, record.detail)
                sums.setdefault((day, name), Counter()).update(amounts)
    return [total(day, name, sums[day, name]) for day, name in sorted(sums)]


def sum_over_days(rows: Sequence[Total]) -> list[Total]:
    """One row per name over all days, the most expensive first; what has no name comes last."""
    names: dict[str, list[Total]] = {}
    for row in rows:
        names.setdefault(row.name, []).append(row)
    sums = [add_totals("", name, found) for name, found in names.items()]
    return sorted(sums, key=lambda row: (not row.name, -row.cost_nanousd, row.name))


def keep_top(rows: Sequence[Total], top: int) -> tuple[list[Total], int]:
    """The rows of the names that cost most, those of all others as rows without a name, and how many others there are."""
    others = {row.name for row in sum_over_days(rows)[top:]}
    kept = [row for row in rows if row.name not in others]
    days: dict[str, list[Total]] = {}
    for row in rows:
        if row.name in others:
            days.setdefault(row.day, []).append(row)
    sums = [add_totals(day, "", found) for day, found in days.items()]
    return sorted([*kept, *sums], key=lambda row: (row.day, not row.name, row.name)), len(others)


def add_totals(day: str, name: str, rows: Sequence[Total]) -> Total:
    return Total(day, name, *(sum(getattr(row, amount) for row in rows) for amount in AMOUNTS))


def total(day: str, name: str, amounts: Mapping[str, Any]) -> Total:
    return Total(day, name, *(int(amounts.get(amount, 0)) for amount in AMOUNTS))
