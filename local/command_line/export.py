"""`haimaker export`: requests or keys as CSV, for spreadsheets, or as JSON lines, for programs; of a local gateway or a stack."""

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from .api_client import JSON, APIClient
from .context import Context
from .stack import OperatorError

FORMATS = ("csv", "jsonl")
REQUEST_COLUMNS = (
    "request_id", "started_at", "status", "spend", "cost_known", "cost_estimated", "operation", "asked_model", "provider", "model",
    "input_tokens", "output_tokens", "cached_tokens", "duration_ms", "first_token_ms", "stream", "error", "key", "key_name",
    "key_alias", "team_id", "user", "tags",
)  # fmt: skip
KEY_COLUMNS = (
    "token_id", "key_name", "key_alias", "role", "team_id", "user_id", "tags", "models", "spend", "total_spend", "max_budget",
    "soft_budget", "budget_duration", "budget_reset_at", "rpm_limit", "tpm_limit", "max_parallel_requests", "blocked", "expires",
    "created_at",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a spreadsheet takes a text for a formula. https://owasp.org/www-community/attacks/CSV_Injection"""
PAGE = 100


def add(commands: Any) -> None:
    parser = commands.add_parser("export", help="requests or keys as CSV or JSON lines", description=__doc__)
    what = parser.add_subparsers(dest="action", required=True, metavar="WHAT")
    requests = what.add_parser("requests", help="a line for each request, the oldest first")
    requests.add_argument("--from", dest="start_date", metavar="DAY", help="the first day, 2026-11-22; 30 days ago without")
    requests.add_argument("--to", dest="end_date", metavar="DAY", help="the last day; today without")
    requests.add_argument("--key", help="only those of one key, by its id")
    requests.set_defaults(run=export_requests)
    keys = what.add_parser("keys", help="a line for each key; no key itself is in it")
    keys.set_defaults(run=export_keys)
    for each in (requests, keys):
        _add_form(each)


def _add_form(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="csv")
    parser.add_argument("--output", metavar="FILE", help="a new file; standard output without")


def export_requests(context: Context) -> int:
    return _write(context, REQUEST_COLUMNS, _requests(context.api_client(), context.arguments))


def export_keys(context: Context) -> int:
    return _write(context, KEY_COLUMNS, (key for key, _ in context.api_client().all_keys()))


def _requests(client: APIClient, arguments: argparse.Namespace) -> Iterator[JSON]:
    cursor = None
    span = {"start_date": arguments.start_date, "end_date": arguments.end_date, "key": arguments.key}
    while True:
        page = client.get("/spend/logs", **span, order="asc", limit=PAGE, cursor=cursor)
        yield from page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _write(context: Context, columns: tuple[str, ...], rows: Iterable[JSON]) -> int:
    """Raises OperatorError."""
    arguments, (first, rest) = context.arguments, _begin(rows)
    rows = chain(first, rest)
    with _output(arguments.output) as out:
        counted = context.terminal.each(rows, None, lambda _: "exported") if arguments.output else rows
        count = 0
        writer = csv.writer(out, lineterminator="\n")
        if arguments.format == "csv":
            writer.writerow(columns)
        for row in counted:
            count += 1
            if arguments.format == "csv":
                writer.writerow([_cell(row.get(column)) for column in columns])
            else:
                out.write(json.dumps(row) + "\n")
    if arguments.output:
        context.terminal.note(f"{count:,} lines are in {arguments.output}.")
    return 0


def _begin(rows: Iterable[JSON]) -> tuple[tuple[JSON, ...], Iterator[JSON]]:
    """The first line, and the others: what fails at once leaves no file, and no heading of a table. Raises OperatorError."""
    rest = iter(rows)
    return tuple(islice(rest, 1)), rest


def _output(name: str | None) -> AbstractContextManager[TextIO]:
    if name is None:
        return nullcontext(sys.stdout)
    try:
        return Path(name).expanduser().open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise OperatorError(f"{name} can't be made: {error.strerror}.") from None


def _cell(value: object) -> object:
    if isinstance(value, list):
        value = " ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.9f}".rstrip("0").rstrip(".")  # 1e-07 is no amount to people
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA) else value
