"""Between an exchange and its door: fills silence, keeps deadlines, notices a client that left, and sees that all is settled.

Headers wait for the answer's first byte, so that an error keeps its status and another target can be tried, but not for ever:
a stream that is silent starts with comments, a whole answer with white space, which JSON allows.

An answer is begun in a thread of its own, since much may have to be waited for until then. The rest of a stream waits for the
bytes of one call: the thread of a door that can write meanwhile reads it itself, for two thirds of the CPU of handing it over.
So it does with a whole answer whose calls are all that is waited for; what looks after it meanwhile is one thread for all of them.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import cache

from haimaker.http.answer_reader import Patience
from haimaker.http.errors import APIError, APITimeoutError
from haimaker.http.sse import dumps
from haimaker.http.values import Request, Response
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.operation import ResponseKind
from haimaker.upstream.background import END, SILENCE, BackgroundIterator, run_beside
from haimaker.upstream.exchange import Exchange, ResponseHead
from haimaker.upstream.watch import Watch

JSON_BODY = {"content-type": "application/json"}
SILENCE_S: dict[ResponseKind, float] = {"events": 15.0, "json": 240.0, "bytes": 240.0}
"""After how long something has to be said, which can't be in raw bytes. The REST API ends a connection on which nothing came
for 300 s. https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""
LOOK_S = 0.5
"""How often to look whether the client is still there."""
GRACE_S = 1.0
"""A call that ends at its own deadline is given this long to say so."""
ENDING_S = 2.0
MAX_JOINED = 64


class ClientLeft(Exception):
    """Nobody reads the answer any more."""


@dataclass(frozen=True, slots=True)
class Body(Iterator[bytes]):
    """Bytes for the door. Closing it ends the request even if nothing was read, which closing a generator alone does not."""

    pieces: Generator[bytes, None, None]
    finish: Callable[[], None]

    def __next__(self) -> bytes:
        return next(self.pieces)

    def close(self) -> None:
        self.pieces.close()
        self.finish()


@dataclass(slots=True)
class Relay:
    """One request, from its exchange to its door."""

    request: Request
    exchange: Exchange
    deadline_s: float
    """Monotonic, of the answer's begin; a whole one begins when it is complete."""
    end_s: float
    """Monotonic, of a stream that has begun."""
    _items: BackgroundIterator[ResponseHead | bytes] = field(init=False)
    _rest: Generator[ResponseHead | bytes, None, None] | None = None
    """What is left of an exchange whose begin was run beside, for the door's own thread."""
    _waiting: list[bytes] = field(default_factory=list)
    """What was read and is still to be written."""
    _said_s: float = 0.0
    """When something was last written."""
    _ended_by: APIError | ClientLeft | None = None
    _is_begun: bool = False
    """Whether white space is written of an answer that this thread waits for; nothing is any more once it is over."""
    _is_over: bool = False
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def response(self) -> Response:
        """Waits for the head. Raises APIError if there is none to come."""
        kind = self.exchange.request.response
        if kind == "json" and self.request.begin_now and self.exchange.attempts.waits_for_calls_only():
            return self._whole_in_this_thread()
        self._items = BackgroundIterator(self._begin())
        try:
            head = self._next(SILENCE_S[kind])
            while kind == "bytes" and not isinstance(head, ResponseHead):
                head = self._next(SILENCE_S[kind])
            if isinstance(head, ResponseHead) and kind == "json":
                return Response(head.status, head.headers, b"".join(iter(self._bytes, b"")))
        except APIError as error:
            self._finish(error)
            error.attempts = error.attempts or [attempt_log.to_record() for attempt_log in self.exchange.settlement.attempt_logs]
            raise
        except BaseException:
            self._finish()
            raise
        if isinstance(head, ResponseHead):
            return Response(head.status, head.headers, Body(self._stream(kind), self._finish))
        headers = self.exchange.stream_head() if kind == "events" else JSON_BODY
        return Response(200, headers, Body(self._after_silence(kind), self._finish))

    def _whole_in_this_thread(self) -> Response:
        """A whole answer. `look` ends its calls from another thread, whatever they wait for. Raises APIError and ClientLeft."""
        self._said_s, failure = time.monotonic(), None
        self.exchange.attempts.cancel.run_beside = run_beside
        watch().add(self)
        try:
            head, *pieces = self.exchange.run()
        except APIError as error:
            failure = self._ended_by or error
        finally:
            watch().remove(self)
            with self._writing:
                self._is_over = True
        if isinstance(self._ended_by, ClientLeft):
            raise self._ended_by
        if failure is None:
            assert isinstance(head, ResponseHead)
            return Response(head.status, head.headers, b"".join(piece for piece in pieces if isinstance(piece, bytes)))
        assert isinstance(failure, APIError)
        failure.attempts = failure.attempts or [attempt_log.to_record() for attempt_log in self.exchange.settlement.attempt_logs]
        if not self._is_begun:
            raise failure
        return Response(200, JSON_BODY, dumps(self.exchange.client_format.render_error(failure, self.request.id)))

    def look(self, now_s: float) -> float:
        """Called by the thread that looks after all: ends the answer where nobody waits for it any more, and has its silence
        filled."""
        if self._ended_by is None:
            if self.request.client_left():
                self._end(ClientLeft())
            elif now_s >= self.deadline_s + GRACE_S:
                self._end(out_of_time())
            if self._ended_by:
                self._said_s = now_s  # the error comes in a moment, with its own status if nothing was written before
        if isinstance(self._ended_by, ClientLeft):
            return now_s + SILENCE_S["json"]
        silent_until_s = self._said_s + SILENCE_S["json"]
        if now_s >= silent_until_s:
            self._said_s, silent_until_s = now_s, now_s + SILENCE_S["json"]
            threading.Thread(target=self._fill, daemon=True).start()  # a client may read slowly, and others are to be looked at
        return silent_until_s if self._ended_by else min(silent_until_s, max(now_s, self.deadline_s + GRACE_S))

    def _fill(self) -> None:
        with self._writing:
            if self._is_over:
                return
            assert self.request.begin_now
            try:
                if not self._is_begun:
                    self._is_begun = True
                    self.request.begin_now(Response(200, JSON_BODY, b""))
                self._write(b" ")
            except OSError:
                self._end(ClientLeft())

    def _begin(self) -> Generator[ResponseHead | bytes, None, None]:
        """The items of the exchange; only the head where the door's thread reads the rest."""
        items = self.exchange.run()
        try:
            head = next(items)
            if isinstance(head, ResponseHead) and head.of_one_call and self.request.send_now:
                self._rest = items
            yield head
        except BaseException:
            items.close()
            raise
        if self._rest is None:
            yield from items

    def _bytes(self) -> bytes:
        """The next bytes of a whole answer, none at its end."""
        while (item := self._next(SILENCE_S["json"])) is SILENCE:
            pass
        return item if isinstance(item, bytes) else b""

    def _stream(self, kind: ResponseKind) -> Generator[bytes, None, None]:
        """The bytes of the stream, with comments where events are silent; closing it gives up the upstream and settles."""
        try:
            if self._rest:
                yield from self._read_on(self._rest)
                return
            while (item := self._next(SILENCE_S[kind])) is not END:
                if isinstance(item, bytes):
                    # What has come meanwhile is written at once.
                    ready = self._items.ready(MAX_JOINED)
                    yield b"".join((item, *(more for more in ready if isinstance(more, bytes))))
                elif kind == "events":
                    yield self.exchange.client_format.keep_alive
        except ClientLeft:
            return
        except APIError as error:
            self._finish(error)
            if kind == "bytes":  # nothing can be said in it: the door breaks off, so that the client sees that it was cut
                raise
            yield self._error_event(error)
        finally:
            self._finish()

    def _after_silence(self, kind: ResponseKind) -> Generator[bytes, None, None]:
        """An answer that had to begin before its head was known; an error can then only be said in the body."""
        filling = self.exchange.client_format.keep_alive if kind == "events" else b" "
        try:
            yield filling
            while (item := self._next(SILENCE_S[kind])) is not END:
                if isinstance(item, ResponseHead) and self._rest:
                    yield from self._read_on(self._rest)
                    return
                if not isinstance(item, ResponseHead):
                    yield item if isinstance(item, bytes) else filling
        except ClientLeft:
            return
        except APIError as error:
            self._finish(error)
            if kind == "events":
                yield self._error_event(error)
            else:
                yield dumps(self.exchange.client_format.render_error(error, self.request.id))
        finally:
            self._finish()

    def _read_on(self, items: Iterator[ResponseHead | bytes]) -> Generator[bytes, None, None]:
        """The rest of a stream, in this thread. What has come is written at once, before more is waited for. Raises APIError and
        ClientLeft."""
        every_s = min(LOOK_S, SILENCE_S["events"])
        cancel, self._said_s = self.exchange.attempts.cancel, time.monotonic()
        cancel.patience = Patience(self._write_waiting, self._look, every_s)
        try:
            for item in items:
                if self._ended_by:
                    break
                if isinstance(item, bytes):
                    self._waiting.append(item)
                if len(self._waiting) >= MAX_JOINED:
                    yield self._take_waiting()
            if self._waiting:
                yield self._take_waiting()
        finally:
            cancel.patience = None
        if self._ended_by:
            raise self._ended_by

    def _take_waiting(self) -> bytes:
        joined, self._said_s = b"".join(self._waiting), time.monotonic()
        self._waiting.clear()
        return joined

    def _write_waiting(self) -> None:
        if self._waiting:
            self._write(self._take_waiting())
        if time.monotonic() >= self.end_s + GRACE_S:  # also where something comes again and again
            self._end(out_of_time())

    def _look(self) -> None:
        now_s = time.monotonic()
        if self.request.client_left():
            self._end(ClientLeft())
        elif now_s >= self.end_s + GRACE_S:
            self._end(out_of_time())
        elif now_s >= self._said_s + SILENCE_S["events"]:
            self._said_s = now_s
            self._write(self.exchange.client_format.keep_alive)

    def _write(self, data: bytes) -> None:
        try:
            assert self.request.send_now
            self.request.send_now(data)
        except OSError:  # not to be taken for a failure of the provider's, whose bytes are being waited for
            self._end(ClientLeft())

    def _end(self, reason: APIError | ClientLeft) -> None:
        if self._ended_by is None:
            self._ended_by = reason
            if isinstance(reason, APIError):
                self.exchange.cancel_reason = reason
            self.exchange.attempts.cancel.request()

    def _error_event(self, error: APIError) -> bytes:
        """The event of an error, behind what had come before it and was not written yet."""
        return self._take_waiting() + self.exchange.client_format.error_event(error, self.request.id, self.exchange.sent_events)

    def _next(self, silence_s: float) -> object:
        """The next item, END, or SILENCE after `silence_s`. Raises APIError, also at the deadline, and ClientLeft."""
        silent_until = time.monotonic() + silence_s
        while True:
            now_s = time.monotonic()
            until_s = min(silent_until, self.deadline_s + GRACE_S)
            item = self._items.get(min(LOOK_S, until_s - now_s))
            if isinstance(item, ResponseHead):
                self.deadline_s = self.end_s
            if item is not SILENCE:
                return item
            if self.request.client_left():
                raise ClientLeft
            if time.monotonic() >= self.deadline_s + GRACE_S:
                raise out_of_time()
            if time.monotonic() >= silent_until:
                return SILENCE

    def _finish(self, error: APIError | None = None) -> None:
        """Ends what still runs. When this returns the request is settled, whatever its thread does."""
        if self.exchange.settlement.record is None:
            if error:
                self.exchange.cancel_reason = error
            self.exchange.attempts.cancel.request()
            self._items.wait(ENDING_S)
            if self._rest:
                with suppress(ValueError):  # a thread that has not come to its end yet is still inside
                    self._rest.close()
        self.exchange.settle("cut")


@cache
def watch() -> Watch:
    return Watch(min(LOOK_S, *SILENCE_S.values()))


def out_of_time() -> APIError:
    return APITimeoutError("The answer was not complete in time.", headers={"x-should-retry": "false"})
