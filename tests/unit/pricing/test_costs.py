from dataclasses import fields, replace
from fractions import Fraction
from math import ceil
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker.models import catalog, rates, table
from haimaker.models.catalog import ModelInfo
from haimaker.models.rates import UNITS_PER_USD
from haimaker.pricing import costs
from haimaker.pricing.costs import affordable_output_tokens, cost_nanousd, max_cost_nanousd, price
from haimaker.pricing.usage import MAX_COUNT, Usage

PROMPT = tuple(costs.INPUT_RATES)
COMPLETION = tuple(costs.OUTPUT_RATES)

ROWS = [
    found
    for line in table.TABLE.read_text().splitlines()[1:]
    if (found := catalog.find_model(*line.split("\t")[0].split("/", 1))) is not None
]
GENERATING = [row for row in ROWS if row.mode in ("chat", "completion", "responses")]

counts = st.integers(0, 300_000)
tokens = st.builds(Usage, **dict.fromkeys((*PROMPT, *COMPLETION), counts), web_searches=st.integers(0, 9), citations=counts)


def billable(counted: Usage, model_info: ModelInfo) -> Usage:
    """Without fees that the model has no price for, which make all of the cost unknown."""
    unknown = [name for name, names in costs.FEE_RATES.items() if model_info.rate(names) is None]
    return replace(counted, **dict.fromkeys(unknown, 0))


def usd(text: str) -> int:
    return int(Fraction(text) * UNITS_PER_USD)


CHAT = ModelInfo("p", "m", rates={"input_cost_per_token": "0.000001", "output_cost_per_token": "0.00001"})
RICH = ModelInfo(
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
IMAGES_ONLY = ModelInfo(
    "p", "m", rates={"input_cost_per_token": "1", "input_cost_per_image_token": "7", "output_cost_per_token": "1"}
)
FREE_TEXT = ModelInfo("p", "m", rates={"input_cost_per_token": "0", "output_cost_per_token": "0"})
OWN = CHAT.with_prices({"input_cost_per_token": "0.5"})


@pytest.mark.parametrize(
    ("counted", "model_info", "expected"),
    [
        (Usage(), RICH, "0"),
        (Usage(input=1), RICH, "1.001"),
        (Usage(cached=1), RICH, "0.101"),
        (Usage(cached_audio=1), RICH, "0.501"),
        (Usage(cached_image=1), RICH, "0.101"),
        (Usage(cached_image=1), IMAGES_ONLY, "7"),
        (Usage(cached_explicit=1), RICH, "0.101"),
        (Usage(cache_write_12h=1), RICH, "2.501"),
        (Usage(input_video=1, output_video=1), RICH, "12.001"),
        (Usage(input=1, maps_queries=1), RICH, None),
        (Usage(input=1, other_tool_uses=1), RICH, None),
        (Usage(input=1, web_searches=1), CHAT, None),
        (Usage(input=1, citations=1), CHAT, None),
        (Usage(input=1, web_searches=1, reported_units=usd("3")), CHAT, "3"),
        (Usage(input=1, is_refused=True), RICH, "0"),
        (Usage(input=1, beside=(Usage(output=1), Usage(input=200_001))), RICH, "400014.003"),
        (Usage(input=1, model="nobody-knows"), RICH, None),
        (Usage(cache_write_5m=1), RICH, "1.251"),
        (Usage(cache_write_1h=1), RICH, "2.501"),
        (Usage(input_audio=1), RICH, "5.001"),
        (Usage(input_image=1), RICH, "7.001"),
        (Usage(output=1), RICH, "11.001"),
        (Usage(output_audio=1), RICH, "13.001"),
        (Usage(output_image=1), RICH, "17.001"),
        (Usage(reasoning=1), RICH, "19.001"),
        (Usage(input=1, web_searches=2), RICH, "47.001"),
        (Usage(input=1, citations=2), RICH, "59.001"),
        (Usage(input=200_000, output=1), RICH, "200011.001"),
        (Usage(input=200_000, cached=1, output=1), RICH, "400022.101"),
        (Usage(input=1, output=1, service_tier="priority"), RICH, "14.001"),
        (Usage(input=1, output=1, service_tier="flex"), RICH, "12.001"),
        (Usage(cache_write_1h=1, cached=1, reasoning=1, output_audio=1), CHAT, "0.000022"),
        (Usage(input=9), ModelInfo.unknown("p", "m"), None),
        (Usage(input=9, reported_units=usd("3")), ModelInfo.unknown("p", "m"), "3"),
        (Usage(input=9, reported_units=0), ModelInfo.unknown("p", "m"), "0"),
        (Usage(input=9, reported_units=usd("3")), CHAT, "3"),
        (Usage(input=9, reported_units=0), CHAT, "0.000009"),
        (Usage(input=9, reported_units=usd("3")), OWN, "4.5"),
        (Usage(input=9), FREE_TEXT, "0"),
    ],
)
def test_a_price_is_the_sum_of_counts_at_their_rates(counted: Usage, model_info: ModelInfo, expected: str | None) -> None:
    assert price(counted, model_info) == (None if expected is None else usd(expected))


def test_cheaper_hours_apply_only_when_the_time_is_known() -> None:
    model_info = catalog.find_model("deepseek", "deepseek-flash")
    assert model_info is not None
    saturday_s, million = 2 * 24 * 3600, Usage(input=10**6)
    assert cost_nanousd(million, model_info) == 300_000_000
    assert cost_nanousd(million, model_info, saturday_s) == 150_000_000


def test_a_cost_is_rounded_up_once() -> None:
    tiny = ModelInfo("p", "m", rates={"input_cost_per_token": "4e-10", "output_cost_per_token": "4e-10"})
    assert [cost_nanousd(Usage(input=count, output=1), tiny) for count in range(5)] == [1, 1, 2, 2, 2]


PLAIN = [row for row in GENERATING if row.priced and not row.thresholds_k and "input_cost_per_request" not in row.rates]


@given(tokens, tokens, st.sampled_from(PLAIN))
def test_pricing_is_additive(one: Usage, other: Usage, model_info: ModelInfo) -> None:
    one, other = billable(one, model_info), billable(other, model_info)
    both = Usage(**{name: getattr(one, name) + getattr(other, name) for name in (*PROMPT, *COMPLETION, *costs.EXTRA_RATES)})
    assert (price(one, model_info) or 0) + (price(other, model_info) or 0) == price(both, model_info)


@given(tokens, st.sampled_from((*PROMPT, *COMPLETION, *costs.EXTRA_RATES)), st.integers(1, 10**6), st.sampled_from(GENERATING))
def test_more_tokens_never_cost_less(counted: Usage, bucket: str, more: int, model_info: ModelInfo) -> None:
    before = price(counted, model_info)
    after = price(replace(counted, **{bucket: getattr(counted, bucket) + more}), model_info)
    if bucket in costs.FEE_RATES and model_info.rate(costs.FEE_RATES[bucket]) is None:
        assert after is None
        return
    assert (before is None and after is None) or (before is not None and after is not None and before <= after)


def test_a_thousand_records_are_the_exact_sum_and_less_than_a_thousand_nanodollars_above() -> None:
    draw = Random(1)
    asked = [(Usage(*(draw.randrange(5000) for _ in range(12))), draw.choice(PLAIN)) for _ in range(1000)]
    exact = [Fraction(price(counted, model_info) or 0, costs.UNITS_PER_NANOUSD) for counted, model_info in asked]
    records = [cost_nanousd(counted, model_info) or 0 for counted, model_info in asked]
    assert records == [ceil(cost) for cost in exact]
    assert sum(exact) < sum(records) < sum(exact) + 1000


def test_every_chat_model_with_a_rate_of_input_and_output_is_priced_above_zero() -> None:
    priced = [row for row in GENERATING if {"input_cost_per_token", "output_cost_per_token"} <= row.rates.keys()]
    assert len(priced) > 2300
    for row in priced:
        for bucket in (*PROMPT, *COMPLETION):
            for tier in (None, "priority", "flex", "batch"):
                assert (cost_nanousd(Usage(**{bucket: 1}, service_tier=tier), row) or 0) > 0, (row.provider, row.model, bucket)


SERVED = {None: (None,), "auto": (None, "priority"), "priority": (None, "priority"), "flex": ("flex",), "batch": (None, "batch")}


@given(
    tokens,
    st.sampled_from([(asked, tier) for asked, tiers in SERVED.items() for tier in tiers]),
    st.integers(0, 10**6),
    st.sampled_from([None, "fast"]),
    st.sampled_from([None, "us", "global"]),
)
@settings(max_examples=12, deadline=None)
def test_no_model_of_the_table_costs_more_than_its_worst_case(
    counted: Usage, asked_served: tuple[Any, Any], spare: int, speed: str | None, geo: str | None
) -> None:
    asked, served = asked_served
    for row in ROWS:
        used = replace(billable(counted, row), service_tier=served, speed=speed, inference_geo=geo)
        fees = {name: getattr(used, name) for name in costs.FEE_RATES}
        most = Usage(input=used.prompt + spare, output=used.completion + spare, **fees)
        worst = max_cost_nanousd(replace(most, service_tier=asked, speed=speed, inference_geo=geo), row)
        cost = cost_nanousd(used, row, spare * 3600.0)
        assert (worst is None) == (cost is None)
        assert worst is None or cost is None or cost <= worst, (row.provider, row.model)


@given(
    st.sampled_from(GENERATING), st.integers(0, 10**13), counts, st.integers(1, 8), st.sampled_from(list(SERVED)), st.integers(0, 3)
)
def test_what_is_affordable_is_the_most_that_fits(
    model_info: ModelInfo, remaining: int, prompt: int, n: int, tier: str | None, searches: int
) -> None:
    fee = searches if model_info.rate(costs.FEE_RATES["web_searches"]) else 0

    def most(output: int) -> Usage:
        return Usage(input=prompt, output=output, web_searches=fee, service_tier=tier)

    each = affordable_output_tokens(model_info, remaining, most(0), n)
    assert each >= 0
    if not model_info.priced:
        assert each == 0
    elif each:
        assert (max_cost_nanousd(most(n * each), model_info) or 0) <= remaining
    if model_info.priced and each < MAX_COUNT:
        assert (max_cost_nanousd(most(n * (each + 1)), model_info) or 0) > remaining


def test_a_free_model_affords_any_answer() -> None:
    assert affordable_output_tokens(FREE_TEXT, 0, Usage(input=10)) == MAX_COUNT


def test_every_count_has_a_rate() -> None:
    assert {field.name for field in fields(Usage)} == {
        *costs.TOKEN_RATES,
        *costs.COUNTED_OTHERWISE,
        "beside",
        "inference_geo",
        "is_estimated",
        "is_refused",
        "model",
        "service_tier",
        "speed",
        "reported_units",
        "search_size",
        "variant",
    }


EVERY_CONDITION = [
    *(Usage(search_size=size) for size in ("low", "high")),
    Usage(speed="fast"),
    Usage(inference_geo="us"),
    *(Usage(service_tier=tier) for tier in (None, *rates.SERVICE_TIERS)),
]
PLACES = [
    catalog.Place(),
    catalog.Place("us-central1"),
    *(catalog.Place(host=f"{name}.api.openai.com") for name in ("eu", "us", "fedramp")),
]


def is_read(row: ModelInfo, name: str) -> bool:
    """Whether a case is charged differently once the rate is another."""
    dearer = replace(row, rates={**row.rates, name: str(float(row.rates[name]) * 3)})
    counts = [field.name for field in fields(Usage) if type(field.default) is int]
    for size in (1_000, *(size_k * 1_000 + 1 for size_k in row.thresholds_k)):
        for bucket in counts:
            for at in PLACES:
                for condition in EVERY_CONDITION:
                    used = replace(condition, **{bucket: size})
                    if price(used, row.at(at)) != price(used, dearer.at(at)):
                        return True
                    large = replace(used, input=size)
                    if price(large, row.at(at)) != price(large, dearer.at(at)):
                        return True
    return False


@pytest.mark.parametrize(
    "name",
    [
        *("dream_cost_per_token", "input_cost_per_dream", "night_multiplier", "input_cost_per_token_slow"),
        *("search_context_cost_per_query_huge", "cache_creation_input_token_cost_above_99hr"),
    ],
)
def test_a_rate_that_nobody_knows_is_found_unread(name: str) -> None:
    row = next(row for row in ROWS if "us_multiplier" in row.rates)
    assert is_read(row, "us_multiplier")
    assert not is_read(replace(row, rates={**row.rates, name: "0.5"}), name)


RATE_NAMES = {name: row for row in ROWS for name in row.rates}
"""Every rate of the table, with a model that has it."""


@pytest.mark.parametrize("name", sorted(RATE_NAMES))
def test_no_rate_of_the_table_is_unread(name: str) -> None:
    candidates = [row for row in ROWS if name in row.rates][:20]
    assert any(is_read(row, name) for row in candidates)
