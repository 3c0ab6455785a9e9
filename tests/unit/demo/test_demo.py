import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from haimaker import demo
from haimaker.demo.chat import LABEL, MAX_COUNTED, MODELS, _count_words, _words
from haimaker.http.sse import decode
from haimaker.http.values import JSON, UpstreamRequest

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "unit": {"enum": ["C", "F"]},
        "days": {"type": "integer"},
        "place": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x", "unknown"]},
        "tags": {"type": "array"},
        "optional": {"type": "boolean"},
    },
    "required": ["city", "unit", "days", "place", "tags"],
}
TOOL = {"type": "function", "function": {"name": "forecast", "parameters": SCHEMA}}


def whole(model: str = "echo", content: Any = "Hi there", **fields: Any) -> JSON:
    response = demo.send(call(model, content, **fields), "r1", 7)
    body: JSON = json.loads(b"".join(response.pieces))
    return body


def call(model: str, content: Any, **fields: Any) -> UpstreamRequest:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    return UpstreamRequest("/chat/completions", json.dumps({"model": model, "messages": messages, **fields}).encode())


@pytest.mark.parametrize(
    ("model", "content", "answer"),
    [
        ("echo", "Grüezi 🐻", "Grüezi 🐻"),
        ("echo", [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}], "ab"),
        ("echo", None, ""),
        ("echo", "", ""),
        ("count", "up to 3, then 9", "1 2 3"),
        ("count", "no number", "1 2 3 4 5 6 7 8 9 10"),
        ("count", "0", ""),
        ("tool", "no tools", "no tools"),
    ],
)
def test_answers(model: str, content: Any, answer: str) -> None:
    body = whole(model, content)
    assert body["choices"][0]["message"] == {"role": "assistant", "content": answer}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["system_fingerprint"] == LABEL
    assert body["model"] == f"demo/{model}"
    ChatCompletion.model_validate(body)


def test_counting_is_bounded() -> None:
    assert whole("count", "9" * 3_000)["usage"]["completion_tokens"] == MAX_COUNTED


def test_a_tool_is_called_with_the_least_its_schema_asks_for() -> None:
    body = whole("tool", "weather", tools=[TOOL])
    [called] = body["choices"][0]["message"]["tool_calls"]
    expected = {"city": "", "unit": "C", "days": 0, "place": {"x": 0, "unknown": ""}, "tags": []}
    assert (called["function"]["name"], json.loads(called["function"]["arguments"])) == ("forecast", expected)
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    assert whole("tool", "x", tools=[TOOL], tool_choice="none")["choices"][0]["message"]["content"] == "x"


ODD_TOOLS: list[Any] = [
    {}, {"function": None}, {"function": {}}, {"function": {"name": 3, "parameters": 3}},
    {"function": {"name": "f", "parameters": {"required": 3, "properties": 3}}},
    {"function": {"name": "f", "parameters": {"type": [], "required": [[], None], "properties": {"a": None}}}},
]  # fmt: skip


@pytest.mark.parametrize("tool", ODD_TOOLS, ids=repr)
@pytest.mark.parametrize("stream", [False, True])
def test_odd_tools_do_no_harm(tool: Any, stream: bool) -> None:
    assert demo.send(call("tool", "x", tools=[tool], stream=stream), "r", 1).status == 200


@pytest.mark.parametrize("model", sorted(MODELS))
@pytest.mark.parametrize("limit", [None, 1])
def test_a_stream_says_the_same_as_a_whole_answer(model: str, limit: int | None) -> None:
    fields = {"tools": [TOOL], "max_tokens": limit}
    response = demo.send(call(model, "up to 4 words", stream=True, stream_options={"include_usage": True}, **fields), "r1", 7)
    *events, done = decode(response.pieces)
    chunks = [json.loads(event.data) for event in events]
    expected = whole(model, "up to 4 words", **fields)
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk)
    assert done.data == b"[DONE]"
    assert chunks[-1]["usage"] == expected["usage"]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    message = expected["choices"][0]["message"]
    assert "".join(delta.get("content") or "" for delta in deltas) == (message["content"] or "")
    assert [call for delta in deltas for call in delta.get("tool_calls", ())] == [
        {"index": index, **called} for index, called in enumerate(message.get("tool_calls", ()))
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]][-1] == expected["choices"][0]["finish_reason"]


@pytest.mark.parametrize("fields", [{"max_tokens": 2}, {"max_completion_tokens": 2}])
def test_an_answer_is_cut_to_its_limit(fields: dict[str, int]) -> None:
    body = whole("echo", "one two three", **fields)
    assert body["choices"][0]["message"]["content"] == "one two"
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


def test_usage_comes_only_where_it_was_asked_for() -> None:
    response = demo.send(call("echo", "x", stream=True), "r1", 7)
    assert b"usage" not in b"".join(response.pieces)


def test_there_is_no_other_model() -> None:
    response = demo.send(call("gpt", "x"), "r1", 7)
    assert response.status == 404
    assert json.loads(b"".join(response.pieces))["error"]["code"] == "model_not_found"


def test_as_many_choices_as_are_asked_for() -> None:
    body = whole(content="Hi there", n=3)
    assert [(choice["index"], choice["message"]["content"]) for choice in body["choices"]] == [(n, "Hi there") for n in range(3)]
    assert body["usage"]["completion_tokens"] == 6
    events = [
        json.loads(event.data)
        for event in decode(demo.send(call("echo", "Hi there", n=2, stream=True), "r1", 7).pieces)
        if event.data != b"[DONE]"
    ]
    ended = [choice["index"] for event in events for choice in event["choices"] if choice["finish_reason"]]
    assert ended == [0, 1]


@pytest.mark.parametrize(
    "text", ["", " ", "a", " a b ", "a " * 60_000, "a" * 120_000, " \n" * 60_000, "ab " * 40_000 + "c" * 60_000]
)
def test_words_of_a_long_text_are_counted_in_slices(text: str) -> None:
    assert _count_words(text) == len([*_words(text)])
