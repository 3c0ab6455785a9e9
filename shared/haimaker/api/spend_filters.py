"""What a question about use asks for: which time, which records, which page, which groups. Pure.

Times are UTC: a date, whose end is the day's end, or a moment as ISO 8601 has it.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, get_args

from haimaker.http.errors import BadRequestError
from haimaker.http.values import Request
from haimaker.lean_dataclasses import dataclass
from haimaker.store import NEVER_S, Record
from haimaker.store.totals import By, to_day

USUAL_DAYS = 30
MAX_DAYS = 400
USUAL_ROWS, MAX_ROWS = 50, 100
STATUSES = ("ok", "error", "cut", "lost")
CURSOR = re.compile(r"\d{18}#[\x21-\x7e]{1,200}")
DATE = re.compile(r"\d{4}-\d\d-\d\d")


class DateRange(NamedTuple):
    """From one moment until just before another, in seconds of the epoch."""

    since_s: float
    until_s: float

    @classmethod
    def from_request(cls, request: Request, now_s: float, *, everything: bool = False) -> "DateRange":
        """`start_date` and `end_date`; the last 30 days without them, or `everything`. Raises BadRequestError."""
        end_s = _moment_s(request, "end_date", is_end=True)
        until_s = now_s + 1 if end_s is None else end_s
        since_s = _moment_s(request, "start_date", is_end=False)
        if since_s is None:
            since_s = 0.0 if everything else max(0.0, until_s - USUAL_DAYS * 86_400)
        span = cls(min(since_s, NEVER_S), min(until_s, NEVER_S))
        if span.since_s >= span.until_s:
            raise BadRequestError("'start_date' must be before 'end_date'.", param="start_date", code="invalid_value")
        return span

    def days(self) -> tuple[str, str]:
        """The first and the last UTC day of it. Raises BadRequestError if they are too many."""
        if self.until_s - self.since_s > (MAX_DAYS + 1) * 86_400:
            raise BadRequestError(f"A report has {MAX_DAYS} days at most.", param="start_date", code="invalid_value")
        return to_day(self.since_s), to_day(self.until_s - 0.001)


class Page(NamedTuple):
    limit: int
    cursor: str | None
    newest_first: bool

    @classmethod
    def from_request(cls, request: Request) -> "Page":
        """`limit`, `cursor` and `order`. Raises BadRequestError."""
        text = request.query.get("limit", str(USUAL_ROWS))
        if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_ROWS):
            raise _invalid_value("limit", f"a whole number from 1 to {MAX_ROWS}")
        cursor = request.query.get("cursor") or None
        if cursor and not CURSOR.fullmatch(cursor):
            raise _invalid_value("cursor", "the next_cursor of an earlier answer")
        order = request.query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise _invalid_value("order", "asc or desc")
        return cls(int(text), cursor, order == "desc")


MATCHES: Mapping[str, Callable[[Mapping[str, Any], str], bool]] = {
    "model": lambda detail, name: name in (detail.get("model"), detail.get("asked_model"), _target(detail)),
    "provider": lambda detail, name: detail.get("provider") == name,
    "operation": lambda detail, name: detail.get("operation") == name,
    "user": lambda detail, name: detail.get("user") == name,
    "team": lambda detail, name: detail.get("team_id") == name,
    "tag": lambda detail, name: name in (detail.get("tags") or ()),
}
"""What a record's detail has to say, by the name of the parameter."""
ALSO_CALLED = {"team_id": "team", "end_user": "user", "user_id": "user"}
OTHERS = frozenset({"request_id", "status", "key", "api_key", "start_date", "end_date", "limit", "order", "cursor"})
"""Parameters that are read elsewhere."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects the records that have all of these values."""

    wanted: Mapping[str, str]
    status: str | None = None

    @classmethod
    def from_request(cls, request: Request) -> "Filter":
        named = {ALSO_CALLED.get(name, name): value for name, value in request.query.items() if value}
        if unknown := sorted(named.keys() - MATCHES.keys() - OTHERS):
            raise BadRequestError(f"Unknown parameter: '{unknown[0]}'.", param=unknown[0], code="unknown_parameter")
        status = named.get("status")
        if status and status not in STATUSES:
            raise _invalid_value("status", f"one of {', '.join(STATUSES)}")
        return cls({name: value for name, value in named.items() if name in MATCHES}, status)

    def matches(self, record: Record) -> bool:
        return self.status in (None, record.status) and all(
            MATCHES[name](record.detail, value) for name, value in self.wanted.items()
        )


def grouping(request: Request) -> tuple[By, bool]:
    """What `group_by` names, and whether it is by day as well: `model`, or `day,model`. Raises BadRequestError."""
    names = [name.strip() for name in request.query.get("group_by", "day").split(",")]
    by = next((name for name in names if name != "day"), "day")
    by = {"api_key": "key", "customer": "user", "end_user": "user"}.get(by, by)
    known = {name: name for name in get_args(By)}
    if by not in known or len(names) > 2 or len(set(names)) < len(names) or (len(names) == 2 and "day" not in names):
        raise _invalid_value("group_by", f"one of {', '.join(known)}, or day and one of the others, as day,model")
    return known[by], "day" in names


def _target(detail: Mapping[str, Any]) -> str:
    return f"{detail.get('provider')}/{detail.get('model')}"


def _moment_s(request: Request, name: str, *, is_end: bool) -> float | None:
    text = request.query.get(name)
    if not text:
        return None
    try:
        # A plus sign that was not escaped has become a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        whole_day = is_end and DATE.fullmatch(text)
        found_s = (moment + timedelta(days=1) if whole_day else moment).timestamp()
    except (ValueError, OverflowError):
        raise _invalid_value(name, "a date such as 2026-11-22 or a time such as 2026-11-22T09:30:00Z") from None
    return max(0.0, found_s)


def _invalid_value(name: str, expected: str) -> BadRequestError:
    return BadRequestError(f"Invalid value for '{name}': it must be {expected}.", param=name, code="invalid_value")
