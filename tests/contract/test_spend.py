"""What was spent and on what, over HTTP: as an administrator and as the holders of keys see it, on each store."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.contract.money_support import ADMIN, MODEL, Desk, chat_body, error_of, exact_json, nanousd, serving, store_of
from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.reply import JSON

COST = 10 * 150 + 5 * 600
TODAY = datetime.now(UTC).date().isoformat()


@pytest.fixture(scope="module", params=["sqlite", "dynalite"])
def desk(request, tmp_path_factory):
    with store_of(request.param) as store, FakeUpstream() as upstream:
        upstream.answers(openai_wire.plays_openai())
        with serving(tmp_path_factory.mktemp("home"), upstream, **store) as desk:
            yield desk


@pytest.fixture(scope="module")
def spent(desk: Desk) -> dict[str, str]:
    """Two keys: `ada` asked three times, one of them in vain, `bob` once."""
    keys = {"ada": desk.key(key_alias="ada", tags=["a", "both"]), "bob": desk.key(key_alias="bob", tags=["both"])}
    assert desk.chat(keys["ada"], user="zoe").status_code == 200
    assert desk.chat(keys["ada"], "groq/llama-3.3-70b-versatile", stream=True).status_code == 200
    assert desk.chat(keys["ada"], max_tokens=10**9, n=128).status_code == 200
    assert desk.chat(keys["bob"], user="zoe").status_code == 200
    return keys


def get(desk: Desk, path: str, key: str = ADMIN, **query: str) -> JSON:
    response = desk.http.get(path, params=query, headers={"authorization": f"Bearer {key}"})
    assert response.status_code == 200, response.text
    return json.loads(response.text, parse_float=Decimal)


def test_logs_are_the_records_the_newest_first(desk: Desk, spent):
    rows = get(desk, "/spend/logs", spent["ada"])["data"]
    records = desk.records(spent["ada"])[::-1]
    assert [row["request_id"] for row in rows] == [record.request_id for record in records]
    assert [nanousd(row["spend"]) for row in rows] == [record.cost_nanousd for record in records]
    last = rows[-1]
    assert {name: last[name] for name in ("status", "provider", "model", "user", "tags", "key_alias", "operation", "stream")} == {
        "status": "ok", "provider": "openai", "model": "gpt-4o-mini", "user": "zoe", "tags": ["a", "both"], "key_alias": "ada",
        "operation": "chat", "stream": False,
    }  # fmt: skip
    assert (last["input_tokens"], last["output_tokens"], nanousd(last["spend"])) == (10, 5, COST)
    assert [attempt["target"] for attempt in last["attempts"]] == [MODEL]
    assert last["started_at"].startswith(TODAY[:8])


def test_pages_hold_every_record_once(desk: Desk, spent):
    for order in ("asc", "desc"):
        found, query = [], {"limit": "1", "order": order}
        while True:
            page = get(desk, "/spend/logs", spent["ada"], **query)
            found += [row["request_id"] for row in page["data"]]
            assert page["has_more"] is (page["next_cursor"] is not None)
            if not page["has_more"]:
                break
            query["cursor"] = page["next_cursor"]
        expected = [record.request_id for record in desk.records(spent["ada"])]
        assert found == (expected if order == "asc" else expected[::-1])


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ({"tag": "both"}, ["bob", "ada", "ada", "ada"]),
        ({"tag": "both", "user": "zoe"}, ["bob", "ada"]),
        ({"tag": "a", "model": "gpt-4o-mini"}, ["ada", "ada"]),
        ({"tag": "both", "provider": "groq"}, ["ada"]),
        ({"tag": "both", "start_date": TODAY}, ["bob", "ada", "ada", "ada"]),
        ({"tag": "both", "end_date": "2020-01-01"}, []),
        ({"tag": "both", "status": "error"}, []),
        ({"key": "bob"}, ["bob"]),
        ({"key": "bob", "tag": "a"}, []),
    ],
)
def test_an_administrator_sees_all_by_what_is_asked_for(desk: Desk, spent, query, keys):
    query = query | ({"key": spent[query["key"]]} if "key" in query else {})
    assert [row["key_alias"] for row in get(desk, "/spend/logs", **query)["data"]] == keys


def test_an_ordinary_key_sees_its_own(desk: Desk, spent):
    assert {row["key_alias"] for row in get(desk, "/spend/logs", spent["bob"], tag="both")["data"]} == {"bob"}
    assert [row["key_alias"] for row in get(desk, "/spend/keys", spent["bob"])["data"]] == ["bob"]
    assert get(desk, "/spend/report", spent["bob"], group_by="user")["data"] == [row("zoe", "user", 1, COST)]
    for path in ("/spend/logs", "/spend/report"):
        assert error_of(desk.ask("GET", f"{path}?key={spent['ada']}", key=spent["bob"])) == (403, "admin_only")
    theirs = desk.records(spent["ada"])[0].request_id
    assert error_of(desk.ask("GET", f"/generation?id={theirs}", key=spent["bob"])) == (404, "generation_not_found")


def row(name: str | None, by: str, requests: int, cost: int) -> JSON:
    counts = {"requests": requests, "errors": 0, "input_tokens": 10 * requests, "output_tokens": 5 * requests}
    return {by: name, **counts, "spend": Decimal(cost) / 10**9}


def test_reports_add_up_to_the_records(desk: Desk, spent):
    ada = sum(record.cost_nanousd for record in desk.records(spent["ada"]))
    groq = ada - 2 * COST
    assert get(desk, "/spend/report", group_by="tag")["data"] == [row("both", "tag", 4, ada + COST), row("a", "tag", 3, ada)]
    assert get(desk, "/spend/report", spent["ada"], group_by="model")["data"] == [
        row(MODEL, "model", 2, 2 * COST),
        row("groq/llama-3.3-70b-versatile", "model", 1, groq),
    ]
    by_key = {found["key_alias"]: found for found in get(desk, "/spend/report", group_by="day,key")["data"]}
    assert (by_key["ada"]["spend"] * 10**9, by_key["bob"]["spend"] * 10**9) == (ada, COST)
    assert {found["date"] for found in by_key.values()} == {found["date"] for found in get(desk, "/spend/report")["data"]}
    whole = get(desk, "/spend/report", start_date=TODAY, group_by="provider")
    assert sum(found["spend"] for found in whole["data"]) == whole["total"]["spend"] >= Decimal(ada + COST) / 10**9
    assert (whole["group_by"], whole["start_date"]) == ("provider", TODAY)
    assert get(desk, "/spend/report", start_date="2020-01-01", end_date="2020-02-01")["data"] == []
    most = get(desk, "/spend/report", group_by="tag", top=1)
    assert (most["data"], most["others"]) == ([row("both", "tag", 4, ada + COST), row(None, "tag", 3, ada)], 1)
    by_day = get(desk, "/spend/report", group_by="day,key", top=1)
    assert [(found["key_alias"], found["key"] is None) for found in by_day["data"]] == [("ada", False), (None, True)]
    assert (sum(found["spend"] for found in by_day["data"]), by_day["others"]) == (by_day["total"]["spend"], len(by_key) - 1)
    assert get(desk, "/spend/report", group_by="day,key", top=50) == get(desk, "/spend/report", group_by="day,key") | {"others": 0}


def test_the_dearest_key_comes_first(desk: Desk, spent):
    aliases = [key["key_alias"] for key in get(desk, "/spend/keys")["data"]]
    assert aliases[:2] == ["ada", "bob"]
    assert "admin" in aliases


@pytest.mark.parametrize("prefix", ["", "chatcmpl-", "gen-"])
def test_a_generation_is_found_by_its_requests_id(desk: Desk, spent, prefix):
    request_id = desk.chat(spent["bob"], "demo/echo").headers["x-request-id"]
    for key in (spent["bob"], ADMIN):
        found = get(desk, "/generation", key, id=prefix + request_id)["data"]
        assert (found["id"], found["model"], found["total_cost"], found["cancelled"]) == (request_id, "demo/echo", 0, False)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/spend/logs?limit=0", (400, "invalid_value")),
        ("/spend/logs?cursor=x", (400, "invalid_value")),
        ("/spend/logs?key=%00", (200, None)),
        ("/spend/report?group_by=weather", (400, "invalid_value")),
        ("/spend/report?group_by=key&top=none", (400, "invalid_value")),
        ("/spend/report?top=none", (400, "invalid_value")),
        ("/spend/keys?limit=0", (400, "invalid_value")),
        ("/spend/logs?sort_by=cost", (400, "invalid_value")),
        ("/spend/report?start_date=2001-01-01", (400, "invalid_value")),
        ("/spend/report?end_date=9999-12-31T23:59:59-14:00&start_date=9999-12-31", (400, "invalid_value")),
        ("/generation", (400, "missing_required_parameter")),
        ("/generation?id=%ED%A0%80", (404, "generation_not_found")),
        ("/generation?id=" + "x" * 5_000, (404, "generation_not_found")),
    ],
)
def test_what_can_not_be_answered_is_said(desk: Desk, path, error):
    response = desk.ask("GET", path)
    assert (response.status_code, response.json().get("error", {}).get("code")) == error


def test_a_blocked_key_sees_nothing(desk: Desk):
    key = desk.key()
    desk.admin("/key/block", key=key)
    for path in ("/spend/logs", "/spend/report", "/spend/keys", "/generation?id=1"):
        assert error_of(desk.ask("GET", path, key=key)) == (401, "key_blocked")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"model": MODEL, "usage": openai_wire.usage(1000, 37, cached=600)}, (400 * 150 + 600 * 75 + 37 * 600, False, 1000, 37)),
        ({"model": "gpt-4o-mini", "completion_response": {"usage": openai_wire.usage(10, 5)}}, (COST, False, 10, 5)),
        ({"completion_response": openai_wire.completion(usage=openai_wire.usage(10, 5))}, (COST, False, 10, 5)),
        ({"model": "demo/echo", "usage": openai_wire.usage(10, 5)}, (0, False, 10, 5)),
        ({"model": "anthropic/claude-sonnet-4-5", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}, (18_000, False, 1, 1)),
    ],
)
def test_a_price_is_calculated_without_sending_anything(desk: Desk, body, told):
    asked = len(desk.upstream.calls)
    found = exact_json(desk.ask("POST", "/spend/calculate", body, key=desk.key()))
    assert (nanousd(found["cost"]), found["cost_estimated"], found["input_tokens"], found["output_tokens"]) == told
    assert len(desk.upstream.calls) == asked


def test_the_worst_case_is_what_would_be_reserved(desk: Desk):
    body = chat_body(max_tokens=64)
    found = exact_json(desk.ask("POST", "/spend/calculate", body))
    assert (found["model"], found["max_tokens"], found["cost_estimated"]) == (MODEL, 64, True)
    assert 0 < found["cost"] < found["max_cost"]
    gate = desk.upstream.gate()
    desk.upstream.answers(Reply.json(200, openai_wire.completion()).after(gate))
    with ThreadPoolExecutor(1) as pool:
        key, seen = desk.key(max_budget=1), len(desk.upstream.calls)
        answer = pool.submit(desk.ask, "POST", "/chat/completions", body, key=key)
        desk.upstream.wait_for_calls(seen + 1)
        assert desk.info(key)["reserved"] == found["max_cost"]
        gate.open()
        assert answer.result().status_code == 200
    desk.upstream.answers(openai_wire.plays_openai())
    fits = desk.key(max_budget=float(found["max_cost"]))
    assert desk.ask("POST", "/chat/completions", body, key=fits).status_code == 200
    assert exact_json(desk.ask("POST", "/spend/calculate", {"model": MODEL, "prompt": "Hi"}))["max_cost"] > 0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, (400, "missing_required_parameter")),
        ({"model": 7, "usage": {}}, (400, "missing_required_parameter")),
        ({"model": MODEL}, (400, "missing_required_parameter")),
        ({"model": MODEL, "usage": {}}, (400, "invalid_value")),
        ({"model": MODEL, "usage": {"prompt_tokens": -1}}, (400, "invalid_value")),
        ({"model": MODEL, "completion_response": "Hi"}, (400, "invalid_value")),
        ({"model": MODEL, "completion_response": {}}, (400, "invalid_value")),
        ({"model": "nobody/knows", "usage": {"prompt_tokens": 1}}, (404, "model_not_found")),
        ({"model": "groq/llama-3.3-70b-versatile", "usage": {"prompt_tokens": 1}}, (403, "model_not_allowed")),
    ],
)
def test_what_can_not_be_priced_is_named(desk: Desk, body, error):
    key = desk.key(models=["openai/*"]) if error[0] == 403 else desk.key()
    assert error_of(desk.ask("POST", "/spend/calculate", body, key=key)) == error
