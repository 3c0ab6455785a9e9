"""LiteLLM's configurations as ours: each rule is a row, and what is written can be read and leads where it should."""

from pathlib import Path

import pytest
import yaml

from haimaker.settings.gateway_toml import parse_gateway_toml
from local.command_line.__main__ import carry_out, read
from local.command_line.context import Context
from local.command_line.litellm import convert
from local.command_line.stack import OperatorError
from local.command_line.terminal import Terminal


def model(name: str, /, **params: object) -> dict:
    return {"model_name": name, "litellm_params": params}


def targets(config: dict) -> dict[str, list[tuple[str, float]]]:
    parsed = parse_gateway_toml(convert(config).toml(), Path("gateway.toml"))
    return {name: [(target.model, target.weight) for target in route.targets] for name, route in parsed.routes.items()}


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([model("fast", model="groq/openai/gpt-oss-120b")], {"fast": [("groq/openai/gpt-oss-120b", 1.0)]}),
        ([model("best", model="gpt-4o")], {"best": [("openai/gpt-4o", 1.0)]}),
        ([model("claude", model="claude-sonnet-4-5")], {"claude": [("anthropic/claude-sonnet-4-5", 1.0)]}),
        ([model("openai/gpt-4o", model="openai/gpt-4o")], {}),
        ([model("anthropic/*", model="anthropic/*")], {}),
        ([model("*", model="openai/*")], {"*": [("openai/*", 1.0)]}),
        ([model("Nova Pro 1.0", model="bedrock/converse/a.b")], {"Nova Pro 1.0": [("bedrock/converse/a.b", 1.0)]}),
        (
            [model("both", model="openai/gpt-4o", weight=3), model("both", model="mistral/mistral-large-latest", weight=1)],
            {"both": [("openai/gpt-4o", 3.0), ("mistral/mistral-large-latest", 1.0)]},
        ),
        ([model("old", model="text-completion-openai/gpt-3.5-turbo-instruct")], {"old": [("openai/gpt-3.5-turbo-instruct", 1.0)]}),
        ([model("mine", model="my-model", api_base="http://10.0.0.8:8000/v1")], {"mine": [("openai_2/my-model", 1.0)]}),
        ([model("mine", model="my-model", custom_llm_provider="hosted_vllm")], {"mine": [("hosted_vllm/my-model", 1.0)]}),
        ([model("lost", model="sagemaker/llama")], {}),
        ([model("empty", model="azure/")], {}),
        ([model("any", model="*")], {}),
        ([model("read", model="os.environ/MODEL", api_base="os.environ/BASE")], {}),
        ([{"model_name": "broken"}, "nonsense"], {}),
    ],
)
def test_models_become_routes(models, expected):
    assert targets({"model_list": models}) == expected


def test_addresses_and_keys_of_their_own_become_accounts_without_their_secrets():
    config = {
        "model_list": [
            model(
                "gpt", model="azure/gpt-4o", api_base="https://one.example", api_key="os.environ/AZURE_API_KEY", api_version="v1"
            ),
            model("gpt", model="azure/gpt-4o", api_base="os.environ/AZURE_EU_BASE", api_key="os.environ/AZURE_EU_KEY"),
            model("same", model="azure/o3", api_base="https://one.example", api_key="os.environ/AZURE_API_KEY", api_version="v1"),
            model("literal", model="groq/llama-3.3-70b-versatile", api_key="gsk-secret"),
            model("named", model="mistral/mistral-large-latest", api_key="os.environ/MY_MISTRAL"),
            model("cloud", model="bedrock/amazon.nova-lite-v1:0", aws_region_name="eu-west-1"),
        ]
    }
    found = convert(config)
    assert found.accounts == {
        "azure_2": {
            "provider": "azure", "settings": {"BASE_URL": "https://one.example", "API_VERSION": "v1"}, "shares_credentials": True,
        },
        "azure_3": {"provider": "azure"},
        "bedrock_2": {"provider": "bedrock", "settings": {"AWS_REGION": "eu-west-1"}, "shares_credentials": True},
    }  # fmt: skip
    assert found.variables == {
        "AZURE_3_BASE_URL": "$AZURE_EU_BASE",
        "AZURE_3_API_KEY": "$AZURE_EU_KEY",
        "GROQ_API_KEY": "the api_key of model_list[3], which is not copied",
        "MISTRAL_API_KEY": "$MY_MISTRAL",
    }
    assert "gsk-secret" not in found.toml() + str(found)
    assert targets(config)["same"] == [("azure_2/o3", 1.0)]


def test_what_a_route_may_have_beside_its_targets():
    config = {
        "model_list": [
            model("a", model="openai/gpt-4o", timeout=30, stream_timeout=5, max_retries=4, input_cost_per_token=1e-6),
            model("b", model="openai/gpt-4o-mini"),
            {**model("c", model="azure/mine"), "model_info": {"base_model": "azure/gpt-4o", "output_cost_per_token": 2.5e-05}},
        ],
        "litellm_settings": {"num_retries": 3, "request_timeout": 6000, "default_fallbacks": ["b"], "drop_params": True},
        "router_settings": {
            "routing_strategy": "latency-based-routing",
            "fallbacks": [{"a": ["b"]}, {"nobody": ["a"]}],
            "context_window_fallbacks": [{"b": ["openai/gpt-4.1", "unknown"]}],
            "model_group_alias": {"alias": "a"},
            "redis_host": "x",
            "cooldown_time": 7200,
            "allowed_fails": 2,
        },
        "general_settings": {"master_key": "sk-1234"},
        "guardrails": [],
    }
    found = convert(config)
    parsed = parse_gateway_toml(found.toml(), Path("gateway.toml"))
    a, b, alias = (parsed.routes[name] for name in ("a", "b", "alias"))
    assert (a.fallbacks, a.retries, a.targets[0].timeouts.first_byte_s) == (("openai/gpt-4o-mini",), 4, 5.0)
    assert b.context_window_fallbacks == ("openai/gpt-4.1",)
    assert alias.targets == a.targets
    default = parsed.default
    assert (default.fallbacks, default.retries, default.timeout_s) == (("openai/gpt-4o-mini",), 3, 890.0)
    assert default.strategy == "lowest-latency"
    assert (parsed.circuit_breaker.failures, parsed.circuit_breaker.open_s) == (3, 3600.0)
    assert parsed.prices["openai/gpt-4o"]["input_cost_per_token"] == "0.000001"
    assert parsed.prices["azure/mine"]["output_cost_per_token"] == "0.000025"
    assert parsed.base_models == {"azure/mine": "gpt-4o"}
    told = "\n".join(found.differences)
    for named in ("fallbacks.nobody", "fallback unknown", "drop_params", "redis_host", "master_key", "guardrails"):
        assert named in told, named
    assert "sk-1234" not in told


def test_the_command_writes_a_new_file_and_says_what_differs(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(
            {"model_list": [model("fast", model="groq/llama-3.3-70b-versatile", rpm=5)], "litellm_settings": {"cache": True}}
        )
    )
    words = ["import", "litellm", str(tmp_path / "config.yaml"), "--output", str(tmp_path / "gateway.toml")]
    assert carry_out(Context(read(words), Terminal(), {})) == 0
    told = capsys.readouterr().err
    assert "1 names of your own" in told
    assert "rpm: limits are of keys" in told
    assert "there is no cache" in told
    assert "fast" in parse_gateway_toml((tmp_path / "gateway.toml").read_text(), Path("gateway.toml")).routes
    with pytest.raises(OperatorError, match="can't be made"):
        carry_out(Context(read(words), Terminal(), {}))
    for content in ("- a list", "a: [", ""):
        (tmp_path / "config.yaml").write_text(content)
        with pytest.raises(OperatorError):
            carry_out(Context(read([*words[:3], "--output", "-"]), Terminal(), {}))
