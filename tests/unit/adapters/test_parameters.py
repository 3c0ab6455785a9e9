"""Every parameter of OpenAI's chat document has an answer for every provider."""

import json
from typing import Any

import pytest
from openai.types.chat import completion_create_params

from haimaker import adapters
from haimaker.adapters.parameters import OPENAI
from haimaker.http.errors import BadRequestError
from tests.support import vendor_schemas
from tests.support.builders import attempt, chat_request
from tests.unit.adapters import parameters_table
from tests.unit.adapters.parameters_table import BESIDE, VALUES

DOCUMENTED = {*completion_create_params.CompletionCreateParamsBase.__annotations__, "stream"}
HINTS: dict[str, Any] = {
    "prompt_cache_key": "k",
    "prompt_cache_options": {"ttl": "24h"},
    "prompt_cache_retention": "24h",
    "moderation": {"model": "omni-moderation-latest"},
}


def test_all_that_the_sdk_knows_is_known_here() -> None:
    """A parameter that is new there needs an answer: passed, translated, dropped and named, or refused."""
    assert DOCUMENTED == OPENAI == set(VALUES)


def test_every_value_has_an_answer_at_every_provider() -> None:
    """`python -m tests.unit.adapters.parameters_table` writes what is meant to be; see what it changes."""
    made = parameters_table.table()
    assert {name: found["lost"] for name, found in made.items() if "lost" in found} == {}
    golden = json.loads(parameters_table.GOLDEN.read_text("utf-8"))
    for value in {*made, *golden}:
        assert made.get(value) == golden.get(value), value


MARKED = [{"role": "user", "content": [{"type": "text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}}]}]
FIELDS = [
    {"messages": MARKED},
    *({**BESIDE.get(name, {}), name: value} for name, value in parameters_table.asked() if name != "model"),
]


@pytest.mark.parametrize(
    ("vendor", "target"),
    [
        ("anthropic", "anthropic/claude-opus-5-5"),
        ("anthropic", "anthropic/claude-sonnet-4-5"),
        ("bedrock", "bedrock/us.anthropic.claude-opus-4-6-v1"),
        ("bedrock", "bedrock/us.amazon.nova-pro-v1:0"),
        ("cohere", "cohere/command-a-03-2025"),
        ("deepseek", "deepseek/deepseek-v4-pro"),
        ("gemini", "gemini/gemini-3.1-pro"),
        ("gemini_2", "gemini/gemini-2.5-flash"),
        ("mistral", "mistral/mistral-large-2512"),
        ("mistral", "mistral/mistral-medium-2604"),
        ("openai", "openai/gpt-4o"),
        ("openai", "openai/gpt-6-sol"),
    ],
)
@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: json.dumps(fields)[:60])
def test_what_is_sent_is_in_the_vendors_own_types(vendor: str, target: str, fields: dict[str, Any]) -> None:
    request, tried = chat_request(**{"model": target, **fields, "drop_params": True}), attempt(target)
    vendor_schemas.check(vendor, json.loads(adapters.find(request, tried).to_upstream(request, tried).body))


@pytest.mark.parametrize(
    "target",
    [
        "anthropic/claude-opus-5-5",
        "bedrock/us.anthropic.claude-opus-5-5",
        "gemini/gemini-3.1-pro",
        "cohere/command-a-03-2025",
        "groq/openai/gpt-oss-120b",
        "baseten/m",
    ],
)
@pytest.mark.parametrize("name", HINTS)
def test_hints_for_openai_alone_are_dropped_and_named(target: str, name: str) -> None:
    request, tried = chat_request(**{name: HINTS[name]}), attempt(target)
    made = adapters.find(request, tried).to_upstream(request, tried)
    assert name in made.dropped
    assert name not in json.loads(made.body)


@pytest.mark.parametrize("name", sorted(OPENAI - {"messages", "model", "stream", "stream_options", "functions", "function_call"}))
@pytest.mark.parametrize(
    "target",
    ["anthropic/claude-opus-5-5", "bedrock/us.anthropic.claude-opus-5-5", "gemini/gemini-3.1-pro", "cohere/command-a-03-2025"],
)
def test_no_parameter_of_openais_reaches_another_format_as_it_is(target: str, name: str) -> None:
    """Unless the format has it by that name and takes the same: what is unlike every real value must not pass unread."""
    request, tried = chat_request(), attempt(target)
    marker = {"never": "heard of"}
    request = type(request)(request.fields, {**request.body, name: marker}, request.size)
    try:
        made = adapters.find(request, tried).to_upstream(request, tried)
    except (BadRequestError, TypeError, ValueError, AttributeError):
        return
    assert name in made.dropped or json.loads(made.body).get(name) != marker or name in ALIKE


ALIKE = {"logprobs", "temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "metadata"}
"""Of the same name and meaning elsewhere; their values are checked before, with the request."""
