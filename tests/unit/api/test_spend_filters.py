"""What a question about use asks for: times, pages, groups and filters, and what is wrong with those that can't be answered."""

import pytest

from haimaker.api.spend_filters import DateRange, Filter, Page, grouping
from haimaker.http.errors import BadRequestError
from haimaker.http.values import Request
from haimaker.store import Record

NOW_S = 1_790_000_000.0
DAY_S = 86_400
TODAY_S = 1_789_948_800.0
"""2026-09-21."""


def asked(**query: str) -> Request:
    return Request("r", query=query)


@pytest.mark.parametrize(
    ("query", "since_s", "until_s"),
    [
        ({}, NOW_S + 1 - 30 * DAY_S, NOW_S + 1),
        ({"start_date": "2026-09-21"}, TODAY_S, NOW_S + 1),
        ({"start_date": "2026-09-20", "end_date": "2026-09-21"}, TODAY_S - DAY_S, TODAY_S + DAY_S),
        ({"start_date": "2026-09-21T01:00:00Z", "end_date": "2026-09-21T03:00:00"}, TODAY_S + 3_600, TODAY_S + 10_800),
        ({"start_date": "2026-09-21T03:00:00+02:00", "end_date": "2026-09-22"}, TODAY_S + 3_600, TODAY_S + 2 * DAY_S),
        ({"start_date": "2026-09-21T03:00:00 02:00"}, TODAY_S + 3_600, NOW_S + 1),
        ({"end_date": "2026-09-20"}, TODAY_S - 30 * DAY_S, TODAY_S),
        ({"start_date": "1000-01-01"}, 0, NOW_S + 1),
    ],
)
def test_a_date_is_a_utc_day_and_its_end_the_days_end(query, since_s, until_s):
    assert DateRange.from_request(asked(**query), NOW_S) == (since_s, until_s)


def test_one_accounts_records_are_asked_for_from_the_first_on():
    assert DateRange.from_request(asked(), NOW_S, everything=True).since_s == 0


@pytest.mark.parametrize(
    ("span", "days"),
    [
        (DateRange(TODAY_S, TODAY_S + DAY_S), ("2026-09-21", "2026-09-21")),
        (DateRange(TODAY_S, TODAY_S + DAY_S + 1), ("2026-09-21", "2026-09-22")),
        (DateRange(TODAY_S - 1, TODAY_S + 1), ("2026-09-20", "2026-09-21")),
    ],
)
def test_the_days_of_a_span(span, days):
    assert span.days() == days


COST = "0000000000000000007@001790000000000000#r-1"


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ({}, (50, None, True, False)),
        ({"limit": "1", "order": "asc"}, (1, None, False, False)),
        ({"limit": "100", "cursor": "001790000000000000#r-1"}, (100, "001790000000000000#r-1", True, False)),
        ({"sort_by": "started_at"}, (50, None, True, False)),
        ({"sort_by": "spend", "cursor": COST}, (50, COST, True, True)),
    ],
)
def test_pages(query, page):
    assert Page.from_request(asked(**query), has_costs=True) == page


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("day", ("day", True)),
        ("model", ("model", False)),
        ("day,model", ("model", True)),
        ("team, day", ("team", True)),
        ("api_key", ("key", False)),
        ("end_user", ("user", False)),
    ],
)
def test_groups(text, found):
    assert grouping(asked(group_by=text)) == found


READERS = {
    "span": lambda request: DateRange.from_request(request, NOW_S),
    "days": lambda request: DateRange.from_request(request, NOW_S).days(),
    "page": lambda request: Page.from_request(request, has_costs=True),
    "filter": Filter.from_request,
    "grouping": grouping,
}


@pytest.mark.parametrize(
    ("reader", "query", "param"),
    [
        ("span", {"start_date": "yesterday"}, "start_date"),
        ("span", {"start_date": "2026-13-01"}, "start_date"),
        ("span", {"end_date": "9999-12-31"}, "end_date"),
        ("span", {"start_date": "2026-09-21", "end_date": "2026-09-20"}, "start_date"),
        ("span", {"end_date": "1000-01-01"}, "start_date"),
        ("days", {"start_date": "2024-01-01"}, "start_date"),
        ("page", {"limit": "0"}, "limit"),
        ("page", {"limit": "101"}, "limit"),
        ("page", {"limit": "00001" + "9" * 4_400}, "limit"),
        ("page", {"limit": "1e2"}, "limit"),
        ("page", {"limit": "٣"}, "limit"),
        ("page", {"limit": ""}, "limit"),
        ("page", {"cursor": "x"}, "cursor"),
        ("page", {"cursor": "001790000000000000#" + "ü"}, "cursor"),
        ("page", {"order": "up"}, "order"),
        ("page", {"sort_by": "cost"}, "sort_by"),
        ("page", {"sort_by": "spend", "order": "asc"}, "order"),
        ("page", {"sort_by": "spend", "cursor": "001790000000000000#r-1"}, "cursor"),
        ("page", {"cursor": COST}, "cursor"),
        ("filter", {"status": "fine"}, "status"),
        ("filter", {"page": "2"}, "page"),
        ("filter", {"page_size": "2"}, "page_size"),
        ("grouping", {"group_by": "weather"}, "group_by"),
        ("grouping", {"group_by": "model,key"}, "group_by"),
        ("grouping", {"group_by": "day,model,key"}, "group_by"),
        ("grouping", {"group_by": "day,day"}, "group_by"),
        ("grouping", {"group_by": ""}, "group_by"),
    ],
)
def test_what_can_not_be_read_is_named(reader, query, param):
    with pytest.raises(BadRequestError) as raised:
        READERS[reader](asked(**query))
    assert raised.value.param == param


DETAIL = {
    "provider": "openai", "model": "gpt-4o", "asked_model": "fast", "operation": "chat",
    "user": "ada", "team_id": "t1", "tags": ["a"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, True),
        ({"model": "gpt-4o", "provider": "openai", "status": "cut", "user": "ada", "team": "t1", "tag": "a"}, True),
        ({"model": "fast", "team_id": "t1", "end_user": "ada", "operation": "chat"}, True),
        ({"model": "openai/gpt-4o", "user_id": "ada", "limit": "5"}, True),
        ({"model": "gpt"}, False),
        ({"tag": "b"}, False),
        ({"user_id": "bob"}, False),
        ({"status": "ok"}, False),
        ({"team": "t1", "user": "bob"}, False),
    ],
)
def test_filters(query, found):
    record = Record("r", "key#1", NOW_S, "cut", 7, DETAIL)
    assert Filter.from_request(asked(**query)).matches(record) is found
    lost = Record("r", "key#1", NOW_S, "lost", 7, {"deadline_s": 1})
    assert Filter.from_request(asked(**query)).matches(lost) is (not query)
