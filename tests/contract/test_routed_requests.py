"""Routing as a user meets it: overrides of clients and keys, `haimaker/auto`, simulation, and a provider that dies under load."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest

from tests.contract.money_support import Desk, chat_body, serving, wait_until
from tests.contract.sdk_support import ask_all, sdk, text_of
from tests.support import openai_wire
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.reply import JSON

STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
SERVED = openai_wire.plays_openai("Served")
DOWN = Reply.json(500, openai_wire.error("It broke.", type="server_error"))
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CONFIG = """
[accounts.openai_b]
provider = "openai"
shares_credentials = true
settings = {{ BASE_URL = "{second}" }}

[routes.pair]
strategy = "ordered"
targets = ["openai_b/gpt-4o-mini", "openai/gpt-4o-mini"]
fallbacks = ["groq/openai/gpt-oss-20b"]
retries = 0

[routes.spread]
targets = ["openai/gpt-4o-mini", {{ model = "groq/openai/gpt-oss-20b", weight = 2 }}, "deepseek/deepseek-chat"]

[routes.slow]
strategy = "ordered"
targets = [{{ model = "openai_b/gpt-4o-mini", first_byte_timeout_s = 0.3 }}, "openai/gpt-4o-mini"]

[routes."mine/*"]
targets = ["openai/*"]

[auto]
embedding_model = "openai/text-embedding-3-small"
[[auto.rules]]
name = "refunds"
keywords = ["refund"]
model = "pair"
[[auto.rules]]
name = "batch"
tags = ["batch"]
model = "deepseek/deepseek-chat"
[[auto.rules]]
name = "code"
examples = ["fix this python code", "a bug in my code"]
match_threshold = 0.7
model = "openai/gpt-4o"
"""


@pytest.fixture(scope="module")
def second() -> Iterator[FakeUpstream]:
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def desk(second: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("routing")
    config = folder / "gateway.toml"
    config.write_text(CONFIG.format(second=second.url))
    with FakeUpstream() as upstream, serving(folder, upstream, HAIMAKER_CONFIG=str(config)) as desk:
        yield desk


@pytest.fixture(autouse=True)
def answers(desk: Desk, second: FakeUpstream) -> None:
    desk.upstream.answers(answering)
    second.answers(SERVED)


def answering(call: Call) -> Reply:
    """Chats, and embeddings in which texts are alike that have `code` in them."""
    if not call.path.endswith("/embeddings"):
        return SERVED(call)
    texts = call.json["input"]
    vectors = [[1.0, 0.0] if "code" in text else [0.0, 1.0] for text in texts]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return Reply.json(200, {"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": 5, "total_tokens": 5}})


def simulate(desk: Desk, body: JSON, key: str = "sk-local", **beside: Any) -> JSON:
    response = desk.ask("POST", "/route/simulate", {**body, **beside}, key=key)
    assert response.status_code == 200, response.text
    return dict(response.json())


def targets(simulated: JSON) -> list[str]:
    return [attempt["target"] for attempt in simulated["attempts"]]


def served(desk: Desk, key: str, body: JSON, **headers: str) -> list[str]:
    """The targets that were tried for a request, as its record says."""
    response = desk.http.post("/chat/completions", json=body, headers={"authorization": f"Bearer {key}", **headers})
    desk.settled(key)
    record = desk.gateway.store.record(response.headers["x-request-id"])
    assert record is not None
    return [attempt["target"] for attempt in record.detail["attempts"]]


@STREAM
def test_a_provider_that_dies_under_load_is_left_alone_and_all_is_served(desk: Desk, second: FakeUpstream, stream: bool) -> None:
    """After the first few failures no request goes there."""
    key = desk.key()
    client = sdk(desk, key)
    with ThreadPoolExecutor(8) as pool:
        before = list(pool.map(lambda _: text_of(ask_all(client, "pair", stream=stream)), range(20)))
        second.answers(DOWN)
        seen = len(second.calls)
        after = list(pool.map(lambda _: text_of(ask_all(client, "pair", stream=stream)), range(60)))
    assert set(before + after) == {"Served"}
    assert 3 <= len(second.calls) - seen <= 3 + 8, "those that were on their way when it became known"
    desk.settled(key)
    ways = Counter(tuple(attempt["target"] for attempt in record.detail["attempts"]) for record in desk.records(key))
    assert ways["openai_b/gpt-4o-mini", "openai/gpt-4o-mini"] == len(second.calls) - seen
    assert ways["openai/gpt-4o-mini",] >= 45
    failed = next(record for record in desk.records(key) if len(record.detail["attempts"]) > 1)
    assert [attempt["status"] for attempt in failed.detail["attempts"]] == [500, 200]
    simulated = simulate(desk, chat_body("pair"))
    assert targets(simulated)[0] == "openai/gpt-4o-mini"
    assert "keeps failing" in simulated["attempts"][-1]["why"]
    desk.gateway.runtime().clients.health.breaker.record_success("openai_b/gpt-4o-mini", 0)
    wait_until(lambda: targets(simulate(desk, chat_body("pair")))[0] == "openai_b/gpt-4o-mini")


@STREAM
def test_a_target_that_is_silent_too_long_is_passed_over(desk: Desk, second: FakeUpstream, stream: bool) -> None:
    second.answers(lambda call: Reply.sse([second.gate()]) if stream else Reply.json(200, {}).after(second.gate()))
    assert text_of(ask_all(sdk(desk, desk.key()), "slow", stream=stream)) == "Served"
    desk.gateway.runtime().clients.health.breaker.record_success("openai_b/gpt-4o-mini", 0)


@pytest.mark.parametrize(("fields", "headers"), [({}, {"x-haimaker-first-byte-timeout": "0.05"}), ({"timeout": 0.05}, {})])
def test_a_client_in_a_hurry_does_not_make_a_target_rest_for_others(
    desk: Desk, second: FakeUpstream, fields: JSON, headers: dict[str, str]
) -> None:
    second.answers(lambda call: Reply.json(200, {}).after(second.gate()))
    key = desk.key()
    for _ in range(4):
        asked = chat_body("pair", **fields)
        desk.http.post("/chat/completions", json=asked, headers={"authorization": f"Bearer {key}", **headers})
    assert targets(simulate(desk, chat_body("pair")))[0] == "openai_b/gpt-4o-mini"


@pytest.mark.parametrize(
    ("fields", "headers", "expected"),
    [
        ({"model": "nothing-like-it", "models": ["openai/gpt-4o"]}, {}, ["openai/gpt-4o"]),
        ({"model": "openai/gpt-4o", "models": ["groq/x"], "route": "fallback"}, {}, ["openai/gpt-4o"]),
        ({"models": ["deepseek/deepseek-chat", "openai/gpt-4o"]}, {}, ["deepseek/deepseek-chat"]),
        ({"model": "pair", "provider": {"order": ["groq", "openai"], "only": ["openai"]}}, {}, ["openai_b/gpt-4o-mini"]),
        ({"model": "pair", "provider": {"ignore": ["openai_b"]}}, {}, ["openai/gpt-4o-mini"]),
        ({"model": "spread", "provider": {"sort": "price"}}, {}, ["groq/openai/gpt-oss-20b"]),
        ({"model": "gpt-4o-mini", "provider": {"order": ["openai_b"]}}, {}, ["openai_b/gpt-4o-mini"]),
        ({"model": "mine/gpt-4.1"}, {}, ["openai/gpt-4.1"]),
        ({"model": "pair", "provider": {"only": ["deepseek"]}}, {}, "no_target_left"),
        ({"model": "pair", "provider": {"sort": "beauty"}}, {}, "invalid_value"),
        ({"model": "pair"}, {"x-litellm-timeout": "never"}, "invalid_value"),
    ],
)
def test_what_a_client_says_is_followed_and_not_sent_on(
    desk: Desk, second: FakeUpstream, fields: JSON, headers: dict[str, str], expected: list[str] | str
) -> None:
    key = desk.key()
    seen = len(desk.upstream.calls), len(second.calls)
    body = {name: value for name, value in chat_body().items() if name != "model"} | fields
    response = desk.http.post("/chat/completions", json=body, headers={"authorization": f"Bearer {key}", **headers})
    calls = desk.upstream.calls[seen[0] :] + second.calls[seen[1] :]
    desk.settled(key)
    if isinstance(expected, str):
        assert (response.json()["error"]["code"], calls) == (expected, [])
    else:
        assert [attempt["target"] for attempt in desk.records(key)[0].detail["attempts"]] == expected
        assert not {"models", "route", "provider", "fallbacks"} & calls[0].json.keys()


def test_a_client_falls_back_where_it_wants_within_what_its_key_may_use(desk: Desk) -> None:
    desk.upstream.answers(lambda call: DOWN if call.json["model"] == "gpt-4.1-nano" else SERVED(call))
    body = chat_body("openai/gpt-4.1-nano", fallbacks=["deepseek/deepseek-chat", "openai/gpt-4o"])
    assert served(desk, desk.key(), body) == ["openai/gpt-4.1-nano", "deepseek/deepseek-chat"]
    assert served(desk, desk.key(models=["openai/*"]), body) == ["openai/gpt-4.1-nano", "openai/gpt-4o"]
    no_more = {"x-haimaker-retries": "0"}
    assert served(desk, desk.key(), {**body, "disable_fallbacks": True}, **no_more) == ["openai/gpt-4.1-nano"]
    assert served(desk, desk.key(), chat_body("openai/gpt-4.1-nano"), **no_more) == ["openai/gpt-4.1-nano"]
    desk.gateway.runtime().clients.health.breaker.record_success("openai/gpt-4.1-nano", 0)


def test_a_key_has_names_defaults_and_fallbacks_of_its_own(desk: Desk) -> None:
    key = desk.key(
        aliases={"gpt-4": "deepseek/deepseek-chat"},
        default_model="openai/gpt-4o",
        router_settings={"fallbacks": ["groq/openai/gpt-oss-20b"], "num_retries": 0},
    )
    told = desk.info(key)
    assert (told["aliases"], told["default_model"]) == ({"gpt-4": "deepseek/deepseek-chat"}, "openai/gpt-4o")
    assert served(desk, key, chat_body("gpt-4")) == ["deepseek/deepseek-chat"]
    without = {name: value for name, value in chat_body().items() if name != "model"}
    assert served(desk, key, without) == ["openai/gpt-4o"]
    desk.upstream.answers(lambda call: DOWN if call.json["model"] == "gpt-4o" else SERVED(call))
    assert served(desk, key, without) == ["openai/gpt-4o", "groq/openai/gpt-oss-20b"]
    desk.gateway.runtime().clients.health.breaker.record_success("openai/gpt-4o", 0)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"router_settings": {"fallback": []}}, "router_settings.fallback"),
        ({"router_settings": {"num_retries": -1}}, "num_retries"),
        ({"auto_router_id": "router_none"}, "auto_router_id"),
        ({"aliases": {"a": 7}}, None),
    ],
)
def test_a_keys_routing_is_checked_when_it_is_given(desk: Desk, fields: JSON, param: str | None) -> None:
    error = desk.ask("POST", "/key/generate", fields).json()["error"]
    assert error["type"] == "invalid_request_error"
    assert param is None or error["param"] == param


@pytest.mark.parametrize(
    "vectors", [[], [[1.0]], [[1.0]] * 9, [None] * 3, [["x"]] * 3, [[1.0], [1.0, 2.0], [1.0]], [[10**400]] * 3]
)
def test_vectors_that_cannot_be_compared_choose_no_rule(desk: Desk, vectors: list[Any]) -> None:
    """The router's examples are two, so that three texts are embedded; every case has texts of its own."""
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    embedded = Reply.json(200, {"object": "list", "data": data, "model": "m", "usage": usage})
    desk.upstream.answers(lambda call: embedded if call.path.endswith("/embeddings") else SERVED(call))
    text = f"case {vectors!r}"[:60]
    rule = {"model": "openai/gpt-4o", "examples": [f"{text} a", f"{text} b"]}
    router = desk.admin("/auto-router/new", embedding_model="openai/text-embedding-3-small", rules=[rule])["auto_router_id"]
    key = desk.key(auto_router_id=router)
    response = desk.chat(key, "haimaker/auto", text)
    assert response.status_code == 200
    assert response.headers["x-haimaker-route-trigger"] == "cheapest"
    assert desk.money(key)[1] == 0


def test_who_names_no_model_gets_one_that_can_do_it_and_is_told_why(desk: Desk) -> None:
    key = desk.key()
    messages: Any = [{"role": "user", "content": "Hi"}]
    raw = sdk(desk, key).chat.completions.with_raw_response.create(model="haimaker/auto", messages=messages)
    assert raw.headers["x-haimaker-route"] == "haimaker/auto"
    assert raw.headers["x-haimaker-route-trigger"] == "cheapest"
    without = {name: value for name, value in chat_body().items() if name != "model"}
    response = desk.http.post("/chat/completions", json=without, headers={"authorization": f"Bearer {key}"})
    assert response.headers["x-haimaker-route-model"] == raw.headers["x-haimaker-route-model"]
    desk.settled(key)
    record = desk.records(key)[-1].detail
    assert (record["auto_routed_from"], record["auto_routing_trigger"]) == ("haimaker/auto", "cheapest")
    assert record["auto_routed_model"] == f"{record['provider']}/{record['model']}"


def hundred_requests() -> list[tuple[JSON, dict[str, str]]]:
    contents: list[Any] = ["Hi", "I want a refund", "fix my code please", "a poem", [{"type": "text", "text": "See"}, IMAGE]]
    extras: list[JSON] = [
        {},
        {"tools": [TOOL]},
        {"max_tokens": 9},
        {"provider": {"ignore": ["groq"]}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}},
    ]
    headers: list[dict[str, str]] = [{}, {"x-haimaker-tags": "batch"}, {"x-litellm-tags": "a, b"}, {"x-haimaker-retries": "0"}]
    return [
        ({"model": "haimaker/auto", "messages": [{"role": "user", "content": content}], **extra}, header)
        for content, extra, header in product(contents, extras, headers)
    ]


def test_a_hundred_requests_go_where_their_simulation_said(desk: Desk) -> None:
    requests = hundred_requests()
    assert len({json.dumps(request) for request in requests}) == 100
    key = desk.key()
    ways = Counter[str]()
    for body, headers in requests:
        simulated = simulate(desk, {"request": body, "headers": headers}, key=key)
        if simulated["error"]:
            response = desk.http.post("/chat/completions", json=body, headers={"authorization": f"Bearer {key}", **headers})
            assert response.json()["error"] | {"status": response.status_code} == simulated["error"]
            continue
        assert served(desk, key, body, **headers) == targets(simulated)[:1]
        record = desk.records(key)[-1].detail
        assert {name: record[name] for name in simulated["auto"] if name != "rules"} == {
            name: value for name, value in simulated["auto"].items() if name != "rules"
        }
        ways[simulated["auto"]["auto_routing_trigger"]] += 1
    assert ways.keys() == {"keyword", "tag", "example", "cheapest"}


def test_a_draw_that_was_simulated_can_be_sent(desk: Desk) -> None:
    first = Counter[str]()
    for _ in range(12):
        simulated = simulate(desk, chat_body("spread"))
        assert served(desk, desk.key(), chat_body("spread"), **{"x-haimaker-draw": simulated["draw"]}) == targets(simulated)[:1]
        first[targets(simulated)[0]] += 1
    assert len(first) > 1


def test_a_simulation_is_free_and_shows_what_is_left_out_and_who_may_ask(desk: Desk) -> None:
    key, other = desk.key(models=["pair", "openai_b/*"], max_budget=1), desk.key()
    seen = len(desk.upstream.calls)
    simulated = simulate(desk, chat_body("pair"), key=key)
    assert targets(simulated) == ["openai_b/gpt-4o-mini"]
    assert {each["target"]: each["code"] for each in simulated["left_out"]} == dict.fromkeys(
        ["openai/gpt-4o-mini", "groq/openai/gpt-oss-20b"], "model_not_allowed"
    )
    assert simulate(desk, {"request": chat_body("pair"), "key": key})["attempts"] == simulated["attempts"]
    assert simulate(desk, chat_body("openai/gpt-4o"), key=key)["error"]["code"] == "model_not_allowed"
    assert desk.ask("POST", "/route/simulate", {**chat_body("pair"), "key": key}, key=other).status_code == 403
    assert desk.ask("POST", "/route/simulate", {"operation": "dancing"}).json()["error"]["param"] == "operation"
    assert targets(simulate(desk, {"model": "text-embedding-3-small", "input": "Hi"})) == ["openai/text-embedding-3-small"]
    assert desk.upstream.calls[seen:] == []
    assert (desk.money(key), desk.records(key)) == ((0, 0, 0), [])


def test_routers_are_defined_given_to_a_key_tried_and_taken_away(desk: Desk) -> None:
    first = {"name": "a", "model": "pair", "keywords": ["a"]}
    made = desk.admin("/auto-router/new", router_name="support", default_model="openai/gpt-4o", rules=[first])
    router_id = made["auto_router_id"]
    made = desk.admin(f"/auto-router/{router_id}/rules", name="b", model="deepseek/deepseek-chat", keywords=["b"])
    ids = [rule["id"] for rule in made["rules"]]
    assert [rule["rule_order"] for rule in made["rules"][1:]] == [1]
    key = desk.key(auto_router_id=router_id)
    auto = chat_body("haimaker/auto", "a and b")
    assert served(desk, key, auto)[0] == "openai_b/gpt-4o-mini"
    assert served(desk, key, chat_body("haimaker/auto", "c")) == ["openai/gpt-4o"]
    desk.admin(f"/auto-router/{router_id}/rules/reorder", rule_ids=ids[::-1])
    tried = desk.admin(f"/auto-router/{router_id}/simulate", prompt="a and b")
    assert (tried["resolved_model"], tried["auto"]["auto_routing_rule"]) == ("deepseek/deepseek-chat", "b")
    assert tried["auto"]["auto_routing_rule_source"] == router_id
    desk.admin(f"/auto-router/{router_id}/rules", id=ids[1], enabled=False)
    assert [rule["outcome"] for rule in desk.admin(f"/auto-router/{router_id}/simulate", prompt="b")["auto"]["rules"]] == [
        "switched off",
        "none of its keywords is there",
    ]
    desk.admin(f"/auto-router/{router_id}/rules/delete", id=ids[0])
    desk.admin(f"/auto-router/{router_id}/update", router_name="renamed")
    told = desk.ask("GET", f"/auto-router/{router_id}/info").json()
    assert (told["router_name"], [rule["id"] for rule in told["rules"]]) == ("renamed", [ids[1]])
    assert router_id in [router["auto_router_id"] for router in desk.ask("GET", "/auto-router/list").json()["routers"]]
    desk.admin(f"/auto-router/{router_id}/delete")
    assert desk.ask("GET", f"/auto-router/{router_id}/info").json()["error"]["code"] == "router_not_found"


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/auto-router/new", {"rules": [{"name": "x"}]}, 400, "rules[0].model"),
        ("/auto-router/new", {"rules": "all"}, 400, "rules"),
        ("/auto-router/new", {"colour": "red"}, 400, "colour"),
        ("/auto-router/router_none/update", {"router_name": "x"}, 404, "id"),
        ("/auto-router/router_none/rules", {"model": "x"}, 404, "id"),
        ("/auto-router/router_none/simulate", {"prompt": "x"}, 404, "id"),
    ],
)
def test_a_wrong_definition_is_named(desk: Desk, path: str, body: JSON, status: int, param: str) -> None:
    response = desk.ask("POST", path, body)
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)
    assert desk.ask("POST", path, body, key=desk.key()).status_code == 403
