"""With an exchange whose items are scripted; clocks are real and waits a few hundredths of a second."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from haimaker.api.formats import openai_chat
from haimaker.http.client import CancelToken
from haimaker.http.errors import APIError, APITimeoutError, RateLimitError
from haimaker.http.sse import KEEP_ALIVE
from haimaker.http.values import Request, Response
from haimaker.operations.client_format import ClientFormat
from haimaker.upstream import relay
from haimaker.upstream.exchange import Exchange, ResponseHead
from haimaker.upstream.relay import Body, ClientLeft, Relay
from haimaker.upstream.watch import Watch

Script = Callable[["Scripted"], Iterator[ResponseHead | bytes]]
HEAD = ResponseHead(200, {"x": "y"})
OF_ONE_CALL = ResponseHead(200, {"x": "y"}, of_one_call=True)


@dataclass
class Scripted:
    """What a Relay asks of an Exchange."""

    script: Script
    streams: bool = True
    cancel: CancelToken = field(default_factory=CancelToken)
    gate: threading.Event = field(default_factory=threading.Event)
    settled: list[str] = field(default_factory=list)
    record: str | None = None
    attempt_logs: list[Any] = field(default_factory=list)
    cancel_reason: APIError | None = None
    client_format: ClientFormat = openai_chat.FORMAT
    sent_events: int = 0
    threads: set[int] = field(default_factory=set)
    waits_for_calls_only: Callable[[], bool] = lambda: True
    stream_head = Exchange.stream_head

    @property
    def response(self) -> str:
        return "events" if self.streams else "json"

    @property
    def attempts(self) -> "Scripted":
        return self

    @property
    def request(self) -> "Scripted":
        return self

    @property
    def settlement(self) -> "Scripted":
        return self

    def run(self) -> Generator[ResponseHead | bytes, None, None]:
        try:
            yield from self.script(self)
            self.settle("ok")
        finally:
            self.settle("cut")

    def settle(self, status: str) -> None:
        if self.record is None:
            self.record = status
            self.settled.append(status)

    def wait(self) -> None:
        """As for an upstream: until the gate opens, the call is given up or, so that no test hangs, five seconds."""
        if patience := self.cancel.patience:
            patience.before()
        for _ in range(500):
            if self.cancel.requested or self.gate.wait(0.01):
                return
            if patience:
                patience.meanwhile()


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {
        "SILENCE_S": {"events": 0.06, "json": 0.06, "bytes": 0.06},
        "LOOK_S": 0.01,
        "GRACE_S": 0.02,
        "ENDING_S": 1.0,
    }.items():
        monkeypatch.setattr(relay, name, seconds)


def start(
    scripted: Scripted,
    lasts_s: float = 5.0,
    client_left: Callable[[], bool] = lambda: False,
    send_now: Callable[[bytes], None] | None = None,
    begin_now: Callable[[Response], None] | None = None,
) -> Response:
    request = Request("r", client_left=client_left, send_now=send_now, begin_now=begin_now)
    end_s = time.monotonic() + lasts_s
    return Relay(request, cast(Exchange, scripted), end_s, end_s).response()


def body(response: Response) -> Any:
    return response.body


def plain(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
    yield HEAD
    yield b"a"
    yield b"b"


def broken(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
    yield from ()
    raise RateLimitError("Slow down.", headers={"retry-after": "3"})


def broken_late(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
    scripted.wait()
    raise RateLimitError("Slow down.")


def late(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
    scripted.wait()
    yield HEAD
    yield b"a"


def silent_in_between(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
    yield HEAD
    yield b"a"
    scripted.wait()
    yield b"b"


@pytest.mark.parametrize("streams", [True, False])
def test_an_answer_passes(streams: bool) -> None:
    scripted = Scripted(plain, streams)
    response = start(scripted)
    assert (response.status, response.headers) == (200, {"x": "y"})
    assert (b"".join(response.body) if streams else response.body) == b"ab"
    assert scripted.settled == ["ok"]


@pytest.mark.parametrize("streams", [True, False])
def test_an_error_before_the_head_keeps_its_status(streams: bool) -> None:
    scripted = Scripted(broken, streams)
    with pytest.raises(RateLimitError) as caught:
        start(scripted)
    assert caught.value.headers == {"retry-after": "3"}
    assert scripted.settled == ["cut"]


@pytest.mark.parametrize(
    ("streams", "filling", "media"), [(True, KEEP_ALIVE, "text/event-stream"), (False, b" ", "application/json")]
)
def test_silence_before_the_head_is_filled(streams: bool, filling: bytes, media: str) -> None:
    scripted = Scripted(late, streams)
    response = start(scripted)
    assert response.headers["content-type"].startswith(media)
    pieces = body(response)
    assert [next(pieces), next(pieces)] == [filling, filling]
    scripted.gate.set()
    assert b"".join(pieces).replace(filling, b"") == b"a"
    assert scripted.settled == ["ok"]


@pytest.mark.parametrize("streams", [True, False])
def test_an_error_after_silence_is_said_in_the_body(streams: bool) -> None:
    scripted = Scripted(broken_late, streams)
    pieces = body(start(scripted))
    next(pieces)
    scripted.gate.set()
    said = b"".join(pieces).replace(KEEP_ALIVE, b"").strip()
    assert said.startswith(b'data: {"error":' if streams else b'{"error":')
    assert b"Slow down." in said


def test_silence_in_a_stream_is_filled() -> None:
    scripted = Scripted(silent_in_between)
    pieces = body(start(scripted))
    assert [next(pieces) for _ in range(3)] == [b"a", KEEP_ALIVE, KEEP_ALIVE]
    scripted.gate.set()
    assert b"".join(pieces).replace(KEEP_ALIVE, b"") == b"b"


@pytest.mark.parametrize("script", [late, silent_in_between])
def test_a_whole_answer_that_comes_too_late_is_a_timeout(script: Script) -> None:
    scripted = Scripted(script, streams=False)
    with pytest.raises(APITimeoutError) as caught:
        start(scripted, lasts_s=0.01)
    assert (caught.value.status, caught.value.headers) == (504, {"x-should-retry": "false"})
    assert scripted.cancel.requested
    assert scripted.settled == ["cut"] or scripted.settled == ["ok"]


def test_a_stream_that_takes_too_long_ends_with_an_error() -> None:
    scripted = Scripted(silent_in_between)
    pieces = list(body(start(scripted, lasts_s=0.1)))
    assert pieces[0] == b"a"
    assert b'"code":"timeout"' in pieces[-1]
    assert scripted.cancel.requested
    assert len(scripted.settled) == 1


@pytest.mark.parametrize("streams", [True, False])
def test_a_client_that_leaves_before_the_head_is_noticed(streams: bool) -> None:
    scripted = Scripted(late, streams)
    with pytest.raises(ClientLeft):
        start(scripted, client_left=lambda: True)
    assert scripted.cancel.requested
    assert len(scripted.settled) == 1


def test_a_client_that_leaves_a_stream_is_noticed() -> None:
    scripted = Scripted(silent_in_between)
    left = threading.Event()
    pieces = body(start(scripted, client_left=left.is_set))
    assert next(pieces) == b"a"
    left.set()
    assert list(pieces) == []
    assert scripted.cancel.requested
    assert len(scripted.settled) == 1


@pytest.mark.parametrize("read", [0, 1])
@pytest.mark.parametrize("script", [silent_in_between, late])
def test_a_body_that_is_closed_settles(script: Script, read: int) -> None:
    """Also one of which nothing was read, where closing a generator does nothing."""
    scripted = Scripted(script)
    pieces = body(start(scripted))
    assert isinstance(pieces, Body)
    for _ in range(read):
        next(pieces)
    pieces.close()
    assert scripted.cancel.requested
    assert len(scripted.settled) == 1
    pieces.close()
    assert len(scripted.settled) == 1


def test_a_call_that_can_not_be_stopped_is_settled_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "ENDING_S", 0.1)
    ends = threading.Event()

    def deaf(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
        yield HEAD
        yield b"a"
        ends.wait(5)
        yield b"b"

    scripted = Scripted(deaf)
    pieces = body(start(scripted))
    next(pieces)
    pieces.close()
    assert scripted.settled == ["cut"]
    ends.set()


def test_what_has_come_meanwhile_is_written_at_once() -> None:
    done = threading.Event()

    def many(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
        yield HEAD
        yield from (b"%d," % number for number in range(200))
        done.set()

    pieces = body(start(Scripted(many)))
    assert done.wait(5)
    written = list(pieces)
    assert b"".join(written) == b"".join(b"%d," % number for number in range(200))
    assert len(written) <= -(-200 // relay.MAX_JOINED) + 1


@pytest.mark.parametrize("head", [HEAD, OF_ONE_CALL], ids=["two threads", "one thread"])
def test_an_error_after_the_head_ends_a_stream(head: ResponseHead) -> None:
    def breaking(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
        yield head
        yield b"a"
        raise APIError("Broken.", code="internal_error")

    pieces = list(body(start(Scripted(breaking), send_now=lambda piece: None)))
    assert pieces[0].startswith(b"a")
    assert b'"code":"internal_error"' in pieces[-1]


# At a door that can write meanwhile, the thread that writes a stream reads it.


def in_one_thread(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
    yield OF_ONE_CALL
    yield b"a"
    yield b"b"
    scripted.threads = {threading.get_ident()}
    scripted.wait()
    yield b"c"


def test_one_thread_reads_and_writes_a_stream() -> None:
    """What came is written before more is waited for, silence is filled, and nothing is lost or in another order."""
    scripted, written = Scripted(in_one_thread), list[bytes]()

    def send_now(piece: bytes) -> None:
        written.append(piece)
        if len(written) == 3:
            scripted.gate.set()

    written += body(start(scripted, send_now=send_now))
    assert written == [b"ab", KEEP_ALIVE, KEEP_ALIVE, b"c"]
    assert scripted.threads == {threading.get_ident()}
    assert scripted.settled == ["ok"]
    assert scripted.cancel.patience is None


def test_many_that_come_at_once_are_joined() -> None:
    def many(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
        yield OF_ONE_CALL
        yield from (b"%d," % number for number in range(200))

    written = list(body(start(Scripted(many), send_now=lambda piece: None)))
    assert b"".join(written) == b"".join(b"%d," % number for number in range(200))
    assert len(written) == -(-200 // relay.MAX_JOINED)


def test_after_silence_before_the_head_one_thread_goes_on() -> None:
    def late_head(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
        scripted.wait()
        scripted.gate.clear()
        yield from in_one_thread(scripted)

    scripted, written = Scripted(late_head), list[bytes]()

    def send_now(piece: bytes) -> None:
        written.append(piece)
        if piece == KEEP_ALIVE:
            scripted.gate.set()

    pieces = body(start(scripted, send_now=send_now))
    assert next(pieces) == KEEP_ALIVE
    scripted.gate.set()
    written += (piece for piece in pieces if piece != KEEP_ALIVE)
    assert [piece for piece in written if piece != KEEP_ALIVE] == [b"ab", b"c"]
    assert KEEP_ALIVE in written
    assert scripted.settled == ["ok"]


@pytest.mark.parametrize("tells", [True, False], ids=["looks", "writes"])
def test_one_thread_notices_a_client_that_leaves(tells: bool) -> None:
    scripted = Scripted(in_one_thread)

    def send_now(piece: bytes) -> None:
        if not tells:
            raise BrokenPipeError

    assert list(body(start(scripted, client_left=lambda: tells, send_now=send_now))) == []
    assert scripted.cancel.requested
    assert len(scripted.settled) == 1


@pytest.mark.parametrize("trickles", [True, False])
def test_one_thread_keeps_the_end_of_a_stream(trickles: bool) -> None:
    def endless(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
        yield OF_ONE_CALL
        while not scripted.cancel.requested:
            if trickles:
                scripted.gate.set()
            scripted.wait()
            yield b"a"
            time.sleep(0.005)

    scripted, written = Scripted(endless), list[bytes]()
    written += body(start(scripted, lasts_s=0.1, send_now=written.append))
    assert b'"code":"timeout"' in written[-1]
    assert scripted.cancel.requested
    assert scripted.cancel_reason is not None
    assert len(scripted.settled) == 1


@pytest.mark.parametrize("read", [0, 1])
def test_a_body_that_one_thread_read_is_closed(read: int) -> None:
    scripted, closed = Scripted(in_one_thread), list[str]()

    def watched(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
        try:
            yield OF_ONE_CALL
            yield from (b"a" for _ in range(relay.MAX_JOINED + 1))
        finally:
            closed.append(*scripted.settled or ["before it is settled"])

    scripted.script = watched
    pieces = body(start(scripted, send_now=lambda piece: None))
    for _ in range(read):
        next(pieces)
    pieces.close()
    assert (closed, scripted.settled, scripted.cancel.requested) == (["before it is settled"], ["cut"], True)
    pieces.close()
    assert len(scripted.settled) == 1


# So does that which has to write a whole answer; another one looks after it meanwhile.


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Response]:
    """Starts a whole answer at a door that can write its begin, and checks what was written before it was there."""
    watch, early = Watch(0.01), list[Response | bytes]()
    monkeypatch.setattr(relay, "watch", lambda: watch)

    def start_whole(scripted: Scripted, filled: bool = False, **options: Any) -> Response:
        def send_now(piece: bytes) -> None:
            early.append(piece)
            if len(early) > 3:
                scripted.gate.set()

        scripted.streams = False
        try:
            return start(scripted, **{"send_now": send_now, "begin_now": early.append, **options})
        finally:
            assert not watch._watched
            begin = [Response(200, relay.JSON_BODY, b"")]
            assert early == ((begin + [b" "] * (len(early) - 1)) if filled else [])

    return start_whole


def in_this_thread(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
    scripted.threads = {threading.get_ident()}
    yield from plain(scripted)


def test_one_thread_reads_a_whole_answer(whole: Callable[..., Response]) -> None:
    scripted = Scripted(in_this_thread)
    assert whole(scripted) == Response(200, {"x": "y"}, b"ab")
    assert (scripted.threads, scripted.settled) == ({threading.get_ident()}, ["ok"])


def test_what_else_has_to_be_waited_for_is_waited_for_beside(whole: Callable[..., Response]) -> None:
    scripted = Scripted(in_this_thread, waits_for_calls_only=lambda: False)
    assert whole(scripted).body == b"ab"
    assert scripted.threads.isdisjoint({threading.get_ident()})


@pytest.mark.parametrize(
    ("script", "said"), [(late, b"a"), (broken_late, b'{"error":')], ids=["an answer", "an error, which only the body can say"]
)
def test_silence_of_a_whole_answer_is_filled_meanwhile(whole: Callable[..., Response], script: Script, said: bytes) -> None:
    response = whole(Scripted(script), filled=True)
    assert (response.status, body(response)[: len(said)]) == (200, said)


def test_an_error_of_a_whole_answer_keeps_its_status(whole: Callable[..., Response]) -> None:
    scripted = Scripted(broken)
    with pytest.raises(RateLimitError) as caught:
        whole(scripted)
    assert (caught.value.headers, scripted.settled) == ({"retry-after": "3"}, ["cut"])


@pytest.mark.parametrize(
    ("options", "raised"),
    [({"client_left": lambda: True}, ClientLeft), ({"lasts_s": 0.01}, APITimeoutError)],
    ids=["who asked has left", "its time is over"],
)
@pytest.mark.parametrize("script", [late, silent_in_between])
def test_a_whole_answer_that_nobody_waits_for_is_given_up(
    whole: Callable[..., Response], monkeypatch: pytest.MonkeyPatch, script: Script, options: Any, raised: type[Exception]
) -> None:
    monkeypatch.setitem(relay.SILENCE_S, "json", 60.0)  # type: ignore[arg-type]

    def given_up(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
        yield from script(scripted)
        raise APIError("The request was given up.", code="cancelled")

    scripted = Scripted(given_up)
    with pytest.raises(raised):
        whole(scripted, **options)
    assert scripted.cancel.requested
    assert scripted.settled == ["cut"]
    assert isinstance(scripted.cancel_reason, APITimeoutError) is (raised is APITimeoutError)


@pytest.mark.parametrize("options", [{"client_left": lambda: True}, {"lasts_s": -1.0}], ids=["has left", "its time is over"])
def test_what_nobody_waits_for_is_given_up_before_its_silence_is_filled(monkeypatch: pytest.MonkeyPatch, options: Any) -> None:
    """Whenever the thread that looks after all comes to it."""
    scripted, began_s = Scripted(late), time.monotonic()
    end_s = began_s + options.pop("lasts_s", 500.0)
    watched = Relay(Request("r", **options), cast(Exchange, scripted), end_s, end_s)
    monkeypatch.setattr(threading, "Thread", lambda **_: pytest.fail("its silence is filled"))
    assert watched.look(began_s + 100) > began_s + 100
    assert scripted.cancel.requested


def test_a_client_that_can_not_be_written_to_has_left(whole: Callable[..., Response]) -> None:
    def begin_now(head: Response) -> None:
        raise BrokenPipeError

    with pytest.raises(ClientLeft):
        whole(Scripted(late), begin_now=begin_now)


def slow_to_end(scripted: Scripted) -> Iterator[ResponseHead | bytes]:
    try:
        time.sleep(0.03)
        yield ResponseHead(200, {}, True)
    finally:
        time.sleep(0.3)


def test_a_call_that_does_not_end_in_time_is_settled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread is still inside, on a machine that does much else: nothing can close it from here."""
    monkeypatch.setattr(relay, "ENDING_S", 0.02)
    scripted = Scripted(slow_to_end)
    with pytest.raises(relay.ClientLeft):
        start(scripted, client_left=lambda: True, send_now=lambda _: None)
    assert scripted.settled == ["cut"]
