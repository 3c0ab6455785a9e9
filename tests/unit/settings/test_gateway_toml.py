from pathlib import Path

import pytest

from haimaker.accounts.sign_in import RoleRule, SignInSettings
from haimaker.http.values import AttemptTimeouts
from haimaker.routing.config import BackOff, CircuitBreakerSettings, Config, Route, Target
from haimaker.settings.gateway_toml import main, parse_gateway_toml
from haimaker.settings.settings import DEFAULT_CONFIG
from haimaker.validation.settings import SettingsError

HERE = Path("gateway.toml")
SIGN_IN = """[sign_in]
issuer = "https://login.example.com/"
client_id = "haimaker"
url = "https://llm.example.com/"
roles = [{ claim = "groups", value = "platform", role = "admin" }]
"""


def test_an_empty_file_says_nothing() -> None:
    assert parse_gateway_toml("", HERE) == parse_gateway_toml("# nothing\n", HERE) == Config()


def test_the_example_in_the_projects_file_is_right() -> None:
    """The commented lines, as a deployer who takes the comment signs away gets them."""
    lines = DEFAULT_CONFIG.read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("# ["))
    example = [line.removeprefix("# ") for line in lines[start:] if not line.startswith(("# A price", "# What a name"))]
    found = parse_gateway_toml("\n".join(line for line in example if line != "#"), HERE)
    assert found.routes["fast"].targets == (Target("groq/openai/gpt-oss-120b", 3), Target("openai/gpt-4o-mini"))
    assert found.routes["fast"].timeout_s == 120
    assert found.base_models == {"azure/my-deployment": "gpt-4o"}
    assert found.prices == {"hosted_vllm/qwen3": {"input_cost_per_token": "0.0000001", "output_cost_per_token": "0.0000003"}}


def test_signing_in_takes_an_issuer_as_it_is_written() -> None:
    rules = (RoleRule("groups", "platform", "admin"),)
    assert parse_gateway_toml(SIGN_IN, HERE).sign_in == SignInSettings(
        "https://login.example.com/", "haimaker", "https://llm.example.com", rules
    )
    assert parse_gateway_toml(SIGN_IN.replace("https://login.example.com/", "http://localhost:9400"), HERE).sign_in


def test_a_target_may_be_a_name_alone() -> None:
    first = '[routes.a]\ntargets = ["gpt-4o", {model = "demo/echo", weight = 0.5}]\nfallbacks = ["x/y"]\n'
    text = first + '[routes."x/y"]\ntargets = ["o3"]\n'
    assert parse_gateway_toml(text, HERE).routes == {
        "a": Route((Target("gpt-4o"), Target("demo/echo", 0.5)), fallbacks=("x/y",)),
        "x/y": Route((Target("o3"),)),
    }


FULL = """
[defaults]
retries = 1
fallbacks = ["demo/echo"]

[health]
failures = 5
rest_s = 10

[accounts.azure_eu]
provider = "azure"
settings = { API_VERSION = "v1" }

[models."azure_eu/mine"]
base_model = "gpt-4o"

[routes."gpt-*"]
strategy = "ordered"
targets = [
    { model = "azure_eu/gpt-*", timeout_s = 30, first_byte_timeout_s = 5 },
    "openai/gpt-*",
]
timeout_s = 60
first_byte_timeout_s = 9
between_chunks_timeout_s = 8
retries = 3
back_off_s = 0.5
longest_wait_s = 4
jitter = 0
fallbacks = ["fast"]

[routes.fast]
targets = ["groq/llama-3.3-70b-versatile"]
"""


def test_all_that_a_file_may_say() -> None:
    found = parse_gateway_toml(FULL, HERE)
    assert found.routes["gpt-*"] == Route(
        (
            Target("azure_eu/gpt-*", timeouts=AttemptTimeouts(30, 5, 8)),
            Target("openai/gpt-*", timeouts=AttemptTimeouts(first_byte_s=9, between_s=8)),
        ),
        fallbacks=("fast",),
        retries=3,
        timeout_s=60,
        strategy="ordered",
        timeouts=AttemptTimeouts(first_byte_s=9, between_s=8),
        back_off=BackOff(0.5, 4, 0),
    )
    assert found.routes["fast"].retries == found.default.retries == 1
    assert found.routes["fast"].fallbacks == found.default.fallbacks == ("demo/echo",)
    assert found.circuit_breaker == CircuitBreakerSettings(5, 10)
    assert (found.accounts["azure_eu"].base, found.accounts["azure_eu"].settings) == ("azure", {"API_VERSION": "v1"})
    assert found.base_models == {"azure_eu/mine": "gpt-4o"}


ROUTE = "[routes.a]\ntargets = ['demo/echo']\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("routes =", "is not TOML"),
        ("routes = 1", "line 1: routes: must be a table"),
        ("[route.a]\ntargets = ['demo/x']", "line 1: route: is not known here"),
        ("[routes.a]\n", "line 1: routes.a.targets: must be a list of one or more"),
        ("[routes.a]\ntargets = []", "line 2: routes.a.targets: must be a list"),
        ("[routes.a]\ntargets = [\n 'demo/x',\n 'a b',\n]", "line 4: routes.a.targets.1.model: must be a text such as"),
        ("[routes.a]\ntargets = ['/x']", "line 2: routes.a.targets.0"),
        ("[routes.a]\ntargets = [7]", "line 2: routes.a.targets.0: must be a table"),
        (f"{ROUTE}retry = 3", "line 3: routes.a.retry: is not known here"),
        (f"{ROUTE}retries = 11", "line 3: routes.a.retries: must be a whole number from 0 to 10"),
        (f"{ROUTE}retries = -1", "line 3: routes.a.retries"),
        (f"{ROUTE}retries = true", "line 3: routes.a.retries"),
        (f"{ROUTE}timeout_s = 0", "line 3: routes.a.timeout_s: must be a number above 0 to 890"),
        (f"{ROUTE}timeout_s = 900", "line 3: routes.a.timeout_s"),
        (f"{ROUTE}jitter = -1", "line 3: routes.a.jitter: must be a number from 0 to 10"),
        (f"{ROUTE}strategy = 'fastest'", "line 3: routes.a.strategy: must be one of weighted, ordered, lowest-cost"),
        (f"\n\n{ROUTE}fallbacks = [\n  'demo/echo',\n  'opnai/gpt-4o',\n]", "line 7: routes.a.fallbacks.1: 'opnai/gpt-4o'"),
        (f"{ROUTE}fallbacks = ['gpt-nine']", "line 3: routes.a.fallbacks.0: 'gpt-nine' is neither a route nor a model"),
        (f"{ROUTE}fallbacks = ['haimaker/auto']", "line 3: routes.a.fallbacks.0: haimaker/auto chooses among"),
        ("[defaults]\nfallbacks = ['nobody/x']", "line 2: defaults.fallbacks.0: 'nobody/x' is neither"),
        ("[defaults]\nretries = 99", "line 2: defaults.retries"),
        ("[defaults]\ntargets = []", "line 2: defaults.targets: is not known here"),
        ("[routes.a]\ntargets = ['b']\n[routes.b]\ntargets = ['demo/x']", "line 2: routes.a.targets.0: 'b' is neither"),
        ("[routes.a]\ntargets = ['openai/*']", "line 2: routes.a.targets.0: may have a star where"),
        ("[routes.'*/*']\ntargets = ['openai/*']", "line 1: routes.*/*: may have one star"),
        ("[routes.'a  b']\ntargets = ['demo/x']", "line 1: routes.a  b: is no name"),
        ("[routes.a]\ntargets = [{model = 'demo/x', weight = 0}]", "line 2: routes.a.targets.0.weight"),
        ("[routes.a]\ntargets = [{model = 'demo/x', weight = inf}]", "weight"),
        ("[routes.a]\ntargets = [{model = 'demo/x', weight = nan}]", "weight"),
        ("[routes.a]\ntargets = [{model = 'demo/x', wait = 1}]", "line 2: routes.a.targets.0.wait: is not known here"),
        ("[models.'azure/x']\nbase_model = 'gpt-99'", "line 1: models.azure/x: the table of prices has no 'gpt-99'"),
        ("[models.'nobody/x']\nbase_model = 'gpt-4o'", "models.nobody/x"),
        ("[models.'azure/x']\n", "line 1: models.azure/x.base_model: must be a text such as gpt-4o"),
        ("[prices.x]\ninput_cost_per_token = '1'", "line 1: prices.x: is no name"),
        ("[prices.'a/x']\ninput_cost = '1'", "line 2: prices.a/x.input_cost: unknown price 'input_cost'"),
        ("[prices.'a/x']\ninput_cost_per_token = '-1'", "not an amount of USD"),
        ("[prices.'a/x']\ninput_cost_per_token = nan", "not an amount of USD"),
        ("[prices.'a/x']\ninput_cost_per_token = []", "line 2: prices.a/x.input_cost_per_token: must be a price"),
        ("[accounts.openai]\nprovider = 'openai'", "line 1: accounts.openai: is a provider's own name"),
        ("[accounts.Mine]\nprovider = 'openai'", "line 1: accounts.Mine: is no name"),
        ("[accounts.mine]\nprovider = 'opnai'", "line 2: accounts.mine.provider: must be one of openai, "),
        ("[accounts.mine]\nprovider = 'openai'\nsettings = { REGION = 1 }", "line 3: accounts.mine.settings.REGION"),
        ("[sign_in]", "sign_in.issuer: must be a text such as https://login.example.com"),
        (SIGN_IN.replace("https://login", "http://login"), "line 2: sign_in.issuer: must begin with https:// unless"),
        (SIGN_IN.replace("https://llm", "http://llm"), "line 4: sign_in.url: must begin with https:// unless"),
        (SIGN_IN.replace("https://llm.example.com", "llm"), "line 4: sign_in.url: must be a URL such as"),
        (SIGN_IN.replace("admin", "owner"), "sign_in.roles.0.role: must be one of admin, viewer, team_admin"),
        (SIGN_IN.replace("admin", "team_admin"), "sign_in.roles.0.team: says which team a team_admin administers"),
        (SIGN_IN.replace('"admin"', '"admin", team = "t"'), "sign_in.roles.0.team: says which team a team_admin administers"),
        (SIGN_IN.partition("roles")[0], "sign_in.roles: must be a list of one or more tables"),
        (SIGN_IN + 'scopes = ["email"]', "sign_in.scopes: must have openid among them"),
        (SIGN_IN + "hours = 25", "sign_in.hours: must be a number above 0 to 24"),
        (SIGN_IN + 'secret = "s"', "sign_in.secret: is not known here"),
        ("[health]\nfailures = 0", "line 2: health.failures: must be a whole number from 1"),
        ("[batches]\nleast_lines = 0", "line 2: batches.least_lines: must be a whole number from 1"),
        ("[batches]\nnative = 'no'", "line 2: batches.native: must be true or false"),
        ("[batches.accounts.bedrok]\nbucket = 'abc'", "line 1: batches.accounts.bedrok: is neither a provider nor an account"),
        ("[batches.accounts.bedrock]\nbucket = 's3://abc'", "batches.accounts.bedrock.bucket: must be a text such as my-bucket"),
        ("[batches.accounts.bedrock]\nbucket = 'abc/'", "batches.accounts.bedrock.bucket: must be a text such as my-bucket"),
        ("[batches.accounts.bedrock]\nrole = 'batches'", "batches.accounts.bedrock.role: must be a text such as arn:aws:iam"),
        ("[batches.accounts.bedrock]\nrule = 'a'", "line 2: batches.accounts.bedrock.rule: is not known here"),
        (
            "[batches.accounts.fireworks_ai]\naccount = 'A/b'",
            "batches.accounts.fireworks_ai.account: must be a text such as my-account",
        ),
        ("[batches.deployments]\nazure = 'a'", "line 2: batches.deployments.azure: is no provider/model"),
        ("[batches.deployments]\n'azure/a' = 1", "line 2: batches.deployments.azure/a: must be a text such as gpt-4o-batch"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_gateway_toml(text, HERE)
    assert said in str(caught.value)
    assert str(caught.value).startswith("gateway.toml")
    assert "\n" not in str(caught.value)
    file = tmp_path / "gateway.toml"
    file.write_text(text, "utf-8")
    assert main([str(file)]) == 1
    assert said in capsys.readouterr().err


def test_the_files_of_the_project_pass_the_builds_check() -> None:
    assert main([str(DEFAULT_CONFIG)]) == 0
    assert main(["/nowhere/gateway.toml"]) == 1
