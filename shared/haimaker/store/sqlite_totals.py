"""Daily totals in SQLite. Those of all accounts are counted in the transaction that adds a record, so that a report costs the same
whether there are a thousand requests or a million; those of one account are added up from its records when they are asked for."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from haimaker.store import Record, TooManyRecords, ledger
from haimaker.store.sqlite_schema import Execute
from haimaker.store.totals import AMOUNTS, DAY_S, MAX_ROWS, By, Total, amounts_of, day_to_s, names_of, to_day, total

TIMEOUT_S = 5.0
"""The time for one sum, and for waiting for another one that is being made."""
NAMES: Mapping[By, str] = {
    "team": "json_extract(detail, '$.team_id', '$.team_id')",
    "user": "json_extract(detail, '$.user', '$.user')",
    "model": "json_extract(detail, '$.provider', '$.model')",
    "provider": "json_extract(detail, '$.provider', '$.model')",
    "tag": "json_extract(detail, '$.tags', '$.tags')",
}
"""What an account's records are grouped by. Of two paths SQLite makes a list in JSON, in which a text keeps its escapes."""
FIELDS: Mapping[By, tuple[str, str]] = {
    "team": ("team_id", "team_id"),
    "user": ("user", "user"),
    "model": ("provider", "model"),
    "provider": ("provider", "model"),
    "tag": ("tags", "tags"),
}
SUMS = """SELECT CAST(started_s AS INTEGER) / 86400, {name}, COUNT(*), SUM(status <> 'ok'),
    SUM(COALESCE(json_extract(detail, '$.input_tokens'), 0)), SUM(COALESCE(json_extract(detail, '$.output_tokens'), 0)),
    SUM(cost_nanousd) FROM records WHERE account_id = :account AND started >= :since AND started < :until GROUP BY 1, 2"""
IN_DAYS = "FROM totals WHERE grouped = :by AND day >= :first AND day <= :last AND requests > 0"
COUNTED = f"SELECT day, name, {', '.join(AMOUNTS)} {IN_DAYS} ORDER BY day, name LIMIT :most"
ALL_AMOUNTS = ", ".join(f"SUM({amount})" for amount in AMOUNTS)
TOP = f"SELECT name, COUNT(*) OVER () {IN_DAYS} GROUP BY name ORDER BY SUM(cost_nanousd) DESC, name LIMIT :top"
SUMS_BY_NAME = f"SELECT {{day}}, name, {ALL_AMOUNTS} {IN_DAYS} {{whose}} GROUP BY 1, 2 ORDER BY 1, 2 LIMIT :most"
SUMS_OF_OTHERS = f"SELECT {{day}}, '', {ALL_AMOUNTS} {IN_DAYS} {{whose}} GROUP BY 1 LIMIT :most"
COUNTED_OF_KEY = f"""SELECT day, {{name}}, {", ".join(AMOUNTS)} FROM totals
    WHERE grouped = 'key' AND day IN (SELECT value FROM json_each(:days)) AND name = :account AND requests > 0 ORDER BY day"""  # noqa: S608
ADD_COUNTS = ", ".join(f"{amount} = {amount} + excluded.{amount}" for amount in AMOUNTS)
OF_ALL_RECORDS = "SELECT account_id, started_s, status, cost_nanousd, detail FROM records"


def add(execute: Execute, record: Record, times: int = 1) -> None:
    """Counts a record in the totals of its day, or with -1 takes it out of them."""
    rows = [("day", ""), *names_of(record.account_id, record.detail)]
    amounts = [times * amount for amount in amounts_of(record.status, record.cost_nanousd, record.detail).values()]
    day = to_day(record.started_s)
    execute(_add_rows(len(rows)), [value for by, name in rows for value in (by, day, name, *amounts)])


def add_up(execute: Execute) -> None:
    """Fills the totals from all records, for a file of a version that had none."""
    sums: dict[tuple[str, str, str], Counter[str]] = {}
    for account_id, started_s, status, cost_nanousd, kept in execute(OF_ALL_RECORDS):
        detail = json.loads(kept)
        amounts, day = amounts_of(status, cost_nanousd, detail), to_day(started_s)
        for by, name in (("day", ""), *names_of(account_id, detail)):
            sums.setdefault((by, day, name), Counter()).update(amounts)
    for group, counted in sums.items():
        execute(_add_rows(1), (*group, *(counted[amount] for amount in AMOUNTS)))


@cache
def _add_rows(count: int) -> str:
    values = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * count)
    return f"INSERT INTO totals VALUES {values} ON CONFLICT DO UPDATE SET {ADD_COUNTS}"  # noqa: S608 (constants only)


def totals(execute: Execute, by: By, first_day: str, last_day: str, account_id: str | None) -> Sequence[Total]:
    """Does what `Store.totals` says."""
    if account_id is None:
        return _read(execute, COUNTED, {"by": by, "first": first_day, "last": last_day})
    since_s, until_s = day_to_s(first_day), day_to_s(last_day) + DAY_S
    if by in ("day", "key"):
        days = json.dumps([to_day(since_s + number * DAY_S) for number in range(round((until_s - since_s) / DAY_S))])
        statement = COUNTED_OF_KEY.format(name="''" if by == "day" else "name")
        return [Total(*row) for row in execute(statement, {"days": days, "account": account_id})]
    asked = {"account": account_id, "since": ledger.sort_key(since_s), "until": ledger.sort_key(until_s)}
    sums: dict[tuple[str, str], Counter[str]] = {}
    for day, name, *amounts in execute(SUMS.format(name=NAMES[by]), asked):
        for each in _names(by, name):
            sums.setdefault((to_day(day * DAY_S), each), Counter()).update(dict(zip(AMOUNTS, amounts, strict=True)))
    return [total(day, name, sums[day, name]) for day, name in sorted(sums)]


def sums(execute: Execute, by: By, first_day: str, last_day: str, *, daily: bool, top: int | None) -> tuple[Sequence[Total], int]:
    """Does what `Store.sums` says."""
    asked: dict[str, object] = {"by": by, "first": first_day, "last": last_day}
    day = "day" if daily else "''"
    if top is None:
        return _read(execute, SUMS_BY_NAME.format(day=day, whose=""), asked), 0
    found = execute(TOP, {**asked, "top": top}).fetchall()
    others = found[0][1] - len(found) if found else 0
    kept = {f"name{number}": name for number, (name, _) in enumerate(found)}
    named = f"IN ({', '.join(f':{name}' for name in kept)})"
    rows = _read(execute, SUMS_BY_NAME.format(day=day, whose=f"AND name {named}"), asked | kept)
    rest = _read(execute, SUMS_OF_OTHERS.format(day=day, whose=f"AND name NOT {named}"), asked | kept) if others else []
    return sorted([*rows, *rest], key=lambda row: (row.day, not row.name, row.name)), others


def _read(execute: Execute, statement: str, asked: Mapping[str, object]) -> list[Total]:
    """Raises TooManyRecords."""
    rows = execute(statement, {**asked, "most": MAX_ROWS + 1}).fetchall()
    if len(rows) > MAX_ROWS:
        raise TooManyRecords
    return [Total(*row) for row in rows]


def _names(by: By, found: str | None) -> Iterator[str]:
    """The names of a group, as `names_of` finds them in one of its records."""
    detail = dict(zip(FIELDS[by], json.loads(found or "[null,null]"), strict=True))
    yield from (name for kind, name in names_of("", detail) if kind == by)
