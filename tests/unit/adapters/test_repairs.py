"""Conversations that other models left behind, as each provider takes them."""

import json
import re
from typing import Any

import pytest

from haimaker import adapters
from haimaker.adapters import repairs
from haimaker.adapters.gemini.schemas import to_schema
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from haimaker.operations.attempt import Attempt
from haimaker.providers.registry import all_providers, definition_for, get
from tests.support import vendor_schemas
from tests.support.builders import attempt, chat_request

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
USER: JSON = {"role": "user", "content": "Hi"}
SAID: JSON = {"role": "assistant", "content": "Hello."}
SYSTEM: JSON = {"role": "system", "content": "Be brief."}
TEXT: JSON = {"type": "text", "text": ""}
JPG: JSON = {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PIXEL}"}}
TOOLS: list[JSON] = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
RESULT: JSON = {"role": "tool", "tool_call_id": "a23456789", "content": "1"}


def called(arguments: Any) -> list[JSON]:
    call = {"id": "a23456789", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return [USER, {"role": "assistant", "content": None, "tool_calls": [call]}]


def calls(*ids: str, arguments: str = "{}") -> JSON:
    function = {"name": "f", "arguments": arguments}
    made = [{"id": identifier, "type": "function", "function": function} for identifier in ids]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(identifier: str, content: Any = "1") -> JSON:
    return {"role": "tool", "tool_call_id": identifier, "content": content}


def tried_at(target: str) -> Attempt:
    """`responses/…` is OpenAI's other way to chat, for models that have nothing else."""
    name, _, model = target.partition("/")
    return attempt(target, provider=definition_for(get("openai"), model, name)) if name == "responses" else attempt(target)


def sent(target: str, messages: list[JSON], **fields: Any) -> JSON:
    request, tried = chat_request(messages=messages, **fields), tried_at(target)
    return dict(json.loads(adapters.find(request, tried).to_upstream(request, tried).body))


TARGETS: tuple[tuple[str, str], ...] = (
    ("anthropic", "anthropic/claude-opus-5-5"),
    ("anthropic", "anthropic/claude-sonnet-4-5"),
    ("anthropic", "bedrock_invoke/us.anthropic.claude-opus-5-5"),
    ("anthropic", "vertex_ai/claude-3-5-haiku@20241022"),
    ("bedrock", "bedrock/us.anthropic.claude-opus-4-6-v1"),
    ("bedrock", "bedrock/mistral.mistral-7b-instruct-v0:2"),
    ("bedrock", "bedrock/us.amazon.nova-pro-v1:0"),
    ("cohere", "cohere/command-a-03-2025"),
    ("deepseek", "deepseek/deepseek-v4-pro"),
    ("gemini", "gemini/gemini-3.1-pro"),
    ("gemini_2", "gemini/gemini-2.5-flash"),
    ("gemini_2", "vertex_ai/gemini-2.0-flash"),
    ("gemini_2", "gemini/gemma-3-27b-it"),
    ("mistral", "mistral/mistral-large-2512"),
    ("mistral", "vertex_ai/mistral-medium-3"),
    ("openai", "openai/gpt-4o"),
    ("responses", "responses/gpt-6-astra"),
    ("openai", "databricks/databricks-gemini-2-5-pro"),
)
"""With the vendor whose types and rules hold there."""
CONVERSATIONS: dict[str, list[JSON]] = {
    "nothing but the system": [SYSTEM],
    "two turns of the user's": [USER, USER],
    "two turns of the assistant's": [USER, SAID, SAID, USER],
    "the assistant begins": [SAID, USER],
    "the assistant ends": [USER, {**SAID, "content": "Hello \n"}],
    "the system within": [USER, SYSTEM, SAID, SYSTEM],
    "the system after a result": [USER, calls("a"), result("a"), SYSTEM, USER],
    "the user after a result": [USER, calls("a"), result("a"), USER],
    "a call at the end": [USER, calls("a")],
    "arguments cut off": [USER, calls("a", arguments='{"a'), result("a")],
    "arguments that are a list": [USER, calls("a", arguments="[1]"), result("a")],
    "no arguments": [USER, calls("a", arguments=""), result("a")],
    "one result of two": [USER, calls("a", "b"), result("a"), USER],
    "no result": [USER, calls("a"), USER],
    "a result twice": [USER, calls("a"), result("a"), result("a", "2"), USER],
    "a call twice": [USER, calls("a", "a"), result("a")],
    "a result without a call": [USER, result("x"), USER],
    "a result first of all": [result("x"), USER],
    "a result again, later": [USER, calls("a"), result("a"), SAID, result("a"), USER],
    "results in another order": [USER, calls("a", "b"), result("b"), result("a")],
    "the user between results": [USER, calls("a", "b"), result("a"), USER, result("b")],
    "an id that is used again": [USER, calls("a"), result("a"), SAID, USER, calls("a"), result("a", "2")],
    "an id in letters of another's": [USER, calls("call.1/ü"), result("call.1/ü")],
    "a long id": [USER, calls("x" * 90), result("x" * 90)],
    "thinking in an id": [USER, calls("a__thinking__eJw"), result("a__thinking__eJw")],
    "thinking in an id, cut in its result": [USER, calls("a__thinking__eJw"), result("a")],
    "blank texts": [
        {"role": "user", "content": " "},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": [{**TEXT}]},
    ],
    "no parts": [{"role": "user", "content": []}, {"role": "assistant", "content": []}, USER],
    "an answer that says nothing": [USER, {"role": "assistant", "content": None}, USER],
    "a system that says nothing": [{"role": "system", "content": ""}, USER],
    "a blank result": [USER, calls("a"), result("a", "")],
    "a result that is null": [USER, calls("a"), result("a", None)],
    "references in a result": [USER, calls("a"), result("a", '{"$ref": "#/a"}')],
    "a refusal": [USER, {"role": "assistant", "content": None, "refusal": "No."}, USER],
    "a refusal as a part": [USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, USER],
    "a media type that is not registered": [{"role": "user", "content": [JPG, {**TEXT, "text": "What?"}]}],
}


TAKES_NO_IMAGES = ("deepseek",)
"""It is for them to say."""


@pytest.mark.parametrize(
    ("vendor", "target", "name"),
    [
        (vendor, target, name)
        for vendor, target in TARGETS
        for name in CONVERSATIONS
        if vendor not in TAKES_NO_IMAGES or "image_url" not in str(CONVERSATIONS[name])
    ],
)
def test_a_conversation_that_is_broken_is_mended_for_everyone(vendor: str, target: str, name: str) -> None:
    body = sent(target, CONVERSATIONS[name], tools=TOOLS)
    vendor_schemas.check(vendor, {"model": "m", **body} if vendor == "anthropic" else body)


@pytest.mark.parametrize(
    ("messages", "made"),
    [
        ([USER, calls("a"), result("a")], None),
        ([USER, calls("a", "b"), result("b"), result("a"), SAID, USER], None),
        ([USER, calls("a"), result("a__thought__x")], None),
        ([USER, {"role": "tool", "content": "1"}], None),
        ([calls("a", "b"), result("b"), USER], [calls("a", "b"), result("b"), result("a", repairs.NO_RESULT), USER]),
        ([calls("a"), USER, result("a")], [calls("a"), result("a"), USER]),
        ([calls("a"), result("a"), result("a", "2")], [calls("a"), result("a")]),
        ([result("x", "1"), USER], [{"role": "user", "content": "1"}, USER]),
        ([calls("a", "a"), result("a", None)], [calls("a"), result("a", "")]),
    ],
)
def test_each_call_has_one_result(messages: list[JSON], made: list[JSON] | None) -> None:
    """None: what is right stays the same object."""
    found = repairs.with_results(messages)
    assert (found is messages) if made is None else (found == made)


@pytest.mark.parametrize("name", repairs.REPAIRS)
@pytest.mark.parametrize("wire_format", repairs.NEEDED)
def test_no_repair_can_be_taken_from_a_format_unnoticed(wire_format: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one in the table that no conversation shows."""
    if name not in repairs.NEEDED[wire_format]:
        return
    mine = [target for _, target in TARGETS if tried_at(target).provider.adapter == wire_format]
    every = [(target, messages) for target in mine for messages in CONVERSATIONS.values()]
    before = [sent(target, messages, tools=TOOLS) for target, messages in every]
    others = {**repairs.NEEDED, wire_format: tuple(other for other in repairs.NEEDED[wire_format] if other != name)}
    monkeypatch.setattr(repairs, "NEEDED", others)
    assert any(_try(target, messages) != made for (target, messages), made in zip(every, before, strict=True))


def _try(target: str, messages: list[JSON]) -> JSON | None:
    try:
        return sent(target, messages, tools=TOOLS)
    except BadRequestError:
        return None


def test_every_chat_format_is_in_the_table() -> None:
    assert set(repairs.NEEDED) == set(adapters.ADAPTERS["chat_completions"])


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


@pytest.mark.parametrize(
    "target", [f"{provider.name}/m" for provider in all_providers() if provider.adapter and not provider.offline]
)
def test_text_parts_are_joined_as_they_are(target: str) -> None:
    """Wherever a format wants one text: nothing comes between them that nobody wrote."""
    parts = [{"type": "text", "text": "qa"}, {"type": "text", "text": "qb"}]
    conversation = [{"role": "system", "content": parts}, {**USER, "content": parts}, {**SAID, "content": parts}, USER]
    results = [*called("{}"), {**RESULT, "content": parts}]
    for messages in (conversation, *([] if "tools" in get(target[:-2]).dialect.refuse else [results])):
        body = json.dumps(sent(target, messages))
        joined = re.findall(r"qa(?:qb|\"}, {(?:\"type\": \"text\", )?\"text\": \"qb|\"}}, {\"content\": {\"text\": \"qb)", body)
        assert len(joined) == body.count("qa") == (3 if messages is conversation else 1), body


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


BREAKPOINTS = (
    ({"mode": "explicit"}, {"type": "ephemeral"}),
    ({"mode": "explicit", "ttl": "12h"}, {"type": "ephemeral", "ttl": "1h"}),
)


@pytest.mark.parametrize(("mark", "theirs"), BREAKPOINTS)
@pytest.mark.parametrize(
    ("target", "keeps"),
    [
        ("anthropic/claude-opus-5-5", "cache_control"),
        ("vertex_ai/claude-opus-5-5", "cache_control"),
        ("bedrock_invoke/us.anthropic.claude-opus-5-5", "cache_control"),
        ("bedrock/us.anthropic.claude-opus-5-5", "cachePoint"),
        ("databricks/databricks-claude-opus-5-5", "cache_control"),
        ("vercel_ai_gateway/anthropic/claude-opus-5-5", "cache_control"),
        ("openrouter/anthropic/claude-opus-5-5", "prompt_cache_breakpoint"),
        ("openai/gpt-6-sol", "prompt_cache_breakpoint"),
        ("responses/gpt-6-sol", "prompt_cache_breakpoint"),
        ("mistral/mistral-large-2512", ""),
        ("gemini/gemini-3.1-pro", ""),
    ],
)
def test_openais_marks_for_the_cache_are_anthropics_where_these_are_known(
    target: str, keeps: str, mark: JSON, theirs: JSON
) -> None:
    part = {"type": "text", "text": "Hi", "prompt_cache_breakpoint": mark}
    text = json.dumps(sent(target, [{"role": "user", "content": [part, {"type": "text", "text": "So?"}]}]))
    kept = {"cache_control": theirs, "cachePoint": {**theirs, "type": "default"}, "prompt_cache_breakpoint": mark}
    assert (f'"{keeps}": {json.dumps(kept[keeps])}' in text) if keeps else ("cache" not in text)
    assert ("breakpoint" in text) == (keeps == "prompt_cache_breakpoint")
