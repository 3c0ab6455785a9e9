from typing import Any

import pytest

from haimaker.credentials.access import connections_from_env
from haimaker.providers.registry import get
from haimaker.routing.config import ProviderAccount
from haimaker.routing.targets import account_definition

AWS = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


def account(name: str, base: str, **settings: str) -> dict[str, ProviderAccount]:
    shares = settings.pop("shares", "") == "yes"
    return {name: ProviderAccount(account_definition(name, get(base)), base, settings, shares)}


@pytest.mark.parametrize(
    ("accounts", "env", "expected"),
    [
        (account("openai_b", "openai"), {"OPENAI_B_API_KEY": "k-b"}, ("https://api.openai.com/v1", "k-b")),
        (account("openai-b", "openai"), {"OPENAI_B_API_KEY": "k-b"}, ("https://api.openai.com/v1", "k-b")),
        (account("openai_b", "openai"), {"OPENAI_API_KEY": "k-a"}, None),
        (account("openai_b", "openai", shares="yes"), {"OPENAI_API_KEY": "k-a"}, ("https://api.openai.com/v1", "k-a")),
        (
            account("openai_b", "openai", shares="yes", BASE_URL="https://b.example/v1"),
            {"OPENAI_API_KEY": "k-a", "OPENAI_BASE_URL": "https://a.example/v1"},
            ("https://b.example/v1", "k-a"),
        ),
        (
            account("azure_eu", "azure"),
            {"AZURE_EU_API_KEY": "k-eu", "AZURE_EU_BASE_URL": "https://eu.example", "AZURE_BASE_URL": "https://us.example"},
            ("https://eu.example", "k-eu"),
        ),
        (account("gemini_b", "gemini"), {"GOOGLE_API_KEY": "k-a"}, None),
        (account("vllm_b", "hosted_vllm", BASE_URL="http://b:8000/v1"), {}, ("http://b:8000/v1", None)),
        (account("groq_b", "groq", shares="yes"), {"GROQ_BASE_URL": "https://a.example/v1"}, None),
    ],
)
def test_where_an_account_is_and_with_which_key(
    accounts: dict[str, ProviderAccount], env: dict[str, str], expected: tuple[str, str | None] | None
) -> None:
    (name,) = accounts
    found = connections_from_env(env, accounts).get(name)
    assert (found and (found.base_url, found.api_key)) == expected


@pytest.mark.parametrize(
    ("more", "env", "expected"),
    [
        ({"shares": "yes"}, {}, ("eu-west-1", "AKID")),
        ({}, {}, None),
        ({}, {"BEDROCK_EU_AWS_ACCESS_KEY_ID": "EUID", "BEDROCK_EU_AWS_SECRET_ACCESS_KEY": "s"}, ("eu-west-1", "EUID")),
    ],
)
def test_another_region_of_bedrock(more: dict[str, Any], env: dict[str, str], expected: tuple[str, str] | None) -> None:
    accounts = account("bedrock_eu", "bedrock", AWS_REGION="eu-west-1", **more)
    access = connections_from_env({**AWS, **env}, accounts)
    assert access["bedrock"].region == "us-east-1", "the provider's own stays as it is"
    found = access.get("bedrock_eu")
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com"
        assert (found.region, getattr(found.credentials, "access_key_id", None)) == expected
