from pathlib import Path
from typing import Any

import pytest

from haimaker.access import Access, SettingsError, access_from
from haimaker.config import DEFAULT_CONFIG, Settings, is_loopback
from haimaker.providers import PROVIDERS

AWS = {"STORE": "dynamodb", "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush-hush"}


@pytest.mark.parametrize(
    ("env", "name", "value"),
    [
        ({}, "host", "127.0.0.1"),
        ({}, "port", 8000),
        ({}, "home", Path(".haimaker")),
        ({}, "admin_key", "sk-local"),
        ({}, "store", "sqlite"),
        ({}, "config_path", DEFAULT_CONFIG),
        ({}, "default_max_output_tokens", 16_384),
        ({}, "demo", True),
        ({}, "access", {}),
        ({}, "aws", None),
        ({"PORT": " 0 "}, "port", 0),
        ({"PORT": ""}, "port", 8000),
        ({"HOST": "0.0.0.0"}, "admin_key", None),
        ({"HOST": "0.0.0.0", "HAIMAKER_ADMIN_KEY": "sk-local"}, "admin_key", None),
        ({"HOST": "0.0.0.0", "HAIMAKER_ADMIN_KEY": "long-enough"}, "admin_key", "long-enough"),
        ({"HOST": "localhost"}, "admin_key", "sk-local"),
        ({"HAIMAKER_HOME": "/tmp/x"}, "home", Path("/tmp/x")),
        ({"HAIMAKER_CONFIG": __file__}, "config_path", Path(__file__)),
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
        ({"PORT": "-1"}, "PORT"),
        ({"PORT": "65536"}, "PORT"),
        ({"PORT": "²"}, "PORT"),
        ({"DEFAULT_MAX_OUTPUT_TOKENS": "0"}, "DEFAULT_MAX_OUTPUT_TOKENS"),
        ({"STORE": "redis"}, "STORE"),
        ({"HAIMAKER_CONFIG": "/nowhere.toml"}, "HAIMAKER_CONFIG"),
        ({"STORE": "dynamodb"}, "AWS_REGION"),
        ({name: value for name, value in AWS.items() if name != "AWS_ACCESS_KEY_ID"}, "AWS_ACCESS_KEY_ID"),
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
        ({"OPENAI_API_KEY": "k"}, "openai", Access("https://api.openai.com/v1", "k")),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"}, "openai", Access("http://127.0.0.1:9/v1", "k")),
        ({"TOGETHER_AI_API_KEY": "a", "TOGETHER_API_KEY": "b"}, "together_ai", Access("https://api.together.ai/v1", "a")),
        ({"TOGETHERAI_API_KEY": "b"}, "together_ai", Access("https://api.together.ai/v1", "b")),
        ({"OLLAMA_BASE_URL": "http://127.0.0.1:11434/v1"}, "ollama", Access("http://127.0.0.1:11434/v1")),
        ({"HOSTED_VLLM_BASE_URL": "http://h/v1", "HOSTED_VLLM_API_KEY": "k"}, "hosted_vllm", Access("http://h/v1", "k")),
        ({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, None, None),
        ({"OLLAMA_API_KEY": "k"}, None, None),
        ({"DEMO_API_KEY": "k", "DEMO_BASE_URL": "http://h"}, None, None),
    ],
)
def test_a_provider_is_on_when_it_can_be_reached(env: dict[str, str], name: str | None, access: Access | None) -> None:
    found = access_from(env)
    assert list(found) == ([name] if name else [])
    if name and access:
        assert (found[name].base_url, found[name].api_key) == (access.base_url, access.api_key)


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
    names = [provider.name for provider in PROVIDERS]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name == name.lower() for name in names)
    assert all(provider.base_url == provider.base_url.rstrip("/") for provider in PROVIDERS)
    assert all(variable.isupper() for provider in PROVIDERS for variable in provider.api_key_variables)
