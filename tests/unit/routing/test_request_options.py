from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON, AttemptTimeouts
from haimaker.routing.config import HIGHEST_THROUGHPUT, LOWEST_COST, LOWEST_LATENCY
from haimaker.routing.preferences import NO_PREFERENCES, ROUTING_FIELDS, ROUTING_HEADERS, RoutingPreferences
from haimaker.routing.request_options import preferences_from_fields, preferences_from_request


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ({"model": "a"}, {}, NO_PREFERENCES),
        ({"model": "a", "models": ["b", "c"], "route": "fallback"}, {}, RoutingPreferences(fallbacks=("b", "c"), model="a")),
        ({"models": ["a", "b", "a"]}, {}, RoutingPreferences(fallbacks=("b",), model="a")),
        ({"model": "a", "models": ["b"], "fallbacks": ["c"]}, {}, RoutingPreferences(fallbacks=("b", "c"), model="a")),
        ({"model": "a", "fallbacks": ["b", {"model": "c"}]}, {}, RoutingPreferences(fallbacks=("b", "c"))),
        ({"model": "a", "fallbacks": [{"a": ["b", "c"]}, {"x": ["y"]}]}, {}, RoutingPreferences(fallbacks=("b", "c"))),
        ({"model": "a", "fallbacks": []}, {}, RoutingPreferences(fallbacks=())),
        ({"model": "a", "context_window_fallbacks": ["b"]}, {}, RoutingPreferences(context_window_fallbacks=("b",))),
        ({"model": "a", "content_policy_fallbacks": ["b"]}, {}, RoutingPreferences(content_policy_fallbacks=("b",))),
        ({"model": "a", "disable_fallbacks": True}, {}, RoutingPreferences(falls_back=False)),
        ({"model": "a", "num_retries": 99, "timeout": 2.5}, {}, RoutingPreferences(retries=10, timeout_s=2.5)),
        ({"model": "a", "timeout": 10**400}, {}, RoutingPreferences(timeout_s=10**9)),
        ({"model": "a", "provider": {"order": ["Azure", "openai"]}}, {}, RoutingPreferences(order=("azure", "openai"))),
        ({"model": "a", "provider": {"only": ["x"], "ignore": ["y"]}}, {}, RoutingPreferences(only=("x",), ignore=("y",))),
        ({"model": "a", "provider": {"allow_fallbacks": False}}, {}, RoutingPreferences(falls_back=False)),
        ({"model": "a", "provider": {"sort": "price"}}, {}, RoutingPreferences(strategy=LOWEST_COST)),
        ({"model": "a", "provider": {"sort": {"by": "latency"}}}, {}, RoutingPreferences(strategy=LOWEST_LATENCY)),
        ({"model": "a", "provider": {"sort": "throughput"}}, {}, RoutingPreferences(strategy=HIGHEST_THROUGHPUT)),
        (
            {"model": "a", "provider": {"max_price": {"prompt": 1, "completion": "2.50", "audio": 3}}},
            {},
            RoutingPreferences(max_usd={"input_cost_per_token": "0.000001", "output_cost_per_token": "0.0000025"}),
        ),
        (
            {"model": "a", "tools": [], "temperature": 1, "messages": [], "provider": {"require_parameters": True}},
            {},
            RoutingPreferences(parameters=("temperature", "tools")),
        ),
        ({"model": "a", "provider": {"data_collection": "deny", "zdr": True, "quantizations": ["fp8"]}}, {}, NO_PREFERENCES),
        ({"model": "a", "provider": None, "models": None, "route": None, "timeout": None, "num_retries": None}, {}, NO_PREFERENCES),
        ({"model": "a"}, {"x-litellm-timeout": "7", "x-litellm-num-retries": "0"}, RoutingPreferences(timeout_s=7, retries=0)),
        (
            {"model": "a", "timeout": 5},
            {"x-haimaker-timeout": "7", "x-haimaker-retries": "3"},
            RoutingPreferences(timeout_s=5, retries=3),
        ),
        ({"model": "a"}, {"x-haimaker-first-byte-timeout": "1.5"}, RoutingPreferences(timeouts=AttemptTimeouts(first_byte_s=1.5))),
    ],
)
def test_what_a_request_says(body: JSON, headers: dict[str, str], expected: RoutingPreferences) -> None:
    assert preferences_from_request(body, headers) == expected


@pytest.mark.parametrize(
    ("body", "headers", "param"),
    [
        ({"models": "a"}, {}, "models"),
        ({"models": [7]}, {}, "models"),
        ({"models": ["a"] * 65}, {}, "models"),
        ({"route": "sideways"}, {}, "route"),
        ({"fallbacks": {"a": "b"}}, {}, "fallbacks"),
        ({"fallbacks": [None]}, {}, "fallbacks"),
        ({"fallbacks": [{"model": 7}]}, {}, "fallbacks"),
        ({"disable_fallbacks": "yes"}, {}, "disable_fallbacks"),
        ({"num_retries": -1}, {}, "num_retries"),
        ({"num_retries": True}, {}, "num_retries"),
        ({"timeout": 0}, {}, "timeout"),
        ({"timeout": "5"}, {}, "timeout"),
        ({"timeout": 5, "routing_strategy": ["simple-shuffle"]}, {}, "routing_strategy"),
        ({"timeout": 5, "routing_strategy": {}}, {}, "routing_strategy"),
        ({"provider": "openai"}, {}, "provider"),
        ({"provider": {"order": "openai"}}, {}, "provider.order"),
        ({"provider": {"sort": "beauty"}}, {}, "provider.sort"),
        ({"provider": {"sort": 7}}, {}, "provider.sort"),
        ({"provider": {"allow_fallbacks": 1}}, {}, "provider.allow_fallbacks"),
        ({"provider": {"max_price": 3}}, {}, "provider.max_price"),
        ({"provider": {"max_price": {"prompt": "dear"}}}, {}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"prompt": -1}}}, {}, "provider.max_price.prompt"),
        ({"provider": {"max_price": {"prompt": "NaN"}}}, {}, "provider.max_price.prompt"),
        ({}, {"x-litellm-timeout": "soon"}, "x-litellm-timeout"),
        ({}, {"x-haimaker-timeout": "inf"}, "x-haimaker-timeout"),
        ({}, {"x-haimaker-retries": "-1"}, "x-haimaker-retries"),
    ],
)
def test_what_is_wrong_is_named(body: JSON, headers: dict[str, str], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        preferences_from_request({"model": "a", **body}, headers)
    assert (caught.value.param, caught.value.code) == (param, "invalid_value")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PROVIDER = st.dictionaries(st.sampled_from(["order", "only", "ignore", "sort", "max_price", "allow_fallbacks"]), anything)


BODY = st.dictionaries(st.sampled_from(sorted(ROUTING_FIELDS)), anything | PROVIDER)


@given(BODY, st.dictionaries(st.sampled_from(sorted(ROUTING_HEADERS)), st.text()))
def test_anything_is_read_or_refused(body: Any, headers: dict[str, str]) -> None:
    with suppress(BadRequestError):
        assert isinstance(preferences_from_request(body, headers), RoutingPreferences)


def test_what_a_request_says_comes_before_what_its_key_says_and_the_shorter_time_counts() -> None:
    key = preferences_from_fields({"fallbacks": ["k"], "num_retries": 5, "timeout": 10, "routing_strategy": "cost-based-routing"})
    request = preferences_from_request({"model": "a", "fallbacks": ["r"], "timeout": 30}, {"x-haimaker-retries": "0"})
    assert request.merged_with(key) == RoutingPreferences(fallbacks=("r",), retries=0, timeout_s=10, strategy=LOWEST_COST)
    assert NO_PREFERENCES.merged_with(key) == key
    assert request.merged_with(NO_PREFERENCES) == request
