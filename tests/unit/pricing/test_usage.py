from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.models.catalog import ModelInfo
from haimaker.models.rates import UNITS_PER_USD
from haimaker.pricing import usage
from haimaker.pricing.costs import INPUT_RATES, OUTPUT_RATES, cost_nanousd
from haimaker.pricing.usage import Usage, from_openai, to_openai

PROMPT = tuple(INPUT_RATES)
COMPLETION = tuple(OUTPUT_RATES)
PRICED = ModelInfo("p", "m", rates={"input_cost_per_token": "0.000001", "output_cost_per_token": "0.00001"})

counts = st.integers(0, 300_000)
tokens = st.builds(Usage, **dict.fromkeys((*PROMPT, *COMPLETION), counts), web_searches=st.integers(0, 9), citations=counts)


def usd(text: str) -> int:
    return int(Fraction(text) * UNITS_PER_USD)


def openai(prompt: Any, completion: Any, read: Any = None, made: Any = None, **others: Any) -> dict[str, Any]:
    details = {"prompt_tokens_details": read, "completion_tokens_details": made}
    return {"prompt_tokens": prompt, "completion_tokens": completion} | {k: v for k, v in details.items() if v is not None} | others


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (openai(10, 5), Usage(input=10, output=5)),
        (openai(10, 5, total_tokens=15, prompt_tokens_details=None), Usage(input=10, output=5)),
        (openai(10, 5, {"cached_tokens": 4, "audio_tokens": 3}), Usage(input=3, cached=4, input_audio=3, output=5)),
        (openai(10, 5, {"cached_tokens": None, "image_tokens": 10}), Usage(input_image=10, output=5)),
        (openai(10, 9, {}, {"reasoning_tokens": 4, "audio_tokens": 2, "image_tokens": 1, "accepted_prediction_tokens": 1}),
         Usage(input=10, output=2, reasoning=4, output_audio=2, output_image=1)),
        (openai(9, 0, {"cached_tokens": 6, "audio_tokens": 5, "cached_tokens_details": {"audio_tokens": 4, "text_tokens": 2}}),
         Usage(input=2, cached=2, cached_audio=4, input_audio=1)),
        # cache writes: OpenRouter, LiteLLM's and Anthropic's fields in OpenAI's object
        (openai(20, 1, {"cached_tokens": 5, "cache_write_tokens": 8}), Usage(input=7, cached=5, cache_write_5m=8, output=1)),
        (openai(20, 1, {"cache_creation_tokens": 8}), Usage(input=12, cache_write_5m=8, output=1)),
        (openai(20, 1, cache_creation_input_tokens=8, cache_read_input_tokens=2,
                cache_creation={"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 3}),
         Usage(input=10, cached=2, cache_write_5m=5, cache_write_1h=3, output=1)),
        # DeepSeek, Moonshot
        (openai(10, 5, prompt_cache_hit_tokens=8, prompt_cache_miss_tokens=2), Usage(input=2, cached=8, output=5)),
        ({"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2, "completion_tokens": 5},
         Usage(input=2, cached=8, output=5)),
        (openai(10, 5, cached_tokens=8), Usage(input=2, cached=8, output=5)),
        # reasoning beside the completion: xAI, Gemini's OpenAI endpoint, Perplexity
        (openai(10, 5, {}, {"reasoning_tokens": 30}, total_tokens=45), Usage(input=10, output=5, reasoning=30)),
        (openai(10, 0, {}, {"reasoning_tokens": 30}, total_tokens=40), Usage(input=10, reasoning=30)),
        (openai(10, 35, {}, {"reasoning_tokens": 30}, total_tokens=45), Usage(input=10, output=5, reasoning=30)),
        (openai(10, 5, total_tokens=45), Usage(input=10, output=5, reasoning=30)),
        (openai(10, 5, total_tokens=45, prompt_audio_seconds=3), Usage(input=40, output=5)),
        (openai(10, 5, total_tokens=45, prompt_audio_seconds=None), Usage(input=10, output=5, reasoning=30)),
        (openai(33, 7, total_tokens=40, citation_tokens=20, num_search_queries=3, reasoning_tokens=73),
         Usage(input=33, output=7, reasoning=73, citations=20, web_searches=3)),
        (openai(10, 5, reasoning_tokens=3), Usage(input=10, output=2, reasoning=3)),
        # images, embeddings, rerank
        ({"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}, "output_tokens": 9,
          "output_tokens_details": {"image_tokens": 9}, "total_tokens": 59}, Usage(input=10, input_image=40, output_image=9)),
        ({"prompt_tokens": 8, "total_tokens": 8}, Usage(input=8)),
        ({"total_tokens": 8}, Usage(input=8)),
        ({"prompt_tokens": 8, "total_tokens": 20}, Usage(input=8, output=12)),
        (openai(8, 1, server_tool_use={"web_search_requests": 2}), Usage(input=8, output=1, web_searches=2)),
        (openai(8, 1, service_tier="flex"), Usage(input=8, output=1, service_tier="flex")),
        # nonsense
        (openai(10, 5, {"cached_tokens": 99, "audio_tokens": 3}, {"reasoning_tokens": 99}), Usage(cached=10, reasoning=5)),
        (openai(-1, True), Usage()),
        (openai("10", 10**400), Usage()),
        (openai(12.0, 1.5), Usage(input=12)),
        (openai(float("nan"), float("inf")), Usage()),
        (openai(10, 5, [], "x", total_tokens=3), Usage(input=10, output=5)),
        (openai([], {}), Usage()),
        (None, Usage()),
        ([], Usage()),
        ("usage", Usage()),
    ],
)  # fmt: skip
def test_every_variant_is_read_into_disjoint_counts(body: Any, expected: Usage) -> None:
    assert from_openai(body) == expected


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ({"cost": 0.00123}, "0.00123"),
        ({"cost": "0.00123"}, "0.00123"),
        ({"cost": 2}, "2"),
        ({"cost": 0}, "0"),
        ({"cost": 0.05, "is_byok": True, "cost_details": {"upstream_inference_cost": 1.1}}, "1.15"),
        ({"cost": 0.05, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.05}}, "0.05"),
        ({"cost": {"input_tokens_cost": 1, "total_cost": 0.006}}, "0.006"),
        ({"cost_in_usd_ticks": 37756000}, "0.0037756"),
        ({"cost": -1}, None),
        ({"cost": True}, None),
        ({"cost": float("nan")}, None),
        ({"cost": 1e9}, None),
        ({"cost": 10**5000}, None),
        ({"cost": {}}, None),
        ({"cost_in_usd_ticks": -1}, None),
        ({"cost_in_usd_ticks": 10**5000}, None),
        ({}, None),
    ],
)
def test_a_reported_cost_is_read_exactly_or_not_at_all(body: Any, reported: str | None) -> None:
    assert from_openai(body).reported_units == (None if reported is None else usd(reported))


def test_the_tier_of_the_response_goes_before_that_of_the_usage() -> None:
    assert from_openai({"service_tier": "default"}, "priority").service_tier == "priority"
    assert from_openai({"service_tier": "default"}, None).service_tier == "default"
    assert from_openai({"service_tier": 7}, []).service_tier is None


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(0, 1000) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "cost",
    "cost_in_usd_ticks",
    "cached_tokens",
    "reasoning_tokens",
    "citation_tokens",
    "prompt_cache_hit_tokens",
    "prompt_cache_miss_tokens",
    "cache_creation_input_tokens",
    "is_byok",
    "service_tier",
]
DETAILS = [
    "cached_tokens",
    "audio_tokens",
    "image_tokens",
    "reasoning_tokens",
    "cache_write_tokens",
    "upstream_inference_cost",
    "web_search_requests",
    "ephemeral_1h_input_tokens",
    "ephemeral_5m_input_tokens",
    "total_cost",
    "cached_tokens_details",
]
OBJECTS = [
    "prompt_tokens_details",
    "completion_tokens_details",
    "input_tokens_details",
    "cache_creation",
    "cost",
    "cost_details",
    "server_tool_use",
]
objects = st.dictionaries(st.sampled_from(DETAILS), junk)
junk_usage = st.builds(
    lambda flat, nested: flat | nested,
    st.dictionaries(st.sampled_from(NAMES), junk),
    st.dictionaries(st.sampled_from(OBJECTS), objects | junk),
)


@given(junk_usage | junk)
def test_nonsense_never_raises_and_never_counts_below_zero(body: Any) -> None:
    read = from_openai(body)
    assert all(type(getattr(read, name)) is int and getattr(read, name) >= 0 for name in (*PROMPT, *COMPLETION))
    assert read.web_searches >= 0 <= read.citations
    fees = (read.citations, read.web_searches, read.maps_queries, read.other_tool_uses)
    assert (cost_nanousd(read, PRICED) is None) == (any(fees) and read.reported_units is None)


@given(st.integers(0, 10**6), st.integers(0, 10**6), objects, objects, objects)
def test_buckets_add_up_to_the_whole(prompt: int, completion: int, read: Any, made: Any, written: Any) -> None:
    counted = from_openai(openai(prompt, completion, read, made, cache_creation=written, total_tokens=prompt + completion))
    assert (counted.prompt, counted.completion) == (prompt, completion)


@given(tokens)
def test_what_is_written_is_read_back(counted: Usage) -> None:
    assert from_openai(to_openai(counted)) == counted
    body = to_openai(counted)
    assert body["total_tokens"] == body["prompt_tokens"] + body["completion_tokens"] == counted.prompt + counted.completion


def test_the_counts_of_a_plain_answer_are_openais_object() -> None:
    assert to_openai(Usage(input=3, cached=4, output=5, reasoning=2)) == {
        "prompt_tokens": 7,
        "completion_tokens": 7,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
    }


@pytest.mark.parametrize(("text_bytes", "expected"), [(0, 0), (1, 1), (4, 1), (5, 2), (4000, 1000)])
def test_an_estimate_is_a_token_for_four_bytes(text_bytes: int, expected: int) -> None:
    assert usage.estimate_tokens(text_bytes) == expected
