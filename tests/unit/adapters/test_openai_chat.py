"""Rules of the adapter beside the recorded cases: what rows may say, and streams that are not as they should be."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.adapters.openai import chat
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, Event
from haimaker.providers.provider import Endpoint, Provider
from haimaker.providers.registry import get
from tests.support.builders import MESSAGES, attempt, chat_request, in_dialect, result_of
from tests.unit.adapters.folding import fold

ROW = Provider("acme", endpoint=Endpoint("https://acme.example/v1"))


def sent(row: Provider, fields: JSON, model: str = "m", most: int | None = None) -> JSON:
    made = chat.to_upstream(chat_request(**fields), attempt(f"acme/{model}", provider=row, max_output_tokens=most))
    body: JSON = json.loads(made.body)
    assert made.path == "/chat/completions"
    return {name: value for name, value in body.items() if body[name] != MESSAGES or name != "messages"} | {
        "dropped": list(made.dropped)
    }


def bare(**fields: Any) -> JSON:
    return {"model": "m", "dropped": [], **fields}


BACK = {"max_completion_tokens": "max_tokens"}
SPELLS = in_dialect(values={"tool_choice": {"required": "any"}})
STREAMS = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    ("row", "fields", "most", "expected"),
    [
        (Provider("acme"), {"top_k": 3, "x": None}, None, bare(top_k=3, x=None)),
        (Provider("acme"), {}, 9, bare(max_tokens=9)),
        (in_dialect(rename=BACK), {"max_completion_tokens": 5}, None, bare(max_tokens=5)),
        (in_dialect(rename=BACK), {"max_completion_tokens": 5, "max_tokens": 6}, None, bare(max_tokens=6)),
        (in_dialect(rename=BACK), {"max_completion_tokens": 5, "max_tokens": None}, None, bare(max_tokens=5)),
        (in_dialect(rename=BACK), {"max_completion_tokens": None, "max_tokens": None}, 9, bare(max_tokens=9)),
        (in_dialect(drop=("user", "seed")), {"user": "u", "seed": None}, None, bare(dropped=["user", "seed"])),
        (in_dialect(rename={"seed": "random_seed"}, drop=("seed",)), {"seed": 1}, None, bare(random_seed=1)),
        (in_dialect(add={"a": 1, "b": 2}), {"b": 3}, None, bare(a=1, b=3)),
        (SPELLS, {"tool_choice": "required"}, None, bare(tool_choice="any")),
        (SPELLS, {"tool_choice": "auto"}, None, bare(tool_choice="auto")),
        (SPELLS, {"tool_choice": {"type": "x"}}, None, bare(tool_choice={"type": "x"})),
        (Provider("acme"), {"stream": True}, None, bare(**STREAMS)),
        (Provider("acme"), {"stream": True, "stream_options": None}, None, bare(**STREAMS)),
        (Provider("acme"), {"stream": True, "stream_options": {"include_usage": False, "x": 1}}, None,
         bare(stream=True, stream_options={"include_usage": True, "x": 1})),
        (in_dialect(asks_stream_usage=False), {"stream": True}, None, bare(stream=True)),
        (Provider("acme"), {"stream": False}, None, bare(stream=False)),
    ],
    ids=repr,
)  # fmt: skip
def test_what_a_row_says_is_done(row: Provider, fields: JSON, most: int | None, expected: JSON) -> None:
    assert sent(row, fields, most=most) == expected


def test_a_rule_of_some_models_is_theirs_alone() -> None:
    row = Provider("acme")
    assert sent(row, {}, "o3", most=9) == {"model": "o3", "max_completion_tokens": 9, "dropped": []}
    assert sent(row, {}, "co3", most=9) == {"model": "co3", "max_tokens": 9, "dropped": []}


TEXTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
MIXED = [*TEXTS, {"type": "image_url", "image_url": {"url": "x"}}]


@pytest.mark.parametrize(
    ("row", "message", "expected"),
    [
        (
            Provider("acme"),
            {"role": "user", "content": TEXTS, "name": "n", "x": None},
            {"role": "user", "content": TEXTS, "name": "n", "x": None},
        ),
        (in_dialect(flattens_content=True), {"role": "user", "content": TEXTS}, {"role": "user", "content": "ab"}),
        (in_dialect(flattens_content=True), {"role": "user", "content": []}, {"role": "user", "content": ""}),
        (in_dialect(flattens_content=True), {"role": "user", "content": MIXED}, {"role": "user", "content": MIXED}),
        (
            in_dialect(flattens_content=True),
            {"role": "user", "content": [{"type": "text"}]},
            {"role": "user", "content": [{"type": "text"}]},
        ),
        (
            in_dialect(strips_nulls=True),
            {"role": "assistant", "content": None, "x": 0},
            {"role": "assistant", "x": 0},
        ),
        (in_dialect(strips_names=True), {"role": "user", "name": "n"}, {"role": "user"}),
        (in_dialect(strips_names=True), {"role": "tool", "name": "n"}, {"role": "tool", "name": "n"}),
    ],
    ids=repr,
)
def test_messages_are_edited_as_the_row_says(row: Provider, message: JSON, expected: JSON) -> None:
    assert sent(row, {"messages": [message]})["messages"] == [expected]


def events(*bodies: object, done: bool = True) -> list[Event]:
    data = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    return [Event(found) for found in (*data, *([b"[DONE]"] if done else []))]


def outcome(stream: Iterable[Event], row: Provider = ROW) -> tuple[list[JSON], APIError | None]:
    passed: list[JSON] = []
    try:
        for chunk in chat.from_stream(stream, chat_request(), attempt("acme/m", provider=row)):
            passed.append(chunk.body)
    except APIError as error:
        return passed, error
    return passed, None


HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
NONE = {**HEAD, "choices": []}
A = {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}]}
B = {**HEAD, "choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": None}]}
END = {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
OUR_END = {**HEAD, "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]}
OUR_HEAD = {**HEAD, "id": "chatcmpl-req-1", "created": 1_700_000_000}


@pytest.mark.parametrize(
    ("stream", "passed", "status", "code"),
    [
        (events(A, END), [A, END], None, None),
        (events(A, END, done=False), [A, END], None, None),
        (events(A), [A, OUR_END], None, None),  # [DONE] is an end as well
        (events(A, END, b"[DONE]", A), [A, END], None, None),
        (events(A, done=False), [A], 502, "stream_interrupted"),
        (events(done=False), [], 502, "stream_interrupted"),
        (events(), [], None, None),
        (events(A, b"{half"), [A], 502, "stream_interrupted"),
        (events(A, b"[1]"), [A], 502, "stream_interrupted"),
        (events(A, b"[" * 100_000), [A], 502, "stream_interrupted"),
        (events(A, {"error": {"message": "Too busy", "code": 503}}), [A], 503, "service_unavailable"),
        (events({"error": {"message": "x", "code": "rate_limit_exceeded"}}), [], 429, "rate_limit_exceeded"),
        (events(A, [{"error": {"message": "x", "code": 429}}]), [A], 429, "rate_limit_exceeded"),
        (events({"error": "Too busy"}), [], 502, "bad_gateway"),
        (events({"error": None, **A}, END), [{"error": None, **A}, END], None, None),
        (events({"prompt_filter_results": [], **NONE}, A, END), [{"prompt_filter_results": [], **NONE}, A, END], None, None),
        (events({"choices": None}, {"choices": [None, 3]}, {}), [{**OUR_HEAD, "choices": []}] * 3, None, None),
        (events(A, *[B] * 1_000, END), [A, *[B] * 1_000, END], None, None),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_streams(stream: list[Event], passed: list[JSON], status: int | None, code: str | None) -> None:
    found, error = outcome(stream)
    assert found == passed
    assert (error.status, error.code) == (status, code) if error else status is None


@given(
    st.lists(
        st.binary(max_size=20) | st.sampled_from([b'{"choices":[]}', b'{"choices":[{"delta":null}]}', b'{"error":[]}', b"[DONE]"])
    )
)
def test_any_stream_is_chunks_or_an_error(data: list[bytes]) -> None:
    outcome([Event(found) for found in data])


def test_an_event_of_several_lines_is_one_chunk_on_one_line() -> None:
    lines = json.dumps(A, indent=1).encode()
    [chunk, _] = chat.from_stream([Event(lines), Event(b"[DONE]")], chat_request(), attempt("acme/m", provider=ROW))
    assert (chunk.body, chunk.raw) == (A, None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 502),
        ({"choices": None}, 502),
        ({"choices": {}}, 502),
        ({"error": {"message": "x", "code": 429}}, 429),
        ({"error": {"message": "x"}, "choices": []}, 502),
        ({"error": {"code": "context_length_exceeded"}}, 400),
    ],
)
def test_what_is_no_answer(body: JSON, status: int) -> None:
    with pytest.raises(APIError) as caught:
        result_of(chat, body, attempt("acme/m", provider=ROW))
    assert caught.value.status == status


def test_a_whole_answer_passes_untouched() -> None:
    body = {**HEAD, "object": "chat.completion", "choices": [], "error": None, "x": {"y": [1.0]}}
    assert result_of(chat, body, attempt("acme/m", provider=ROW)) == body


def test_a_client_can_not_ask_one_provider_for_models_that_its_key_may_not_use() -> None:
    """https://openrouter.ai/docs/features/model-routing#the-models-parameter"""
    assert "models" not in sent(get("openrouter"), {"models": ["openai/o1-pro"]})


def test_details_of_reasoning_can_be_read_again_when_the_sdk_has_joined_them() -> None:
    """OpenRouter gives a text and what is encrypted one position, and repeats what names it; the SDK joins by position."""
    named = {"format": "anthropic-claude-v1", "id": "r"}
    details: list[JSON] = [
        {"type": "reasoning.text", "text": "H", "index": 0, **named},
        {"type": "reasoning.text", "text": "m", "index": 0, **named},
        {"type": "reasoning.text", "text": "", "signature": "c2ln", "index": 0, **named},
        {"type": "reasoning.encrypted", "data": "zz", "index": 0, "format": "google-gemini-v1", "id": "a"},
        {"type": "reasoning.encrypted", "data": "yy", "index": 0, "format": "google-gemini-v1", "id": "b"},
    ]
    said = [{**HEAD, "choices": [{"index": 0, "delta": {"reasoning_details": [detail]}}]} for detail in details]
    end = {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    made = [chunk.body for chunk in chat.from_stream(events(*said, end), chat_request(), attempt("openrouter/a/m"))]
    joined = fold(made)["choices"][0]["message"]["reasoning_details"]
    assert joined == [
        {"type": "reasoning.text", "text": "Hm", "signature": "c2ln", **named},
        {"type": "reasoning.encrypted", "data": "zz", "format": "google-gemini-v1", "id": "a"},
        {"type": "reasoning.encrypted", "data": "yy", "format": "google-gemini-v1", "id": "b"},
    ]
