"""A simulation and sending agree, whatever the request, the key, the health and the configuration."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haimaker.accounts import keys as auth
from haimaker.gateway import Gateway
from haimaker.http.values import JSON, Request, Response
from haimaker.settings.gateway_toml import parse_gateway_toml
from haimaker.settings.settings import Settings
from haimaker.store import Account

CONFIG = """
[routes.drawn]
targets = ["demo/echo", { model = "demo/count", weight = 3 }, "demo/tool"]
[routes.ordered]
strategy = "ordered"
targets = ["demo/tool", "openai/gpt-4o", "demo/echo"]
fallbacks = ["drawn"]
[routes."any/*"]
strategy = "lowest-latency"
targets = ["demo/*", "demo/count"]
[auto]
default_model = "ordered"
[[auto.rules]]
keywords = ["count"]
model = "demo/count"
[[auto.rules]]
tags = ["odd"]
model = "drawn"
"""
NAMES = (
    "drawn",
    "ordered",
    "any/echo",
    "demo/echo",
    "demo/tool",
    "demo/none",
    "count",
    "openai/gpt-4o",
    "nobody/x",
    "haimaker/auto",
)
names = st.sampled_from(NAMES)
providers = st.lists(st.sampled_from(("demo", "openai", "groq")), max_size=2)
PROVIDER = st.fixed_dictionaries(
    {},
    optional={
        "order": providers, "only": providers, "ignore": providers, "allow_fallbacks": st.booleans(),
        "sort": st.sampled_from(("price", "latency", "throughput", "beauty")), "max_price": st.just({"prompt": 1}),
        "require_parameters": st.booleans(),
    },
)  # fmt: skip
BODIES = st.fixed_dictionaries(
    {"messages": st.sampled_from(("Hi", "count to 2", "odd")).map(lambda text: [{"role": "user", "content": text}])},
    optional={
        "model": names, "models": st.lists(names, max_size=2), "fallbacks": st.lists(names, max_size=2), "provider": PROVIDER,
        "disable_fallbacks": st.booleans(), "num_retries": st.just(0), "max_tokens": st.just(5),
        "tools": st.just([{"type": "function", "function": {"name": "f"}}]),
    },
)  # fmt: skip
KEYS = st.fixed_dictionaries(
    {"models": st.sampled_from(((), ("demo/*",), ("demo/*", "drawn", "ordered"), ("demo/echo",), ("openai/*",)))},
    optional={
        "budget_nanousd": st.just(10**12),
        "tags": st.just(("odd",)),
        "routing": st.sampled_from(
            ({"aliases": {"count": "drawn"}}, {"default_model": "ordered"}, {"router_settings": {"fallbacks": ["demo/tool"]}})
        ),
    },
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    home: Path = tmp_path_factory.mktemp("planning")
    given = Settings.from_environment({"HAIMAKER_HOME": str(home)})
    return Gateway.local(replace(given, config=parse_gateway_toml(CONFIG, Path("gateway.toml"))))


def asked(gateway: Gateway, operation: str, key: str, body: JSON, draw: str) -> tuple[Response, JSON]:
    headers = {"authorization": f"Bearer {key}", "x-haimaker-draw": draw}
    request = Request(f"{operation}-{auth.new_key()}", headers, json.dumps(body).encode())
    response = gateway.handle(operation, request)
    assert isinstance(response.body, bytes)
    return response, {**json.loads(response.body), "request_id": request.id}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BODIES, KEYS, st.text("ab", max_size=3), st.sets(st.sampled_from(("demo/echo", "demo/count", "demo/tool"))))
def test_what_was_simulated_happens(gateway: Gateway, body: JSON, about: dict[str, Any], draw: str, resting: set[str]) -> None:
    key = auth.new_key()
    assert gateway.store.put(Account(auth.account_id_of(key), "k", 0, **about))
    health = gateway.runtime().clients.health
    for target in ("demo/echo", "demo/count", "demo/tool"):
        health.breaker.record_success(target, 0)
        for _ in range(3 if target in resting else 0):
            health.breaker.record_failure(target, 10**11)
    _, simulated = asked(gateway, "route_simulate", key, {"request": body, "draw": draw}, "")
    response, sent = asked(gateway, "chat_completions", key, body, simulated.get("draw", draw))
    if simulated["error"] or "attempts" not in simulated:
        wrong = simulated["error"]
        assert {name: sent["error"][name] for name in ("code", "param", "message")} == {
            name: wrong[name] for name in ("code", "param", "message")
        }
        assert response.status == wrong.get("status", response.status)
        return
    record = gateway.store.record(sent["request_id"])
    assert record is not None
    tried = [attempt["target"] for attempt in record.detail["attempts"]]
    assert tried == [attempt["target"] for attempt in simulated["attempts"]][: len(tried)]
    assert record.detail.get("auto_routed_model") == (simulated["auto"] or {}).get("auto_routed_model")


@pytest.mark.parametrize(
    ("body", "key", "why"),
    [
        ({"model": "haimaker/auto"}, {}, "fallback after the choice of haimaker/auto"),
        ({"model": "haimaker/auto", "fallbacks": ["demo/count"]}, {}, "fallback that the request or its key names"),
        ({"model": "demo/echo", "fallbacks": ["demo/count"]}, {}, "fallback that the request or its key names"),
        ({"model": "demo/echo"}, {"router_settings": {"fallbacks": ["demo/count"]}}, "fallback that the request or its key names"),
    ],
)
def test_a_fallback_says_who_names_it(gateway: Gateway, body: JSON, key: JSON, why: str) -> None:
    token = auth.new_key()
    assert gateway.store.put(Account(auth.account_id_of(token), "k", 0, routing=key))
    messages = [{"role": "user", "content": "Hi"}]
    _, simulated = asked(gateway, "route_simulate", token, {"request": {**body, "messages": messages}}, "")
    others = [attempt["why"] for attempt in simulated["attempts"] if not attempt["why"].startswith("target of")]
    assert set(others) == {why}
