import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http.values import JSON, StreamEvent
from haimaker.operations.stream_usage import TextUsage, text_bytes, without_usage
from tests.support.builders import chat_request

HEAD = {"id": "chatcmpl-1", "model": "m"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
OURS = {**USAGE, "cost": 0.5}


def chunk(text: str | None = None, finish: str | None = None, **over: Any) -> JSON:
    return {**HEAD, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **over}


def only_usage(**over: Any) -> JSON:
    return {**HEAD, "choices": [], "usage": USAGE, **over}


def bare(body: JSON) -> JSON:
    return {name: value for name, value in body.items() if name != "usage"}


A, END = chunk("a"), chunk(None, "stop")

STREAMS = {
    "none": [A, END],
    "in a chunk of its own": [{**A, "usage": None}, {**END, "usage": None}, only_usage()],
    "with the last choice": [A, {**END, "usage": USAGE}],
    "with every chunk": [{**A, "usage": {"prompt_tokens": 3}}, {**END, "usage": USAGE}],
    "twice": [A, {**END, "usage": {"prompt_tokens": 3}}, only_usage()],
    "empty": [A, {**END, "usage": {}}],
    "not an object": [A, {**END, "usage": "five"}],
    "after nothing": [only_usage()],
    "with another chunk after it": [A, {**END, "usage": USAGE}, chunk(None)],
    "same text again and again": [A] * 50 + [END],
}


def metered(stream: list[JSON], wants_usage: bool) -> tuple[TextUsage, list[JSON]]:
    meter = TextUsage(chat_request(), wants_usage)
    passed = [found.body if found.raw is None else json.loads(found.raw) for found in meter.read(chunks(stream))]
    return meter, passed


def chunks(stream: list[JSON]) -> list[StreamEvent]:
    return [StreamEvent(body, json.dumps(body).encode()) for body in stream]


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_usage_that_nobody_asked_for_is_not_shown_and_nothing_else_is_lost(stream: list[JSON]) -> None:
    meter, passed = metered(stream, wants_usage=False)
    assert passed == [bare(body) for body in stream if body["choices"] or not isinstance(body.get("usage"), dict)]
    assert meter.last_events(OURS) == ()


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_usage_that_was_asked_for_comes_last_with_its_cost(stream: list[JSON]) -> None:
    meter, passed = metered(stream, wants_usage=True)
    [last] = meter.last_events(OURS)
    assert last.body["usage"] == OURS
    assert last.body["id"] == HEAD["id"]
    assert [bare(body) for body in (*passed, last.body)][: len(stream)] == [bare(body) for body in stream]
    assert len(passed) + 1 in (len(stream), len(stream) + 1)


@pytest.mark.parametrize("name", ["twice", "with another chunk after it", "in a chunk of its own"])
def test_the_usage_of_an_answer_is_told_once(name: str) -> None:
    """Who adds up what chunks tell would else count it twice."""
    passed = metered(STREAMS[name], wants_usage=True)[1]
    assert not any(body.get("usage") for body in passed)
    assert [body["choices"] for body in passed] == [body["choices"] for body in STREAMS[name] if body["choices"]]


@pytest.mark.parametrize("wants_usage", [True, False])
@pytest.mark.parametrize(
    ("name", "usage"),
    [("none", None), ("in a chunk of its own", USAGE), ("with every chunk", USAGE), ("twice", USAGE), ("empty", None),
     ("not an object", None)],
)  # fmt: skip
def test_the_last_usage_is_the_one_that_counts(name: str, usage: JSON | None, wants_usage: bool) -> None:
    assert metered(STREAMS[name], wants_usage)[0].provider_usage == usage


def test_a_stream_of_nothing_has_no_usage_to_tell() -> None:
    meter, passed = metered([], wants_usage=True)
    assert (passed, meter.provider_usage, meter.text_bytes) == ([], None, 0)


@pytest.mark.parametrize(
    ("message", "size"),
    [
        ({"content": "ab"}, 2),
        ({"content": "ü🐻"}, 6),
        ({"content": "\ud83d"}, 3),
        ({"content": None, "refusal": "no"}, 2),
        ({"content": "", "reasoning_content": "abc"}, 3),
        ({"reasoning": "abc", "reasoning_content": "abc", "content": "d"}, 4),
        ({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}, {"function": {"arguments": "1"}}]}, 4),
        ({"tool_calls": [None, {"function": None}, {"function": {"name": 3}}]}, 0),
        ({"tool_calls": "x", "content": [1], "reasoning": 3}, 0),
        (None, 0),
        ("text", 0),
    ],
)
def test_what_a_model_wrote_is_counted_in_bytes(message: Any, size: int) -> None:
    for holder in ("delta", "message"):
        assert text_bytes({"choices": [{holder: message}, {holder: message}, None]}, holder) == 2 * size
    assert text_bytes({"choices": message}, "delta") == text_bytes({}, "delta") == 0


values = st.none() | st.text(max_size=12) | st.just(',"usage":null') | st.fixed_dictionaries({"a": st.just(1), "usage": st.none()})
fields = st.permutations(["usage", "id", "choices", "x"]).flatmap(
    lambda names: st.tuples(*(values if name != "usage" else st.none() for name in names)).map(
        lambda found: dict(zip(names, found, strict=True))
    )
)


@given(fields, st.booleans())
def test_taking_null_usage_out_of_the_bytes_changes_nothing_else(body: JSON, spaced: bool) -> None:
    raw = json.dumps(body) if spaced else json.dumps(body, separators=(",", ":"))
    left = without_usage(StreamEvent(body, raw.encode()))
    assert (json.loads(left.raw) if left.raw is not None else left.body) == bare(body)
