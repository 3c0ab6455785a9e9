from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from haimaker.models import catalog
from haimaker.providers.registry import all_providers
from scripts import build_prices, vendor_prices
from scripts.vendor_prices import Change, Newer, Priced

SNAPSHOT = """{
  "high/1024-x-1024/gpt-image-1": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.167},
  "gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
    "input_cost_per_audio_token": 2.5e-06, "max_input_tokens": 128000, "supports_vision": true, "supports_reasoning": false,
    "source": "https://example.com", "rpm": 5, "search_context_cost_per_query":
    {"search_context_size_low": 0.01, "search_context_size_medium": 0.01, "search_context_size_high": 0.01}},
  "command-r": {"litellm_provider": "cohere_chat", "mode": "chat",
    "input_cost_per_second": 2.8333e-4, "input_dbu_cost_per_token": 1.0},
  "deepseek-chat": {"litellm_provider": "deepseek", "mode": "chat", "input_cost_per_token": 1e-7,
    "input_cost_per_token_cache_hit": 1e-8},
  "deepseek/deepseek-chat": {"litellm_provider": "deepseek", "mode": "chat", "input_cost_per_token": 2e-7,
    "off_peak_pricing":
    {"input_cost_per_token": 5e-8, "windows": [{"hours_utc": ["22:30-00:00"], "weekdays": [1, 7]}]}},
  "bedrock/us-east-1/1-month-commitment/anthropic.claude-v2": {"litellm_provider": "bedrock", "mode": "chat", "cost_per_second": 1},
  "gpt-live": {"litellm_provider": "openai", "mode": "realtime", "input_cost_per_token": 1},
  "free": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": null}
}"""


@pytest.fixture
def vendors_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor_prices, "PRICED", ())


def table(models: dict[str, build_prices.Row]) -> dict[str, build_prices.Row]:
    built = build_prices.build_table(models, "2026-11-29", "a sample")
    return {name: row for name, row in built.items() if name != "#"}


@pytest.mark.usefixtures("vendors_say_nothing")
def test_the_table_is_sorted_lines_with_the_digits_of_the_snapshot(tmp_path: Path) -> None:
    snapshot = tmp_path / "model-facts.json"
    snapshot.write_text(SNAPSHOT)
    build_prices.main([str(snapshot), "--to", str(tmp_path / "models.tsv")])
    first, *rows = (tmp_path / "models.tsv").read_text().splitlines()
    assert datetime.now(UTC).date().isoformat() in first
    assert rows == [
        'cohere/command-r\t{"mode":"chat","rates":{"input_cost_per_second":"2.8333e-4"},"supports":[]}',
        'deepseek/deepseek-chat\t{"mode":"chat","off_peak":{"minutes":[[1350,1440],[9990,10080]],"rates":{"input_cost_per_token":"5e-8"}},'
        '"rates":{"cache_read_input_token_cost":"1e-8","input_cost_per_token":"2e-7"},"supports":[]}',
        'openai/free\t{"mode":"chat","rates":{},"supports":[]}',
        'openai/gpt-4o\t{"max_input_tokens":128000,"mode":"chat","rates":{"input_cost_per_token":"2.5e-06",'
        '"output_cost_per_token":"1e-05","search_context_cost_per_query":"0.01"},"supports":["vision"]}',
        'openai/gpt-image-1\t{"mode":"image_generation","rates":{"input_cost_per_image":"0.167"},"supports":[]}',
        'openai/gpt-image-1#high/1024-x-1024\t{"mode":"image_generation","rates":{"input_cost_per_image":"0.167"},"supports":[]}',
    ]


@pytest.mark.parametrize(
    ("key", "source", "name"),
    [
        ("gpt-4o", "openai", "openai/gpt-4o"),
        ("amazon.nova-pro-v1:0", "bedrock_converse", "bedrock/amazon.nova-pro-v1:0"),
        ("bedrock/us-east-1/anthropic.claude-v2", "bedrock", "bedrock/us-east-1/anthropic.claude-v2"),
        ("1024-x-1024/50-steps/bedrock/amazon.nova-canvas-v1:0", "bedrock", "bedrock/amazon.nova-canvas-v1:0#1024-x-1024/50-steps"),
        ("azure/hd/1024-x-1792/dall-e-3", "azure", "azure/dall-e-3#hd/1024-x-1792"),
        ("azure/gpt-3.5-turbo-instruct", "azure_text", "azure/gpt-3.5-turbo-instruct"),
        ("aws_polly/standard", "aws_polly", "aws_polly/standard"),
        ("vertex_ai/claude-opus-5@default", "vertex_ai-anthropic_models", "vertex_ai/claude-opus-5@default"),
        ("gemini-2.5-pro", "vertex_ai-language-models", "vertex_ai/gemini-2.5-pro"),
        ("babbage-002", "text-completion-openai", "openai/babbage-002"),
        ("baseten/zai-org/GLM-5.3", "baseten", "baseten/zai-org/GLM-5.3"),
        ("scx-ai/gpt-oss-120b", "scx-ai", "scx_ai/gpt-oss-120b"),
        ("fireworks-ai-embedding/e", "fireworks_ai-embedding-models", "fireworks_ai/fireworks-ai-embedding/e"),
        ("text-completion-inception/mercury", "text-completion-inception", "inception/mercury"),
        ("perplexity/perplexity/sonar", "perplexity", "perplexity/perplexity/sonar"),
        ("together_ai/meta-llama/Llama-3-8b", "together_ai", "together_ai/meta-llama/Llama-3-8b"),
    ],
)
def test_names_are_ours(key: str, source: str, name: str) -> None:
    assert build_prices.to_name(key, source) == name


@pytest.mark.parametrize(
    ("source", "served"),
    [
        ("bedrock_mantle", True),
        ("wandb", True),
        ("vertex_ai-zai_models", True),
        ("watsonx", False),
        ("qwen_ai_platform", False),
        ("bedrock_invoke", False),
        ("github_copilot", False),
        ("", False),
    ],
)
def test_each_provider_of_the_gateway_has_its_prices_under_one_name(source: str, served: bool) -> None:
    assert build_prices.is_served("m", {"litellm_provider": source, "mode": "chat"}) is served
    assert not build_prices.is_served("m", {"litellm_provider": source, "mode": "video_generation"})


@pytest.mark.parametrize(
    ("row", "rates"),
    [
        (
            {
                "tiered_pricing": [
                    {"range": [0, "32000.0"], "input_cost_per_token": "1e-6", "output_cost_per_token": "5e-6"},
                    {"range": ["32000.0", "128000.0"], "input_cost_per_token": "2e-6", "output_cost_per_token": "9e-6"},
                ]
            },
            {
                "input_cost_per_token": "1e-6",
                "output_cost_per_token": "5e-6",
                "input_cost_per_token_above_32k_tokens": "2e-6",
                "output_cost_per_token_above_32k_tokens": "9e-6",
            },
        ),
        (
            {"search_context_cost_per_query": {"search_context_size_low": "0.005", "search_context_size_medium": "0.008"}},
            {"search_context_cost_per_query_low": "0.005", "search_context_cost_per_query_medium": "0.008"},
        ),
        ({"provider_specific_entry": {"fast": 2, "us": "1.1", "schema": "v2"}}, {"fast_multiplier": "2", "us_multiplier": "1.1"}),
        ({"output_cost_per_token": "2e-6", "output_cost_per_reasoning_token": "2e-6"}, {"output_cost_per_token": "2e-6"}),
        (
            {"output_cost_per_token": "2e-6", "output_cost_per_reasoning_token": "3e-6"},
            {"output_cost_per_token": "2e-6", "output_cost_per_reasoning_token": "3e-6"},
        ),
        (
            {"input_cost_per_token": "1e-6", "input_cost_per_audio_token": "1e-6", "input_cost_per_audio_token_flex": "5e-7"},
            {"input_cost_per_token": "1e-6", "input_cost_per_audio_token": "1e-6", "input_cost_per_audio_token_flex": "5e-7"},
        ),
    ],
)
def test_rates_are_flat(row: build_prices.Row, rates: dict[str, str]) -> None:
    assert build_prices.to_rates(row) == rates


@pytest.mark.usefixtures("vendors_say_nothing")
def test_a_model_that_came_after_the_snapshot_is_as_another_one_but_for_its_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    page, twice = "https://example.com", Decimal(2)
    newer = (
        Newer(page, "openai/b", "openai/a", twice),
        Newer(page, "openai/c", "openai/a", rates={"input_cost_per_token": "7e-06"}, facts={"max_input_tokens": 9}),
        Newer(page, "openai/there", "openai/a", twice),
        Newer(page, "openai/d", "openai/nobody"),
    )
    monkeypatch.setattr(vendor_prices, "NEWER", newer)
    monkeypatch.setattr(vendor_prices, "CHANGES", (Change(page, "openai/(a|there)", "0.000001", twice),))
    about = {"litellm_provider": "openai", "mode": "chat"}
    read, cached, large = "input_cost_per_token", "cache_read_input_token_cost", "input_cost_per_token_above_200k_tokens"
    models: dict[str, build_prices.Row] = {
        "a": {**about, read: "1e-06", cached: "1e-07", large: "2e-06", "output_cost_per_image": "0.1", "max_input_tokens": 5}
        | {"deprecation_date": "2026-01-01"},
        "there": {**about, read: "3e-06"},
    }
    made = table(models)
    raised = {read: "0.000002", cached: "0.0000002", large: "0.000004", "output_cost_per_image": "0.1"}
    assert {name: row["rates"] for name, row in made.items()} == {
        "openai/a": raised,
        "openai/b": raised,
        "openai/c": {read: "7e-06", "output_cost_per_image": "0.1"},
        "openai/there": {read: "3e-06"},
    }
    assert [made[f"openai/{name}"].get("max_input_tokens") for name in "abc"] == [5, 5, 9]
    assert [name for name, row in made.items() if "deprecation_date" in row] == ["openai/a"]


@pytest.mark.parametrize("name", vendor_prices.NOT_RETIRED)
def test_a_model_that_is_served_has_no_day_of_retirement(name: str) -> None:
    found = catalog.find_model(*name.split("/", 1))
    assert found is not None
    assert found.deprecation_date is None


@pytest.mark.parametrize("newer", vendor_prices.NEWER, ids=lambda newer: newer.name)
def test_the_table_has_the_models_that_came_after_the_snapshot(newer: Newer) -> None:
    assert newer.source.startswith("https://")
    found = catalog.find_model(*newer.name.split("/", 1))
    assert found is not None
    assert found.priced
    assert (found.max_input_tokens, found.deprecation_date) != (None, None)


@pytest.mark.parametrize(
    ("written", "rate"),
    [
        ("1.0000000000000001e-07", "1e-7"),
        ("0.40000000000000003", "0.4"),
        ("1.1428571428571428e-06", "0.00000114285714285714"),
        ("2.5e-06", "2.5e-06"),
        ("0.0002833", "0.0002833"),
    ],
)
def test_digits_that_a_double_lost_are_no_price(written: str, rate: str) -> None:
    assert build_prices.to_rates({"input_cost_per_token": written}) == {"input_cost_per_token": rate}


def test_a_tier_of_another_grain_stops_the_build() -> None:
    with pytest.raises(ValueError, match="262144"):
        build_prices.tiers([{"range": [262144, 524288], "input_cost_per_token": "1e-6"}])


def test_a_vendors_page_replaces_the_snapshot_and_a_model_has_its_dearest_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {"openai/d#hd/1024-x-1024": {"output_cost_per_image": "0.1"}, "openai/d#512-x-512": {"output_cost_per_image": "0.09"}}
    monkeypatch.setattr(vendor_prices, "PRICED", (Priced("https://example.com", "image_generation", lines),))
    about = {"litellm_provider": "openai", "mode": "image_generation"}
    models = {
        "512-x-512/50-steps/d": {**about, "input_cost_per_image": "9"},
        "low/1-x-1/tokens": {**about, "input_cost_per_image": "9"},
        "tokens": {**about, "output_cost_per_token": "1"},
        "d": {**about, "max_input_tokens": 7, "output_cost_per_image": "0.01"},
    }
    found = {name: row["rates"] for name, row in table(models).items()}
    assert found == {
        "openai/d": {"output_cost_per_image": "0.1"},
        **lines,
        "openai/tokens": {"output_cost_per_token": "1"},
        "openai/tokens#low/1-x-1": {"input_cost_per_image": "9"},
    }
    assert table(models)["openai/d"]["max_input_tokens"] == 7


@pytest.mark.parametrize("priced", vendor_prices.PRICED, ids=lambda priced: priced.source)
def test_the_table_has_what_the_vendors_say(priced: Priced) -> None:
    assert priced.source.startswith("https://")
    for name, rates in priced.rates.items():
        provider, _, model = name.partition("/")
        model, _, line = model.partition("#")
        found = catalog.find_model(provider, model)
        assert found is not None, name
        assert found.mode == priced.mode
        assert found.variant(line).rates.items() >= {field: rate for field, rate in rates.items() if "cost" in field}.items(), name


def test_what_the_vendors_say_is_put_into_the_table_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed, table = build_prices.TABLE.read_bytes(), tmp_path / "models.tsv"
    table.write_bytes(committed)
    build_prices.main(["--vendors", "--to", str(table)])
    assert table.read_bytes() == committed
    new = {"acme/acme-1": {"input_cost_per_token": "0.000001", "output_cost_per_token": "0.000002", "max_input_tokens": 128000}}
    known = {"openai/gpt-4o": {"input_cost_per_token": "7"}}
    monkeypatch.setattr(vendor_prices, "PRICED", (Priced("https://docs.acme.example/prices", "chat", new | known),))
    build_prices.main(["--vendors", "--to", str(table)])
    before, after = (build_prices.read_table(path) for path in (build_prices.TABLE, table))
    assert {name: row for name, row in after.items() if before.get(name) != row} == {
        "acme/acme-1": {
            "max_input_tokens": 128000,
            "mode": "chat",
            "rates": {"input_cost_per_token": "0.000001", "output_cost_per_token": "0.000002"},
            "supports": [],
        },
        "openai/gpt-4o": before["openai/gpt-4o"] | {"rates": {"input_cost_per_token": "7"}},
    }


def test_every_model_of_the_table_is_of_a_provider_that_is_served() -> None:
    served = {provider.catalog.priced_as or provider.name for provider in all_providers()}
    assert {name.partition("/")[0] for name in build_prices.read_table(build_prices.TABLE)} <= served | {"#"}


@pytest.mark.usefixtures("vendors_say_nothing")
def test_what_no_request_can_name_is_left_out() -> None:
    row = {"litellm_provider": "bedrock", "mode": "chat"}
    assert list(
        table({"bedrock/*/6-month-commitment/x": row, "azure/container": row | {"litellm_provider": "azure"}, "x": row})
    ) == ["bedrock/x"]


@pytest.mark.usefixtures("vendors_say_nothing")
@pytest.mark.parametrize(
    ("models", "name", "rates"),
    [
        (
            {
                "anthropic.claude-x": {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": "1"},
                "us.anthropic.claude-x": {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": "1.1"},
            },
            "bedrock/anthropic.claude-x",
            {"input_cost_per_token": "1.1"},
        ),
        (
            {
                "gpt-9-search-api": {
                    "litellm_provider": "openai",
                    "mode": "chat",
                    "search_context_cost_per_query": {"search_context_size_medium": "0.01"},
                }
            },
            "openai/gpt-9-search-api",
            {"input_cost_per_request": "0.01", "search_context_cost_per_query": "0.01"},
        ),
        (
            {"claude-y": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": "1"}},
            "anthropic/claude-y",
            {"input_cost_per_token": "1", "search_context_cost_per_query": "0.01"},
        ),
        (
            {
                "gemini/b": {
                    "litellm_provider": "gemini",
                    "mode": "image_generation",
                    "output_cost_per_image": "0.08",
                    "output_cost_per_image_2K": "0.12",
                }
            },
            "gemini/b#2048-x-2048",
            {"output_cost_per_image": "0.12"},
        ),
    ],
)
def test_what_the_source_has_wrong_of_a_kind_is_put_right(
    models: dict[str, build_prices.Row], name: str, rates: dict[str, str]
) -> None:
    assert table(models)[name]["rates"] == rates


@pytest.mark.usefixtures("vendors_say_nothing")
def test_a_tier_without_rates_of_its_own_costs_a_multiple_of_the_ordinary_ones() -> None:
    chat = {
        "mode": "chat",
        "input_cost_per_token": "2.7e-07",
        "cache_read_input_token_cost": "1.35e-07",
        "output_cost_per_token_priority": "2e-6",
    }
    rates = table({name: {"litellm_provider": name.partition("/")[0], **chat} for name in ("deepinfra/a/b", "xai/grok-5")})
    assert rates["deepinfra/a/b"]["rates"] == {
        "input_cost_per_token": "2.7e-07",
        "input_cost_per_token_priority": "0.000000405",
        "cache_read_input_token_cost": "1.35e-07",
        "cache_read_input_token_cost_priority": "0.0000002025",
        "output_cost_per_token_priority": "2e-6",
    }
    assert "input_cost_per_token_priority" not in rates["xai/grok-5"]["rates"]
