from pathlib import Path

import pytest

from haimaker.access import SettingsError
from haimaker.config import DEFAULT_CONFIG
from haimaker.routes_file import parse
from haimaker.routing import Config, Route, Weighted

HERE = Path("gateway.toml")


def test_an_empty_file_says_nothing() -> None:
    assert parse("", HERE) == parse("# nothing\n", HERE) == Config()


def test_the_example_in_the_projects_file_is_right() -> None:
    """The commented lines, as a deployer who takes the comment signs away gets them."""
    lines = DEFAULT_CONFIG.read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# ["))
    example = [line.removeprefix("# ") for line in lines[start:] if not line.startswith(("# A price", "# What a name"))]
    found = parse("\n".join(line for line in example if line != "#"), HERE)
    assert found.routes["fast"].targets == (Weighted("groq/llama-3.3-70b-versatile", 3), Weighted("openai/gpt-4o-mini"))
    assert found.routes["fast"].timeout_s == 120
    assert found.base_models == {"azure/my-deployment": "gpt-4o"}
    assert found.prices == {"hosted_vllm/qwen3": {"input_cost_per_token": "0.0000001", "output_cost_per_token": "0.0000003"}}


def test_a_target_may_be_a_name_alone() -> None:
    first = '[routes.a]\ntargets = ["gpt-4o", {model = "demo/echo", weight = 0.5}]\nfallbacks = ["b"]\n'
    text = first + '[routes."x/y"]\ntargets = ["a"]\n'
    assert parse(text, HERE).routes == {
        "a": Route((Weighted("gpt-4o"), Weighted("demo/echo", 0.5)), fallbacks=("b",)),
        "x/y": Route((Weighted("a"),)),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("routes =", "is not TOML"),
        ("[route.a]\ntargets = ['x']", "route: Extra inputs"),
        ("[routes.a]\n", "routes.a.targets: Field required"),
        ("[routes.a]\ntargets = []", "routes.a.targets: List should have at least 1 item"),
        ("[routes.a]\ntargets = ['a b']", "routes.a.targets.0"),
        ("[routes.a]\ntargets = ['/x']", "routes.a.targets.0"),
        ("[routes.a]\ntargets = ['x']\nretry = 3", "routes.a.retry: Extra inputs"),
        ("[routes.a]\ntargets = ['x']\nretries = 11", "routes.a.retries"),
        ("[routes.a]\ntargets = ['x']\nretries = -1", "routes.a.retries"),
        ("[routes.a]\ntargets = ['x']\ntimeout_s = 0", "routes.a.timeout_s"),
        ("[routes.a]\ntargets = ['x']\ntimeout_s = 900", "routes.a.timeout_s"),
        ("[routes.a]\ntargets = [{model = 'x', weight = 0}]", "weight"),
        ("[routes.a]\ntargets = [{model = 'x', weight = inf}]", "weight"),
        ("[routes.a]\ntargets = [{model = 'x', wait = 1}]", "wait"),
        ("[models.'azure/x']\nbase_model = 'gpt-99'", "models: Value error, azure/x: the table of prices has no 'gpt-99'"),
        ("[models.'nobody/x']\nbase_model = 'gpt-4o'", "models: Value error, nobody/x"),
        ("[models.'azure/x']\n", "models.azure/x.base_model: Field required"),
        ("[prices.x]\ninput_cost_per_token = '1'", "prices.x"),
        ("[prices.'a/x']\ninput_cost = '1'", "unknown price 'input_cost'"),
        ("[prices.'a/x']\ninput_cost_per_token = '-1'", "not an amount of USD"),
        ("[prices.'a/x']\ninput_cost_per_token = nan", "not an amount of USD"),
        ("[prices.'a/x']\ninput_cost_per_token = []", "prices.a/x"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text, HERE)
    assert said in str(caught.value)
    assert str(caught.value).startswith("gateway.toml")
    assert "\n" not in str(caught.value)
