"""GET /refusals: how often which key was refused, and why, without a provider being asked."""

import time

from haimaker.accounts.errors import check_usable, sees_all
from haimaker.api.account_admin import to_iso_time
from haimaker.api.account_filters import check_known
from haimaker.api.spend_filters import DateRange
from haimaker.http.errors import BadRequestError, invalid_value
from haimaker.http.json import to_whole_number
from haimaker.http.values import JSON, Request
from haimaker.observability.refusals import merge
from haimaker.store import Account, Store
from haimaker.store.totals import DAY_S, day_to_s, to_day

PARAMETERS = ("start_date", "end_date", "limit")
DEFAULT_DAYS, MAX_DAYS = 7, 31
DEFAULT_LISTED, MOST_LISTED = 100, 1_000


def list_refusals(store: Store, caller: Account, request: Request) -> JSON:
    """The `limit` latest refusals of the last seven days, or between `start_date` and `end_date`. A key sees its own;
    administrators and viewers see those of all keys, and those of unknown keys under no key. Raises BadRequestError."""
    check_usable(caller, time.time())
    check_known(request.query, PARAMETERS)
    now_s = time.time()
    if request.query.keys() & {"start_date", "end_date"}:
        first_day, last_day = DateRange.from_request(request, now_s).days()
    else:
        first_day, last_day = to_day(now_s - (DEFAULT_DAYS - 1) * DAY_S), to_day(now_s)
    count = round((day_to_s(last_day) - day_to_s(first_day)) / DAY_S) + 1
    if count > MAX_DAYS:
        raise BadRequestError(f"Refusals are told of {MAX_DAYS} days at most.", param="start_date", code="invalid_value")
    days = [to_day(day_to_s(first_day) + number * DAY_S) for number in range(count)]
    rows = [row for row in merge(store.documents, days) if sees_all(caller) or row.account_id == caller.id]
    limit = to_whole_number(request.query.get("limit", str(DEFAULT_LISTED)), 1, MOST_LISTED)
    if limit is None:
        raise invalid_value("limit", f"a whole number from 1 to {MOST_LISTED}")
    total, rows = len(rows), rows[:limit]
    accounts = {account_id: store.get(account_id) for account_id in {row.account_id for row in rows} if account_id}
    return {
        "object": "list",
        "start_date": first_day,
        "end_date": last_day,
        "total_count": total,
        "data": [
            {
                "key": row.account_id.partition("#")[2] or None,
                "key_alias": balance.account.alias if (balance := accounts.get(row.account_id)) else None,
                "key_name": balance.account.name if balance else None,
                "code": row.code,
                "count": row.times,
                "first_at": to_iso_time(row.first_s),
                "last_at": to_iso_time(row.last_s),
            }
            for row in rows
        ],
    }
