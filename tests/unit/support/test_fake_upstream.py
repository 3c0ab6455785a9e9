"""The scripted provider itself, met by a plain client on loopback."""

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import openai_wire
from tests.support.fake_upstream import FakeUpstream, Gate, Pause, Reply
from tests.support.reply import JSON

TIMEOUT_S = 10.0
EVENTS: list[JSON] = [{"n": 1}, {"text": "Grüße 🌍"}, {"n": 3}]


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as server:
        yield server


def connect(upstream: FakeUpstream) -> http.client.HTTPConnection:
    parts = urlsplit(upstream.url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=TIMEOUT_S)


def ask(upstream: FakeUpstream, body: object = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one call on a new connection."""
    with closing(connect(upstream)) as connection:
        connection.request("POST", "/v1/chat/completions", json.dumps(body or {}), {"X-Asked": "Yes"})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def sent(reply: Reply) -> bytes:
    """Every byte of a reply's body, without the framing."""
    return b"".join(step for step in reply.body if isinstance(step, bytes))


@pytest.mark.parametrize(
    ("reply", "status", "header", "body"),
    [
        (Reply.json(200, {"é": 1}), 200, ("content-type", "application/json"), '{"é":1}'.encode()),
        (Reply.json(429, {}, headers={"retry-after": "3"}), 429, ("retry-after", "3"), b"{}"),
        (Reply.html(502, "<html>"), 502, ("content-type", "text/html; charset=utf-8"), b"<html>"),
        (Reply.raw(529), 529, ("content-length", "0"), b""),
        (Reply.raw(200, b"\xff\x00"), 200, ("content-length", "2"), b"\xff\x00"),
        (Reply.raw(200, b"trickle").trickled(0.001), 200, ("content-length", "7"), b"trickle"),
        (Reply.raw(200, b"late").after(Pause(0.001)), 200, ("content-length", "4"), b"late"),
        (Reply.sse([{"n": 1}]), 200, ("content-type", "text/event-stream"), b'data: {"n":1}\n\ndata: [DONE]\n\n'),
        (Reply.sse([{"n": 1}], done=False), 200, ("transfer-encoding", "chunked"), b'data: {"n":1}\n\n'),
        (Reply.sse([b": hi\n\n", Pause(0.001), b""], line_end="\r\n"), 200, (), b": hi\n\ndata: [DONE]\r\n\r\n"),
        (Reply.sse([{"n": 1}, {"n": 2}], done=False, pace_s=0.001).split(3), 200, (), b'data: {"n":1}\n\ndata: {"n":2}\n\n'),
    ],
)
def test_replies_arrive_as_written(upstream: FakeUpstream, reply: Reply, status: int, header: tuple[str, ...], body: bytes) -> None:
    upstream.answers(reply)
    got_status, got_headers, got_body = ask(upstream)
    assert (got_status, got_body) == (status, body)
    assert not header or got_headers[header[0]] == header[1]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply.hangup(), http.client.RemoteDisconnected),
        (Reply.hangup(reset=True), ConnectionResetError),
        (Reply.json(200, {"a": 1}).cut(after_bytes=3), http.client.IncompleteRead),
        (Reply.json(200, {"a": 1}).cut(after_bytes=3, reset=True), ConnectionResetError),
        (Reply.sse(EVENTS).cut(after_events=0), http.client.IncompleteRead),
        (Reply.sse(EVENTS).cut(after_events=4), http.client.IncompleteRead),
    ],
)
def test_a_broken_reply_breaks_the_client(upstream: FakeUpstream, reply: Reply, error: type[Exception]) -> None:
    upstream.answers(reply)
    with pytest.raises(error):
        ask(upstream)
    assert not upstream.calls[0].closed_by_client.is_set()


@pytest.mark.parametrize("reset", [False, True])
def test_connections_can_be_dropped_before_a_request(upstream: FakeUpstream, reset: bool) -> None:
    upstream.drops(2, reset=reset)
    for _ in range(2):
        with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
            ask(upstream)
    upstream.answers(Reply.raw(200))
    assert ask(upstream)[0] == 200
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (Reply.sse([{}, {}], done=False, pace_s=2), (b"data: {}\n\n", Pause(2), b"data: {}\n\n")),
        (Reply.sse([{}], line_end="\r\n"), (b"data: {}\r\n\r\n", b"data: [DONE]\r\n\r\n")),
        (Reply.sse([{}, b": 2\n\n", {}]).cut(after_events=2), (b"data: {}\n\n", b": 2\n\n")),
        (Reply.sse([{}, Pause(1), {}]).cut(after_events=1), (b"data: {}\n\n", Pause(1))),
        (Reply.raw(200, b"abc").trickled(2), (b"a", Pause(2), b"b", Pause(2), b"c")),
        (Reply.raw(200, b"abc").split(at=[0, 1, 3]), (b"a", b"bc")),
    ],
)
def test_a_reply_is_a_list_of_steps(reply: Reply, body: tuple[bytes | Pause, ...]) -> None:
    assert reply.body == body


@given(st.integers(1, 90), st.sets(st.integers(-5, 200)))
def test_splitting_changes_no_byte_and_moves_no_wait(size: int, positions: set[int]) -> None:
    events = Reply.sse([EVENTS[0], Pause(1), EVENTS[1], EVENTS[2]])
    whole = sent(events)
    pieces = [step for step in events.split(size, at=sorted(positions)).body if isinstance(step, bytes)]
    assert b"".join(pieces) == whole
    assert all(0 < len(piece) <= size for piece in pieces)
    assert {position for position in positions if 0 < position < len(whole)} <= {
        len(b"".join(pieces[:count])) for count in range(len(pieces))
    }
    body = events.split(size).body
    assert b"".join(step for step in body[: body.index(Pause(1))] if isinstance(step, bytes)) == b'data: {"n":1}\n\n'


@given(st.integers(0, 120))
def test_a_cut_keeps_exactly_the_bytes_before_it(position: int) -> None:
    reply = Reply.sse(EVENTS)
    assert sent(reply.cut(after_bytes=position)) == sent(reply)[:position]


def test_pieces_of_a_stream_are_http_chunks() -> None:
    assert list(Reply.sse([{"n": 1}], done=False).split(at=[7]).steps())[1:] == [
        b"7\r\ndata: {\r\n",
        b'8\r\n"n":1}\n\n\r\n',
        b"0\r\n\r\n",
    ]


def test_answers_follow_the_script_and_calls_are_recorded(upstream: FakeUpstream) -> None:
    upstream.answers(Reply.raw(500), Reply.raw(503), lambda call: Reply.json(200, call.json))
    assert [ask(upstream, {"n": n})[0] for n in range(4)] == [500, 503, 200, 200]
    assert ask(upstream, {"n": 9})[2] == b'{"n":9}'
    first, *_, last = upstream.calls
    assert (first.method, first.path, first.json) == ("POST", "/v1/chat/completions", {"n": 0})
    assert first.headers["x-asked"] == "Yes"
    assert first.at < last.at


def test_a_connection_is_kept_for_the_next_call(upstream: FakeUpstream) -> None:
    upstream.answers(Reply.sse(EVENTS), Reply.raw(200, b"ok"), Reply.raw(200, b"ok").cut(after_bytes=2))
    with closing(connect(upstream)) as connection:
        for _ in range(3):
            connection.request("POST", "/v1/chat/completions", b"{}")
            connection.getresponse().read()
    ask(upstream)
    assert [call.connection for call in upstream.calls] == [1, 1, 1, 2]


def test_a_gate_withholds_every_answer_until_it_opens(upstream: FakeUpstream) -> None:
    gate = upstream.gate()
    upstream.answers(Reply.raw(200, b"ok").after(gate))
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(ask(upstream)[0])) for _ in range(20)]
    for thread in threads:
        thread.start()
    upstream.wait_for_calls(20)
    assert statuses == []
    gate.open()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert statuses == [200] * 20
    assert ask(upstream)[0] == 200


def test_waiting_for_calls_that_do_not_come_ends(upstream: FakeUpstream) -> None:
    with pytest.raises(TimeoutError, match="0 of 1"):
        upstream.wait_for_calls(1, timeout_s=0.001)


@pytest.mark.parametrize(
    "reply",
    [
        lambda gate: Reply.raw(200).after(gate),
        lambda gate: Reply.sse([{"n": 1}, gate]),
        lambda gate: Reply.sse([{"n": 1}, {"n": 2}], pace_s=60),
        lambda gate: Reply.raw(200, b"x" * 50_000_000),
    ],
    ids=["before the headers", "in the middle", "between events", "while it is sent"],
)
@pytest.mark.parametrize("reset", [False, True])
def test_a_client_that_leaves_is_noticed(upstream: FakeUpstream, reply: Callable[[Gate], Reply], reset: bool) -> None:
    upstream.answers(reply(upstream.gate()))
    with closing(connect(upstream)) as connection:
        connection.request("POST", "/v1/chat/completions", b"{}")
        (call,) = upstream.wait_for_calls(1)
        assert not call.closed_by_client.is_set()
        if reset and connection.sock:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert call.closed_by_client.wait(TIMEOUT_S)
    assert call.closed_at is not None
    assert call.closed_at >= call.at


def test_stopping_ends_a_reply_that_waits_and_refuses_from_then_on() -> None:
    threads_before = threading.active_count()
    upstream = FakeUpstream().start()
    upstream.answers(Reply.sse([{"n": 1}, upstream.gate()]))
    with closing(connect(upstream)) as connection:
        connection.request("POST", "/v1/chat/completions", b"{}")
        (call,) = upstream.wait_for_calls(1)
        upstream.stop()
        assert not call.closed_by_client.is_set()
    assert threading.active_count() == threads_before
    with pytest.raises(ConnectionRefusedError):
        ask(upstream)


def test_an_error_in_a_computed_answer_is_raised_at_the_end() -> None:
    def answer(call: object) -> Reply:
        raise AssertionError("not the request that was expected")

    upstream = FakeUpstream().start()
    upstream.answers(answer)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(upstream)
    with pytest.raises(AssertionError, match="not the request"):
        upstream.stop()


@pytest.mark.parametrize("asked", [None, {"include_usage": False}, {"include_usage": True}])
def test_a_stream_has_usage_only_if_it_was_asked(upstream: FakeUpstream, asked: dict[str, bool] | None) -> None:
    upstream.answers(openai_wire.plays_openai("one two three"))
    *events, done, end = ask(upstream, {"stream": True, "stream_options": asked})[2].split(b"\n\n")
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events]
    assert (done, end) == (b"data: [DONE]", b"")
    answer = [chunk for chunk in chunks if chunk["choices"]]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in answer) == "one two three"
    assert [chunk["choices"][0]["finish_reason"] for chunk in answer] == [None] * 4 + ["stop"]
    if asked and asked["include_usage"]:
        assert [chunk["usage"] for chunk in chunks] == [None] * 5 + [openai_wire.usage()]
    else:
        assert all("usage" not in chunk for chunk in chunks)


def test_tool_calls_are_streamed_in_parts() -> None:
    call = openai_wire.tool_call(arguments='{"city":"Zürich"}')
    deltas = [
        part for chunk in openai_wire.chunks(tool_calls=[call]) for part in chunk["choices"][0]["delta"].get("tool_calls", [])
    ]
    assert deltas[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert "".join(part["function"]["arguments"] for part in deltas) == '{"city":"Zürich"}'
    assert openai_wire.chunks(tool_calls=[call])[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert openai_wire.completion(tool_calls=[call])["choices"][0]["message"]["content"] is None
