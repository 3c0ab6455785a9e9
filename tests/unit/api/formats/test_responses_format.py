"""OpenAI's Responses as a client format, read by OpenAI's SDK."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from haimaker.api.formats import responses, responses_answers
from haimaker.api.formats.responses_requests import to_chat
from haimaker.http.errors import APIError, BadRequestError

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "total_tokens": 39,
    "prompt_tokens_details": {"cached_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 4},
    "cost": 0.25,
}
HI = [{"role": "user", "content": "Hi"}]
WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}, "strict": True}
CHAT_WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}, "strict": True}}
PATCH = {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}}


def function(identifier: str, name: str = "get_weather", arguments: str = "{}") -> dict[str, Any]:
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("fields", "chat"),
    [
        ({}, {}),
        ({"instructions": "Be brief."}, {"messages": [{"role": "developer", "content": "Be brief."}, *HI]}),
        ({"max_output_tokens": 9, "tools": None, "temperature": 0}, {"max_completion_tokens": 9, "temperature": 0}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        (
            {"text": {"verbosity": "low", "format": {"type": "json_object"}}},
            {"verbosity": "low", "response_format": {"type": "json_object"}},
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"tools": [WEATHER], "tool_choice": "required"}, {"tools": [CHAT_WEATHER], "tool_choice": "required"}),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "name": "get_weather"}},
            {"tools": [CHAT_WEATHER], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
        ),
        (
            {
                "tools": [WEATHER],
                "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_weather"}]},
            },
            {
                "tools": [CHAT_WEATHER],
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "get_weather"}}]},
                },
            },
        ),
        (
            {"tools": [PATCH, {"type": "namespace", "name": "web", "tools": [WEATHER]}]},
            {
                "tools": [
                    {
                        "type": "custom",
                        "custom": {"name": "apply_patch", "description": "Its input follows this grammar (lark):\nstart: x"},
                    },
                    {**CHAT_WEATHER, "function": {**CHAT_WEATHER["function"], "name": "web__get_weather"}},
                ]
            },
        ),
        (
            {
                "tools": [
                    {"type": "web_search", "search_context_size": "low", "user_location": {"type": "approximate", "city": "Bern"}}
                ]
            },
            {
                "web_search_options": {
                    "search_context_size": "low",
                    "user_location": {"type": "approximate", "approximate": {"city": "Bern"}},
                }
            },
        ),
        (
            {
                "input": [
                    {
                        "type": "message",
                        "role": "user",
                        "content": [
                            {"type": "input_text", "text": "See"},
                            {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "low"},
                        ],
                    },
                    {
                        "type": "reasoning",
                        "id": "rs_1",
                        "summary": [{"type": "summary_text", "text": "Hm."}],
                        "encrypted_content": "haimaker",
                    },
                    {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "Well."}]},
                    {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": "{}"},
                    {"type": "function_call", "call_id": "c2", "name": "get_weather", "arguments": "{}", "namespace": "web"},
                    {"type": "function_call_output", "call_id": "c1", "output": "rain"},
                    {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "sun"}]},
                    {"type": "custom_tool_call", "call_id": "c3", "name": "apply_patch", "input": "x"},
                    {"type": "custom_tool_call_output", "call_id": "c3", "output": "done"},
                    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAA"},
                ]
            },
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "See"},
                            {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
                        ],
                    },
                    {
                        "role": "assistant",
                        "reasoning_content": "Hm.",
                        "content": [{"type": "text", "text": "Well."}],
                        "tool_calls": [function("c1"), function("c2", "web__get_weather")],
                    },
                    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
                    {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "sun"}]},
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [{"id": "c3", "type": "custom", "custom": {"name": "apply_patch", "input": "x"}}],
                    },
                    {"role": "tool", "tool_call_id": "c3", "content": "done"},
                ]
            },
        ),
    ],
)
def test_a_request_is_a_chat(fields: dict[str, Any], chat: dict[str, Any]) -> None:
    assert to_chat({"model": "m", "input": "Hi", **fields}) == ({"model": "m", "messages": HI, **chat}, ())


@pytest.mark.parametrize(
    ("fields", "dropped"),
    [
        ({"max_tool_calls": 3, "truncation": "auto"}, ("max_tool_calls", "truncation")),
        ({"tools": [{"type": "web_search", "external_web_access": False}, {"type": "tool_search"}]}, ("tools[0]", "tools[1]")),
    ],
)
def test_what_a_chat_can_not_say_is_left_out_and_named(fields: dict[str, Any], dropped: Sequence[str]) -> None:
    assert to_chat({"model": "m", "input": "Hi", **fields}) == ({"model": "m", "messages": HI}, dropped)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"background": "yes"}, "background"),
        ({"background": 1}, "background"),
        ({"store": "false"}, "store"),
        ({"parallel_tool_calls": "x"}, "parallel_tool_calls"),
        ({"metadata": "x"}, "metadata"),
        ({"input": []}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "file-1"}]}]}, "input[0].content[0].file_id"),
        (
            {
                "input": [
                    {"role": "user", "content": [{"type": "input_file", "file_id": "file-1", "file_url": "https://a.example"}]}
                ]
            },
            "input[0].content[0].file_id",
        ),
        (
            {"input": [{"type": "computer_call_output", "output": {"type": "computer_screenshot", "file_id": "file-1"}}]},
            "input[0].output.file_id",
        ),
        ({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "input[0].call_id"),
        ({"background": True, "store": False}, "background"),
        ({"tools": {}}, "tools"),
        ({"tools": [None]}, "tools[0].type"),
        ({"tools": [{"type": 5, "name": "f"}]}, "tools[0].type"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"reasoning": "high"}, "reasoning"),
    ],
)
def test_what_can_not_be_read_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as raised:
        to_chat({"model": "m", "input": "Hi", **fields})
    assert raised.value.param == param


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
PIECES = st.one_of(
    st.builds(lambda text: {"content": text}, TEXTS),
    st.builds(lambda text: {"reasoning_content": text}, TEXTS),
    st.builds(lambda text: {"refusal": text}, TEXTS),
    st.sampled_from([{"call": "function"}, {"call": "custom"}]),
)


@given(
    st.lists(PIECES, max_size=12),
    st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    st.sampled_from([None, False, True]),
)
def test_openais_sdk_folds_any_stream(pieces: list[dict[str, Any]], reason: str, stored: bool | None) -> None:
    """Each delta meets an item and a part that were added before it, and what is told at the end is what the deltas add up to."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    calls = 0
    for piece in pieces:
        if piece.get("call") == "function":
            made = {
                "index": calls,
                "id": f"c{calls}",
                "type": "function",
                "function": {"name": "web__get_weather", "arguments": ""},
            }
            deltas += [{"tool_calls": [made]}, {"tool_calls": [{"index": calls, "function": {"arguments": "{}"}}]}]
        elif piece.get("call") == "custom":
            made = {"index": calls, "id": f"c{calls}", "type": "custom", "custom": {"name": "apply_patch", "input": ""}}
            deltas += [{"tool_calls": [made]}, {"tool_calls": [{"index": calls, "custom": {"input": "x"}}]}]
        else:
            deltas.append(piece)
        calls += "call" in piece
    chunks: list[dict[str, Any]] = [
        {"model": "m", "created": 5, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}, {"choices": [], "usage": USAGE}]
    body = {
        "model": "m",
        "input": "Hi",
        "tools": [PATCH, {"type": "namespace", "name": "web", "description": "The web.", "tools": [WEATHER]}],
        "store": stored,
    }
    told = list(responses_answers.events(chunks, body, "r1"))
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in told:
        state.handle_event(EVENT.validate_python(json.loads(json.dumps(event))))
    last = Response.model_validate(told[-1]["response"])
    done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
    assert sorted(done, key=lambda item: item["id"]) == sorted(told[-1]["response"]["output"], key=lambda item: item["id"])
    parts = [part for item in last.output if item.type == "message" for part in item.content]
    assert "".join(part.text for part in parts if part.type == "output_text") == "".join(
        piece.get("content", "") for piece in pieces
    )
    assert "".join(part.refusal for part in parts if part.type == "refusal") == "".join(
        piece.get("refusal", "") for piece in pieces
    )
    thoughts = "".join(part.text for item in last.output if item.type == "reasoning" for part in item.summary)
    assert thoughts == ("" if stored is None else "".join(piece.get("reasoning_content", "") for piece in pieces))
    called = [(item.name, item.namespace) for item in last.output if item.type == "function_call"]
    assert called == [("get_weather", "web")] * sum(piece.get("call") == "function" for piece in pieces)
    assert [item.input for item in last.output if item.type == "custom_tool_call"] == ["x"] * sum(
        piece.get("call") == "custom" for piece in pieces
    )
    assert last.status == ("incomplete" if reason in responses_answers.INCOMPLETE else "completed")
    assert last.usage
    assert (last.usage.input_tokens, last.usage.output_tokens, last.usage.total_tokens) == (30, 9, 39)


def test_a_whole_answer_is_what_its_stream_ends_with() -> None:
    message = {"role": "assistant", "content": "Rain.", "tool_calls": [function("c1")], "annotations": [CITED]}
    answer = {"model": "gpt", "created": 7, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
    told = responses_answers.from_chat(answer, {"model": "m", "input": "Hi", "metadata": {"a": "b"}}, "r1")
    assert Response.model_validate(told).output_text == "Rain."
    assert [item["type"] for item in told["output"]] == ["message", "function_call"]
    assert told["output"][0]["content"][0]["annotations"] == [{"type": "url_citation", **CITED["url_citation"]}]
    assert (told["metadata"], told["usage"]["cost"], told["created_at"]) == ({"a": "b"}, 0.25, 7)


CITED: dict[str, Any] = {
    "type": "url_citation",
    "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 4},
}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (APIError("No.", status=502, code="stream_interrupted"), "server_error"),
        (APIError("Later.", status=429, code="provider_rate_limit"), "rate_limit_exceeded"),
        (APIError("No.", status=400, code="tool_use_failed"), "invalid_prompt"),
        (APIError("No.", status=403), "invalid_prompt"),
        (APIError("No.", status=400, code="invalid_image_url"), "invalid_image_url"),
    ],
)
def test_a_response_that_failed_says_so_in_openais_codes(error: APIError, code: str) -> None:
    told = responses.write_failure(error, "r", 1).decode()
    failed = EVENT.validate_json(told.rpartition("data: ")[2])
    assert (failed.type, failed.response.error.code) == ("response.failed", code)


def test_an_error_in_a_stream_is_an_event() -> None:
    event = responses.error_event(APIError("No.", code="server_error"), 4)
    assert EVENT.validate_python(event).type == "error"
