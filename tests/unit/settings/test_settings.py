import os
from pathlib import Path
from typing import Any

import pytest

from haimaker.credentials.access import ProviderConnection, connections_from_env
from haimaker.credentials.aws_instance import RefreshingCredentials
from haimaker.providers.provider import BatchAccount
from haimaker.providers.registry import all_providers
from haimaker.routing.config import Config
from haimaker.settings.settings import Settings, is_loopback
from haimaker.validation.settings import SettingsError

AWS = {"STORE": "dynamodb", "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush-hush"}
KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush-hush"}
REGION = {"AWS_REGION": "eu-central-1"}
FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TABLES = {"HAIMAKER_ACCOUNTS_TABLE": "a", "HAIMAKER_RECORDS_TABLE": "r"}
ROLE = {FULL_URI: "http://127.0.0.1:9/role"}


@pytest.mark.parametrize(
    ("env", "name", "value"),
    [
        ({}, "host", "127.0.0.1"),
        ({}, "port", 8000),
        ({}, "home", Path(".haimaker")),
        ({}, "admin_key", "sk-local"),
        ({}, "store", "sqlite"),
        ({}, "config", Config()),
        ({}, "default_max_output_tokens", 16_384),
        ({}, "demo", True),
        ({}, "public_models", False),
        ({"HAIMAKER_PUBLIC_MODELS": "true"}, "public_models", True),
        ({}, "access", {}),
        ({}, "aws", None),
        ({"PORT": " 0 "}, "port", 0),
        ({"PORT": ""}, "port", 8000),
        ({}, "workers", 1),
        ({"WORKERS": "3"}, "workers", 3),
        ({"HOST": "0.0.0.0"}, "admin_key", None),
        ({"HOST": "0.0.0.0", "HAIMAKER_ADMIN_KEY": "sk-local"}, "admin_key", None),
        ({"HOST": "0.0.0.0", "HAIMAKER_ADMIN_KEY": "long-enough"}, "admin_key", "long-enough"),
        ({"HOST": "localhost"}, "admin_key", "sk-local"),
        ({"HAIMAKER_HOME": "/tmp/x"}, "home", Path("/tmp/x")),
        ({"DEFAULT_MAX_OUTPUT_TOKENS": "7"}, "default_max_output_tokens", 7),
        (AWS, "store", "dynamodb"),
        (AWS, "accounts_table", "haimaker-accounts"),
        ({**AWS, "HAIMAKER_RECORDS_TABLE": "r"}, "records_table", "r"),
    ],
)
def test_what_the_environment_says(env: dict[str, str], name: str, value: Any) -> None:
    assert getattr(Settings.from_environment(env), name) == value


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"PORT": "x"}, "PORT"),
        ({"WORKERS": "0"}, "WORKERS"),
        ({"WORKERS": "all"}, "WORKERS"),
        ({"PORT": "-1"}, "PORT"),
        ({"PORT": "65536"}, "PORT"),
        ({"PORT": "²"}, "PORT"),
        ({"DEFAULT_MAX_OUTPUT_TOKENS": "0"}, "DEFAULT_MAX_OUTPUT_TOKENS"),
        ({"STORE": "redis"}, "STORE"),
        ({"HAIMAKER_PUBLIC_MODELS": "yes"}, "HAIMAKER_PUBLIC_MODELS"),
        ({"HAIMAKER_CONFIG": "/nowhere.toml"}, "HAIMAKER_CONFIG"),
        ({"STORE": "dynamodb"}, "AWS_REGION"),
        ({name: value for name, value in AWS.items() if name != "AWS_ACCESS_KEY_ID"}, "AWS_ACCESS_KEY_ID"),
        ({"STORE": "dynamodb", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}, "AWS_SECRET_ACCESS_KEY"),
        ({"STORE": "dynamodb", "AWS_REGION": "us-east-1", FULL_URI: "http://x/role"}, FULL_URI),
        ({**KEYS, "HAIMAKER_SIGNED_PROVIDERS": "openai"}, "HAIMAKER_SIGNED_PROVIDERS"),
        ({**KEYS, "HAIMAKER_SIGNED_PROVIDERS": "none,ollama"}, "HAIMAKER_SIGNED_PROVIDERS"),
        ({**KEYS, "HAIMAKER_SIGNED_PROVIDERS": "bedrock"}, "AWS_REGION"),
        ({**REGION, "HAIMAKER_SIGNED_PROVIDERS": "bedrock", "AWS_EC2_METADATA_DISABLED": "true"}, "HAIMAKER_SIGNED_PROVIDERS"),
        ({**AWS, "AWS_ENDPOINT_URL_DYNAMODB": "localhost:8000"}, "AWS_ENDPOINT_URL_DYNAMODB"),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "api.openai.com"}, "OPENAI_BASE_URL"),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "ftp://x"}, "OPENAI_BASE_URL"),
        ({"OLLAMA_BASE_URL": "http://x/v1?key=1"}, "OLLAMA_BASE_URL"),
        ({"OPENAI_API_KEY": "sk-\u200b1"}, "openai"),
        ({"OPENAI_API_KEY": "sk\n1"}, "openai"),
    ],
)
def test_a_wrong_setting_is_named(env: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(env)
    assert named in str(caught.value)
    assert "sk" not in str(caught.value)


@pytest.mark.parametrize(
    ("env", "name", "access"),
    [
        ({"OPENAI_API_KEY": "k"}, "openai", ProviderConnection("https://api.openai.com/v1", "k")),
        (
            {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"},
            "openai",
            ProviderConnection("http://127.0.0.1:9/v1", "k"),
        ),
        (
            {"TOGETHER_AI_API_KEY": "a", "TOGETHER_API_KEY": "b"},
            "together_ai",
            ProviderConnection("https://api.together.ai/v1", "a"),
        ),
        ({"TOGETHERAI_API_KEY": "b"}, "together_ai", ProviderConnection("https://api.together.ai/v1", "b")),
        ({"OLLAMA_BASE_URL": "http://127.0.0.1:11434/v1"}, "ollama", ProviderConnection("http://127.0.0.1:11434/v1")),
        (
            {"HOSTED_VLLM_BASE_URL": "http://h/v1", "HOSTED_VLLM_API_KEY": "k"},
            "hosted_vllm",
            ProviderConnection("http://h/v1", "k"),
        ),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, None, None),
        ({"OLLAMA_API_KEY": "k"}, None, None),
        ({"DEMO_API_KEY": "k", "DEMO_BASE_URL": "http://h"}, None, None),
    ],
)
def test_a_provider_is_on_when_it_can_be_reached(env: dict[str, str], name: str | None, access: ProviderConnection | None) -> None:
    found = connections_from_env(env)
    assert list(found) == ([name] if name else [])
    if name and access:
        assert (found[name].base_url, found[name].api_key) == (access.base_url, access.api_key)


@pytest.mark.parametrize(
    ("env", "local", "deployed"),
    [
        ({**REGION, **KEYS}, "signs", None),
        ({**REGION, **ROLE}, None, None),
        (REGION, None, None),
        ({**REGION, **KEYS, "HAIMAKER_SIGNED_PROVIDERS": "none"}, None, None),
        ({**REGION, **KEYS, "HAIMAKER_SIGNED_PROVIDERS": "bedrock"}, "signs", "signs"),
        ({**REGION, **ROLE, "HAIMAKER_SIGNED_PROVIDERS": " bedrock, "}, "signs", "signs"),
        ({**REGION, "HAIMAKER_SIGNED_PROVIDERS": "bedrock"}, "signs", "signs"),
        ({**REGION, **KEYS, "AWS_BEARER_TOKEN_BEDROCK": "k"}, "key", "key"),
        ({**REGION, **KEYS, "BEDROCK_API_KEY": "k", "HAIMAKER_SIGNED_PROVIDERS": "none"}, "key", "key"),
        ({**REGION, "BEDROCK_API_KEY": "k", "HAIMAKER_SIGNED_PROVIDERS": "bedrock"}, "key", "key"),
    ],
)
def test_a_provider_whose_calls_are_signed_is_on_where_somebody_says_so(
    env: dict[str, str], local: str | None, deployed: str | None
) -> None:
    """Credentials in the environment of a laptop say so; those of a role, which a function always has, do not."""
    for settings, expected in ((Settings.from_environment(env), local), (Settings.deployed({**env, **TABLES}), deployed)):
        access = settings.access.get("bedrock")
        found = access and ("key" if access.api_key else "signs" if access.credentials else "neither")
        assert found == expected


def test_what_a_function_may_sign_is_checked_before_its_secrets_are_read() -> None:
    env = {**REGION, **KEYS, **TABLES, "HAIMAKER_PROVIDERS_PARAMETER": "/s/providers"}
    assert "bedrock" not in connections_from_env(Settings.deployed(env).environment)
    with pytest.raises(SettingsError, match="HAIMAKER_SIGNED_PROVIDERS"):
        Settings.deployed({**env, "HAIMAKER_SIGNED_PROVIDERS": "openai"})
    sam_local = {**REGION, **KEYS, "AWS_SAM_LOCAL": "true"}
    assert "bedrock" not in Settings.deployed(sam_local).access, "its credentials are made up"


FROM_FILE = BatchAccount("other", "arn:aws:iam::123456789012:role/other")
FROM_TEMPLATE = BatchAccount("my-bucket", "arn:aws:iam::123456789012:role/batches")
NAMES = {"HAIMAKER_BATCH_BUCKET": FROM_TEMPLATE.bucket, "HAIMAKER_BATCH_ROLE": FROM_TEMPLATE.role}
SIGNS = {**REGION, **KEYS, **TABLES, "HAIMAKER_SIGNED_PROVIDERS": "bedrock,bedrock_invoke,none"}


@pytest.mark.parametrize(
    ("env", "signed"),
    [
        ({**SIGNS, **NAMES}, {"bedrock": FROM_TEMPLATE, "bedrock_invoke": FROM_TEMPLATE}),
        ({**SIGNS, **NAMES, "HAIMAKER_SIGNED_PROVIDERS": "none,none"}, {"bedrock": FROM_FILE}),
        ({**SIGNS, **NAMES, "HAIMAKER_BATCH_ROLE": ""}, {"bedrock": FROM_FILE}),
        ({**SIGNS, **dict.fromkeys(NAMES, "")}, {"bedrock": FROM_FILE}),
        (SIGNS, {"bedrock": FROM_FILE}),
    ],
)
def test_the_bucket_and_the_role_of_a_stacks_batches_are_those_of_its_template(
    env: dict[str, str], signed: dict[str, BatchAccount], tmp_path: Path
) -> None:
    """Since its function's role may use no others; what the file names for other providers stays."""
    file = tmp_path / "gateway.toml"
    named = f'{{ bucket = "{FROM_FILE.bucket}", role = "{FROM_FILE.role}" }}'
    file.write_text(f'[batches.accounts]\nbedrock = {named}\nfireworks_ai = {{ account = "my-account" }}\n')
    settings = Settings.deployed({**env, "HAIMAKER_CONFIG": str(file)})
    assert settings.config.batches.accounts == {"fireworks_ai": BatchAccount(account="my-account"), **signed}


@pytest.mark.parametrize("env", [{**REGION, **ROLE}, REGION])
def test_a_role_will_do_for_the_tables(env: dict[str, str]) -> None:
    """Nobody is asked at start."""
    settings = Settings.from_environment({**env, "STORE": "dynamodb"})
    assert settings.aws
    assert isinstance(settings.aws.credentials, RefreshingCredentials)


def test_secrets_do_not_show() -> None:
    settings = Settings.from_environment({**AWS, "OPENAI_API_KEY": "sk-openai", "HAIMAKER_ADMIN_KEY": "sk-admin"})
    assert settings.access["openai"].api_key == "sk-openai"
    assert not any(secret in repr(settings) for secret in ("sk-openai", "sk-admin", "hush-hush"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def test_rows_of_the_table_are_distinct_and_their_variables_are_names() -> None:
    names = [provider.name for provider in all_providers()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name == name.lower() for name in names)
    assert all(provider.endpoint.base_url == provider.endpoint.base_url.rstrip("/") for provider in all_providers())
    assert all(variable.isupper() for provider in all_providers() for variable in provider.auth.key_variables)


@pytest.mark.parametrize(("limit", "most"), [("max 100000", 4), ("50000 100000", 1), ("150000 100000", 2), ("", 4)])
def test_there_is_a_worker_for_each_processor_that_may_be_used(
    limit: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(limit)
    monkeypatch.setattr("haimaker.settings.settings.CPU_LIMIT", file)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert Settings.from_environment({"WORKERS": "auto"}).workers == min(most, processors)
