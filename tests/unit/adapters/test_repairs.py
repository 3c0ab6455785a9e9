"""Conversations that other models left behind, as each provider takes them."""

import json
from typing import Any

import pytest

from haimaker import adapters
from haimaker.adapters import repairs
from haimaker.adapters.gemini.schemas import to_schema
from haimaker.http.values import JSON
from tests.support.builders import attempt, chat_request

USER: JSON = {"role": "user", "content": "Hi"}
RESULT: JSON = {"role": "tool", "tool_call_id": "a23456789", "content": "1"}


def called(arguments: Any) -> list[JSON]:
    call = {"id": "a23456789", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return [USER, {"role": "assistant", "content": None, "tool_calls": [call]}]


def sent(target: str, messages: list[JSON], **fields: Any) -> JSON:
    request, tried = chat_request(messages=messages, **fields), attempt(target)
    return dict(json.loads(adapters.find(request, tried).to_upstream(request, tried).body))


def inputs_of(body: Any) -> list[Any]:
    """Arguments of calls, wherever they are in a body."""
    if isinstance(body, dict):
        own = [body[name] for name in ("input", "args") if name in body and ("name" in body or "toolUseId" in body)]
        return own + [found for value in body.values() for found in inputs_of(value)]
    return [found for value in body for found in inputs_of(value)] if isinstance(body, list) else []


@pytest.mark.parametrize("target", ["anthropic/claude-opus-5-5", "bedrock/us.anthropic.claude-opus-5-5", "gemini/gemini-3.1-pro"])
@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        ('{"a": 1}', {"a": 1}),
        ('{"a": 1', {"arguments": '{"a": 1'}),
        ("[1]", {"arguments": [1]}),
        ('{"a":' * 900 + "1" + "}" * 900, {"arguments": '{"a":' * 900 + "1" + "}" * 900}),
        ("null", {}),
        ("", {}),
        (None, {}),
    ],
    ids=lambda value: str(value)[:12],
)
def test_arguments_that_are_no_object_do_not_end_a_conversation(target: str, arguments: Any, made: JSON) -> None:
    assert inputs_of(sent(target, [*called(arguments), RESULT])) == [made]


@pytest.mark.parametrize(
    ("text", "response"),
    [
        ('{"a": 1}', {"a": 1}),
        ('{"a": [{"$ref": "#/x"}]}', {"output": '{"a": [{"$ref": "#/x"}]}'}),
        ('{"$defs": {}}', {"output": '{"$defs": {}}'}),
    ],
)
def test_a_result_with_references_in_it_is_a_text_to_gemini(text: str, response: JSON) -> None:
    body = sent("gemini/gemini-3.1-pro", [*called("{}"), {**RESULT, "content": text}])
    assert body["contents"][-1]["parts"][0]["functionResponse"]["response"] == response


def test_parts_of_a_result_are_joined_as_they_are() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    body = sent("gemini/gemini-3.1-pro", [*called("{}"), {**RESULT, "content": parts}])
    assert body["contents"][-1]["parts"][0]["functionResponse"]["response"] == {"output": "ab"}


def test_mistral_gets_a_turn_between_a_result_and_the_user_and_a_last_one_that_begins_the_answer() -> None:
    body = sent("mistral/mistral-large-2512", [*called("{}"), RESULT, USER, {"role": "assistant", "content": "A"}])
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "tool", "assistant", "user", "assistant"]
    assert body["messages"][3] == {"role": "assistant", "content": repairs.ACKNOWLEDGED}
    assert body["messages"][-1] == {"role": "assistant", "content": "A", "prefix": True}
    assert sent("mistral/mistral-large-2512", called("{}"))["messages"][-1].get("prefix") is None


STRING, NUMBER = {"type": "string"}, {"type": "number"}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"anyOf": [STRING, NUMBER], "title": "T"}, {"anyOf": [STRING, NUMBER]}),
        (
            {"anyOf": [STRING, NUMBER, {"type": "null"}], "description": "d", "default": None},
            {"anyOf": [{**STRING, "nullable": True, "description": "d"}, {**NUMBER, "nullable": True, "description": "d"}]},
        ),
        ({"anyOf": [STRING, NUMBER], "minLength": 1}, None),
        ({"anyOf": [STRING, {"type": "null"}]}, {**STRING, "nullable": True}),
    ],
)
def test_alternatives_stand_alone_in_a_schema_of_googles(schema: JSON, made: JSON | None) -> None:
    found = to_schema({"type": "object", "properties": {"a": schema}})
    assert (found and found["properties"]["a"]) == made


@pytest.mark.parametrize(
    "target", ["gemini/gemini-3.1-pro", "cohere/command-a-03-2025", "openai/gpt-4o", "mistral/mistral-large-2512"]
)
def test_thinking_in_the_id_of_a_call_goes_to_nobody_else(target: str) -> None:
    messages = json.loads(json.dumps([*called("{}"), RESULT]).replace("a23456789", "a23456789__thinking__eNqrVspLzE"))
    body = json.dumps(sent(target, messages))
    assert "a23456789" in body
    assert "__thinking__" not in body
