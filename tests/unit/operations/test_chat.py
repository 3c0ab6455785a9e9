import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haimaker.http.errors import BadRequestError
from haimaker.http.json import MAX_DEPTH, parse_json
from haimaker.models.names import AUTO
from haimaker.operations.chat import MAX_CHOICES, MAX_TOKENS, ChatRequest, parse_chat
from tests.support.builders import chat_body, chat_request, completion_request

MISSING = "missing_required_parameter"
INVALID = "invalid_value"
NOT_JSON = "invalid_json"


def refused(raw: bytes) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        parse_chat(raw)
    assert caught.value.status == 400
    return caught.value


def test_a_number_that_is_too_long_is_no_lesson_in_python() -> None:
    message = refused(b'{"seed":%b}' % (b"9" * 5_000)).message
    assert "4300 digits" in message
    assert "sys." not in message


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "parse the JSON"),
        (b"{", "parse the JSON"),
        (b"[]", "must be an object"),
        (b"null", "must be an object"),
        (b'{"a":\xff}', "not UTF-8 at byte 5"),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1e999}', "too large a number"),
        (b'{"a":' + b"1" * 5_000 + b"}", "parse the JSON"),
        (b'{"a":"\x00"}', "parse the JSON"),
        (nested(MAX_DEPTH + 1), "nested more than"),
        (nested(9_000), "nested more than"),
        (b'{"a":' + b"[" * 19_000, "nested more than"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_json_object(raw: bytes, said: str) -> None:
    error = refused(raw)
    assert (error.code, error.param) == (NOT_JSON, None)
    assert said in error.message


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", INVALID),
        ({"model": ""}, "model", INVALID),
        ({"model": "m" * 513}, "model", INVALID),
        ({"model": 7}, "model", INVALID),
        ({"messages": None}, "messages", INVALID),
        ({"messages": []}, "messages", INVALID),
        ({"messages": "Hi"}, "messages", INVALID),
        ({"messages": {}}, "messages", INVALID),
        ({"messages": ["Hi"]}, "messages[0]", INVALID),
        ({"messages": [{}]}, "messages[0].role", MISSING),
        ({"messages": [{"role": ""}]}, "messages[0].role", INVALID),
        ({"messages": [{"role": "user", "content": "Hi"}, {"role": 1}]}, "messages[1].role", INVALID),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content", INVALID),
        ({"messages": [{"role": "user", "content": ["Hi"]}]}, "messages[0].content", INVALID),
        ({"messages": [{"role": "user", "content": "Hi", "name": 1}]}, "messages[0].name", INVALID),
        ({"messages": [{"role": "assistant", "tool_calls": "x"}]}, "messages[0].tool_calls", INVALID),
        ({"stream": "true"}, "stream", INVALID),
        ({"stream": 1}, "stream", INVALID),
        ({"stream_options": True}, "stream_options", INVALID),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage", INVALID),
        ({"max_tokens": 0}, "max_tokens", INVALID),
        ({"max_tokens": "10"}, "max_tokens", INVALID),
        ({"max_tokens": 1.5}, "max_tokens", INVALID),
        ({"max_tokens": True}, "max_tokens", INVALID),
        ({"max_completion_tokens": MAX_TOKENS + 1}, "max_completion_tokens", INVALID),
        ({"n": 0}, "n", INVALID),
        ({"n": MAX_CHOICES + 1}, "n", INVALID),
        ({"n": 10_000}, "n", INVALID),
        ({"temperature": "hot"}, "temperature", INVALID),
        ({"temperature": False}, "temperature", INVALID),
        ({"stop": 3}, "stop", INVALID),
        ({"stop": ["a", 3]}, "stop", INVALID),
        ({"tools": {}}, "tools", INVALID),
        ({"tools": ["x"]}, "tools[0]", INVALID),
        ({"response_format": "json"}, "response_format", INVALID),
        ({"service_tier": 1}, "service_tier", INVALID),
        ({"user": {}}, "user", INVALID),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_wrong_field_is_named_as_openai_does(change: dict[str, Any], param: str, code: str) -> None:
    error = refused(json.dumps(chat_body(**change)).encode())
    assert (error.param, error.code) == (param, code)
    assert f"'{param}'" in error.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"temperature": "1"}, "it must be a number."),
        ({"stop": 1}, "it must be a string or a list."),
        ({"stop": ["a", 3]}, "it must be a string, or 'stop[1]' must be a string."),
        ({"n": -1}, "it must be at least 1."),
    ],
)
def test_all_that_a_value_may_be_is_said(change: dict[str, Any], said: str) -> None:
    assert refused(json.dumps(chat_body(**change)).encode()).message.endswith(f": {said}")


def test_a_chat_without_a_model_leaves_the_choice_to_the_gateway() -> None:
    request = parse_chat(json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode())
    assert request.model == AUTO
    assert "model" not in request.body


@pytest.mark.parametrize("name", ["messages"])
def test_a_missing_field_is_named(name: str) -> None:
    body = chat_body()
    del body[name]
    error = refused(json.dumps(body).encode())
    assert (error.param, error.code) == (name, MISSING)


@pytest.mark.parametrize(
    ("fields", "attribute", "value"),
    [
        ({}, "max_output_tokens", None),
        ({"max_tokens": 5}, "max_output_tokens", 5),
        ({"max_completion_tokens": 6}, "max_output_tokens", 6),
        ({"max_tokens": 5, "max_completion_tokens": None}, "max_output_tokens", 5),
        # servers differ in which of the two wins, so that only the larger is a bound
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_output_tokens", 6),
        ({"max_tokens": 7, "max_completion_tokens": 6}, "max_output_tokens", 7),
        ({"n": None}, "choices", 1),
        ({"n": 3}, "choices", 3),
        ({"stream": None}, "streams", False),
        ({"stream": True}, "streams", True),
        ({"stream_options": None}, "wants_usage", False),
        ({"stream_options": {}}, "wants_usage", False),
        ({"stream_options": {"include_usage": True}}, "wants_usage", True),
    ],
)
def test_what_is_read(fields: dict[str, Any], attribute: str, value: object) -> None:
    assert getattr(chat_request(**fields), attribute) == value


def test_the_rest_passes_untouched_and_the_path_may_name_the_model() -> None:
    body = chat_body(top_k=3, nested={"a": [1.0, None, "\x00", "ü"]})
    raw = json.dumps(body).encode()
    assert parse_chat(raw) == ChatRequest(parse_chat(raw).fields, body, len(raw))
    assert parse_chat(raw, "gpt-4o").model == parse_chat(raw, "gpt-4o").body["model"] == "gpt-4o"
    assert parse_chat(b"\xef\xbb\xbf" + raw).body == body


def test_deep_is_not_the_same_as_many() -> None:
    assert parse_json(nested(MAX_DEPTH))
    assert len(parse_json(b'{"a":[' + b",".join([b"[{}]"] * 5_000) + b"]}")["a"]) == 5_000


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
part = st.fixed_dictionaries({}, optional={"type": anything, "text": anything, "image_url": anything})
message = st.fixed_dictionaries(
    {"role": st.text() | anything}, optional={"content": anything | st.lists(part), "tool_calls": anything}
)
fields = dict.fromkeys(("stream", "stream_options", "max_tokens", "n", "tools", "temperature", "stop", "user"), anything)
bodies = st.fixed_dictionaries(
    {"model": st.text(max_size=9), "messages": st.lists(message, max_size=3) | anything}, optional=fields
)


@settings(max_examples=300, deadline=None)
@given(
    bodies.map(lambda body: json.dumps(body).encode())
    | st.binary(max_size=60)
    | anything.map(lambda value: json.dumps(value).encode())
)
def test_any_body_is_a_request_or_a_bad_request(raw: bytes) -> None:
    try:
        request = parse_chat(raw)
    except BadRequestError:
        return
    assert request.body["messages"]


@pytest.mark.parametrize(
    ("fields", "prompts", "choices", "most"),
    [
        ({"prompt": "a"}, ["a"], 1, None),
        ({"prompt": ["a", "b"], "n": 2}, ["a", "b"], 4, None),
        ({"prompt": [1, 2, 3]}, [[1, 2, 3]], 1, None),
        ({"prompt": [0] * 3_000}, [[0] * 3_000], 1, None),
        ({"prompt": [[1, 2], [3]], "best_of": 3}, [[1, 2], [3]], 6, None),
        ({"n": 4, "best_of": 2}, ["Hi"], 4, None),
        ({"prompt": None, "best_of": 0}, ["<|endoftext|>"], 1, None),
        ({"max_tokens": 0}, ["Hi"], 1, 0),
        ({"max_tokens": 5, "max_completion_tokens": 6}, ["Hi"], 1, 6),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_a_completion_asks_for(fields: dict[str, Any], prompts: list[Any], choices: int, most: int | None) -> None:
    request = completion_request(**fields)
    assert (request.prompts, request.choices, request.max_output_tokens) == (prompts, choices, most)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"best_of": -1}, "best_of"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[1], []]}, "prompt"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": ["a"] * 2_049}, "prompt"),
        ({"prompt": ["a"] * 128, "n": 17}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"best_of": 129}, "best_of"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_wrong_in_a_completion_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        completion_request(**fields)
    assert caught.value.code == INVALID
    assert str(caught.value.param).startswith(param)
