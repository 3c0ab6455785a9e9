"""The local front door: connections to requests, and the gateway's answers back. One thread per connection.

It prints nothing per request, reads no setting, and knows nothing of keys or models.
"""

import errno
import re
import select
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from functools import partial
from typing import NamedTuple, Protocol

from haimaker.api import formats, paths
from haimaker.api.dispatch import KEYLESS, READS_MUCH
from haimaker.http.content_encoding import decode_body
from haimaker.http.cors import cross_origin, preflight
from haimaker.http.errors import APIError, GatewayBusyError, InternalServerError, PermissionDeniedError, ServiceUnavailableError
from haimaker.http.request_ids import new_request_id
from haimaker.http.values import Request, Response
from haimaker.lean_dataclasses import replace
from haimaker.upstream.shares import Shares

from .connections import MAX_CONNECTIONS, Connections, Waiting, listen
from .mistakes import Mistakes, Networks, address_of, sender_of, too_many, weight_of
from .processors import OwnProcessor
from .request_reader import ENCODING, UPLOAD_LIMIT, ClientLeft, Head, RequestReader, is_large
from .response_writer import EarlyHead, send_piece, takes_chunks, write
from .turns import reporting, short_turns
from .waits import limit_reads, limit_writes

GRACE_S = 5.0
"""How long a stopping server waits for requests that are under way."""
FAREWELL_S = 1.0
"""How long it then waits for those that it had to cut, so that they are settled."""
LINGER_S = 2.0
WRITE_TIMEOUT_S = 60.0
"""How long a client may leave its receive window shut."""
HEALTH = "health"
TAKES_PIECES = {"link_write": UPLOAD_LIMIT, "files_create": 513 * 1024 * 1024, "uploads_add_part": 65 * 1024 * 1024}
"""Operations that take their body as it comes, and the most bytes that it may have: of a form, a file of 512 MB and its fields."""
UNAUTHORIZED, REQUEST_TIMEOUT = 401, 408
MISTAKES = frozenset({400, 404, 405, 413, 414, 415, 422, 431, 505})
"""What says that a request was wrong, whoever sends it."""
PROVIDER = "x-haimaker-provider"
"""The header of an answer for which a provider was asked, and so something was reserved."""
LOCAL_DOMAINS = (".localhost", ".local", ".internal")

_HOST_PORT = re.compile(r":[0-9]*$")
_IPV4 = re.compile(r"[0-9.]+")


class Gateway(Protocol):
    def handle(self, operation: str, request: Request) -> Response: ...

    def refuse_unread(self, operation: str, request: Request) -> APIError | None: ...


class Arrival(NamedTuple):
    """A request whose head is known: where it leads, or why it leads nowhere."""

    request: Request
    operation: str
    error: APIError | None
    sender: str
    """Whose mistakes it adds to: an address."""
    early: EarlyHead


class Server:
    """Listens from the moment it is made; answers from `serve` on, until `stop`. Raises OSError if it can't listen.

    `local_names_only` is for a gateway with a key that everybody knows: a web page whose own name was pointed at this
    machine (DNS rebinding, https://owasp.org/www-community/attacks/DNS_Rebinding) would otherwise be as good as its user.
    `origins` are web pages that may read answers, `proxies` those whose X-Forwarded-For counts.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        local_names_only: bool = False,
        origins: Collection[str] = (),
        mistakes: Mistakes | None = None,
        proxies: Networks = (),
        most_connections: int = MAX_CONNECTIONS,
        huge: Shares | None = None,
    ) -> None:
        self._local_names_only = local_names_only
        self._origins, self._proxies = origins, proxies
        self._mistakes = mistakes or Mistakes(0)
        self._huge = huge or Shares("requests of more than a megabyte are being answered", total=64, each=32)
        self._listener = listen(host, port)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake: socket.socket | None = None
        self._stopping = False
        self._connections = Connections(most_connections)
        self._processor: OwnProcessor | None = None

    def serve(self, gateway: Gateway, processor: OwnProcessor | None = None) -> None:
        """Returns after `stop`, once the requests under way are answered or were given their time. What models answer is computed
        on a processor, where one is given."""
        self._processor = processor
        self._wake, woken = socket.socketpair()  # not before: each of several processes has its own
        with selectors.DefaultSelector() as selector, self._listener, self._wake, woken:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while not self._stopping:
                selector.select()
                self._accept(gateway)
        self._finish()

    def stop(self) -> None:
        """Can be called from a signal handler and from any thread, more than once."""
        if not self._stopping:
            self._stopping = True
            if self._wake:
                with suppress(OSError):  # it saw that it should stop before it was woken, and has ended
                    self._wake.send(b"\0")

    def _accept(self, gateway: Gateway) -> None:
        try:
            connection, peer = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                time.sleep(0.05)  # the connection stays in the backlog until another one ends
            return
        if not self._connections.add(connection):
            connection.close()
            return
        try:
            threading.Thread(target=self._converse, args=(connection, str(peer[0]), gateway), daemon=True).start()
        except RuntimeError:  # no more threads
            self._forget(connection)

    def _converse(self, connection: socket.socket, peer: str, gateway: Gateway) -> None:
        try:
            connection.setblocking(True)  # BSD's take over what their listener is
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            limit_writes(connection, WRITE_TIMEOUT_S)
            reader = RequestReader(connection)
            goes_on = True
            while goes_on and not self._stopping:
                with ExitStack() as held:
                    goes_on = self._exchange(connection, peer, reader, gateway, held)
                self._connections.set(connection, Waiting.IDLE)
        except (ClientLeft, OSError):
            pass
        finally:
            self._forget(connection)

    def _exchange(self, connection: socket.socket, peer: str, reader: RequestReader, gateway: Gateway, held: ExitStack) -> bool:
        """Answers one request, for which something is held. Returns whether the connection can carry another."""
        request_id = new_request_id()
        head, sender = None, peer
        try:
            head = reader.read_head()
            if head is None:
                return False
            self._connections.set(connection, Waiting.READING)
            arrival = self._arrive(connection, peer, head, request_id)
            sender = arrival.sender
            response = self._respond(connection, arrival, head, reader, gateway, held)
        except APIError as error:
            if error.status != REQUEST_TIMEOUT and not isinstance(error, GatewayBusyError):
                self._mistakes.note(sender)
            refused = _refusal(self._or_too_many(sender, error), request_id, head)
            write(connection, self._crossing(head, refused), head, request_id, keep_alive=False)
            _linger(connection)
            return False
        keep_alive = head.keep_alive and not self._stopping and not reader.is_inside
        try:
            has_head = arrival.early.is_written
            write(connection, self._crossing(head, response), head, request_id, keep_alive=keep_alive, has_head=has_head)
        except OSError:
            raise
        except Exception as error:  # a body that fails: without the last chunk, the client sees that it was cut
            _report(error, request_id)
            return False
        if reader.is_inside:
            _linger(connection)
        return keep_alive

    def _arrive(self, connection: socket.socket, peer: str, head: Head, request_id: str) -> Arrival:
        """Finds where a request leads, before its body is read. Raises APIError for what is not for this door."""
        if self._local_names_only:
            check_name(head)
        path, query = head.split_target()
        found, error = paths.Match("", {}), None
        try:
            found = paths.match(head.method, path)
        except APIError as raised:
            error = raised
        if self._connections.is_spare(connection) and found.operation != HEALTH:
            message = "This gateway has as many connections as it may have. Try again in a moment."
            raise ServiceUnavailableError(message, code="too_many_connections", headers={"retry-after": "1"})
        keep_alive = head.keep_alive and not self._stopping
        if self._processor:
            is_admin = found.operation not in paths.MODEL_OPERATIONS
            self._processor.choose(anywhere=is_admin, others=self._connections.answering)
        early = EarlyHead(connection, head, request_id, keep_alive, partial(self._crossing, head))
        request = Request(
            request_id,
            head.headers,
            path=found.path_params,
            query=query,
            client_left=_client_left(connection),
            send_now=partial(send_piece, connection, chunked=takes_chunks(head)),
            begin_now=early.write,
        )
        return Arrival(request, found.operation, error, address_of(peer, head.headers, self._proxies), early)

    def _respond(
        self, connection: socket.socket, arrival: Arrival, head: Head, reader: RequestReader, gateway: Gateway, held: ExitStack
    ) -> Response:
        """Reads the body of what may be answered, and has it answered. Raises APIError where the body is left unread."""
        if head.method == "OPTIONS" and (allowed := cross_origin(head.headers, self._origins)):
            reader.read_body(head)
            return Response(200, {**allowed, **preflight(head.headers)}, b"")
        refused = self._refuse_unread(arrival, head, gateway)
        request = arrival.request
        if refused is None and arrival.operation in TAKES_PIECES:
            request = replace(request, pieces=reader.read_pieces(head, TAKES_PIECES[arrival.operation]))
        elif not isinstance(refused, APIError):
            try:
                request = self._read_whole(request, head, reader, held)
                with short_turns() if is_large(head) else nullcontext():
                    request = request if arrival.operation in KEYLESS else decode_body(request)
            except APIError as error:
                if not is_large(head) or arrival.operation in KEYLESS or error.status not in MISTAKES:
                    raise
                refused = error  # of a valid key, whose mistake it is: of no other is a large body read
        elif is_large(head):
            raise refused
        else:
            reader.read_body(head)
        self._connections.set(connection, Waiting.ANSWERING)
        if arrival.operation in READS_MUCH:
            turns: AbstractContextManager[None] = reporting(lambda: self._connections.answering)
        else:
            turns = short_turns() if is_large(head) else nullcontext()
        with turns:
            response = _refusal(refused, request.id, head) if refused else _answer(gateway, arrival.operation, request, head)
        self._note(arrival, response, b"" if refused else request.body)
        return response

    def _read_whole(self, request: Request, head: Head, reader: RequestReader, held: ExitStack) -> Request:
        """The request with its body. One that is large, or may be without its compression, is one of few at once. Raises
        APIError."""

        def take_place() -> None:
            held.enter_context(self._huge.reservation(sender_of(request.headers)))

        try:
            if ENCODING not in head.headers:
                return replace(request, body=reader.read_body(head, take_place))
            take_place()
            return replace(request, body=reader.read_body(head))
        except APIError:
            reader.is_inside = True
            raise

    def _refuse_unread(self, arrival: Arrival, head: Head, gateway: Gateway) -> APIError | None:
        """Why a request is not to be read: it leads nowhere, its key is none of ours, or too many of its kind were mistakes."""
        request, operation = arrival.request, arrival.operation
        over_s = self._mistakes.wait_s(arrival.sender)
        if arrival.error:
            return too_many(over_s) if over_s else arrival.error
        if self._mistakes.has_any and (own_s := self._mistakes.wait_s(sender_of(request.headers))):
            return too_many(own_s)
        if over_s or is_large(head):
            error = gateway.refuse_unread(operation, request)
            return too_many(over_s) if error and over_s else error
        return None

    def _note(self, arrival: Arrival, response: Response, body: bytes) -> None:
        """A mistake with a valid key is that key's; all others are the address's. So is what was read of a request that nothing was
        reserved for, be it a refusal or what is free: limits of keys know nothing of those."""
        status = response.status
        is_mistake = status == UNAUTHORIZED or status in MISTAKES
        was_admitted = PROVIDER in response.headers or (status < 400 and arrival.operation in paths.MODEL_OPERATIONS)
        weight = is_mistake + (0.0 if was_admitted else weight_of(body))
        if weight and self._mistakes.per_minute:
            is_of_nobody = status == UNAUTHORIZED or (arrival.error and status in MISTAKES)
            self._mistakes.note(arrival.sender if is_of_nobody else sender_of(arrival.request.headers), weight)

    def _or_too_many(self, sender: str, error: APIError) -> APIError:
        over_s = self._mistakes.wait_s(sender)
        return too_many(over_s) if over_s else error

    def _crossing(self, head: Head | None, response: Response) -> Response:
        """The answer with the headers that let a web page read it."""
        allowed = cross_origin(head.headers, self._origins) if head and self._origins else {}
        return replace(response, headers={**response.headers, **allowed}) if allowed else response

    def _finish(self) -> None:
        self._connections.shut_down(idle_only=True)
        self._wait(GRACE_S)
        self._connections.shut_down(idle_only=False)
        self._wait(FAREWELL_S)

    def _wait(self, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while len(self._connections) and time.monotonic() < deadline_s:
            time.sleep(0.02)

    def _forget(self, connection: socket.socket) -> None:
        self._connections.remove(connection)
        connection.close()


def _answer(gateway: Gateway, operation: str, request: Request, head: Head) -> Response:
    try:
        return gateway.handle(operation, request)
    except Exception as error:  # the gateway never raises; if it does, one request fails, not the server
        _report(error, request.id)
        failed = InternalServerError("The gateway failed to answer. The request id leads to its log line.")
        return _refusal(failed, request.id, head)


def check_name(head: Head) -> None:
    """Refuses a request for a name that the public DNS could have given to this machine: neither a number nor local."""
    host = head.headers.get("host", "localhost")
    name = _HOST_PORT.sub("", host).lower()
    if "." not in name or name.startswith("[") or name.endswith(LOCAL_DOMAINS) or _IPV4.fullmatch(name):
        return
    raise PermissionDeniedError(
        f"With the default admin key the gateway answers to local names only, not to {host[:200]}. Set HAIMAKER_ADMIN_KEY.",
        code="host_not_allowed",
    )


def _refusal(error: APIError, request_id: str, head: Head | None) -> Response:
    headers, path = (head.headers, head.split_target()[0]) if head else ({}, "")
    return formats.refuse(error, request_id, headers, path=path)


def _report(error: Exception, request_id: str) -> None:
    """Names the kind of the failure only: its text can quote a request."""
    with suppress(OSError, ValueError):  # a log that can't be written is no reason to fail
        print(f"haimaker: unexpected {type(error).__name__} in request {request_id}", file=sys.stderr, flush=True)


HAS_CLOSED = getattr(select, "POLLRDHUP", 0)
"""What Linux says of a connection whose other side sends no more; elsewhere that is seen once all that it sent before was read."""


def _client_left(connection: socket.socket) -> Callable[[], bool]:
    """Looks at the connection without taking from it or waiting; requests sent ahead are no sign of leaving. Who closed only
    the side on which it sends has left as well: nothing else tells who is gone. https://github.com/httpwg/http-core/issues/22"""

    def client_left() -> bool:
        try:
            if not HAS_CLOSED:  # a timeout of Python's would be waited for first, which the connection has not
                return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            poll = select.poll()
            poll.register(connection, HAS_CLOSED)
            return bool(poll.poll(0))
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            return True

    return client_left


def _linger(connection: socket.socket) -> None:
    """Reads what the client still sends before the connection is closed: closing over unread bytes would destroy the answer."""
    connection.shutdown(socket.SHUT_WR)
    deadline_s = time.monotonic() + LINGER_S
    while (left_s := deadline_s - time.monotonic()) > 0:
        limit_reads(connection, left_s)
        if not connection.recv(64 * 1024):
            return
