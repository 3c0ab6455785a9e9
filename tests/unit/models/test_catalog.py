import subprocess
import sys
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.models import catalog, rates, table
from haimaker.models.catalog import ModelInfo, all_models, find_model
from haimaker.models.rates import UNITS_PER_USD, to_units

NAMES = [line.split("\t")[0] for line in table.TABLE.read_text().splitlines()[1:]]

MONDAY_S = 4 * 24 * 3600
"""1970-01-05 00:00 UTC."""


def units(usd: str) -> int:
    return int(Fraction(usd) * UNITS_PER_USD)


def test_every_line_is_found_by_its_name_and_no_other() -> None:
    assert len(NAMES) > 3000
    for name in NAMES:
        provider, model = name.split("/", 1)
        found = find_model(provider, model)
        assert found is not None
        assert (found.provider, found.model) == (provider, model)
        assert find_model(provider, f"{model} ") is None


def test_the_table_is_sorted_and_names_only_known_rates() -> None:
    assert all(one.encode() < other.encode() for one, other in pairwise(NAMES))
    for name in NAMES:
        found = find_model(*name.split("/", 1))
        assert found is not None
        for rate, usd in (*found.rates.items(), *found.off_peak_rates.items()):
            assert rates.is_rate_name(rate), rate
            assert to_units(usd) == Fraction(usd) * UNITS_PER_USD
            assert (to_units(usd) == 0) == (found.is_free and found.mode == "moderation"), name


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt"), ("openai", ""), ("", ""), ("#", ""), ("zzz", "z"), ("openai", "\ud800"), ("openai", "a\nb")],
)
def test_an_unknown_name_has_no_facts(provider: str, model: str) -> None:
    assert find_model(provider, model) is None


@given(st.text(), st.text())
def test_any_name_can_be_asked_for(provider: str, model: str) -> None:
    found = find_model(provider, model)
    assert (found is not None) == (f"{provider}/{model}" in NAMES)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("ft:gpt-4o-mini-2024-07-18:acme::Ab1", "ft:gpt-4o-mini-2024-07-18"),
        ("ft:gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini-2024-07-18"),
        ("ft:gpt-99:acme::Ab1", None),
        ("ft:", None),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("gpt-4o-2099-01-01", None),
    ],
)
def test_only_a_fine_tuned_model_has_the_facts_of_another_name(asked: str, found: str | None) -> None:
    known = find_model("openai", asked)
    assert (known and known.model) == found


def test_models_of_a_provider_are_its_lines_without_qualifiers() -> None:
    for provider in ("openai", "azure", "azure_ai", "zai", "ai21"):
        listed = [f"{provider}/{found.model}" for found in all_models(provider)]
        assert listed == [name for name in NAMES if name.startswith(f"{provider}/") and "#" not in name]
        assert listed
    assert not list(all_models("azur"))
    assert find_model("openai", "gpt-image-1#low/1024-x-1024") is not None


@given(st.integers(0, 10**12), st.integers(-30, 20))
def test_a_decimal_is_exact_in_units(digits: int, exponent: int) -> None:
    assert to_units(f"{digits}e{exponent}") == Fraction(digits) * Fraction(10) ** exponent * UNITS_PER_USD


@given(st.decimals(0, 1000, places=12), st.floats(1e-9, 1e6))
def test_every_way_to_write_a_number_is_read(decimal: object, number: float) -> None:
    assert to_units(str(decimal)) == units(str(decimal))
    assert to_units(repr(number)) == units(repr(number))


@pytest.mark.parametrize(
    "text", ["-1", "nan", "inf", "", ".", "e5", " 1", "1e-31", "1e999999999", "1e-999999999", "1_0", "١", "0x1", "9" * 65]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        to_units(text)


ROW = ModelInfo(
    "openai",
    "gpt",
    rates={
        "input_cost_per_token": "1",
        "input_cost_per_token_priority": "2",
        "input_cost_per_token_batches": "0.5",
        "input_cost_per_token_above_128k_tokens": "3",
        "input_cost_per_token_above_272k_tokens": "5",
        "input_cost_per_token_above_272k_tokens_priority": "9",
        "output_cost_per_token": "10",
        "output_cost_per_token_priority": "40",
    },
    off_peak_rates={"input_cost_per_token": "0.25"},
    off_peak_minutes=((60, 120), (10070, 10080)),
)
INPUT = "input_cost_per_token"
OUTPUT = "output_cost_per_token"


@pytest.mark.parametrize(
    ("names", "prompt_tokens", "tier", "now_s", "usd"),
    [
        ([INPUT], 0, None, None, "1"),
        ([INPUT], 128_000, None, None, "1"),
        ([INPUT], 128_001, None, None, "3"),
        ([INPUT], 272_001, None, None, "5"),
        ([INPUT], 272_001, "priority", None, "9"),
        ([INPUT], 128_001, "priority", None, "3"),
        ([INPUT], 1, "priority", None, "2"),
        ([INPUT], 1, "batch", None, "0.5"),
        ([INPUT], 1, "default", None, "1"),
        ([INPUT], 1, "auto", None, "1"),
        ([INPUT], 1, "flex", None, "1"),
        ([INPUT], 1, "above_128k_tokens", None, "1"),
        ([OUTPUT], 272_001, "priority", None, "40"),
        (["nothing", OUTPUT], 1, None, None, "10"),
        (["nothing"], 1, None, None, None),
        ([INPUT], 1, None, MONDAY_S + 3599, "1"),
        ([INPUT], 1, None, MONDAY_S + 3600, "0.25"),
        ([INPUT], 1, None, MONDAY_S + 7 * 86400 + 7199.9, "0.25"),
        ([INPUT], 1, None, MONDAY_S + 7200, "1"),
        ([INPUT], 1, None, MONDAY_S - 1, "0.25"),
        ([INPUT], 1, "priority", MONDAY_S + 3600, "2"),
        ([OUTPUT], 1, None, MONDAY_S + 3600, "10"),
    ],
)
def test_a_rate_depends_on_prompt_tier_and_hour(
    names: list[str], prompt_tokens: int, tier: str | None, now_s: float | None, usd: str | None
) -> None:
    assert ROW.rate(names, prompt_tokens, tier, now_s) == (None if usd is None else units(usd))


@pytest.mark.parametrize(
    ("prompt_tokens", "tiers", "usd"),
    [
        (1, [None], "1"),
        (1, ["priority"], "2"),
        (200_000, [None], "3"),
        (300_000, [None, "priority"], "9"),
        (1, ["unheard of"], "1"),
    ],
)
def test_the_dearest_rate_is_the_highest_that_can_be_reached(prompt_tokens: int, tiers: list[str | None], usd: str) -> None:
    assert ROW.dearest_rate((INPUT, "nothing"), prompt_tokens, tiers) == units(usd)
    assert ROW.dearest_rate(("nothing",), prompt_tokens, tiers) == 0


def test_hours_that_are_dearer_count_as_dearest() -> None:
    assert replace(ROW, off_peak_rates={INPUT: "8"}).dearest_rate((INPUT,), 1, [None]) == units("8")


def test_own_prices_replace_a_rate_with_its_variants_and_keep_the_others() -> None:
    own = ROW.with_prices({INPUT: 0.1, f"{INPUT}_above_128k_tokens": "7", "cache_read_input_token_cost": 0})
    assert own.rates == {
        INPUT: "0.1",
        f"{INPUT}_above_128k_tokens": "7",
        "cache_read_input_token_cost": "0",
        OUTPUT: "10",
        f"{OUTPUT}_priority": "40",
    }
    assert (own.thresholds_k, own.off_peak_rates, own.own_prices) == ((128,), {}, True)
    assert ROW.with_prices({}) == ROW


def test_a_model_that_is_in_no_table_can_be_given_prices() -> None:
    unknown = ModelInfo.unknown("vllm", "mine")
    assert not unknown.priced
    assert not unknown.with_prices({INPUT: "1e-6"}).priced
    assert unknown.with_prices({INPUT: 0, OUTPUT: 0}).priced


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"input_cost": 1}, "'input_cost'"),
        ({"input_cost_per_token_above_lots": 1}, "above_lots"),
        ({INPUT: -1}, INPUT),
        ({INPUT: float("nan")}, INPUT),
        ({INPUT: True}, INPUT),
        ({INPUT: "free"}, "free"),
    ],
)
def test_prices_that_are_none_are_refused(overrides: dict[str, str | int | float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ROW.with_prices(overrides)


@pytest.mark.parametrize(
    ("mode", "names", "priced"),
    [
        ("chat", (INPUT, OUTPUT), True),
        ("chat", (INPUT,), False),
        ("chat", (OUTPUT,), False),
        ("chat", (OUTPUT, "input_cost_per_request"), True),
        ("embedding", (INPUT,), True),
        ("image_generation", (INPUT, "output_cost_per_image_token"), True),
        ("image_generation", ("output_cost_per_image",), False),
    ],
)
def test_priced_means_that_tokens_can_be_priced(mode: str, names: tuple[str, ...], priced: bool) -> None:
    assert ModelInfo("p", "m", mode=mode, rates=dict.fromkeys(names, "1")).priced is priced


def test_importing_reads_no_table_and_no_number_library() -> None:
    code = (
        "import sys, haimaker.pricing.usage, haimaker.models.catalog\n"
        "assert not haimaker.models.table.packaged_table.cache_info().currsize\n"
        "assert not {'decimal', 'fractions', 'numbers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(catalog.__file__).parents[2])


def test_the_table_says_when_it_was_made() -> None:
    assert date.fromisoformat(table.current_table().date) >= date(2026, 11, 29)


@pytest.mark.parametrize(("cached_as_input", "cached"), [(False, "0.05"), (True, "0.5")])
def test_a_batch_costs_a_part_of_the_ordinary_prices_of_tokens(cached_as_input: bool, cached: str) -> None:
    rates = {INPUT: "1", "cache_read_input_token_cost": "0.1", OUTPUT: "4", "output_cost_per_token_batches": "3", "search_fee": "9"}
    made = ModelInfo("groq", "m", rates=rates).with_batch_rates(50, cached_as_input=cached_as_input).rates
    batches = {name: Decimal(rate) for name, rate in made.items() if name.endswith("_batches")}
    wanted = {INPUT: "0.5", "cache_read_input_token_cost": cached, OUTPUT: "3"}
    assert batches == {f"{name}_batches": Decimal(rate) for name, rate in wanted.items()}
