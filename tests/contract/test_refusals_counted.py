"""Refusals are counted by key and reason, in few writes, over processes and days, and are shown to whom they concern."""

import pytest

from haimaker.observability.refusals import KIND, MAX_COUNTED, RefusalCounter, merge
from haimaker.store.sqlite import SQLiteStore
from haimaker.store.totals import to_day
from tests.contract.money_support import Desk

NOW_S = 1_790_000_000.0
DAY = to_day(NOW_S)


@pytest.fixture
def documents(tmp_path):
    return SQLiteStore(tmp_path / "store.sqlite").documents


def test_who_is_limited_and_why(desk: Desk) -> None:
    limited = desk.key(key_alias="often refused", rpm_limit=1, models=["demo/*"])
    other = desk.key(key_alias="unlimited")
    statuses = [desk.chat(limited, "demo/echo").status_code for _ in range(4)]
    assert statuses[0] == 200
    assert statuses.count(429) >= 2
    assert desk.chat(limited, "openai/gpt-4o-mini").status_code == 403
    assert desk.chat("sk-junk").status_code == 401
    rows = desk.ask("GET", "/refusals?limit=1000").json()["data"]
    mine = {row["code"]: row for row in rows if row["key_alias"] == "often refused"}
    assert mine["rate_limit_exceeded"]["count"] == statuses.count(429)
    assert mine["rate_limit_exceeded"]["first_at"] <= mine["rate_limit_exceeded"]["last_at"]
    assert len(mine) == 2
    assert any(row["key"] is None and row["code"] == "invalid_api_key" for row in rows)
    own = desk.ask("GET", "/refusals", key=limited).json()["data"]
    assert {row["key_alias"] for row in own} == {"often refused"}
    assert desk.ask("GET", "/refusals", key=other).json()["data"] == []
    assert desk.ask("GET", "/refusals?start_date=2020-01-01").status_code == 400
    assert desk.ask("GET", "/refusals?limit=0").status_code == 400
    first = desk.ask("GET", "/refusals?limit=1").json()
    assert (first["data"], first["total_count"]) == (rows[:1], len(rows))


def test_who_asks_for_what_only_administrators_may(desk: Desk) -> None:
    """By paths that a deployed function may only read behind as well as by those that change something."""
    curious = desk.key(key_alias="curious")
    assert [desk.ask("GET", path, key=curious).status_code for path in ("/key/list", "/audit", "/key/info")] == [403, 403, 200]
    assert desk.ask("POST", "/key/generate", key=curious).status_code == 403
    assert desk.ask("GET", "/spend/logs?limit=x", key=curious).status_code == 400
    rows = desk.ask("GET", "/refusals", key=curious).json()["data"]
    assert [(row["code"], row["count"]) for row in rows] == [("admin_only", 3)]


def test_a_thousand_refusals_are_few_writes(documents) -> None:
    writes = []
    put = documents.put
    documents.put = lambda kind, document: writes.append(kind) or put(kind, document)
    counter = RefusalCounter(documents)
    for number in range(1_000):
        counter.add("key#1", "rate_limit_exceeded", NOW_S + number / 40)
    assert len(writes) == 3
    counter.write(NOW_S + 26)
    counter.write(NOW_S + 27)
    assert len(writes) == 4, "nothing new, nothing written"
    [row] = merge(documents, [DAY])
    assert (row.times, row.first_s, row.last_s) == (1_000, NOW_S, NOW_S + 999 / 40)


def test_sums_of_processes_and_days_are_added(documents) -> None:
    first, second = RefusalCounter(documents), RefusalCounter(documents)
    for counter, moment_s in ((first, NOW_S), (second, NOW_S + 5), (first, NOW_S + 90_000)):
        counter.add("key#1", "budget_exceeded", moment_s)
        counter.write(moment_s)
    assert [row.times for row in merge(documents, [DAY])] == [2]
    first.add("key#1", "budget_exceeded", NOW_S + 90_000)
    first.add("key#1", "budget_exceeded", NOW_S + 180_000)
    assert [row.times for row in merge(documents, [to_day(NOW_S + 90_000)])] == [2], "what a day ends with is written"
    [both] = merge(documents, [DAY, to_day(NOW_S + 90_000)])
    assert (both.times, both.last_s) == (4, NOW_S + 90_000)


def test_what_is_counted_is_bounded(documents) -> None:
    counter = RefusalCounter(documents)
    for number in range(MAX_COUNTED + 7):
        counter.add(f"key#{number}", "rate_limit_exceeded", NOW_S)
    counter.write(NOW_S)
    rows = merge(documents, [DAY])
    assert len(rows) == MAX_COUNTED + 1
    assert [row.times for row in rows if row.account_id == ""] == [7]
    assert len(documents.all(KIND + DAY)) == 1
