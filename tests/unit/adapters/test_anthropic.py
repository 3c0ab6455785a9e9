"""What Anthropic gets, in tables: each row is a part of a request, the model, and what the call then holds."""

import json
from typing import Any

import pytest

from haimaker.adapters.anthropic import chat, names, schemas, settings, thinking_ids
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from haimaker.models import catalog
from haimaker.models.catalog import ModelInfo
from haimaker.operations.attempt import Attempt
from haimaker.providers.registry import get
from tests.support import vendor_schemas
from tests.support.builders import result_of
from tests.unit.adapters.claude import (
    FUTURE,
    HELLO,
    OLD,
    OPUS_5,
    OPUS_46,
    OPUS_48,
    OPUS_55,
    SONNET_45,
    SONNET_55,
    THOUGHT,
    attempt,
    call,
    sent,
    text,
)
from tests.wire.case import find

LOOK = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}},
}
RUN = {"type": "function", "function": {"name": "run"}}
LOOK_FORCED = {"type": "function", "function": {"name": "look"}}
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}
FORM = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
NATIVE = {"type": "json_schema", "schema": SCHEMA}
FORCED = {"type": "tool", "name": names.ANSWER_TOOL, "disable_parallel_tool_use": True}
ONE_AT_A_TIME = {"type": "auto", "disable_parallel_tool_use": True}
SUMMARIZED = {"type": "adaptive", "display": "summarized"}
ONLY_LOOK = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [LOOK_FORCED]}}
CALLED = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "9"}


PARAMETERS: list[tuple[str, JSON, JSON, list[str]]] = [
    (SONNET_45, {}, {"max_tokens": 64_000}, []),
    (OLD, {}, {"max_tokens": 4_096}, []),
    (SONNET_45, {"max_tokens": 900_000}, {"max_tokens": 64_000}, []),
    (SONNET_45, {"max_tokens": 5, "max_completion_tokens": 7}, {"max_tokens": 7}, []),
    (SONNET_45, {"stop": ["a", " "]}, {"stop_sequences": ["a"]}, ["stop"]),
    (SONNET_45, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": None}, ["top_p"]),
    (SONNET_45, {"temperature": 0.5, "top_p": 1}, {"temperature": 0.5, "top_p": None}, []),
    (SONNET_45, {"temperature": 1.5, "top_k": 3}, {"temperature": None, "top_k": 3}, ["temperature"]),
    (OPUS_46, {"temperature": 0.5}, {"temperature": 0.5}, []),
    (
        OPUS_48,
        {"temperature": 0.5, "top_p": 1, "top_k": 1},
        {"temperature": None, "top_p": None, "top_k": None},
        ["temperature", "top_k"],
    ),
    (OPUS_48, {"temperature": 1}, {"temperature": None}, []),
    (SONNET_45, {"reasoning_effort": "low", "temperature": 0.5}, {"temperature": None}, ["temperature"]),
    (SONNET_45, {"user": "u-1"}, {"metadata": {"user_id": "u-1"}}, []),
    (SONNET_45, {"user": "ada@example.org"}, {"metadata": None}, ["user"]),
    (SONNET_45, {"user": "+41 31 000 00 00", "safety_identifier": "s"}, {"metadata": {"user_id": "s"}}, ["user"]),
    (SONNET_45, {"metadata": {"user_id": "m", "more": "x"}, "user": "u"}, {"metadata": {"user_id": "m"}}, ["metadata"]),
    (SONNET_45, {"service_tier": "priority"}, {"service_tier": "auto"}, []),
    (SONNET_45, {"service_tier": "flex"}, {"service_tier": None}, ["service_tier"]),
    (SONNET_45, {"seed": 1, "presence_penalty": 0, "n": 1, "modalities": ["text"]}, {"seed": None}, ["seed"]),
    (SONNET_45, {"logit_bias": {"1": 2}, "drop_params": True}, {"logit_bias": None, "drop_params": None}, ["logit_bias"]),
    (SONNET_45, {"container": "c", "system": "S"}, {"container": "c", "system": [{"type": "text", "text": "S"}]}, []),
    (SONNET_45, {"stream": True}, {"stream": True}, []),
    # reasoning
    (OLD, {"reasoning_effort": "high"}, {"thinking": None}, ["reasoning_effort"]),
    (SONNET_45, {"reasoning_effort": "high"}, {"thinking": {"type": "enabled", "budget_tokens": 4096}}, []),
    (SONNET_45, {"reasoning_effort": "high", "max_tokens": 3000}, {"thinking": {"type": "enabled", "budget_tokens": 1500}}, []),
    (SONNET_45, {"reasoning_effort": "high", "max_tokens": 1024}, {"thinking": None}, ["reasoning_effort"]),
    (SONNET_45, {"reasoning_effort": "low", "messages": [HELLO, CALLED, RESULT]}, {"thinking": None}, ["reasoning_effort"]),
    (SONNET_45, {"reasoning_effort": "none"}, {"thinking": None}, []),
    (OPUS_46, {"reasoning_effort": "xhigh"}, {"thinking": SUMMARIZED, "output_config": {"effort": "high"}}, []),
    (OPUS_48, {"reasoning_effort": "xhigh"}, {"thinking": SUMMARIZED, "output_config": {"effort": "xhigh"}}, []),
    (FUTURE, {"reasoning_effort": "max"}, {"thinking": SUMMARIZED, "output_config": {"effort": "max"}}, []),
    (OPUS_48, {"reasoning_effort": "none"}, {"thinking": None}, []),
    (OPUS_5, {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, []),
    (SONNET_55, {"reasoning_effort": "none"}, {"thinking": {"type": "between_tools"}}, []),
    (OPUS_55, {"reasoning_effort": "none"}, {"thinking": SUMMARIZED, "output_config": {"effort": "low"}}, []),
    (
        OPUS_46,
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        [],
    ),
    (OPUS_48, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"thinking": SUMMARIZED}, ["thinking.budget_tokens"]),
    # tools
    (SONNET_45, {"tools": [LOOK], "tool_choice": "required"}, {"tool_choice": {"type": "any"}}, []),
    (SONNET_45, {"tools": [LOOK], "tool_choice": "none"}, {"tool_choice": {"type": "none"}}, []),
    (SONNET_45, {"tools": [LOOK], "tool_choice": LOOK_FORCED}, {"tool_choice": {"type": "tool", "name": "look"}}, []),
    (SONNET_45, {"tools": [LOOK, RUN], "tool_choice": ONLY_LOOK}, {"tool_choice": {"type": "any"}}, []),
    (SONNET_45, {"tools": [LOOK], "parallel_tool_calls": False}, {"tool_choice": ONE_AT_A_TIME}, []),
    (SONNET_45, {"tool_choice": "auto", "parallel_tool_calls": False}, {"tool_choice": None, "tools": None}, []),
    (SONNET_45, {"tools": [{"type": "bash_20250124", "name": "bash"}]}, {"tools": [{"type": "bash_20250124", "name": "bash"}]}, []),
    (
        OPUS_48,
        {"tools": [LOOK], "tool_choice": "required", "reasoning_effort": "low"},
        {"tool_choice": {"type": "any"}, "thinking": None},
        ["reasoning_effort"],
    ),
    (OPUS_55, {"tools": [LOOK], "tool_choice": "required", "drop_params": True}, {"tool_choice": None}, ["tool_choice"]),
    # answers in JSON
    (SONNET_45, {"response_format": {"type": "text"}}, {"tools": None, "output_config": None}, []),
    (SONNET_45, {"response_format": FORM}, {"output_config": {"format": NATIVE}, "tools": None}, []),
    (OPUS_48, {"response_format": FORM, "reasoning_effort": "low"}, {"output_config": {"effort": "low", "format": NATIVE}}, []),
    (OLD, {"response_format": FORM}, {"tool_choice": FORCED, "output_config": None}, []),
    (OLD, {"response_format": FORM, "tools": [LOOK], "tool_choice": "none"}, {"tool_choice": FORCED}, []),
    (OLD, {"response_format": FORM, "tools": [LOOK]}, {"tool_choice": {"type": "any"}}, []),
    (OLD, {"response_format": FORM, "tools": [LOOK], "tool_choice": "required"}, {"tool_choice": {"type": "any"}}, []),
    (SONNET_45, {"response_format": {"type": "json_object"}}, {"tool_choice": FORCED}, []),
    (OPUS_55, {"response_format": {"type": "json_object"}}, {"tool_choice": {"type": "auto"}}, []),
]


@pytest.mark.parametrize(("model", "body", "holds", "dropped"), PARAMETERS)
def test_parameters(model: str, body: JSON, holds: JSON, dropped: list[str]) -> None:
    made = call(body, model)
    assert {name: made.get(name) for name in holds} == holds
    assert sorted(sent(body, model).dropped) == sorted(dropped)


LATER = {"role": "system", "content": "Later"}
TURNS: list[tuple[str, list[JSON], list[JSON]]] = [
    (SONNET_45, [HELLO, HELLO], [{"role": "user", "content": [text("Hello"), text("Hello")]}]),
    (SONNET_45, [{"role": "system", "content": "S"}], [{"role": "user", "content": [text(".")]}]),
    (SONNET_45, [HELLO, LATER], [{"role": "user", "content": [text("Hello"), text("Later")]}]),
    (OPUS_48, [HELLO, LATER], [{"role": "user", "content": [text("Hello")]}, {"role": "system", "content": [text("Later")]}]),
    (OPUS_48, [HELLO, LATER, HELLO], [{"role": "user", "content": [text("Hello"), text("Later"), text("Hello")]}]),
    (
        SONNET_45,
        [{"role": "assistant", "content": "A \n"}],
        [{"role": "user", "content": [text(".")]}, {"role": "assistant", "content": [text("A")]}],
    ),
    (
        OPUS_48,
        [HELLO, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No"}]}],
        [
            {"role": "user", "content": [text("Hello")]},
            {"role": "assistant", "content": [text("No")]},
            {"role": "user", "content": [text("Continue.")]},
        ],
    ),
]


@pytest.mark.parametrize(("model", "messages", "turns"), TURNS)
def test_turns(model: str, messages: list[JSON], turns: list[JSON]) -> None:
    assert call({"messages": messages}, model)["messages"] == turns


@pytest.mark.parametrize(
    ("file", "beta"),
    [
        ({"file_id": "file_1"}, settings.FILES_BETA),
        ({"file_id": "f", "format": "text/csv"}, settings.FILES_BETA),
        ({"file_data": "JVBERi0="}, None),
    ],
)
def test_files_by_their_ids_are_named_as_in_trial(file: JSON, beta: str | None) -> None:
    body = {"messages": [{"role": "user", "content": [{"type": "file", "file": file}]}]}
    assert sent(body).headers.get("anthropic-beta") == beta


REFUSED: list[tuple[str, JSON, str]] = [
    (SONNET_45, {"logit_bias": {"1": 2}}, "logit_bias"),
    (SONNET_45, {"logprobs": True}, "logprobs"),
    (SONNET_45, {"n": 2}, "n"),
    (SONNET_45, {"reasoning_effort": "extreme"}, "reasoning_effort"),
    (SONNET_45, {"reasoning_effort": ["low"]}, "reasoning_effort"),
    (SONNET_45, {"response_format": {"type": "xml"}}, "response_format.type"),
    (SONNET_45, {"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    (SONNET_45, {"tools": [LOOK], "tool_choice": "sometimes"}, "tool_choice"),
    (SONNET_45, {"tools": [{"type": "function"}]}, "tools[0].function"),
    (SONNET_45, {"tools": [{"type": "function", "function": {"name": "é" * 128}}]}, "tools[0].function.name"),
    (SONNET_45, {"web_search_options": {"search_context_size": ["low"]}}, "web_search_options.search_context_size"),
    (OPUS_55, {"tools": [LOOK], "tool_choice": "required"}, "tool_choice"),
    (SONNET_45, {"messages": [{"role": "oracle", "content": "x"}]}, "messages[0].role"),
    (SONNET_45, {"messages": [HELLO, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
    (SONNET_45, {"messages": [{"role": "assistant", "tool_calls": [{"function": {}}]}]}, "messages[0].tool_calls[0].id"),
    (SONNET_45, {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].type"),
    (SONNET_45, {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    (
        SONNET_45,
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
        "messages[0].content[0].image_url.url",
    ),
]


@pytest.mark.parametrize(("model", "body", "param"), REFUSED)
def test_what_cant_be_sent_is_refused_by_name(model: str, body: JSON, param: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        sent(body, model)
    assert refused.value.param == param


def test_a_limit_of_ours_is_sent_where_the_client_has_none() -> None:
    assert json.loads(sent({}, max_output_tokens=300).body)["max_tokens"] == 300


def test_every_case_is_a_call_in_the_vendors_own_types() -> None:
    for case in find("chat"):
        if case.about["provider"] == "anthropic":
            vendor_schemas.anthropic_types(case.json("upstream_request.json")["body"])


def test_thinking_goes_back_to_where_it_was() -> None:
    """Between texts and calls, from nothing but the ids."""
    blocks = [text("One. "), THOUGHT, text("Two. "), {"type": "redacted_thinking", "data": "x"}, use("a"), THOUGHT, use("b")]
    answer = result_of(chat, {"id": "m", "content": blocks, "stop_reason": "tool_use"}, attempt())
    message = answer["choices"][0]["message"]
    kept = {name: message[name] for name in ("role", "content", "tool_calls")}
    results = [{"role": "tool", "tool_call_id": called["id"], "content": "9"} for called in message["tool_calls"]]
    turns = call({"messages": [HELLO, kept, *results]})["messages"]
    assert turns[1]["content"] == blocks
    assert [block["tool_use_id"] for block in turns[2]["content"]] == ["a", "b"]


def use(identifier: str) -> JSON:
    return {"type": "tool_use", "id": identifier, "name": "look", "input": {}}


@pytest.mark.parametrize(
    ("model", "bound"),
    [(OPUS_55, True), ("claude-fable-5-1", True), ("claude-haiku-5-5", True), (OPUS_5, False), (SONNET_45, False)],
)
def test_thinking_that_no_longer_fits_is_dropped_by_the_models_that_check_it(model: str, bound: bool) -> None:
    made = sent({"messages": [HELLO, {"role": "assistant", "content": "A", "thinking_blocks": [THOUGHT]}, HELLO]}, model)
    assert ("anthropic-beta" in made.headers) == bound
    assert ("block_binding" in json.loads(made.body).get("thinking", {})) == bound


@pytest.mark.parametrize("identifier", ["a__thinking__", "a__thinking__%%%", "a__thinking__eNoDAAAAAAE", "a__thinking__" + "A" * 9])
def test_an_id_that_was_cut_holds_no_thinking(identifier: str) -> None:
    assert thinking_ids.unpack(identifier) == thinking_ids.Call("a")


OBJECT, CLOSED = {"type": "object"}, {"type": "object", "additionalProperties": False}
SUBSETS: list[tuple[Any, Any]] = [
    (True, True),
    ({"type": "string", "minLength": 1}, {"type": "string", "description": '{"minLength": 1}'}),
    ({"type": "integer", "maximum": 9, "description": "d"}, {"type": "integer", "description": 'd\n\n{"maximum": 9}'}),
    ({"oneOf": [{"type": "null"}]}, {"anyOf": [{"type": "null"}]}),
    ({"type": "array", "items": OBJECT, "minItems": 1}, {"type": "array", "items": CLOSED, "minItems": 1}),
    ({"type": "string", "format": "email"}, {"type": "string", "format": "email"}),
    ({"type": "string", "format": "color"}, {"type": "string", "description": '{"format": "color"}'}),
    ({"type": "string", "pattern": "(?=a)"}, {"type": "string", "description": '{"pattern": "(?=a)"}'}),
    ({"$defs": {"a": OBJECT}, "$ref": "#/$defs/a"}, {"$defs": {"a": CLOSED}, "$ref": "#/$defs/a"}),
]


@pytest.mark.parametrize(("schema", "subset"), SUBSETS)
def test_schemas(schema: Any, subset: Any) -> None:
    assert schemas.to_subset(schema) == subset


@pytest.mark.parametrize("model", [model_info.model for model_info in catalog.all_models("anthropic")])
def test_names_say_what_the_table_knows(model: str) -> None:
    """What is guessed of a model that the table does not know yet agrees with it for those that it knows."""
    known = attempt(model).traits
    guessed = Attempt("r", 0, get("anthropic"), model, ModelInfo.unknown("anthropic", model)).traits
    named = ("thinks", "thinks_by_budget", "drops", "schema", "forces_tools", "prefills", "system_turns")
    assert {name: getattr(guessed, name) for name in named} == {name: getattr(known, name) for name in named}
