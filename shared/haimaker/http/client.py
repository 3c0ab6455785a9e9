"""The only module that opens a socket to a provider: HTTP/1.1 over the standard library, with connections kept for reuse.

The standard library's client takes less than half the CPU of httpx for a call and a fifth for a streamed chunk, and a third of its
import time; `make bench` shows what that buys. Nothing is connected, and no TLS context built, before the first call.
"""

import http.client
import socket
import ssl
import threading
import time
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, urlsplit

from haimaker.http import tls
from haimaker.http.answer_reader import Answer, Patience, Reader
from haimaker.http.connection import encode_head, host_of, send
from haimaker.http.proxies import NO_PROXIES, Proxies, Proxy
from haimaker.http.values import UpstreamRequest, UpstreamResponse
from haimaker.lean_dataclasses import dataclass, field

if TYPE_CHECKING:
    from concurrent.futures import Future

PIECE_BYTES = 65_536
MAX_ANSWER_BYTES = 512 * 2**20
"""Of one answer, decompressed: hours of sound have no more. Only its pieces are held here."""
MAX_WHOLE_BYTES = 128 * 2**20
"""Of an answer that is held as a whole: ten large images in base64, or two thousand vectors in digits."""
LAST_BYTES_S = 0.02
LOOK_S = 0.05
"""How often to look whether a call was cancelled, of a connection that is made beside."""
IDLE_CONNECTIONS = 64
"""How many are kept for each address; the others are closed after use."""
IDLE_S = 60.0
"""How long an unused connection is trusted; after that a frozen sandbox may hold a dead one."""

DEAD_CONNECTION = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ConnectionAbortedError)


class TransportError(Exception):
    """An upstream could not be reached or broke off. The message names no address. `sent`: the request may have arrived."""

    def __init__(self, message: str, *, sent: bool = True, timed_out: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.timed_out = timed_out


class AnswerTooLarge(TransportError):
    """The answer is larger than MAX_ANSWER_BYTES, or than MAX_WHOLE_BYTES where it is read as a whole."""


class Cancelled(TransportError):
    """The call was cancelled from this side."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a call may wait for each of its steps."""

    connect_s: float = 10.0
    first_byte_s: float = 590.0
    between_s: float = 590.0
    end_s: float = float("inf")
    """The end of the whole call, monotonic."""


class CancelToken:
    """Cancels the calls of a request from another thread: whatever they wait for on their sockets ends at once."""

    patience: Patience | None = None
    run_beside: "Callable[[Callable[[], object]], Future[None]] | None" = None
    """Runs in another thread what cancelling can't end: the search for a name's address, and a handshake. None where nobody minds
    that the thread goes on waiting."""

    def __init__(self) -> None:
        self.requested = False
        self._lock = threading.Lock()
        self._wake: threading.Event | None = None
        """Made when somebody sleeps, as few calls do."""
        self._sockets: set[socket.socket] = set()

    def request(self) -> None:
        with self._lock:
            self.requested = True
            if self._wake:
                self._wake.set()
            for connected in self._sockets:
                _shut_down_socket(connected)

    def sleep(self, seconds: float) -> None:
        """Waits so long, or until the call is cancelled."""
        with self._lock:
            self._wake = self._wake or threading.Event()
            if self.requested:
                return
        self._wake.wait(seconds)

    def watch(self, connected: socket.socket) -> None:
        with self._lock:
            self._sockets.add(connected)
            if self.requested:
                _shut_down_socket(connected)

    def forget(self, connected: socket.socket | None) -> None:
        with self._lock:
            self._sockets.discard(connected)


@dataclass(slots=True)
class _Call:
    """The address, the deadlines and the cancel token of one call."""

    address: SplitResult
    proxy: Proxy | None
    timeouts: Timeouts
    cancel: CancelToken
    first_until_s: float = 0.0
    reader: Reader | None = None

    def begin(self, connected: socket.socket) -> None:
        self.first_until_s = time.monotonic() + self.timeouts.first_byte_s
        connected.settimeout(self.timeouts.first_byte_s)
        self.cancel.watch(connected)

    def await_first(self) -> None:
        """Gives the first byte of the body what is left of the time for headers and first byte together."""
        self._wait_at_most(self.first_until_s - time.monotonic())

    def await_next(self) -> None:
        self._wait_at_most(min(self.timeouts.between_s, self.timeouts.end_s - time.monotonic()))

    def _wait_at_most(self, seconds: float) -> None:
        if seconds <= 0:
            raise TimeoutError
        if self.reader is not None:
            self.reader.limit(seconds)


class _IdleConnection(NamedTuple):
    connection: http.client.HTTPConnection
    since_s: float


@dataclass(slots=True)
class HTTPClient:
    """Sends requests, and keeps connections for the next ones."""

    proxies: Proxies = NO_PROXIES
    _idle: dict[tuple[str, str], deque[_IdleConnection]] = field(default_factory=lambda: defaultdict(deque))

    def send(
        self, request: UpstreamRequest, base_url: str, headers: Mapping[str, str], timeouts: Timeouts, cancel: CancelToken
    ) -> UpstreamResponse:
        """Sends a request and returns when the headers of the answer are in. Raises TransportError, also while pieces are read.

        A kept connection that the other side has closed meanwhile is replaced once, by a new one: the request is sent no third
        time, however many connections are kept, since a provider may bill each.
        """
        address = urlsplit(base_url)
        call = _Call(address, self.proxies.for_address(address), timeouts, cancel)
        head = _encode_head(request, headers, call)
        idle = self._idle[call.address.scheme, call.address.netloc]
        connection = _take_idle(idle)
        while True:
            reused = connection is not None
            connection = connection or self._connect(call)
            if cancel.requested:
                connection.close()
                raise Cancelled("The call was cancelled.", sent=False)
            connected = connection.sock
            try:
                answer = _exchange(connection, head, request, call)
            except DEAD_CONNECTION as error:
                cancel.forget(connected)
                connection.close()
                if not reused or cancel.requested:
                    raise _to_transport_error(error, cancel) from error
                connection = None
            except (OSError, http.client.HTTPException) as error:
                cancel.forget(connected)
                connection.close()
                raise _to_transport_error(error, cancel) from error
            else:
                pieces = _pieces(connection, connected, answer, call, idle)
                encoding = answer.by_name.get("content-encoding", "")
                return UpstreamResponse(answer.status, answer.by_name, _decompress(pieces, encoding))

    def _connect(self, call: _Call) -> http.client.HTTPConnection:
        host, port = call.address.hostname or "", call.address.port
        to_host, to_port = (call.proxy.host, call.proxy.port) if call.proxy else (host, port)
        is_secure = call.address.scheme == "https"
        connection = (
            http.client.HTTPSConnection(to_host, to_port, timeout=call.timeouts.connect_s, context=tls.tls_context())
            if is_secure
            else http.client.HTTPConnection(to_host, to_port, timeout=call.timeouts.connect_s)
        )
        if call.proxy and is_secure:  # what is said to the provider, the proxy can't read
            connection.set_tunnel(host, port, dict(call.proxy.headers))
        try:
            if call.cancel.run_beside:
                _wait_for(call.cancel.run_beside(connection.connect), connection, call.cancel)
            else:
                connection.connect()
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            connection.close()
            if call.proxy and not call.cancel.requested and not isinstance(error, TimeoutError | ssl.SSLError):
                raise TransportError("The proxy did not lead to the provider.", sent=False) from error
            raise _to_transport_error(error, call.cancel, sent=False) from error
        return connection


def _wait_for(connecting: "Future[None]", connection: http.client.HTTPConnection, cancel: CancelToken) -> None:
    """Raises what connecting does; Cancelled at once, and the connection is then closed when it is made."""
    while not connecting.done():
        if cancel.requested:
            connecting.add_done_callback(lambda _: connection.close())
            raise Cancelled("The call was cancelled.", sent=False)
        with suppress(TimeoutError):
            connecting.result(LOOK_S)
    connecting.result()


def _encode_head(request: UpstreamRequest, headers: Mapping[str, str], call: _Call) -> bytes:
    """Raises TransportError."""
    target, own = call.address.path.rstrip("/") + request.path, {"accept-encoding": "identity"}
    if call.proxy and call.address.scheme == "http":  # https://www.rfc-editor.org/rfc/rfc9112#name-absolute-form
        target, own = f"http://{call.address.netloc}{target}", {**own, **call.proxy.headers}
    try:
        given = {**own, **request.headers, **headers}
        return encode_head(request.method, target, host_of(call.address), given, len(request.body))
    except ValueError as error:
        raise TransportError("The call can't be written as a request of HTTP.", sent=False) from error


def _exchange(connection: http.client.HTTPConnection, head: bytes, request: UpstreamRequest, call: _Call) -> Answer:
    assert connection.sock is not None
    call.begin(connection.sock)
    send(connection.sock, head, request.body)
    answer = Answer(connection.sock, call.cancel, method=request.method)
    try:
        answer.begin()
    except BaseException:
        answer.close()  # else its end may be a traceback on stderr: https://docs.python.org/3/whatsnew/3.13.html#io
        raise
    call.reader = answer.reader
    return answer


def _pieces(
    connection: http.client.HTTPConnection,
    connected: socket.socket | None,
    answer: Answer,
    call: _Call,
    idle: deque[_IdleConnection],
) -> Iterator[bytes]:
    """The body as it arrives. The connection is kept when the body was read to its end, else closed."""
    whole, left = False, MAX_ANSWER_BYTES
    try:
        call.await_first()
        await_next, ends = True, call.timeouts.end_s < float("inf")
        while piece := answer.read1(PIECE_BYTES):
            if await_next:
                call.await_next()
                await_next = ends
            left -= len(piece)
            if left < 0:
                raise _too_large()
            yield piece
        # read1 ends without a word where a body is shorter than its Content-Length.
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)
        # A body that has no length ends as its connection does, also where that was shut from this side.
        if answer.length is None and not answer.chunked and call.cancel.requested:
            raise Cancelled("The call was cancelled.")
        whole = True
    except GeneratorExit:
        whole = _is_at_end(answer)
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _to_transport_error(error, call.cancel) from error
    finally:
        call.cancel.forget(connected)
        answer.close()
        if whole and not answer.will_close and not call.cancel.requested:
            _keep_idle(idle, connection)
        else:
            connection.close()


def _is_at_end(answer: Answer) -> bool:
    """Whether only the end of the body is left, as after the last event of a stream, so that the connection can be kept."""
    answer.reader.limit(LAST_BYTES_S)
    try:
        return not answer.read1(PIECE_BYTES)
    except (OSError, http.client.HTTPException, ValueError):
        return False


def _decompress(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Inflates what a server compressed although it was asked not to."""
    if encoding not in ("gzip", "deflate"):
        return pieces
    return _inflate(pieces)


def _inflate(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)
    begun, left = False, MAX_ANSWER_BYTES
    try:
        for piece in pieces:
            begun = True
            while plain := inflate.decompress(piece, PIECE_BYTES):  # a piece may hold a thousand times its size
                left -= len(plain)
                if left < 0:
                    raise _too_large()
                yield plain
                piece = inflate.unconsumed_tail
        yield inflate.flush()
    except zlib.error as error:
        raise TransportError("The provider's answer could not be decompressed.") from error
    if begun and not inflate.eof:
        raise TransportError("The provider's answer ended in the middle of its compression.")


def read_whole(pieces: Iterator[bytes], most: int = MAX_WHOLE_BYTES) -> bytes:
    """Reads the whole body. Raises TransportError, also for one that is larger than may be held."""
    raw = bytearray()
    for piece in pieces:
        raw += piece
        if len(raw) > most:
            raise _too_large()
    return bytes(raw)


def _too_large() -> AnswerTooLarge:
    return AnswerTooLarge("The provider's answer is larger than any that is meant.")


def _take_idle(idle: deque[_IdleConnection]) -> http.client.HTTPConnection | None:
    with suppress(IndexError):  # none is left
        while True:
            connection, since_s = idle.pop()
            if time.time() - since_s < IDLE_S:
                return connection
            connection.close()
    return None


def _keep_idle(idle: deque[_IdleConnection], connection: http.client.HTTPConnection) -> None:
    if len(idle) < IDLE_CONNECTIONS:
        idle.append(_IdleConnection(connection, time.time()))
    else:
        connection.close()


def _shut_down_socket(connected: socket.socket) -> None:
    with suppress(OSError):  # it is closed already, which is what was wanted
        connected.shutdown(socket.SHUT_RDWR)


def _to_transport_error(error: Exception, cancel: CancelToken, *, sent: bool = True) -> TransportError:
    """The error in words for a client. They name no host, since that may be an inner one."""
    if cancel.requested:
        return Cancelled("The call was cancelled.", sent=sent)
    if isinstance(error, TimeoutError):
        return TransportError("The provider did not answer in time.", sent=sent, timed_out=True)
    if isinstance(error, socket.gaierror | UnicodeError):
        return TransportError("The provider's host name could not be found.", sent=False)
    if isinstance(error, ssl.SSLError):
        return TransportError("No secure connection to the provider could be made.", sent=sent)
    if isinstance(error, ConnectionRefusedError):
        return TransportError("The provider refused the connection.", sent=False)
    if sent:
        return TransportError("The provider closed the connection before its answer was complete.", sent=True)
    return TransportError("The provider could not be reached.", sent=False)
