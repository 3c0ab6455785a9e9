"""`haimaker spend`: reports by day, key, model, provider, team, user or tag; single requests with their attempts."""

import argparse
from collections.abc import Iterator
from typing import Any

from .api_client import JSON, APIClient
from .context import Context
from .terminal import usd

GROUPS = ("day", "key", "team", "user", "model", "provider", "tag")
COUNTS = ("requests", "errors", "input_tokens", "output_tokens")
REQUEST_TITLES = (
    "started",
    "spend",
    "status",
    "model",
    "asked for",
    "tokens in",
    "out",
    "ms",
    "first",
    "tries",
    "key",
    "error",
    "request",
)
ATTEMPT_TITLES = ("target", "status", "code", "ms", "first byte", "cost")
FILTERS = ("key", "model", "provider", "status", "user", "team", "tag")
MAX_SHOWN = 100


def add(commands: Any) -> None:
    parser = commands.add_parser("spend", help="what was spent, on what, by whom", description=__doc__)
    parser.add_argument("--by", default="day", help=f"one of {', '.join(GROUPS)}, or day,model and the like")
    _add_span(parser)
    parser.set_defaults(run=report_spend, action=None)
    actions = parser.add_subparsers(metavar="ACTION")
    requests = actions.add_parser("requests", help="single requests, the newest first")
    _add_span(requests)
    for name in FILTERS:
        requests.add_argument(f"--{name}")
    requests.add_argument("--dearest", action="store_true", help="the dearest first, of all that were asked for")
    requests.add_argument("--limit", type=int, default=20, metavar="COUNT", help="how many to show")
    requests.set_defaults(run=list_records)
    request = actions.add_parser("request", help="one request with its attempts")
    request.add_argument("id", help="of the header x-request-id")
    request.set_defaults(run=show_record)


def _add_span(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="start_date", metavar="DAY", help="the first day, 2026-11-22; 30 days ago without")
    parser.add_argument("--to", dest="end_date", metavar="DAY", help="the last day; today without")


def report_spend(context: Context) -> int:
    arguments = context.arguments
    report = context.api_client().get(
        "/spend/report", group_by=arguments.by, start_date=arguments.start_date, end_date=arguments.end_date
    )
    groups = arguments.by.split(",")
    rows = [[*(_group(row, name) for name in groups), *_counts(row)] for row in report["data"]]
    rows.append(["all", *[""] * (len(groups) - 1), *_counts(report["total"])])
    context.terminal.show(report, (*groups, "requests", "errors", "tokens in", "tokens out", "spend"), rows)
    return 0


def list_records(context: Context) -> int:
    arguments, terminal = context.arguments, context.terminal
    asked = {name: getattr(arguments, name) for name in (*FILTERS, "start_date", "end_date")}
    found = terminal.each(_records(context.api_client(), asked), None, lambda record: f"{record['started_at'][:16]}")
    if arguments.dearest:
        records = sorted(found, key=lambda record: -(record["spend"] or 0))[: arguments.limit]
    else:
        records = [record for _, record in zip(range(arguments.limit), found, strict=False)]
    terminal.show(records, REQUEST_TITLES, map(_row, records), empty="No request fits.")
    return 0


def show_record(context: Context) -> int:
    terminal = context.terminal
    told = context.api_client().get("/generation", id=context.arguments.id)["data"]
    if terminal.as_json:
        terminal.show(told, (), ())
        return 0
    fields = [(name, value) for name, value in told.items() if name != "attempts" and value not in (None, [], "")]
    terminal.show(told, ("field", "value"), fields)
    terminal.say("")
    attempts = (
        (one["target"], one["status"], one["code"], one["duration_ms"], one.get("first_byte_ms"), usd(one["cost_usd"]))
        for one in told["attempts"]
    )
    terminal.show(told, ATTEMPT_TITLES, attempts, empty="It met no provider.")
    return 0


def _records(client: APIClient, asked: JSON) -> Iterator[JSON]:
    cursor: str | None = None
    while True:
        page = client.get("/spend/logs", **asked, limit=MAX_SHOWN, cursor=cursor)
        yield from page["data"]
        cursor = page["next_cursor"]
        if not page["has_more"] or cursor is None:
            return


def _group(row: JSON, name: str) -> object:
    if name == "day":
        return row["date"]
    return row.get("key_alias") or row["key"][:12] if name == "key" else row.get(name)


def _counts(row: JSON) -> list[object]:
    return [*(f"{row[name]:,}" for name in COUNTS), usd(row["spend"])]


def _row(record: JSON) -> tuple[object, ...]:
    served = f"{record['provider']}/{record['model']}" if record["provider"] else ""
    known = usd(record["spend"]) if record["cost_known"] else "unknown"
    return (
        record["started_at"][:19].replace("T", " "),
        known + ("~" if record["cost_estimated"] else ""),
        record["status"],
        served,
        record["asked_model"] if record["asked_model"] != served else "",
        record["input_tokens"],
        record["output_tokens"],
        record["duration_ms"],
        record.get("first_token_ms"),
        len(record["attempts"]),
        record["key_alias"] or record["key_name"],
        record["error"],
        record["request_id"],
    )
