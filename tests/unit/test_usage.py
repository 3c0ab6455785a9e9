from dataclasses import fields, replace
from fractions import Fraction
from math import ceil
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker import prices, usage
from haimaker.prices import UNITS_PER_USD, Facts
from haimaker.usage import (
    MAX_COUNT,
    Tokens,
    affordable_output_tokens,
    cost_nanousd,
    from_openai,
    price,
    to_openai,
    worst_case_nanousd,
)

PROMPT = tuple(usage.INPUT_RATES)
COMPLETION = tuple(usage.OUTPUT_RATES)

ROWS = [
    found
    for line in prices.TABLE.read_text().splitlines()[1:]
    if (found := prices.facts(*line.split("\t")[0].split("/", 1))) is not None
]
GENERATING = [row for row in ROWS if row.mode in ("chat", "completion", "responses")]

counts = st.integers(0, 300_000)
tokens = st.builds(Tokens, **dict.fromkeys((*PROMPT, *COMPLETION), counts), web_searches=st.integers(0, 9), citations=counts)


def usd(text: str) -> int:
    return int(Fraction(text) * UNITS_PER_USD)


def openai(prompt: Any, completion: Any, read: Any = None, made: Any = None, **others: Any) -> dict[str, Any]:
    details = {"prompt_tokens_details": read, "completion_tokens_details": made}
    return {"prompt_tokens": prompt, "completion_tokens": completion} | {k: v for k, v in details.items() if v is not None} | others


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (openai(10, 5), Tokens(input=10, output=5)),
        (openai(10, 5, total_tokens=15, prompt_tokens_details=None), Tokens(input=10, output=5)),
        (openai(10, 5, {"cached_tokens": 4, "audio_tokens": 3}), Tokens(input=3, cached=4, input_audio=3, output=5)),
        (openai(10, 5, {"cached_tokens": None, "image_tokens": 10}), Tokens(input_image=10, output=5)),
        (openai(10, 9, {}, {"reasoning_tokens": 4, "audio_tokens": 2, "image_tokens": 1, "accepted_prediction_tokens": 1}),
         Tokens(input=10, output=2, reasoning=4, output_audio=2, output_image=1)),
        (openai(9, 0, {"cached_tokens": 6, "audio_tokens": 5, "cached_tokens_details": {"audio_tokens": 4, "text_tokens": 2}}),
         Tokens(input=2, cached=2, cached_audio=4, input_audio=1)),
        # cache writes: OpenRouter, LiteLLM's and Anthropic's fields in OpenAI's object
        (openai(20, 1, {"cached_tokens": 5, "cache_write_tokens": 8}), Tokens(input=7, cached=5, cache_write_5m=8, output=1)),
        (openai(20, 1, {"cache_creation_tokens": 8}), Tokens(input=12, cache_write_5m=8, output=1)),
        (openai(20, 1, cache_creation_input_tokens=8, cache_read_input_tokens=2,
                cache_creation={"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 3}),
         Tokens(input=10, cached=2, cache_write_5m=5, cache_write_1h=3, output=1)),
        # DeepSeek, Moonshot
        (openai(10, 5, prompt_cache_hit_tokens=8, prompt_cache_miss_tokens=2), Tokens(input=2, cached=8, output=5)),
        ({"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2, "completion_tokens": 5},
         Tokens(input=2, cached=8, output=5)),
        (openai(10, 5, cached_tokens=8), Tokens(input=2, cached=8, output=5)),
        # reasoning beside the completion: xAI, Gemini's OpenAI endpoint, Perplexity
        (openai(10, 5, {}, {"reasoning_tokens": 30}, total_tokens=45), Tokens(input=10, output=5, reasoning=30)),
        (openai(10, 0, {}, {"reasoning_tokens": 30}, total_tokens=40), Tokens(input=10, reasoning=30)),
        (openai(10, 35, {}, {"reasoning_tokens": 30}, total_tokens=45), Tokens(input=10, output=5, reasoning=30)),
        (openai(10, 5, total_tokens=45), Tokens(input=10, output=5, reasoning=30)),
        (openai(10, 5, total_tokens=45, prompt_audio_seconds=3), Tokens(input=40, output=5)),
        (openai(10, 5, total_tokens=45, prompt_audio_seconds=None), Tokens(input=10, output=5, reasoning=30)),
        (openai(33, 7, total_tokens=40, citation_tokens=20, num_search_queries=3, reasoning_tokens=73),
         Tokens(input=33, output=7, reasoning=73, citations=20, web_searches=3)),
        (openai(10, 5, reasoning_tokens=3), Tokens(input=10, output=2, reasoning=3)),
        # images, embeddings, rerank
        ({"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}, "output_tokens": 9,
          "output_tokens_details": {"image_tokens": 9}, "total_tokens": 59}, Tokens(input=10, input_image=40, output_image=9)),
        ({"prompt_tokens": 8, "total_tokens": 8}, Tokens(input=8)),
        ({"total_tokens": 8}, Tokens(input=8)),
        ({"prompt_tokens": 8, "total_tokens": 20}, Tokens(input=8, output=12)),
        (openai(8, 1, server_tool_use={"web_search_requests": 2}), Tokens(input=8, output=1, web_searches=2)),
        (openai(8, 1, service_tier="flex"), Tokens(input=8, output=1, service_tier="flex")),
        # nonsense
        (openai(10, 5, {"cached_tokens": 99, "audio_tokens": 3}, {"reasoning_tokens": 99}), Tokens(cached=10, reasoning=5)),
        (openai(-1, True), Tokens()),
        (openai("10", 10**400), Tokens()),
        (openai(12.0, 1.5), Tokens(input=12)),
        (openai(float("nan"), float("inf")), Tokens()),
        (openai(10, 5, [], "x", total_tokens=3), Tokens(input=10, output=5)),
        (openai([], {}), Tokens()),
        (None, Tokens()),
        ([], Tokens()),
        ("usage", Tokens()),
    ],
)  # fmt: skip
def test_every_variant_is_read_into_disjoint_counts(body: Any, expected: Tokens) -> None:
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
    assert cost_nanousd(read, CHAT) is not None


@given(st.integers(0, 10**6), st.integers(0, 10**6), objects, objects, objects)
def test_buckets_add_up_to_the_whole(prompt: int, completion: int, read: Any, made: Any, written: Any) -> None:
    counted = from_openai(openai(prompt, completion, read, made, cache_creation=written, total_tokens=prompt + completion))
    assert (counted.prompt, counted.completion) == (prompt, completion)


@given(tokens)
def test_what_is_written_is_read_back(counted: Tokens) -> None:
    assert from_openai(to_openai(counted)) == counted
    body = to_openai(counted)
    assert body["total_tokens"] == body["prompt_tokens"] + body["completion_tokens"] == counted.prompt + counted.completion


def test_the_counts_of_a_plain_answer_are_openais_object() -> None:
    assert to_openai(Tokens(input=3, cached=4, output=5, reasoning=2)) == {
        "prompt_tokens": 7,
        "completion_tokens": 7,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
    }


CHAT = Facts("p", "m", rates={"input_cost_per_token": "0.000001", "output_cost_per_token": "0.00001"})
RICH = Facts(
    "p",
    "m",
    rates={
        "input_cost_per_token": "1",
        "input_cost_per_token_above_200k_tokens": "2",
        "input_cost_per_token_priority": "3",
        "input_cost_per_audio_token": "5",
        "input_cost_per_image_token": "7",
        "cache_read_input_token_cost": "0.1",
        "cache_read_input_audio_token_cost": "0.5",
        "cache_creation_input_token_cost": "1.25",
        "cache_creation_input_token_cost_above_1hr": "2.5",
        "output_cost_per_token": "11",
        "output_cost_per_token_above_200k_tokens": "22",
        "output_cost_per_audio_token": "13",
        "output_cost_per_image_token": "17",
        "output_cost_per_reasoning_token": "19",
        "search_context_cost_per_query": "23",
        "citation_cost_per_token": "29",
        "input_cost_per_request": "0.001",
    },
)
TIERED = Facts(
    "p",
    "m",
    rates={
        "input_cost_per_token": "1",
        "input_cost_per_token_flex": "0.5",
        "input_cost_per_token_priority": "4",
        "cache_read_input_token_cost_above_200k_tokens": "5",
        "output_cost_per_token": "2",
        "output_cost_per_token_flex": "1",
        "output_cost_per_token_priority": "6",
    },
)
FREE_TEXT = Facts("p", "m", rates={"input_cost_per_token": "0", "output_cost_per_token": "0"})
OWN = CHAT.with_prices({"input_cost_per_token": "0.5"})


@pytest.mark.parametrize(
    ("counted", "facts", "expected"),
    [
        (Tokens(), RICH, "0"),
        (Tokens(input=1), RICH, "1.001"),
        (Tokens(cached=1), RICH, "0.101"),
        (Tokens(cached_audio=1), RICH, "0.501"),
        (Tokens(cached_image=1), RICH, "7.001"),
        (Tokens(cache_write_5m=1), RICH, "1.251"),
        (Tokens(cache_write_1h=1), RICH, "2.501"),
        (Tokens(input_audio=1), RICH, "5.001"),
        (Tokens(input_image=1), RICH, "7.001"),
        (Tokens(output=1), RICH, "11.001"),
        (Tokens(output_audio=1), RICH, "13.001"),
        (Tokens(output_image=1), RICH, "17.001"),
        (Tokens(reasoning=1), RICH, "19.001"),
        (Tokens(input=1, web_searches=2), RICH, "47.001"),
        (Tokens(input=1, citations=2), RICH, "59.001"),
        (Tokens(input=200_000, output=1), RICH, "200011.001"),
        (Tokens(input=200_000, cached=1, output=1), RICH, "400022.101"),
        (Tokens(input=1, output=1, service_tier="priority"), RICH, "14.001"),
        (Tokens(input=1, output=1, service_tier="flex"), RICH, "12.001"),
        (Tokens(cache_write_1h=1, cached=1, reasoning=1, output_audio=1), CHAT, "0.000022"),
        (Tokens(input=9), Facts.unknown("p", "m"), None),
        (Tokens(input=9, reported_units=usd("3")), Facts.unknown("p", "m"), "3"),
        (Tokens(input=9, reported_units=0), Facts.unknown("p", "m"), "0"),
        (Tokens(input=9, reported_units=usd("3")), CHAT, "3"),
        (Tokens(input=9, reported_units=0), CHAT, "0.000009"),
        (Tokens(input=9, reported_units=usd("3")), OWN, "4.5"),
        (Tokens(input=9), FREE_TEXT, "0"),
    ],
)
def test_a_price_is_the_sum_of_counts_at_their_rates(counted: Tokens, facts: Facts, expected: str | None) -> None:
    assert price(counted, facts) == (None if expected is None else usd(expected))


def test_cheaper_hours_apply_only_when_the_time_is_known() -> None:
    facts = prices.facts("deepseek", "deepseek-flash")
    assert facts is not None
    saturday_s, million = 2 * 24 * 3600, Tokens(input=10**6)
    assert cost_nanousd(million, facts) == 300_000_000
    assert cost_nanousd(million, facts, saturday_s) == 150_000_000


def test_a_cost_is_rounded_up_once() -> None:
    tiny = Facts("p", "m", rates={"input_cost_per_token": "4e-10", "output_cost_per_token": "4e-10"})
    assert [cost_nanousd(Tokens(input=count, output=1), tiny) for count in range(5)] == [1, 1, 2, 2, 2]


PLAIN = [row for row in GENERATING if row.priced and not row.thresholds_k and "input_cost_per_request" not in row.rates]


@given(tokens, tokens, st.sampled_from(PLAIN))
def test_pricing_is_additive(one: Tokens, other: Tokens, facts: Facts) -> None:
    both = Tokens(**{name: getattr(one, name) + getattr(other, name) for name in (*PROMPT, *COMPLETION, *usage.EXTRA_RATES)})
    assert (price(one, facts) or 0) + (price(other, facts) or 0) == price(both, facts)


@given(tokens, st.sampled_from((*PROMPT, *COMPLETION, *usage.EXTRA_RATES)), st.integers(1, 10**6), st.sampled_from(GENERATING))
def test_more_tokens_never_cost_less(counted: Tokens, bucket: str, more: int, facts: Facts) -> None:
    before, after = price(counted, facts), price(replace(counted, **{bucket: getattr(counted, bucket) + more}), facts)
    assert (before is None and after is None) or (before is not None and after is not None and before <= after)


def test_a_thousand_records_are_the_exact_sum_and_less_than_a_thousand_nanodollars_above() -> None:
    draw = Random(1)
    asked = [(Tokens(*(draw.randrange(5000) for _ in range(12))), draw.choice(PLAIN)) for _ in range(1000)]
    exact = [Fraction(price(counted, facts) or 0, usage.UNITS_PER_NANOUSD) for counted, facts in asked]
    records = [cost_nanousd(counted, facts) or 0 for counted, facts in asked]
    assert records == [ceil(cost) for cost in exact]
    assert sum(exact) < sum(records) < sum(exact) + 1000


def test_every_chat_model_with_a_rate_of_input_and_output_is_priced_above_zero() -> None:
    priced = [row for row in GENERATING if {"input_cost_per_token", "output_cost_per_token"} <= row.rates.keys()]
    assert len(priced) > 2300
    for row in priced:
        for bucket in (*PROMPT, *COMPLETION):
            for tier in (None, "priority", "flex", "batch"):
                assert (cost_nanousd(Tokens(**{bucket: 1}, service_tier=tier), row) or 0) > 0, (row.provider, row.model, bucket)


SERVED = {None: (None,), "auto": (None, "priority"), "priority": (None, "priority"), "flex": ("flex",), "batch": (None, "batch")}


@given(tokens, st.sampled_from([(asked, tier) for asked, tiers in SERVED.items() for tier in tiers]), st.integers(0, 10**6))
@settings(max_examples=12, deadline=None)
def test_no_model_of_the_table_costs_more_than_its_worst_case(counted: Tokens, asked_served: tuple[Any, Any], spare: int) -> None:
    asked, served = asked_served
    for row in ROWS:
        worst = worst_case_nanousd(
            row, counted.prompt + spare, counted.completion + spare, asked, counted.web_searches, counted.citations
        )
        cost = cost_nanousd(replace(counted, service_tier=served), row, spare * 3600.0)
        assert (worst is None) == (cost is None)
        assert worst is None or cost is None or cost <= worst, (row.provider, row.model)


@given(
    st.sampled_from(GENERATING), st.integers(0, 10**13), counts, st.integers(1, 8), st.sampled_from(list(SERVED)), st.integers(0, 3)
)
def test_what_is_affordable_is_the_most_that_fits(
    facts: Facts, remaining: int, prompt: int, n: int, tier: str | None, searches: int
) -> None:
    each = affordable_output_tokens(facts, remaining, prompt, n, tier, searches)
    assert each >= 0
    if not facts.priced:
        assert each == 0
    elif each:
        assert (worst_case_nanousd(facts, prompt, n * each, tier, searches) or 0) <= remaining
    if facts.priced and each < MAX_COUNT:
        assert (worst_case_nanousd(facts, prompt, n * (each + 1), tier, searches) or 0) > remaining


def test_a_free_model_affords_any_answer() -> None:
    assert affordable_output_tokens(FREE_TEXT, 0, 10) == MAX_COUNT


@pytest.mark.parametrize(("text_bytes", "expected"), [(0, 0), (1, 1), (4, 1), (5, 2), (4000, 1000)])
def test_an_estimate_is_a_token_for_four_bytes(text_bytes: int, expected: int) -> None:
    assert usage.estimate_tokens(text_bytes) == expected


def test_every_count_has_a_rate() -> None:
    assert {field.name for field in fields(Tokens)} == {
        *dict(usage.ALL_RATES),
        *usage.TIME_RATES,
        "service_tier",
        "reported_units",
        "variant",
    }
