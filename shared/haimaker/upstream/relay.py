"""Between an exchange and its door: fills silence, keeps deadlines, notices a client that left, and sees that all is settled.

Headers wait for the answer's first byte, so that an error keeps its status and another target can be tried, but not for ever:
a stream that is silent starts with comments, a whole answer with white space, which JSON allows.
"""

import time
from collections.abc import Callable, Generator, Iterator

from haimaker.http.errors import APIError, APITimeoutError
from haimaker.http.sse import dumps
from haimaker.http.values import Request, Response
from haimaker.lean_dataclasses import dataclass, field
from haimaker.operations.operation import ResponseKind
from haimaker.upstream.background import END, SILENCE, BackgroundIterator
from haimaker.upstream.exchange import Exchange, ResponseHead

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

    def response(self) -> Response:
        """Waits for the head. Raises APIError if there is none to come."""
        kind = self.exchange.request.response
        self._items = BackgroundIterator(self.exchange.run())
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

    def _bytes(self) -> bytes:
        """The next bytes of a whole answer, none at its end."""
        item = self._next(SILENCE_S["json"])
        return item if isinstance(item, bytes) else b""

    def _stream(self, kind: ResponseKind) -> Generator[bytes, None, None]:
        """The bytes of the stream, with comments where events are silent; closing it gives up the upstream and settles."""
        try:
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

    def _error_event(self, error: APIError) -> bytes:
        return self.exchange.client_format.error_event(error, self.request.id, self.exchange.sent_events)

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
        self.exchange.settle("cut")


def out_of_time() -> APIError:
    return APITimeoutError("The answer was not complete in time.", headers={"x-should-retry": "false"})
