"""A conversation with thinking and parallel tools, begun at one vendor and continued at any other.

Every turn goes to an upstream that holds it against the vendor's own types and rules (`vendor_schemas.py`) and refuses what the
vendor would refuse.
"""

import json
from typing import Any

import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionMessage
from pydantic import ValidationError

from tests.contract.money_support import Desk
from tests.contract.sdk_support import sdk
from tests.support import vendor_schemas
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.reply import JSON
from tests.support.vendor_answers import Said, answer

MODELS = {
    "anthropic": "anthropic/claude-opus-5-5",
    "openai": "openai/gpt-5.2",
    "gemini": "gemini/gemini-3.1-pro-preview",
    "bedrock": "bedrock/us.anthropic.claude-opus-4-6-v1",
    "mistral": "mistral/mistral-medium-2604",
    "cohere": "cohere/command-a-reasoning-08-2025",
    "deepseek": "deepseek/deepseek-v4-pro",
}
SECONDS = {
    **MODELS,
    "claude by a budget": "anthropic/claude-sonnet-4-5",
    "bedrock by a budget": "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "gpt over responses": "openai/gpt-5.5-pro",
    "gemini before signatures": "vertex_ai/gemini-2.5-pro",
    "openrouter": "openrouter/anthropic/claude-opus-5-5",
}
"""Where a conversation may go on: other models of theirs have other rules."""
CITY: JSON = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": CITY}}]
CALLED = Said("Both cities.", "I look.", (("weather", {"city": "Zürich"}), ("weather", {"city": "Bern"})))
SAID = Said("Warmer there.", "Bern is warmer.")
SIGNED = {"anthropic": "anthropic", "bedrock": "anthropic", "gemini": "gemini"}
"""Whose signature is on their thinking."""
ONLY_OPENAIS = {"role", "content", "tool_calls"}
"""What clients that know OpenAI's format alone send back of an answer."""


def vendor_of(call: Call) -> str:
    """By the path, or by the model where several share one."""
    places = {"/messages": "anthropic", "/converse": "bedrock", "enerateContent": "gemini", "/responses": "responses"}
    for part, vendor in places.items():
        if part in call.path:
            return vendor
    if "/" in call.json["model"]:
        return "openrouter"
    return next(name for name, model in MODELS.items() if model.partition("/")[2] == call.json["model"])


def plays(said: Said) -> Any:
    """Any vendor, as which it refuses what that one would."""

    def reply(call: Call) -> Reply:
        vendor = vendor_of(call)
        try:
            vendor_schemas.check("gemini_2" if "gemini-2" in call.path else vendor, call.json)
        except (AssertionError, ValidationError, KeyError) as error:
            return Reply.json(400, {"message": f"{vendor}: {error}", "error": {"message": f"{vendor}: {error}"}})
        return answer(vendor, said, stream="stream" in call.path or call.json.get("stream", False))

    return reply


def called_at(message: ChatCompletionMessage) -> list[JSON]:
    return [json.loads(call.function.arguments) for call in message.tool_calls or [] if call.type == "function"]


CASES = [
    (first, second, keeps)
    for first in MODELS
    for second in SECONDS
    for keeps in ("all fields", "OpenAI's fields", "a stream's fields")
    if second in MODELS or keeps == "all fields"
]


@pytest.mark.parametrize(("first", "second", "keeps"), CASES)
def test_a_conversation_goes_on_anywhere(desk: Desk, key: str, upstream: FakeUpstream, first: str, second: str, keeps: str) -> None:
    client = sdk(desk, key)
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is it warmer?"}]

    def ask(vendor: str, said: Said) -> ChatCompletionMessage:
        upstream.answers(plays(said))
        wanted: JSON = {"model": SECONDS[vendor], "messages": messages, "tools": TOOLS, "reasoning_effort": "high"}
        if keeps == "a stream's fields":
            state = ChatCompletionStreamState()
            for chunk in client.chat.completions.create(**wanted, stream=True):
                state.handle_chunk(chunk)
            message = state.get_final_completion().choices[0].message
        else:
            message = client.chat.completions.create(**wanted).choices[0].message
        shown = message.model_dump(exclude_none=True)
        messages.append({name: shown[name] for name in ONLY_OPENAIS if name in shown} if keeps == "OpenAI's fields" else shown)
        return message

    message = ask(first, CALLED)
    assert called_at(message) == [arguments for _, arguments in CALLED.calls]
    for call, result in zip(message.tool_calls or [], ('{"c": 21}', "24 °C"), strict=True):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    assert ask(second, SAID).content == SAID.text
    if first == second and first in SIGNED:
        assert vendor_schemas.SIGNATURES[SIGNED[first]] in upstream.calls[-1].body.decode(), "its thinking did not come back"
    messages.append({"role": "user", "content": "And in Basel?"})
    message = ask(first, Said("One more.", "", (("weather", {"city": "Basel"}),), turn=2))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "20"} for call in message.tool_calls or []]
    assert ask(second, SAID).content == SAID.text
