"""The query parameters of reports and lists of records: the time, the filter, the page, the groups. Pure.

Times are UTC: a date, or a moment in ISO 8601. A date as an end means the end of that day.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, get_args

from haimaker.http.errors import BadRequestError, invalid_value, unknown_parameter
from haimaker.http.json import to_whole_number
from haimaker.http.values import Request
from haimaker.lean_dataclasses import dataclass
from haimaker.store import NEVER_S, Record
from haimaker.store.totals import By, to_day

DEFAULT_DAYS = 30
MAX_DAYS = 400
DEFAULT_ROWS, MAX_ROWS = 50, 100
STATUSES = ("ok", "error", "cut", "lost")
CURSOR = re.compile(r"\d{18}#[\x21-\x7e]{1,200}")
COST_CURSOR = re.compile(rf"\d{{19}}@{CURSOR.pattern}")
SORTS = ("started_at", "spend")
DATE = re.compile(r"\d{4}-\d\d-\d\d")


class DateRange(NamedTuple):
    """The time from `since_s` until just before `until_s`, in seconds of the epoch."""

    since_s: float
    until_s: float

    @classmethod
    def from_request(cls, request: Request, now_s: float, *, everything: bool = False) -> "DateRange":
        """Reads `start_date` and `end_date`. Without a start it is 30 days long, or with `everything` without a beginning. Raises
        BadRequestError."""
        end_s = _moment_s(request, "end_date", is_end=True)
        until_s = now_s + 1 if end_s is None else end_s
        since_s = _moment_s(request, "start_date", is_end=False)
        if since_s is None:
            since_s = 0.0 if everything else max(0.0, until_s - DEFAULT_DAYS * 86_400)
        span = cls(min(since_s, NEVER_S), min(until_s, NEVER_S))
        if span.since_s >= span.until_s:
            raise BadRequestError("'start_date' must be before 'end_date'.", param="start_date", code="invalid_value")
        return span

    def days(self) -> tuple[str, str]:
        """The first and the last UTC day. Raises BadRequestError if they are more than MAX_DAYS apart."""
        if self.until_s - self.since_s > (MAX_DAYS + 1) * 86_400:
            raise BadRequestError(f"A report has {MAX_DAYS} days at most.", param="start_date", code="invalid_value")
        return to_day(self.since_s), to_day(self.until_s - 0.001)


class Page(NamedTuple):
    limit: int
    cursor: str | None
    newest_first: bool
    by_cost: bool = False
    """The dearest first."""

    @classmethod
    def from_request(cls, request: Request, *, has_costs: bool = False) -> "Page":
        """Reads `limit`, `cursor` and `order`, and of a list with costs `sort_by`. Raises BadRequestError."""
        sort_by, order = request.query.get("sort_by", SORTS[0]) if has_costs else SORTS[0], request.query.get("order", "desc")
        if sort_by not in SORTS:
            raise invalid_value("sort_by", f"one of {', '.join(SORTS)}")
        if order not in (("desc",) if sort_by == "spend" else ("asc", "desc")):
            raise invalid_value("order", "desc: the dearest come first" if sort_by == "spend" else "asc or desc")
        limit = to_whole_number(request.query.get("limit", str(DEFAULT_ROWS)), 1, MAX_ROWS)
        if limit is None:
            raise invalid_value("limit", f"a whole number from 1 to {MAX_ROWS}")
        cursor = request.query.get("cursor") or None
        if cursor and not (COST_CURSOR if sort_by == "spend" else CURSOR).fullmatch(cursor):
            raise invalid_value("cursor", "the next_cursor of an earlier answer")
        return cls(limit, cursor, order == "desc", sort_by == "spend")


MATCHES: Mapping[str, Callable[[Mapping[str, Any], str], bool]] = {
    "model": lambda detail, name: (
        name in (detail.get("model"), detail.get("asked_model"), f"{detail.get('provider')}/{detail.get('model')}")
    ),
    "provider": lambda detail, name: detail.get("provider") == name,
    "operation": lambda detail, name: detail.get("operation") == name,
    "user": lambda detail, name: detail.get("user") == name,
    "team": lambda detail, name: detail.get("team_id") == name,
    "tag": lambda detail, name: name in (detail.get("tags") or ()),
}
"""By a query parameter, whether a record's detail has the value."""
ALIASES = {"team_id": "team", "end_user": "user", "user_id": "user"}
OTHER_PARAMETERS = frozenset(
    {"request_id", "status", "key", "api_key", "start_date", "end_date", "limit", "order", "sort_by", "cursor"}
)
"""Query parameters that are read elsewhere."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects the records that have all of these values."""

    wanted: Mapping[str, str]
    status: str | None = None

    @classmethod
    def from_request(cls, request: Request) -> "Filter":
        """Reads the parameters of MATCHES and `status`. Raises BadRequestError, also for an unknown parameter."""
        named = {ALIASES.get(name, name): value for name, value in request.query.items() if value}
        if unknown := sorted(named.keys() - MATCHES.keys() - OTHER_PARAMETERS):
            raise unknown_parameter(unknown[0])
        status = named.get("status")
        if status and status not in STATUSES:
            raise invalid_value("status", f"one of {', '.join(STATUSES)}")
        return cls({name: value for name, value in named.items() if name in MATCHES}, status)

    @property
    def is_selective(self) -> bool:
        return self.status is not None or bool(self.wanted)

    def matches(self, record: Record) -> bool:
        return self.status in (None, record.status) and all(
            MATCHES[name](record.detail, value) for name, value in self.wanted.items()
        )


def grouping(request: Request) -> tuple[By, bool]:
    """Reads `group_by`, such as `model` or `day,model`: what it groups by, and whether by day as well. Raises BadRequestError."""
    names = [name.strip() for name in request.query.get("group_by", "day").split(",")]
    by = next((name for name in names if name != "day"), "day")
    by = {"api_key": "key", "customer": "user", "end_user": "user"}.get(by, by)
    known = {name: name for name in get_args(By)}
    if by not in known or len(names) > 2 or len(set(names)) < len(names) or (len(names) == 2 and "day" not in names):
        raise invalid_value("group_by", f"one of {', '.join(known)}, or day and one of the others, as day,model")
    return known[by], "day" in names


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
        raise invalid_value(name, "a date such as 2026-11-22 or a time such as 2026-11-22T09:30:00Z") from None
    return max(0.0, found_s)
