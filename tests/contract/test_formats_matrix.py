"""The fallback matrix for clients of the other formats: Anthropic's, Google's and OpenAI's own SDK for Responses.

A conversation with thinking and parallel tools, begun at one vendor and continued at any other, each turn at an upstream that holds
it against that vendor's own types and rules; the turns are whole and streamed by turns. The client sends back what its SDK gave it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from tests.contract import test_gemini_format, test_messages
from tests.contract.money_support import Desk
from tests.contract.sdk_support import sdk
from tests.contract.test_fallback_matrix import CALLED, CITY, MODELS, SAID, SIGNED, plays
from tests.support import vendor_schemas
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import JSON
from tests.support.vendor_answers import Said

ALL = {**MODELS, "responses": "openai/gpt-5.5-pro", "openrouter": "openrouter/anthropic/claude-opus-5-5"}
Calls = list[tuple[str, str, Any]]
"""Of each call its id, its name and its arguments."""


class Client(Protocol):
    def say(self, text: str) -> None: ...

    def ask(self, model: str, *, stream: bool) -> tuple[str, Calls]:
        """What a model says, which is kept as its SDK gives it."""

    def answer(self, calls: Calls) -> None: ...


class Messages:
    def __init__(self, desk: Desk, key: str) -> None:
        self.sdk: anthropic.Anthropic = test_messages.sdk(desk, key)
        self.turns: list[Any] = []

    def say(self, text: str) -> None:
        self.turns.append({"role": "user", "content": text})

    def ask(self, model: str, *, stream: bool) -> tuple[str, Calls]:
        tool = {"name": "weather", "description": "Tells it.", "input_schema": CITY}
        asked: JSON = {"model": model, "max_tokens": 4_000, "system": "Be brief.", "messages": self.turns, "tools": [tool]}
        asked |= {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
        if stream:
            with self.sdk.messages.stream(**asked) as events:
                message: Any = events.get_final_message()
        else:
            message = self.sdk.messages.create(**asked)
        self.turns.append({"role": "assistant", "content": message.content})
        text = "".join(block.text for block in message.content if block.type == "text")
        return text, [(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"]

    def answer(self, calls: Calls) -> None:
        results = [{"type": "tool_result", "tool_use_id": id_, "content": "21 °C"} for id_, _, _ in calls]
        self.turns.append({"role": "user", "content": results})


class Responses:
    def __init__(self, desk: Desk, key: str) -> None:
        self.sdk: openai.OpenAI = sdk(desk, key)
        self.items: list[Any] = []

    def say(self, text: str) -> None:
        self.items.append({"role": "user", "content": text})

    def ask(self, model: str, *, stream: bool) -> tuple[str, Calls]:
        tool = {"type": "function", "name": "weather", "description": "Tells it.", "parameters": CITY, "strict": False}
        asked: JSON = {"model": model, "instructions": "Be brief.", "input": self.items, "tools": [tool], "store": False}
        asked |= {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
        if stream:
            events = list(self.sdk.responses.create(**asked, stream=True))
            response: Any = events[-1].response  # type: ignore[union-attr]
            assert [event.item.id for event in events if event.type == "response.output_item.done"] == [
                item.id for item in response.output
            ]
        else:
            response = self.sdk.responses.create(**asked)
        self.items += response.output
        calls = [item for item in response.output if item.type == "function_call"]
        return response.output_text, [(call.call_id, call.name, json.loads(call.arguments)) for call in calls]

    def answer(self, calls: Calls) -> None:
        self.items += [{"type": "function_call_output", "call_id": id_, "output": "21 °C"} for id_, _, _ in calls]


class Google:
    def __init__(self, desk: Desk, key: str) -> None:
        self.sdk: genai.Client = test_gemini_format.client(desk, key)
        self.contents: list[Any] = []

    def say(self, text: str) -> None:
        self.contents.append(types.UserContent(text))

    def ask(self, model: str, *, stream: bool) -> tuple[str, Calls]:
        declared = types.FunctionDeclaration(name="weather", description="Tells it.", parameters_json_schema=CITY)
        config = types.GenerateContentConfig(
            system_instruction="Be brief.",
            tools=[types.Tool(function_declarations=[declared])],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.HIGH),
        )
        ask: Callable[..., Any] = self.sdk.models.generate_content_stream if stream else self.sdk.models.generate_content
        answer = ask(model=model, contents=self.contents, config=config)
        told = list(answer) if stream else [answer]
        parts = [part for each in told for part in each.candidates[0].content.parts or ()]
        self.contents.append(types.Content(role="model", parts=parts))
        text = "".join(part.text for part in parts if part.text and not part.thought)
        calls = [part.function_call for part in parts if part.function_call]
        return text, [(call.id, call.name, call.args) for call in calls]

    def answer(self, calls: Calls) -> None:
        results = [
            types.Part(function_response=types.FunctionResponse(id=id_, name=name, response={"output": "21 °C"}))
            for id_, name, _ in calls
        ]
        self.contents.append(types.Content(role="user", parts=results))


CLIENTS: Mapping[str, Callable[[Desk, str], Client]] = {"messages": Messages, "responses": Responses, "gemini": Google}
STEPS = {"messages": (0, 1, 2, 3), "responses": (0, 4, 5, 6), "gemini": (0, 7, 8, 1)}
"""How far the second vendor is from the first: each pair is there in one of the formats, and each that stays in all of them."""
NAMES = tuple(ALL)
CASES = [
    (client, first, NAMES[(place + step) % len(NAMES)])
    for client in CLIENTS
    for place, first in enumerate(NAMES)
    for step in STEPS[client]
]


@pytest.mark.parametrize(("client", "first", "second"), CASES)
def test_a_conversation_goes_on_anywhere(
    desk: Desk, key: str, upstream: FakeUpstream, client: str, first: str, second: str
) -> None:
    talk = CLIENTS[client](desk, key)
    talk.say("Where is it warmer?")
    upstream.answers(plays(CALLED))
    _, calls = talk.ask(ALL[first], stream=False)
    assert [arguments for _, _, arguments in calls] == [arguments for _, arguments in CALLED.calls]
    talk.answer(calls)
    upstream.answers(plays(SAID))
    text, _ = talk.ask(ALL[second], stream=True)
    assert text == SAID.text
    openrouter = "openai" if client == "responses" else "openrouter"  # which it speaks as OpenAI does
    if first == second and (signer := {**SIGNED, "responses": "openai", "openrouter": openrouter}.get(first)):
        assert vendor_schemas.SIGNATURES[signer] in upstream.calls[-1].body.decode(), "its thinking did not come back"
    talk.say("And in Basel?")
    upstream.answers(plays(Said("One more.", "", (("weather", {"city": "Basel"}),), turn=2)))
    _, calls = talk.ask(ALL[first], stream=True)
    talk.answer(calls)
    upstream.answers(plays(SAID))
    text, _ = talk.ask(ALL[second], stream=False)
    assert text == SAID.text
    if first == second and first in SIGNED:
        assert upstream.calls[-1].body.decode().count(vendor_schemas.SIGNATURES[SIGNED[first]]) >= 2
