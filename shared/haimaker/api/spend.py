"""What was spent, and on what: GET /spend/logs, /spend/report, /spend/keys and /v1/generation.

A key sees its own use, a team administrator's that of the team's keys, an administrator's or a viewer's key all. docs/budgets.md
has the shapes. Names are LiteLLM's (https://docs.litellm.ai/docs/proxy/cost_tracking) and, for a generation, OpenRouter's
(https://openrouter.ai/docs/api-reference/get-a-generation). Nothing here changes anything.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from haimaker.accounts.errors import check_usable, leads, may_see, require_reader, sees_all
from haimaker.accounts.kinds import KEY, TEAM, AccountKind
from haimaker.api import account_admin, keys
from haimaker.api.account_admin import get_account, to_iso_time, whole_number
from haimaker.api.account_filters import check_known
from haimaker.api.spend_filters import DateRange, Filter, Page, grouping
from haimaker.http.errors import BadRequestError, NotFoundError, missing_parameter
from haimaker.http.values import JSON, Request
from haimaker.long_work import in_steps
from haimaker.pricing.amounts import to_usd
from haimaker.store import Account, Record, Store, TooManyRecords, ledger
from haimaker.store.account_query import AccountQuery
from haimaker.store.totals import AMOUNTS, By, Total, keep_top, sum_over_days

STORE_PAGE = 100
MAX_NAMED = 100
"""Keys of a report, each of which is read on its own."""
MAX_READ = 1_000
"""How many records one call of `logs` reads; where few of them pass the filter, it answers fewer rows and a cursor."""
PAGES_OF_DEAREST = 5
"""How many such pages are read, where the dearest are looked for."""
ID_PREFIXES = ("chatcmpl-", "cmpl-", "gen-", "msg_", "resp_")
"""What an answer's id has before the request's id, where the gateway made it."""

DETAILS: JSON = {
    "operation": None, "client_format": None, "asked_model": None, "provider": None, "model": None, "stream": None, "user": None,
    "team_id": None, "tags": [], "input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "cost_estimated": False,
    "duration_ms": None, "first_token_ms": None, "error": None, "attempts": [],
}  # fmt: skip
"""The fields of a record's detail that are shown, with their values for a lost request, whose record has none of them."""

OF_BATCHES = ("batch", "batch_line", "custom_id", "asked_before")
"""Fields that only the records of a batch's lines have."""


NAMED: Mapping[By, AccountKind] = {"key": KEY, "team": TEAM}
"""What is told of an account by its alias as well."""

SPAN = ("start_date", "end_date")
OF_REPORTS, OF_KEYS, OF_ONE = (*SPAN, "group_by", "key", "api_key", "keys", "top"), ("limit",), ("id",)
"""The query parameters of each."""


def logs(store: Store, caller: Account, request: Request) -> JSON:
    """GET /spend/logs: records, newest first; of a team that the caller leads, those of all its keys. Raises BadRequestError,
    PermissionDeniedError."""
    account_id = _account_filter(store, caller, request)
    page, wanted = Page.from_request(request, has_costs=True), Filter.from_request(request)
    if not _asked_key(request) and leads(caller, wanted.wanted.get("team")):
        account_id = None  # those of all its keys, by what their records have
    span = DateRange.from_request(request, time.time(), everything=account_id is not None)
    if request_id := request.query.get("request_id"):
        one = store.record(request_id)
        mine = one is not None and account_id in (None, one.account_id) and wanted.matches(one)
        return _page([one] if one and mine else [], None)
    if page.by_cost:
        return _dearest(store, account_id, span, page, wanted)
    rows: list[Record] = []
    read, cursor = 0, page.cursor
    while read < MAX_READ:
        found, following = store.records(
            account_id, span.since_s, span.until_s, cursor, min(STORE_PAGE, MAX_READ - read), newest_first=page.newest_first
        )
        read += len(found)
        for record in filter(wanted.matches, found):
            if len(rows) == page.limit:
                return _page(rows, ledger.sort_key(rows[-1].started_s, rows[-1].request_id))
            rows.append(record)
        cursor = following
        if cursor is None:
            break
    return _page(rows, cursor)


def _dearest(store: Store, account_id: str | None, span: DateRange, page: Page, wanted: Filter) -> JSON:
    """The dearest first; `of_newest` says, where not all of that time were looked at, of how many they are the dearest."""
    count, rows, cursor = MAX_READ if wanted.is_selective else page.limit, list[Record](), page.cursor
    for _ in range(PAGES_OF_DEAREST):
        with bounded_sums():
            found, cursor, of_newest = store.dearest(account_id, span.since_s, span.until_s, cursor, count)
        rows += filter(wanted.matches, found)
        if cursor is None or len(rows) >= page.limit:
            break
    if len(rows) > page.limit:
        rows, cursor = rows[: page.limit], ledger.cost_key(rows[page.limit - 1])
    return {**_page(rows, cursor), "of_newest": of_newest}


def report(store: Store, caller: Account, request: Request) -> JSON:
    """GET /spend/report: sums by UTC day, key, model and so on. By key, `keys` may name some of them, with commas between; with
    `top` only so many names have rows of their own. Raises BadRequestError, PermissionDeniedError."""
    account_id = _account_filter(store, caller, request)
    check_known(request.query, OF_REPORTS)
    by, daily = grouping(request)
    top = whole_number(request, "top", MAX_NAMED) if "top" in request.query else None
    first_day, last_day = DateRange.from_request(request, time.time()).days()
    asked = _asked_keys(store, caller, request, account_id) if by == "key" else None
    others: JSON = {}
    if by == "team" and leads(caller, caller.team_id):
        whose = None if account_id == caller.id else account_id
        rows: Sequence[Total] = [row for row in _totals(store, by, first_day, last_day, whose) if row.name == caller.team_id]
        whole, names = rows, _named_accounts(store, rows, by)
    elif asked is not None:
        rows = sorted(
            (row for one in asked for row in _totals(store, by, first_day, last_day, one)), key=lambda row: (row.day, row.name)
        )
        whole = rows
        names = {one: balance.account for one in asked if (balance := store.get(one))}
    elif account_id or by == "day":
        rows = _totals(store, by, first_day, last_day, account_id)
        whole = rows if by == "day" else _totals(store, "day", first_day, last_day, account_id)
        names = {}
    else:
        with bounded_sums():
            rows, others["others"] = store.sums(by, first_day, last_day, daily=daily, top=top)
        whole = _totals(store, "day", first_day, last_day, None)
        names = _named_accounts(store, rows, by)
    if top is None:
        others = {}
    elif by == "day":
        others["others"] = 0
    elif "others" not in others:
        rows, others["others"] = keep_top(rows, top)
    names |= {caller.id: caller}
    shown = rows if daily else sum_over_days(rows)
    return {
        "object": "spend.report",
        "group_by": ",".join(name for name in (("day",) if daily else ()) + ((by,) if by != "day" else ())),
        "start_date": first_day,
        "end_date": last_day,
        **others,
        "data": [_totals_row(total, by, names, daily=daily) for some in in_steps(shown) for total in some],
        "total": _amounts(whole),
    }


def _named_accounts(store: Store, rows: Sequence[Total], by: By) -> dict[str, Account]:
    """The keys and teams that rows are named by, as rows name them."""
    kind = NAMED.get(by)
    if kind is None:
        return {}
    named = {row.name for row in rows if row.name}
    if len(named) <= MAX_NAMED:
        found = [store.get(name if by == "key" else kind.account_id(name)) for name in named]
    else:
        found = [*account_admin.find_all(store, AccountQuery(kind.name))]
    accounts = [balance.account for balance in found if balance]
    return {account.id if by == "key" else account.id.partition("#")[2]: account for account in accounts}


def _asked_keys(store: Store, caller: Account, request: Request, account_id: str | None) -> list[str] | None:
    """The keys that are summed one by one, all of which the caller may see; None for whatever `account_id` stands for. Raises
    BadRequestError."""
    named = _named_keys(request)
    if account_id is None or not (leads(caller, caller.team_id) and account_id == caller.id):
        return [one for one in named if account_id in (None, one)] if named else None
    if named:
        return [one for one in named if (balance := store.get(one)) and may_see(caller, balance.account)]
    members, total = keys.find_visible(store, caller, AccountQuery(KEY.name), 0, MAX_NAMED)
    if total > MAX_NAMED:
        message = f"The team has more than {MAX_NAMED} keys; name some of them."
        raise BadRequestError(message, param="keys", code="invalid_value")
    return [balance.account.id for balance in members]


def _named_keys(request: Request) -> list[str]:
    """The account ids of the keys that `keys` names, each once. Raises BadRequestError."""
    named = request.query.get("keys")
    found = list(dict.fromkeys(keys.account_id_for(key) for key in named.split(","))) if named else []
    if len(found) > MAX_NAMED:
        raise BadRequestError(f"'keys' names {MAX_NAMED} keys at most.", param="keys", code="invalid_value")
    return found


def by_key(store: Store, caller: Account, request: Request) -> JSON:
    """GET /spend/keys: what each key spent that the caller may see, the highest spend first; with `limit` only so many. Raises
    BadRequestError."""
    check_usable(caller, time.time())
    check_known(request.query, OF_KEYS)
    limit = whole_number(request, "limit", account_admin.MAX_LISTED, account_admin.MAX_LISTED)
    if sees_all(caller) or leads(caller, caller.team_id):
        highest_first = AccountQuery(KEY.name, sort_by="total_spend", descending=True)
        balances = keys.find_visible(store, caller, highest_first, 0, limit)[0]
    else:
        balances = [get_account(store, caller.id)]
    return {"object": "list", "data": [keys.to_json(balance) for some in in_steps(balances) for balance in some]}


def generation(store: Store, caller: Account, request: Request) -> JSON:
    """GET /v1/generation?id=: one request, by its answer's id or `x-request-id`. Raises BadRequestError, NotFoundError."""
    check_usable(caller, time.time())
    check_known(request.query, OF_ONE)
    record = find_record(store, request)
    mine = record is not None and (caller.has_been(record.account_id) or leads(caller, record.detail.get("team_id")))
    if record is None or not (mine or sees_all(caller)):
        raise NotFoundError("There is no such request of this key.", param="id", code="generation_not_found")
    return {"data": _generation(record)}


def find_record(store: Store, request: Request) -> Record | None:
    """The record of the request that `id` names. Raises BadRequestError."""
    asked = request.query.get("id", "")
    if not asked:
        raise missing_parameter("id")
    request_id = next((asked.removeprefix(prefix) for prefix in ID_PREFIXES if asked.startswith(prefix)), asked)
    return store.record(request_id) if len(request_id) <= 200 and request_id.isascii() else None


def _account_filter(store: Store, caller: Account, request: Request) -> str | None:
    """The account whose records the caller may see: its own, the one that `key` names where the caller may see that one, or all
    (None) for an administrator."""
    check_usable(caller, time.time())
    key = _asked_key(request)
    account_id = keys.account_id_for(key) if key else None
    if account_id not in (None, caller.id) and not sees_all(caller):
        balance = store.get(account_id) if account_id and leads(caller, caller.team_id) else None
        if balance is None or not may_see(caller, balance.account):
            require_reader(caller)
        return account_id
    return account_id if sees_all(caller) else caller.id


def _asked_key(request: Request) -> str | None:
    return request.query.get("key") or request.query.get("api_key")


def _page(rows: Sequence[Record], cursor: str | None) -> JSON:
    return {"object": "list", "data": [_row(record) for record in rows], "has_more": cursor is not None, "next_cursor": cursor}


def _row(record: Record) -> JSON:
    detail = record.detail
    return {
        "request_id": record.request_id,
        "key": record.account_id.partition("#")[2],
        "key_name": detail.get("key_name"),
        "key_alias": detail.get("key_alias"),
        "started_at": to_iso_time(record.started_s),
        "status": record.status,
        "spend": to_usd(record.cost_nanousd),
        "cost_known": record.status == "lost" or detail.get("cost_usd") is not None,
        **{name: detail.get(name, missing) for name, missing in DETAILS.items()},
        **{name: detail[name] for name in OF_BATCHES if name in detail},
    }


def _totals(store: Store, by: By, first_day: str, last_day: str, account_id: str | None) -> Sequence[Total]:
    """Totals by day, model, key and so on. Raises BadRequestError."""
    with bounded_sums():
        return store.totals(by, first_day, last_day, account_id)


@contextmanager
def bounded_sums() -> Iterator[None]:
    """Raises BadRequestError where what is asked for takes more records than can be looked at while a client waits."""
    try:
        yield
    except TooManyRecords:
        message = (
            "These are more requests than can be added up at once; ask for fewer days at a time, for the `top`, or group by day."
        )
        raise BadRequestError(message, param="start_date", code="too_many_records") from None


def _totals_row(total: Total, by: By, accounts: Mapping[str, Account], *, daily: bool) -> JSON:
    row: JSON = {"date": total.day} if daily else {}
    if by == "key":
        account = accounts.get(total.name)
        row |= {"key": total.name.partition("#")[2] or None, "key_alias": account.alias if account else None}
    elif by != "day":
        row |= {by: total.name or None}
    if by == "team":
        row["team_alias"] = accounts[total.name].alias if total.name in accounts else None
    return row | _amounts([total])


def _amounts(totals: Sequence[Total]) -> JSON:
    sums = {amount: sum(getattr(total, amount) for total in totals) for amount in AMOUNTS}
    return {**{name: sums[name] for name in AMOUNTS if name != "cost_nanousd"}, "spend": to_usd(sums["cost_nanousd"])}


def _generation(record: Record) -> JSON:
    """A record in OpenRouter's fields: times in milliseconds, money in USD."""
    detail = record.detail
    attempts = detail.get("attempts") or [{}]
    return {
        "id": record.request_id,
        "created_at": to_iso_time(record.started_s),
        "model": detail.get("model") and f"{detail['provider']}/{detail['model']}",
        "provider_name": detail.get("provider"),
        "streamed": detail.get("stream"),
        "cancelled": record.status == "cut",
        "status": record.status,
        "total_cost": to_usd(record.cost_nanousd),
        "usage": to_usd(record.cost_nanousd),
        "cost_estimated": detail.get("cost_estimated", False),
        "tokens_prompt": detail.get("input_tokens", 0),
        "tokens_completion": detail.get("output_tokens", 0),
        "native_tokens_prompt": detail.get("input_tokens", 0),
        "native_tokens_completion": detail.get("output_tokens", 0),
        "native_tokens_cached": detail.get("cached_tokens", 0),
        "latency": detail.get("first_token_ms") or attempts[-1].get("duration_ms"),
        "generation_time": detail.get("duration_ms"),
        "user": detail.get("user"),
        "attempts": detail.get("attempts", []),
        "error": detail.get("error"),
    }
