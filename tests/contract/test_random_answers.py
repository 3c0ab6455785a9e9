"""Thousands of answers that no provider should send: never a defect of ours, never a held cent, and always an end."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from haimaker.http.values import Request
from tests.contract.conftest import Log
from tests.contract.money_support import ADMIN, Desk, chat_body
from tests.contract.random_bodies import TREES, mutated
from tests.contract.sdk_support import ONCE
from tests.support import openai_wire
from tests.support.fake_upstream import Reply
from tests.support.reply import dumps

MANY = settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
ADMINISTRATOR = {"authorization": f"Bearer {ADMIN}"}
TOOL_CALLS = [openai_wire.tool_call()]
WHOLE = openai_wire.completion("Hi", usage=openai_wire.usage(10, 5, cached=4, reasoning=2))
CHUNKS = openai_wire.chunks(["H", "i"], usage=openai_wire.usage(10, 5)) + openai_wire.chunks(tool_calls=TOOL_CALLS)[:2]

RANDOM = TREES.map(lambda tree: json.dumps(tree).encode()) | st.binary(max_size=80)
STATUSES = st.sampled_from([200] * 6 + [201, 204, 301, 400, 401, 403, 404, 413, 429, 451, 500, 502, 529, 599])
HEADERS = st.fixed_dictionaries(
    {
        "content-type": st.sampled_from(
            ["application/json", "text/event-stream", "text/html", "", "application/json; charset=latin-1"]
        )
    },
    optional={
        "retry-after": st.sampled_from(["0", "-1", "1e400", "nan", "Mon, 99 Foo 2000", "99999999999", "\xe9", "1" * 400, "²"]),
        "retry-after-ms": st.sampled_from(["0", "inf", "x", "1e9"]),
        "x-should-retry": st.sampled_from(["true", "maybe"]),
        "content-encoding": st.sampled_from(["gzip", "br", "identity"]),
    },
)
EVENTS = st.lists(
    st.sampled_from([dumps(chunk) for chunk in CHUNKS]) | st.sampled_from(CHUNKS).flatmap(mutated) | RANDOM, max_size=6
)
FRAMES = st.sampled_from([b"data: %b\n\n", b"data:%b\r\n\r\n", b"data: %b\n", b": %b\n\n", b"event: error\ndata: %b\n\n", b"%b"])


@st.composite
def whole_replies(draw: st.DrawFn) -> Reply:
    body = draw(mutated(WHOLE) | mutated(openai_wire.error()) | RANDOM)
    reply = Reply.raw(draw(STATUSES), body, draw(HEADERS)).split(at=draw(st.lists(st.integers(0, 400), max_size=3)))
    return draw(broken(reply, len(body)))


@st.composite
def streamed_replies(draw: st.DrawFn) -> Reply:
    framed = [(b"data: %b\n\n" if draw(st.booleans()) else draw(FRAMES)) % event for event in draw(EVENTS)]
    reply = Reply.sse(framed, done=draw(st.booleans()), status=draw(STATUSES), headers=draw(HEADERS))
    size = sum(len(event) for event in framed)
    return draw(broken(reply.split(at=draw(st.lists(st.integers(0, max(1, size)), max_size=5))), size))


def strict(raw: bytes) -> Any:
    """JSON as JavaScript reads it."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(raw, parse_constant=refuse)


def without_surrogates(body: Any) -> Any:
    """Halves of pairs, which JSON and the SDK's reader take and a check of types by pydantic does not."""
    return json.loads(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"))


def broken(reply: Reply, size: int) -> st.SearchStrategy[Reply]:
    """The same, or cut at some place; a second cut would have nothing left."""
    cuts = st.builds(lambda after, reset: reply.cut(after_bytes=after, reset=reset), st.integers(0, size), st.booleans())
    return st.just(reply) | st.just(reply) | cuts


def answer(desk: Desk, reply: Reply, **body: Any) -> tuple[int, bytes]:
    desk.upstream.answers(reply)
    response = desk.gateway.handle(
        "chat_completions", Request("random", ADMINISTRATOR, json.dumps(chat_body(ONCE, **body)).encode())
    )
    content = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    assert desk.money(ADMIN)[1] == 0
    assert b"internal_error" not in content
    return response.status, content


@pytest.fixture(autouse=True)
def without_defects(log: Log):
    log.take()
    yield
    assert "unexpected error" not in log.take()


@MANY
@given(reply=whole_replies())
def test_whole_answers(desk: Desk, reply: Reply):
    status, content = answer(desk, reply)
    body = strict(content)
    if status == 200:
        assert ChatCompletion.model_validate(without_surrogates(body)).choices is not None
    else:
        assert body["error"]["message"]


@MANY
@given(reply=streamed_replies(), asks_usage=st.booleans())
def test_streams(desk: Desk, reply: Reply, asks_usage: bool):
    """What is not refused has JSON in every event, and ends with an error or with the end of the stream."""
    options = {"stream_options": {"include_usage": True}} if asks_usage else {}
    status, content = answer(desk, reply, stream=True, **options)
    if status != 200:
        assert json.loads(content)["error"]["message"]
        return
    *events, end = content.split(b"\n\n")
    bodies = [strict(event.removeprefix(b"data: ")) for event in events if event != b"data: [DONE]"]
    assert end == b""
    for body in bodies:
        if not body.get("error"):
            ChatCompletionChunk.model_validate(without_surrogates(body))
    failures = [number for number, body in enumerate(bodies) if body.get("error")]
    assert failures == ([] if events[-1] == b"data: [DONE]" else [len(bodies) - 1])
    assert b"data: [DONE]" not in events[:-1]


@MANY
@given(reply=whole_replies())
def test_whole_answers_to_those_who_asked_for_a_stream(desk: Desk, reply: Reply):
    status, content = answer(desk, reply, stream=True)
    assert status != 200 or content.startswith(b"data: ")
    assert status == 200 or json.loads(content)["error"]["message"]
