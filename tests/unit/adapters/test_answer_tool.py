"""Answers in JSON by way of a tool: for which requests, and what happens to the client's own tools."""

import json
from typing import Any

import pytest

from haimaker import adapters
from haimaker.adapters.answer_tool import NAME
from haimaker.http.values import JSON
from tests.support.builders import attempt, chat_request, result_of

SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {}}}}
ANY = {"type": "json_object"}
TOOL = {"type": "function", "function": {"name": "f"}}
FORCED = {"type": "function", "function": {"name": "f"}}
ALONE = {"type": "function", "function": {"name": NAME}}
LLAMA, OSS = "groq/llama-3.3-70b-versatile", "groq/openai/gpt-oss-120b"


@pytest.mark.parametrize(
    ("target", "fields", "tools", "choice"),
    [
        (LLAMA, {"response_format": SCHEMA}, [NAME], ALONE),
        (LLAMA, {"response_format": ANY}, None, None),
        (LLAMA, {"response_format": {"type": "text"}, "tools": [TOOL]}, ["f"], None),
        (LLAMA, {"response_format": None, "tools": [TOOL]}, ["f"], None),
        (LLAMA, {"response_format": SCHEMA, "tools": [TOOL], "tool_choice": "none"}, [NAME], ALONE),
        (LLAMA, {"response_format": SCHEMA, "tools": [TOOL], "tool_choice": FORCED}, ["f"], FORCED),
        (OSS, {"response_format": SCHEMA}, None, None),
        (OSS, {"response_format": ANY, "tools": [TOOL], "tool_choice": "auto"}, ["f", NAME], "required"),
        ("openai/gpt-4", {"response_format": SCHEMA}, [NAME], ALONE),
        ("openai/gpt-4.1", {"response_format": SCHEMA}, None, None),
        ("openai/gpt-4o", {"response_format": SCHEMA, "tools": [TOOL]}, ["f"], None),
        ("azure/gpt-4-1", {"response_format": SCHEMA}, None, None),
        ("azure/gpt-35-turbo", {"response_format": ANY}, None, None),
        ("fireworks_ai/accounts/fireworks/models/kimi-k2", {"response_format": SCHEMA}, None, None),
    ],
)
def test_a_tool_stands_for_a_format_that_cant_be_had(target: str, fields: JSON, tools: list[str] | None, choice: Any) -> None:
    request, tried = chat_request(**fields), attempt(target)
    body = json.loads(adapters.find(request, tried).to_upstream(request, tried).body)
    assert [tool["function"]["name"] for tool in body["tools"]] == tools if tools else "tools" not in body
    assert body.get("tool_choice") == choice
    if NAME in (tools or ()):
        assert "response_format" not in body


@pytest.mark.parametrize(
    ("target", "fields", "streams"),
    [
        (OSS, {"response_format": SCHEMA}, False),
        (OSS, {"response_format": {"type": "text"}}, True),
        (OSS, {"response_format": None}, True),
        (LLAMA, {"response_format": SCHEMA}, True),
        (LLAMA, {"response_format": ANY}, False),
    ],
)
def test_what_cant_be_streamed_is_asked_for_whole(target: str, fields: JSON, streams: bool) -> None:
    request, tried = chat_request(stream=True, **fields), attempt(target)
    body = json.loads(adapters.find(request, tried).to_upstream(request, tried).body)
    assert ("stream" in body, "stream_options" in body) == (streams, streams)


def test_text_beside_the_tool_is_kept() -> None:
    tried = attempt(LLAMA)
    calls = [
        {"id": "1", "type": "function", "function": {"name": NAME, "arguments": "{}"}},
        {"id": "2", "type": "function", "function": 5},
    ]
    for said, content, reason in ((calls[:1], "Here: {}", "stop"), (calls, "Here: {}", "tool_calls"), ([], "Here: ", "stop")):
        message = {"role": "assistant", "content": "Here: ", "tool_calls": said}
        body = {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
        [choice] = result_of(adapters.find(chat_request(response_format=SCHEMA), tried), body, tried)["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == (content, reason)
