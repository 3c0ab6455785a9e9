"""The index of providers: it is current, and whoever looks a provider up imports its module and no other's."""

import subprocess
import sys
from pathlib import Path

import pytest

from haimaker.credentials.access import connections_from_env
from haimaker.providers.registry import INDEX, NAMES, ONLINE, SIGNED, all_providers, definition_for, find, get, may_be_on
from scripts import provider_index

SHARED = Path(__file__).resolve().parents[3] / "shared"
LOADED = """
import json, sys
from haimaker.credentials.access import connections_from_env
from haimaker.providers import registry
connections_from_env(json.loads(sys.argv[1]))
modules = {module for module, _ in registry.INDEX.values()}
print(*sorted(name for name in modules if f"haimaker.providers.{name}" in sys.modules))
"""


def loaded(environment: str) -> list[str]:
    """The providers' modules that are imported when it is read which providers are on."""
    command = [sys.executable, "-c", LOADED, environment]
    done = subprocess.run(command, cwd=SHARED, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_the_index_is_current() -> None:
    written = provider_index.INDEX.read_text("utf-8")
    assert written == provider_index.render(), "a provider, or a variable of one, is not in the index: run `make providers`"


@pytest.mark.parametrize(
    ("environment", "modules"),
    [
        ("{}", []),
        ('{"GROQ_API_KEY": "k"}', ["groq"]),
        ('{"HF_TOKEN": "k"}', ["huggingface", "tei"]),
        ('{"MORPH_API_KEY": "k", "V0_API_KEY": "k"}', ["openai_compatible"]),
        ('{"HAIMAKER_SIGNED_PROVIDERS": "none", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}', []),
        ('{"OPENAI_BASE_URL": "https://api.example/v1"}', []),
    ],
)
def test_only_the_modules_of_providers_that_may_be_on_are_imported(environment: str, modules: list[str]) -> None:
    assert loaded(environment) == modules


@pytest.mark.parametrize("provider", all_providers(), ids=lambda provider: provider.name)
def test_a_provider_is_known_by_its_name_and_off_without_its_variables(provider) -> None:  # type: ignore[no-untyped-def]
    assert find(provider.name) is provider is get(provider.name)
    assert not may_be_on(provider.name, {})
    assert (provider.name in ONLINE) != provider.offline
    assert (provider.name in SIGNED) == bool(provider.auth.signs_as)
    named = [provider, *provider.operations.values(), *provider.families.values()]
    assert {definition.name for definition in named} == {provider.name}


def test_what_is_no_provider_is_not_found() -> None:
    assert find("nobody") is None
    with pytest.raises(KeyError):
        get("nobody")


def test_a_bare_model_goes_to_the_best_known_providers_first() -> None:
    assert NAMES[: len(provider_index.FIRST)] == provider_index.FIRST
    assert NAMES[-1] == "demo"


@pytest.mark.parametrize("name", ONLINE)
def test_each_variable_of_the_index_can_turn_its_provider_on(name: str) -> None:
    """With the parts of its address, if it has some; all variables of the index are read by somebody."""
    parts = ("AZURE_OPENAI_ENDPOINT", "AZURE_AI_ENDPOINT", "CONTENT_SAFETY_ENDPOINT", "INFERENCE_URL", "DATABRICKS_HOST")
    names = ("AWS_REGION", "CLOUDFLARE_ACCOUNT_ID", "OCI_REGION", "SNOWFLAKE_ACCOUNT", "VERTEX_AI_PROJECT")
    environment = dict.fromkeys(parts, "https://host.example") | dict.fromkeys(names, "part")
    for variable in INDEX[name][1]:
        if not variable.endswith("CREDENTIALS"):
            assert name in connections_from_env({**environment, variable: "https://secret.example"})


def test_an_operation_or_a_family_has_a_definition_of_its_own() -> None:
    vertex = get("vertex_ai")
    assert definition_for(vertex, "gemini-3.8-flash") is vertex
    assert definition_for(vertex, "claude-opus-5").adapter == "anthropic_vertex"
    assert definition_for(vertex, "chirp-3", "audio_transcriptions").adapter == "google_speech"
