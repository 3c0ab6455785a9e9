"""Anthropic's Messages as a client format, read by Anthropic's SDK."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from haimaker.api.formats import messages
from haimaker.api.formats.messages_requests import find_refusal, to_chat
from haimaker.http.errors import APIError, BadRequestError, NotFoundError

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "total_tokens": 39,
    "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 5},
    "cost": 0.25,
}
PIXEL = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
HELLO = [{"role": "user", "content": "Hi"}]
EPHEMERAL = {"type": "ephemeral", "ttl": "1h"}
FOUND = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "tool_reference", "tool_name": "get_weather"}]}
RAIN = {"type": "tool_result", "tool_use_id": "t", "content": "rain"}
MARKED: Sequence[tuple[Any, dict[str, Any]]] = (
    *(
        (content, {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": EPHEMERAL}]})
        for content in ("Hi", [{"type": "text", "text": "Hi"}])
    ),
    ([RAIN], {"role": "tool", "tool_call_id": "t", "content": "rain", "cache_control": EPHEMERAL}),
)
"""The end of a conversation, and what is marked of it where the request as a whole is."""
PASSAGES = {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
TOOL = {"name": "get_weather", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 100, "messages": HELLO, **fields}


def call(identifier: str, arguments: str, index: int | None = None) -> dict[str, Any]:
    made = {"id": identifier, "type": "function", "function": {"name": "get_weather", "arguments": arguments}}
    return made if index is None else {"index": index, **made}


@pytest.mark.parametrize(
    ("fields", "chat"),
    [
        ({}, {}),
        ({"system": "Be brief."}, {"messages": [{"role": "system", "content": "Be brief."}, *HELLO]}),
        (
            {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
            {
                "messages": [
                    {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
                    *HELLO,
                ]
            },
        ),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"stop_sequences": ["x"], "temperature": 0, "top_p": 0.5}, {"stop": ["x"], "temperature": 0, "top_p": 0.5}),
        ({"service_tier": "standard_only"}, {"service_tier": "default"}),
        ({"metadata": {"user_id": "ada"}}, {"safety_identifier": "ada"}),
        ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning_effort": "low"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, {"reasoning_effort": "high"}),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, {"reasoning_effort": "max"}),
        ({"thinking": {"type": "adaptive"}}, {}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
        (
            {"tools": [{"name": "f", "input_schema": {"type": "object"}, "description": "d"}], "tool_choice": {"type": "any"}},
            {
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "description": "d"}}],
                "tool_choice": "required",
            },
        ),
        (
            {
                "tools": [{"type": "custom", "name": "f", "input_schema": {}}],
                "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
            },
            {
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "parallel_tool_calls": False,
            },
        ),
        (
            {
                "tools": [
                    {"type": "web_search_20250305", "name": "web_search", "user_location": {"type": "approximate", "city": "Bern"}}
                ]
            },
            {"web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Bern"}}}},
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, {"type": "image", "source": PIXEL}]}]},
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What?"},
                            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
                        ],
                    }
                ]
            },
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": "Weather?"},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "thinking", "thinking": "Hm.", "signature": "haimaker"},
                            {"type": "text", "text": "Let me see."},
                            {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Bern"}},
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "Well?"},
                            {"type": "tool_result", "tool_use_id": "t1", "content": "rain", "is_error": False},
                        ],
                    },
                ]
            },
            {
                "messages": [
                    {"role": "user", "content": "Weather?"},
                    {
                        "role": "assistant",
                        "reasoning_content": "Hm.",
                        "content": [{"type": "text", "text": "Let me see."}],
                        "tool_calls": [call("t1", '{"city": "Bern"}')],
                    },
                    {"role": "tool", "tool_call_id": "t1", "content": "rain", "is_error": False},
                    {"role": "user", "content": [{"type": "text", "text": "Well?"}]},
                ]
            },
        ),
        ({"thinking": {"type": "between_tools"}, "output_config": {"effort": "high"}}, {"reasoning_effort": "none"}),
        (
            {"messages": [{"role": "user", "content": [FOUND]}], "tools": [TOOL]},
            {
                "messages": [
                    {"role": "tool", "tool_call_id": "t", "content": [{"type": "text", "text": "The tool get_weather is there."}]}
                ],
                "tools": [FUNCTION],
            },
        ),
        *(
            ({"cache_control": EPHEMERAL, "messages": [{"role": "user", "content": content}]}, {"messages": [marked]})
            for content, marked in MARKED
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "title": "T", "source": PASSAGES}]}]},
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "T\n\na\nb"}]}]},
        ),
    ],
)
def test_a_request_is_a_chat(fields: dict[str, Any], chat: dict[str, Any]) -> None:
    assert to_chat(asked(**fields)) == (asked(**chat), ())


@pytest.mark.parametrize(
    ("fields", "dropped"),
    [
        ({"top_k": 5, "context_management": {"edits": []}}, ("top_k", "context_management")),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, ("tools[0]",)),
        ({"of_tomorrow": {"a": 1}, "diagnostics": {"previous_message_id": None}}, ("of_tomorrow", "diagnostics")),
        ({"output_config": {"task_budget": {"type": "tokens", "total": 9}}}, ("output_config.task_budget",)),
        ({"fallbacks": "default"}, ()),
        ({"fallbacks": [{"model": "n", "speed": "fast"}]}, ("fallbacks.speed",)),
    ],
)
def test_what_only_anthropic_has_is_left_out_and_named(fields: dict[str, Any], dropped: Sequence[str]) -> None:
    assert to_chat(asked(**fields)) == (asked(), dropped)


@pytest.mark.parametrize(
    ("fields", "error", "param"),
    [
        ({"messages": []}, BadRequestError, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, BadRequestError, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, BadRequestError, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_use"}]}]}, BadRequestError, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": ["text"]}]}]}, BadRequestError, "messages[0].content[0].type"),
        ({"messages": [{"role": "assistant", "content": [{"type": {}}]}]}, BadRequestError, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": 1}]}]},
            BadRequestError,
            "messages[0].content[0].source",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}]},
            NotFoundError,
            "messages[0].content[0].source.file_id",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "file_1"}]}]},
            NotFoundError,
            "messages[0].content[0].file_id",
        ),
        ({"tools": [{"name": "f"}]}, BadRequestError, "tools[0].input_schema"),
        ({"thinking": {"type": "enabled"}}, BadRequestError, "thinking.budget_tokens"),
    ],
)
def test_what_can_not_be_read_is_refused(fields: dict[str, Any], error: type[APIError], param: str) -> None:
    with pytest.raises(error) as raised:
        to_chat(asked(**fields))
    assert raised.value.param == param


VIDEO: dict[str, Any] = {"type": "video", "url": "https://a.example"}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t", "content": [VIDEO]}
TURN: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "Hi"}, VIDEO]}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [TURN]}, "messages[0].content[1].type"),
        ({"messages": [*HELLO, {"role": "user", "content": [RESULT]}]}, "messages[1].content[0].content[0].type"),
        ({"messages": [{**TURN, "role": "system"}, *HELLO]}, "messages[0].content[1].type"),
        ({"messages": HELLO, "system": [VIDEO]}, "system[0].type"),
        ({"messages": HELLO, "mcp_servers": [{"name": "m"}]}, "mcp_servers"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": [*HELLO, {**TURN, "role": "assistant"}, *HELLO]}, None),
    ],
)
def test_what_only_anthropic_may_know_only_it_is_told(fields: dict[str, Any], param: str | None) -> None:
    """Of an earlier answer it is left out for others, as what its own tools found."""
    refusal = find_refusal(asked(**fields))
    assert (refusal.param if refusal else None) == param
    chat, _ = to_chat(asked(**fields))
    assert "video" not in json.dumps(chat)


def test_a_whole_answer() -> None:
    message = {"role": "assistant", "content": "Rain.", "reasoning_content": "Hm.", "tool_calls": [call("t1", '{"city":"Bern"}')]}
    answer = {"model": "gpt", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}], "usage": USAGE}
    told = messages.from_chat(answer, "r1")
    assert Message.model_validate(told).model_dump(exclude_unset=True) == told
    assert told["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "haimaker"},
        {"type": "text", "text": "Rain."},
        {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "Bern"}},
    ]
    assert told["stop_reason"] == "tool_use"
    used = told["usage"]
    assert (used["input_tokens"], used["cache_read_input_tokens"], used["cache_creation_input_tokens"]) == (15, 10, 5)
    assert (used["output_tokens"], used["cost"]) == (9, 0.25)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
PIECES = st.one_of(
    st.builds(lambda text: {"content": text}, TEXTS),
    st.builds(lambda text: {"reasoning_content": text}, TEXTS),
    st.builds(lambda text: {"refusal": text}, TEXTS),
    st.just({"call": True}),
)


@given(st.lists(PIECES, max_size=12), st.sampled_from(["stop", "length", "tool_calls", "content_filter"]))
def test_anthropics_sdk_folds_any_stream(pieces: list[dict[str, Any]], reason: str) -> None:
    """Blocks open and close one at a time, the text of each kind arrives whole, and the usage is told at the end."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    calls = 0
    for piece in pieces:
        if "call" in piece:
            deltas += [
                {"tool_calls": [call(f"t{calls}", "", calls)]},
                {"tool_calls": [{"index": calls, "function": {"arguments": '{"city":'}}]},
                {"tool_calls": [{"index": calls, "function": {"arguments": '"Bern"}'}}]},
            ]
            calls += 1
        else:
            deltas.append(piece)
    chunks = [{"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{"model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}, {"choices": [], "usage": USAGE}]
    told = list(messages.events(chunks, "r1"))
    snapshot: Message | None = None
    buffers: dict[int, bytes] = {}
    open_block: int | None = None
    for name, data in told:
        assert name == data["type"]
        if name == "content_block_start":
            assert open_block is None
            open_block = data["index"]
        elif name == "content_block_delta":
            assert data["index"] == open_block
        elif name == "content_block_stop":
            open_block = None
        snapshot = accumulate_event(
            event=EVENT.validate_python(json.loads(json.dumps(data))), current_snapshot=snapshot, json_bufs=buffers
        )
    assert snapshot is not None
    assert [told[0][0], told[-2][0], told[-1][0]] == ["message_start", "message_delta", "message_stop"]
    said = "".join(text for piece in pieces for name, text in piece.items() if name in ("content", "refusal"))
    thought = "".join(piece.get("reasoning_content", "") for piece in pieces)
    assert "".join(block.text for block in snapshot.content if block.type == "text") == said
    assert "".join(block.thinking for block in snapshot.content if block.type == "thinking") == thought
    assert all(block.signature == "haimaker" for block in snapshot.content if block.type == "thinking")
    assert [block.input for block in snapshot.content if block.type == "tool_use"] == [{"city": "Bern"}] * calls
    assert snapshot.stop_reason == messages.STOP_REASON[reason]
    assert (snapshot.usage.input_tokens, snapshot.usage.output_tokens) == (15, 9)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (402, "billing_error"),
        (409, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
    ],
)
def test_an_error_has_anthropics_shape(status: int, kind: str) -> None:
    body = messages.error_body(APIError("No.", status=status), "r1")
    assert body == {"type": "error", "error": {"type": kind, "message": "No."}, "request_id": "r1"}
