"""Against a real server on loopback that is told what to answer; the transport itself is never replaced."""

import gzip
import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from haimaker.http import client as http_client
from haimaker.http.answer_reader import Answer, Patience
from haimaker.http.client import Cancelled, CancelToken, HTTPClient, Timeouts, TransportError
from haimaker.http.values import UpstreamRequest, UpstreamResponse
from haimaker.upstream.background import run_beside
from tests.support.fake_upstream import FakeUpstream, Gate, Pause, Reply
from tests.support.loopback import answers_left_open, full_queue, plain_server, tls_server

REQUEST = UpstreamRequest("/chat/completions", b'{"a":1}', {"content-type": "application/json"})
NO_TIMEOUTS = Timeouts(5, 5, 5)
EVENTS = [{"n": number} for number in range(3)]


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as server:
        yield server


def send(sender: HTTPClient, url: str, timeouts: Timeouts = NO_TIMEOUTS, cancel: CancelToken | None = None) -> UpstreamResponse:
    return sender.send(REQUEST, url, {"authorization": "Bearer k"}, timeouts, cancel or CancelToken())


def read(sender: HTTPClient, url: str, timeouts: Timeouts = NO_TIMEOUTS) -> bytes:
    return b"".join(send(sender, url, timeouts).pieces)


def failure(url: str, timeouts: Timeouts = NO_TIMEOUTS, cancel: CancelToken | None = None) -> TransportError:
    """The error of a call that is read to its end. Its words name no address."""
    with pytest.raises(TransportError) as caught:
        list(send(HTTPClient(), url, timeouts, cancel).pieces)
    assert not any(part in str(caught.value) for part in ("127.0.0.1", "localhost", url.rpartition(":")[2], "invalid", "http"))
    assert answers_left_open(caught.value) == []
    return caught.value


def read1_of_newer_pythons(answer: Answer, most: int) -> bytes:
    """From 3.11.8 and 3.12.2 on the last byte of a body with a length closes its file.
    https://github.com/python/cpython/pull/113260"""
    piece = HTTPResponse.read1(answer, most)
    if answer.length == 0 and not answer.isclosed():
        answer._close_conn()  # type: ignore[attr-defined]
    return piece


def test_what_is_sent_and_what_comes_back(upstream: FakeUpstream) -> None:
    upstream.answers(Reply.raw(418, b"tea", {"X-Pot": "Round"}))
    answer = send(HTTPClient(), upstream.url + "/")
    assert (answer.status, answer.headers["x-pot"], b"".join(answer.pieces)) == (418, "Round", b"tea")
    [call] = upstream.calls
    assert (call.method, call.path, call.body) == ("POST", "/v1/chat/completions", REQUEST.body)
    assert call.headers["authorization"] == "Bearer k"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["accept-encoding"] == "identity"


def test_pieces_are_told_as_they_come(upstream: FakeUpstream) -> None:
    gate = upstream.gate()
    upstream.answers(Reply.sse([EVENTS[0], gate, EVENTS[1]], done=False))
    pieces = send(HTTPClient(), upstream.url).pieces
    assert next(pieces) == b'data: {"n":0}\n\n'
    gate.open()
    assert b"".join(pieces) == b'data: {"n":1}\n\n'


@pytest.mark.parametrize(
    ("reply", "connections"),
    [
        (Reply.json(200, {}), [1, 1, 1]),
        (Reply.json(500, {}), [1, 1, 1]),
        (Reply.raw(204), [1, 1, 1]),
        (Reply.sse(EVENTS), [1, 1, 1]),
        (Reply.raw(200, b"x", {"connection": "close"}), [1, 2, 3]),
    ],
    ids=["json", "error", "empty", "stream", "close"],
)
@pytest.mark.parametrize("read1", [Answer.read1, read1_of_newer_pythons], ids=["python", "newer"])
def test_a_connection_is_used_again(
    upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, reply: Reply, connections: list[int], read1: object
) -> None:
    monkeypatch.setattr(Answer, "read1", read1)
    upstream.answers(reply)
    sender = HTTPClient()
    for _ in range(3):
        read(sender, upstream.url)
    assert [call.connection for call in upstream.calls] == connections


def test_a_stream_left_after_its_last_event_gives_its_connection_back(upstream: FakeUpstream) -> None:
    """A reader stops at [DONE], before the end of the body."""
    upstream.answers(Reply.sse(EVENTS))
    sender = HTTPClient()
    for _ in range(2):
        pieces: Any = send(sender, upstream.url).pieces
        while b"[DONE]" not in next(pieces):
            pass
        pieces.close()
    assert [call.connection for call in upstream.calls] == [1, 1]


def test_a_stream_left_in_the_middle_closes_its_connection(upstream: FakeUpstream) -> None:
    upstream.answers(Reply.sse([EVENTS[0], upstream.gate(), EVENTS[1]]), Reply.json(200, {}))
    sender = HTTPClient()
    pieces: Any = send(sender, upstream.url).pieces
    next(pieces)
    pieces.close()
    assert upstream.calls[0].closed_by_client.wait(5)
    assert read(sender, upstream.url) == b"{}"
    assert [call.connection for call in upstream.calls] == [1, 2]


def test_a_kept_connection_that_died_is_replaced(upstream: FakeUpstream) -> None:
    upstream.answers(Reply.raw(200, b"1"), Reply.hangup(), Reply.raw(200, b"2"))
    sender = HTTPClient()
    assert [read(sender, upstream.url) for _ in range(2)] == [b"1", b"2"]
    assert [call.connection for call in upstream.calls] == [1, 1, 2]


def test_a_request_is_sent_no_third_time_however_many_connections_are_kept(upstream: FakeUpstream) -> None:
    gate = upstream.gate()
    upstream.answers(Reply.json(200, {}).after(gate))
    sender = HTTPClient()
    threads = [threading.Thread(target=read, args=(sender, upstream.url)) for _ in range(3)]
    for thread in threads:
        thread.start()
    upstream.wait_for_calls(3)
    gate.open()
    for thread in threads:
        thread.join()
    upstream.answers(Reply.hangup())
    with pytest.raises(TransportError):
        read(sender, upstream.url)
    assert len(upstream.calls) == 3 + 2


def test_an_old_idle_connection_is_not_trusted(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that was frozen may wake with one that died without a word, on which it would wait for its whole time."""
    upstream.answers(Reply.json(200, {}))
    sender = HTTPClient()
    for later_s in (0, http_client.IDLE_S - 1, 2 * http_client.IDLE_S):
        monkeypatch.setattr(time, "time", lambda now_s=later_s: now_s)
        read(sender, upstream.url)
    assert [call.connection for call in upstream.calls] == [1, 1, 2]


@pytest.mark.parametrize("reset", [True, False])
def test_a_new_connection_that_dies_is_not_tried_again(upstream: FakeUpstream, reset: bool) -> None:
    upstream.answers(Reply.hangup(reset=reset))
    error = failure(upstream.url)
    assert (error.sent, error.timed_out, len(upstream.calls)) == (True, False, 1)


def test_no_more_connections_are_kept_than_the_bound(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "IDLE_CONNECTIONS", 2)
    gate = upstream.gate()
    upstream.answers(Reply.json(200, {}).after(gate))
    sender = HTTPClient()
    threads = [threading.Thread(target=read, args=(sender, upstream.url)) for _ in range(4)]
    for thread in threads:
        thread.start()
    upstream.wait_for_calls(4)
    gate.open()
    for thread in threads:
        thread.join()
    assert sum(len(kept) for kept in sender._idle.values()) == 2


WHOLE = Reply.raw(200, b"0123456789")
STREAM = Reply.sse(EVENTS)


@pytest.mark.parametrize(
    "reply",
    [WHOLE.cut(after_bytes=4), WHOLE.cut(after_bytes=4, reset=True), WHOLE.cut(after_bytes=0), STREAM.cut(after_events=1),
     STREAM.cut(after_events=0), STREAM.cut(after_events=1, reset=True),
     Reply(b"SSH-2.0-server\r\n", end="close"), Reply(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", end="close"),
     Reply(b"HTTP/2 200\r\n\r\n", end="close"), Reply(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx: 1", end="close"),
     Reply(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n", end="close")],
    ids=["length", "length reset", "no body", "chunks", "no chunk", "chunks reset", "not HTTP", "no chunk size", "HTTP/2",
         "half a header", "half a head"],
)  # fmt: skip
def test_an_answer_that_breaks_off_is_an_error(upstream: FakeUpstream, reply: Reply) -> None:
    upstream.answers(reply)
    error = failure(upstream.url)
    assert (error.sent, error.timed_out) == (True, False)


TEXT = b"Bern " * 50_000


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", gzip.compress(TEXT)), ("deflate", zlib.compress(TEXT)), ("identity", TEXT), ("gzip", b"")],
)
def test_what_was_compressed_unasked_is_inflated(upstream: FakeUpstream, encoding: str, body: bytes) -> None:
    upstream.answers(Reply.raw(200, body, {"content-encoding": encoding}))
    assert read(HTTPClient(), upstream.url) == (TEXT if body else b"")


@pytest.mark.parametrize("body", [b"not gzip", gzip.compress(TEXT)[:200]], ids=["junk", "half"])
def test_what_can_not_be_inflated_is_an_error(upstream: FakeUpstream, body: bytes) -> None:
    upstream.answers(Reply.raw(200, body, {"content-encoding": "gzip"}))
    assert failure(upstream.url).sent


@pytest.mark.parametrize(
    ("timeouts", "reply"),
    [
        (Timeouts(5, 0.1, 5), lambda gate: Reply.json(200, {}).after(gate)),
        (Timeouts(5, 5, 0.1), lambda gate: Reply.sse([EVENTS[0], gate])),
        (Timeouts(5, 5, 0.1), lambda gate: Reply.sse([gate, EVENTS[0]])),
    ],
    ids=["before the head", "between events", "before the first event"],
)
@pytest.mark.parametrize("patient", [False, True])
def test_a_silent_provider_times_out(
    upstream: FakeUpstream, timeouts: Timeouts, reply: Callable[[Gate], Reply], patient: bool
) -> None:
    """Also where whoever waits looks up again and again."""
    upstream.answers(reply(upstream.gate()))
    cancel, looks = CancelToken(), list[str]()
    if patient:
        cancel.patience = Patience(lambda: looks.append("before"), lambda: looks.append("meanwhile"), 0.02)
    error = failure(upstream.url, timeouts, cancel)
    assert (error.sent, error.timed_out) == (True, True)
    assert ("meanwhile" in looks) == patient


@pytest.mark.parametrize("reply", [Reply.sse, lambda pieces: Reply.sse(pieces).framed_by_close()], ids=["chunked", "closing"])
def test_who_waits_may_give_the_call_up(upstream: FakeUpstream, reply: Callable[[list[object]], Reply]) -> None:
    upstream.answers(reply([EVENTS[0], upstream.gate(), EVENTS[1]]))
    cancel = CancelToken()
    cancel.patience = Patience(lambda: None, cancel.request, 0.02)
    assert isinstance(failure(upstream.url, cancel=cancel), Cancelled)
    upstream.wait_for_calls(1)
    assert upstream.calls[0].closed_by_client.wait(4)


@pytest.mark.parametrize(
    "reply",
    [lambda gate: Reply.json(200, {}).after(gate), lambda gate: Reply.sse([EVENTS[0], gate, EVENTS[1]])],
    ids=["waiting", "reading"],
)
def test_a_call_is_given_up_from_another_thread(upstream: FakeUpstream, reply: Callable[[Gate], Reply]) -> None:
    upstream.answers(reply(upstream.gate()))
    cancel, errors = CancelToken(), []

    def call() -> None:
        errors.append(failure(upstream.url, cancel=cancel))

    thread = threading.Thread(target=call)
    thread.start()
    upstream.wait_for_calls(1)
    cancel.request()
    thread.join(4)
    assert not thread.is_alive()
    assert isinstance(errors[0], Cancelled)
    assert upstream.calls[0].closed_by_client.wait(4)


def test_a_call_given_up_before_it_began_sends_nothing(upstream: FakeUpstream) -> None:
    cancel = CancelToken()
    cancel.request()
    error = failure(upstream.url, cancel=cancel)
    assert isinstance(error, Cancelled)
    assert (error.sent, upstream.calls) == (False, [])


@pytest.mark.parametrize(("connect_s", "beside"), [(0.3, None), (9, run_beside)], ids=["in this thread", "beside"])
def test_a_call_given_up_while_it_connects_sends_nothing(connect_s: float, beside: Any) -> None:
    """A server whose queue is full does not answer; the call ends with its time to connect, or at once where that is beside."""
    with full_queue() as url:
        cancel = CancelToken()
        cancel.run_beside = beside
        threading.Timer(0.05, cancel.request).start()
        began_s = time.monotonic()
        error = failure(url, Timeouts(connect_s, 5, 5), cancel)
    assert time.monotonic() - began_s < 2
    assert isinstance(error, Cancelled)
    assert not error.sent


def test_a_cancel_wakes_who_sleeps_and_comes_once() -> None:
    cancel = CancelToken()
    threading.Timer(0.05, cancel.request).start()
    cancel.sleep(30)
    assert cancel.requested
    cancel.request()


def test_an_address_that_does_not_answer() -> None:
    with full_queue() as url:
        error = failure(url, Timeouts(0.1, 5, 5))
    assert (error.sent, error.timed_out) == (False, True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://nowhere.invalid/v1", "host name"),
        ("http://" + "a" * 70 + ".invalid/v1", "host name"),
        ("http://127.0.0.1:{closed}/v1", "refused"),
        ("https://127.0.0.1:{closed}/v1", "refused"),
    ],
)
@pytest.mark.parametrize("beside", [None, run_beside], ids=["in this thread", "beside"])
def test_an_address_that_can_not_be_reached(url: str, said: str, beside: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    cancel = CancelToken()
    cancel.run_beside = beside
    error = failure(url.format(closed=port), cancel=cancel)
    assert said in str(error)
    assert (error.sent, error.timed_out) == (False, False)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with tls_server(tmp_path) as url:
        error = failure(url)
    assert "secure" in str(error)
    assert not error.sent


def test_a_plain_server_is_no_secure_one() -> None:
    with plain_server() as url:
        assert not failure(url.replace("http:", "https:")).sent


@pytest.mark.parametrize(
    ("timeouts", "reply"),
    [
        (Timeouts(5, 0.2, 5), Reply.json(200, {}).after(Pause(3))),
        (Timeouts(5, 0.2, 5), Reply.sse([Pause(3), *EVENTS])),  # headers alone are no first byte
        (Timeouts(5, 5, 0.2), Reply.sse([EVENTS[0], Pause(3), EVENTS[1]])),
        (Timeouts(5, 5, 5, 0.4), Reply.sse([*EVENTS] * 20, pace_s=0.05)),
        (Timeouts(5, 5, 5, 0.4), Reply.raw(200, b"x" * 40, {"connection": "close"}).trickled(0.05)),
    ],
    ids=["headers", "first byte", "between", "whole call", "whole call that closes"],
)
def test_each_wait_has_its_own_end(upstream: FakeUpstream, timeouts: Timeouts, reply: Reply) -> None:
    upstream.answers(reply)
    error = failure(upstream.url, replace(timeouts, end_s=time.monotonic() + timeouts.end_s))
    assert error.timed_out


def test_an_answer_has_an_end(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MAX_ANSWER_BYTES", 100_000)
    upstream.answers(Reply.raw(200, bytes(100_000)), Reply.raw(200, bytes(100_001)))
    sender = HTTPClient()
    assert len(read(sender, upstream.url)) == 100_000
    assert isinstance(failure(upstream.url), http_client.AnswerTooLarge)


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
def test_what_compression_inflates_to_has_an_end_too(
    upstream: FakeUpstream, compress: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """3 MB of it can be 3 GB."""
    packed, encoding = compress(bytes(300_000_000)), "gzip" if compress is gzip.compress else "deflate"
    upstream.answers(Reply.raw(200, packed, {"content-encoding": encoding}))
    tracemalloc.start()
    try:
        pieces = send(HTTPClient(), upstream.url).pieces
        assert max(len(piece) for piece in pieces) <= http_client.PIECE_BYTES
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    monkeypatch.setattr(http_client, "MAX_ANSWER_BYTES", 1_000_000)
    assert isinstance(failure(upstream.url), http_client.AnswerTooLarge)


def test_what_is_held_as_a_whole_has_a_lesser_end() -> None:
    assert http_client.read_whole(iter([b"a", b"bc"]), 3) == b"abc"
    with pytest.raises(http_client.AnswerTooLarge):
        http_client.read_whole(iter([b"a", b"bcd"]), 3)


def test_interim_answers_are_skipped_and_have_an_end(upstream: FakeUpstream) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    good = Reply.raw(200, b"1")
    upstream.answers(replace(good, head=interim * 3 + good.head), replace(good, head=interim * 1_000 + good.head))
    assert read(HTTPClient(), upstream.url) == b"1"
    failure(upstream.url)


@pytest.mark.parametrize(
    ("head", "body", "headers"),
    [
        (b"Content-Length: 2\r\n", b"ab", {"content-length": "2"}),
        (b"content-length:2\r\nX-A :  b \t\r\n", b"ab", {"content-length": "2", "x-a": "b"}),
        (b"content-length: 2\r\ncontent-length: 3\r\n", b"ab", {"content-length": "2"}),
        (b"content-length: 2\r\nx: a\r\n  b\r\n\tc\r\n", b"ab", {"content-length": "2", "x": "a b c"}),
        (b" begins folded\r\ncontent-length: 2\r\n", b"ab", {"content-length": "2", "begins folded": ""}),
        (b"content-length: 2\nx: \xe9\n", b"ab", {"content-length": "2", "x": "\xe9"}),
        (b"no colon\r\ncontent-length: 2\r\n", b"ab", {"no colon": "", "content-length": "2"}),
        (b"content-length: 9\r\nTransfer-Encoding: Chunked\r\n", b"2\r\nab\r\n0\r\n\r\n",
         {"content-length": "9", "transfer-encoding": "Chunked"}),
        (b"connection: close\r\n", b"ab", {"connection": "close"}),
        (b"content-length: +2\r\n", b"ab", {"content-length": "+2"}),
    ],
    ids=["length", "spaces", "twice", "folded", "folded first", "bare line feeds", "no colon", "chunks", "to the end", "no length"],
)  # fmt: skip
def test_how_a_head_is_read(upstream: FakeUpstream, head: bytes, body: bytes, headers: dict[str, str]) -> None:
    upstream.answers(Reply(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body, end="close"))
    answer = send(HTTPClient(), upstream.url)
    assert (answer.headers, b"".join(answer.pieces)) == (headers, b"ab")


@pytest.mark.parametrize("head", [b"x: 1\r\n" * 200, b"x: " + b"a" * 70_000 + b"\r\n"], ids=["many headers", "a long one"])
def test_headers_have_an_end(upstream: FakeUpstream, head: bytes) -> None:
    upstream.answers(Reply(b"HTTP/1.1 200 OK\r\n" + head + b"content-length: 0\r\n\r\n", end="close"))
    failure(upstream.url)
