"""Every parameter of OpenAI's chat document has an answer for every provider."""

import json
from typing import Any

import pytest
from openai.types.chat import completion_create_params

from haimaker import adapters
from haimaker.adapters.parameters import OPENAI
from haimaker.http.errors import BadRequestError
from tests.support.builders import attempt, chat_request

DOCUMENTED = {*completion_create_params.CompletionCreateParamsBase.__annotations__, "stream"}
HINTS: dict[str, Any] = {
    "prompt_cache_key": "k",
    "prompt_cache_options": {"ttl": "24h"},
    "prompt_cache_retention": "24h",
    "moderation": {"model": "omni-moderation-latest"},
}


def test_all_that_the_sdk_knows_is_known_here() -> None:
    """A parameter that is new there needs an answer: passed, translated, dropped and named, or refused."""
    assert DOCUMENTED == OPENAI


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
