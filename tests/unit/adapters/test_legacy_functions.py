"""OpenAI's old functions at models that know tools only: what is sent, and what comes back, whole and streamed."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from haimaker import adapters
from haimaker.adapters.transform import Transform
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from tests.support.builders import MESSAGES, attempt, chat_request, result_of
from tests.unit.adapters.folding import fold
from tests.unit.adapters.test_openai_chat import HEAD, events

FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {}}}
CALLED = {"name": "f", "arguments": "{}"}
TARGET = "groq/llama-3.3-70b-versatile"
AFTER = [
    *MESSAGES,
    {"role": "assistant", "content": None, "function_call": CALLED},
    {"role": "function", "name": "f", "content": "1"},
    {"role": "assistant", "content": None, "function_call": CALLED},
    {"role": "function", "name": "f", "content": None},
]


def sent(target: str = TARGET, **fields: Any) -> JSON:
    request, tried = chat_request(**fields), attempt(target)
    body: JSON = json.loads(adapters.find(request, tried).to_upstream(request, tried).body)
    return body


def test_functions_are_tools() -> None:
    body = sent(functions=[FUNCTION], function_call={"name": "f"})
    assert body["tools"] == [{"type": "function", "function": FUNCTION}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert not {"functions", "function_call"} & set(body)
    assert sent(functions=[FUNCTION], function_call="none")["tool_choice"] == "none"
    both = sent(functions=[FUNCTION], tools=[{"type": "function", "function": {**FUNCTION, "name": "g"}}])
    assert [tool["function"]["name"] for tool in both["tools"]] == ["g", "f"]
    assert "function_call" not in sent(function_call="auto")


@pytest.mark.parametrize(("functions", "param"), [({"name": "f"}, "functions"), (["f"], "functions[0]"), ("f", "functions")])
def test_functions_that_are_none_are_refused(functions: Any, param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        sent(functions=functions)
    assert caught.value.param == param


@pytest.mark.parametrize("target", [TARGET, "mistral/mistral-small-latest", "cohere/command-a-03-2025"])
def test_each_earlier_call_has_an_id_and_its_answer_too(target: str) -> None:
    messages = sent(target, messages=AFTER)["messages"]
    ids = [message["tool_calls"][0]["id"] for message in messages if message.get("tool_calls")]
    assert ids == [message["tool_call_id"] for message in messages if message["role"] == "tool"] == ["call00001", "call00002"]
    assert not any("function_call" in message or message["role"] == "function" for message in messages)


def test_an_earlier_call_reaches_claude() -> None:
    blocks = [block for message in sent("anthropic/claude-haiku-4-5", messages=AFTER)["messages"] for block in message["content"]]
    assert [block["type"] for block in blocks] == ["text", "tool_use", "tool_result", "tool_use", "tool_result"]


CALLS = [{"id": f"c{at}", "type": "function", "function": {"name": name, "arguments": "{}"}} for at, name in enumerate("fg")]


@pytest.mark.parametrize(
    ("fields", "message", "reason"),
    [
        ({"functions": [FUNCTION]}, {"role": "assistant", "content": None, "function_call": CALLED}, "function_call"),
        ({"messages": AFTER}, {"role": "assistant", "content": None, "tool_calls": CALLS}, "tool_calls"),
        ({}, {"role": "assistant", "content": None, "tool_calls": CALLS}, "tool_calls"),
    ],
)
def test_who_sent_functions_gets_a_call_of_one(fields: JSON, message: JSON, reason: str) -> None:
    adapter, tried = adapters.find(chat_request(**fields), attempt(TARGET)), attempt(TARGET)
    said = {"role": "assistant", "content": None, "tool_calls": CALLS}
    choice = {"index": 0, "message": said, "finish_reason": "tool_calls"}
    made = result_of(adapter, {**HEAD, "object": "chat.completion", "choices": [choice]}, tried)["choices"][0]
    assert (made["message"], made["finish_reason"]) == (message, reason)

    deltas: list[JSON] = [{"role": "assistant"}]
    for index, call in enumerate(CALLS):
        deltas += [{"tool_calls": [{**call, "index": index, "function": {"name": call["function"]["name"], "arguments": "{"}}]}]
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": "}"}}]}]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    last = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
    chunks = [
        chunk.body
        for chunk in adapter.from_stream(events(*[{**HEAD, "choices": [each]} for each in (*choices, last)]), chat_request(), tried)
    ]
    [folded] = fold(chunks)["choices"]
    assert folded["message"] == {name: value for name, value in message.items() if value}
    assert folded["finish_reason"] == reason
    ChatCompletion.model_validate({**HEAD, "object": "chat.completion", "choices": [made]})


@pytest.mark.parametrize("target", ["openai/gpt-4o-mini", "azure/gpt-4o"])
def test_who_knows_functions_gets_them(target: str) -> None:
    assert not isinstance(adapters.find(chat_request(functions=[FUNCTION]), attempt(target)), Transform)
    assert sent(target, functions=[FUNCTION])["functions"] == [FUNCTION]
