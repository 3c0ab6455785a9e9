from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON, AttemptTimeouts
from haimaker.routing.plan import HIGHEST_THROUGHPUT, LOWEST_COST, LOWEST_LATENCY
from haimaker.routing.preferences import FIELDS, HEADERS, NONE, Wishes
from haimaker.routing.request_options import of_fields, of_request


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ({"model": "a"}, {}, NONE),
        ({"model": "a", "models": ["b", "c"], "route": "fallback"}, {}, Wishes(fallbacks=("b", "c"), model="a")),
        ({"models": ["a", "b", "a"]}, {}, Wishes(fallbacks=("b",), model="a")),
        ({"model": "a", "models": ["b"], "fallbacks": ["c"]}, {}, Wishes(fallbacks=("b", "c"), model="a")),
        ({"model": "a", "fallbacks": ["b", {"model": "c"}]}, {}, Wishes(fallbacks=("b", "c"))),
        ({"model": "a", "fallbacks": [{"a": ["b", "c"]}, {"x": ["y"]}]}, {}, Wishes(fallbacks=("b", "c"))),
        ({"model": "a", "fallbacks": []}, {}, Wishes(fallbacks=())),
        ({"model": "a", "context_window_fallbacks": ["b"]}, {}, Wishes(context_window_fallbacks=("b",))),
        ({"model": "a", "content_policy_fallbacks": ["b"]}, {}, Wishes(content_policy_fallbacks=("b",))),
        ({"model": "a", "disable_fallbacks": True}, {}, Wishes(falls_back=False)),
        ({"model": "a", "num_retries": 99, "timeout": 2.5}, {}, Wishes(retries=10, timeout_s=2.5)),
        ({"model": "a", "timeout": 10**400}, {}, Wishes(timeout_s=10**9)),
        ({"model": "a", "provider": {"order": ["Azure", "openai"]}}, {}, Wishes(order=("azure", "openai"))),
        ({"model": "a", "provider": {"only": ["x"], "ignore": ["y"]}}, {}, Wishes(only=("x",), ignore=("y",))),
        ({"model": "a", "provider": {"allow_fallbacks": False}}, {}, Wishes(falls_back=False)),
        ({"model": "a", "provider": {"sort": "price"}}, {}, Wishes(strategy=LOWEST_COST)),
        ({"model": "a", "provider": {"sort": {"by": "latency"}}}, {}, Wishes(strategy=LOWEST_LATENCY)),
        ({"model": "a", "provider": {"sort": "throughput"}}, {}, Wishes(strategy=HIGHEST_THROUGHPUT)),
        (
            {"model": "a", "provider": {"max_price": {"prompt": 1, "completion": "2.50", "audio": 3}}},
            {},
            Wishes(most_usd={"input_cost_per_token": "0.000001", "output_cost_per_token": "0.0000025"}),
        ),
        (
            {"model": "a", "tools": [], "temperature": 1, "messages": [], "provider": {"require_parameters": True}},
            {},
            Wishes(parameters=("temperature", "tools")),
        ),
        ({"model": "a", "provider": {"data_collection": "deny", "zdr": True, "quantizations": ["fp8"]}}, {}, NONE),
        ({"model": "a", "provider": None, "models": None, "route": None, "timeout": None, "num_retries": None}, {}, NONE),
        ({"model": "a"}, {"x-litellm-timeout": "7", "x-litellm-num-retries": "0"}, Wishes(timeout_s=7, retries=0)),
        ({"model": "a", "timeout": 5}, {"x-haimaker-timeout": "7", "x-haimaker-retries": "3"}, Wishes(timeout_s=5, retries=3)),
        ({"model": "a"}, {"x-haimaker-first-byte-timeout": "1.5"}, Wishes(patience=AttemptTimeouts(first_byte_s=1.5))),
    ],
)
def test_what_a_request_says(body: JSON, headers: dict[str, str], expected: Wishes) -> None:
    assert of_request(body, headers) == expected


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
        of_request({"model": "a", **body}, headers)
    assert (caught.value.param, caught.value.code) == (param, "invalid_value")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PROVIDER = st.dictionaries(st.sampled_from(["order", "only", "ignore", "sort", "max_price", "allow_fallbacks"]), anything)


BODY = st.dictionaries(st.sampled_from(sorted(FIELDS)), anything | PROVIDER)


@given(BODY, st.dictionaries(st.sampled_from(sorted(HEADERS)), st.text()))
def test_anything_is_read_or_refused(body: Any, headers: dict[str, str]) -> None:
    with suppress(BadRequestError):
        assert isinstance(of_request(body, headers), Wishes)


def test_what_a_request_says_comes_before_what_its_key_says_and_the_shorter_time_counts() -> None:
    key = of_fields({"fallbacks": ["k"], "num_retries": 5, "timeout": 10, "routing_strategy": "cost-based-routing"})
    request = of_request({"model": "a", "fallbacks": ["r"], "timeout": 30}, {"x-haimaker-retries": "0"})
    assert request.over(key) == Wishes(fallbacks=("r",), retries=0, timeout_s=10, strategy=LOWEST_COST)
    assert NONE.over(key) == key
    assert request.over(NONE) == request
