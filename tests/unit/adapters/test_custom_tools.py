"""OpenAI's custom tools at models that know functions only: what is sent, and what comes back in a stream."""

import json
from typing import Any

import pytest

from haimaker import adapters
from haimaker.adapters.transform import Transform
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON, UpstreamRequest
from tests.support.builders import MESSAGES, attempt, chat_request
from tests.unit.adapters.test_openai_chat import HEAD, events

TOOL = {"type": "custom", "custom": {"name": "run"}}
GRAMMAR = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[0-9]+"}}
STRICT_TOOL = {"type": "custom", "custom": {"name": "run", "format": GRAMMAR}}
CALL = {"id": "call_1", "type": "custom", "custom": {"name": "run", "input": "ls"}}
AFTER = [*MESSAGES, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "call_1", "content": "a"}]
TARGETS = [
    "anthropic/claude-haiku-4-5",
    "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "cohere/command-a-03-2025",
    "gemini/gemini-2.5-flash",
    "groq/llama-3.3-70b-versatile",
    "mistral/mistral-small-latest",
]


def made(target: str, **fields: Any) -> UpstreamRequest:
    request, tried = chat_request(**fields), attempt(target)
    found: UpstreamRequest = adapters.find(request, tried).to_upstream(request, tried)
    return found


@pytest.mark.parametrize("target", TARGETS)
def test_a_custom_tool_is_a_function_everywhere(target: str) -> None:
    body = made(target, messages=AFTER, tools=[TOOL], max_tokens=9).body.decode()
    assert '"custom"' not in body
    assert body.count('"run"') == 3 if "gemini" in target else 2
    with pytest.raises(BadRequestError) as caught:
        made(target, tools=[STRICT_TOOL])
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "tools[0].custom.format")
    assert made(target, tools=[STRICT_TOOL], drop_params=True, max_tokens=9).dropped == ("tools[0].custom.format",)


def test_a_choice_among_custom_tools() -> None:
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL, "?"]}}
    body = json.loads(made("openrouter/openai/gpt-4o", tools=[TOOL], tool_choice=allowed).body)
    function = {"type": "function", "function": {"name": "run"}}
    assert body["tool_choice"] == {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function, "?"]}}
    narrowed = json.loads(made(TARGETS[4], tools=[TOOL, {**function, "function": {"name": "walk"}}], tool_choice=allowed).body)
    assert ([tool["function"]["name"] for tool in narrowed["tools"]], narrowed["tool_choice"]) == (["run"], "auto")


@pytest.mark.parametrize("target", ["openai/gpt-5", "azure/gpt-5"])
def test_who_knows_custom_tools_gets_them(target: str) -> None:
    assert not isinstance(adapters.find(chat_request(tools=[TOOL], messages=AFTER), attempt(target)), Transform)
    assert json.loads(made(target, tools=[TOOL]).body)["tools"] == [TOOL]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (['{"inp', 'ut": "l', 's"}'], "ls"),
        (["ls"], "ls"),
        (['{"command": "ls"}'], '{"command": "ls"}'),
        (["[1]"], "[1]"),
        ([], ""),
    ],
)
def test_calls_in_a_stream(arguments: list[str], text: str) -> None:
    """The official types know no such calls in a stream; what is told is what OpenAI sends.
    https://github.com/openai/openai-openapi/issues/576"""
    tried = attempt(TARGETS[4])
    adapter = adapters.find(chat_request(tools=[TOOL]), tried)
    begin = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "run", "arguments": ""}}
    plain = {"index": 1, "id": "call_2", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    pieces = [{"index": 0, "function": {"arguments": piece}} for piece in arguments]
    deltas: list[JSON] = [{"tool_calls": [piece]} for piece in (begin, *pieces, plain)]
    parts: list[JSON] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    parts.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    told = [
        chunk.body["choices"][0]
        for chunk in adapter.from_stream(events(*[{**HEAD, "choices": [it]} for it in parts]), chat_request(), tried)
    ]
    calls = [call for choice in told for call in choice["delta"].get("tool_calls") or ()]
    assert calls == [
        {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "run", "input": ""}},
        plain,
        {"index": 0, "custom": {"input": text}},
    ]
    assert told[-1]["finish_reason"] == "tool_calls"
