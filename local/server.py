"""The local front door: connections to requests, and the gateway's answers back. One thread per connection.

It prints nothing per request, reads no setting, and knows nothing of keys or models.
"""

import contextlib
import errno
import json
import re
import select
import selectors
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from typing import Protocol
from urllib.parse import parse_qsl

from haimaker.api import paths
from haimaker.http.errors import APIError, InternalServerError, PermissionDeniedError
from haimaker.http.values import Request, Response
from local.request_reader import ClientLeft, Head, RequestReader
from local.response_writer import write

BACKLOG = 512
GRACE_S = 5.0
"""How long a stopping server waits for requests that are under way."""
FAREWELL_S = 1.0
"""How long it then waits for those that it had to cut, so that they are settled."""
LINGER_S = 2.0
LOCAL_DOMAINS = (".localhost", ".local", ".internal")

_HOST_PORT = re.compile(r":[0-9]*$")
_IPV4 = re.compile(r"[0-9.]+")


class Gateway(Protocol):
    def handle(self, operation: str, request: Request) -> Response: ...


class Server:
    """Listens from the moment it is made; answers from `serve` on, until `stop`. Raises OSError if it can't listen.

    `local_names_only` is for a gateway with a key that everybody knows: a web page whose own name was pointed at this
    machine (DNS rebinding, https://owasp.org/www-community/attacks/DNS_Rebinding) would otherwise be as good as its user.
    """

    def __init__(self, host: str, port: int, *, local_names_only: bool = False) -> None:
        self._local_names_only = local_names_only
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = min(addresses, key=lambda found: found[0] != socket.AF_INET)
        self._listener = socket.socket(family, kind, protocol)
        try:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(address)
            self._listener.listen(BACKLOG)
        except OSError:
            self._listener.close()
            raise
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake_sender, self._wake_receiver = socket.socketpair()
        self._stopping = False
        self._connections: dict[socket.socket, bool] = {}
        """Each open connection, and whether it is being answered."""

    def serve(self, gateway: Gateway) -> None:
        """Returns after `stop`, once the requests under way are answered or were given their time."""
        with selectors.DefaultSelector() as selector, self._listener, self._wake_receiver, self._wake_sender:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_receiver, selectors.EVENT_READ)
            while not self._stopping:
                selector.select()
                self._accept(gateway)
        self._finish()

    def stop(self) -> None:
        """Can be called from a signal handler and from any thread, more than once."""
        if not self._stopping:
            self._stopping = True
            self._wake_sender.send(b"\0")

    def _accept(self, gateway: Gateway) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                time.sleep(0.05)  # the connection stays in the backlog until another one ends
            return
        self._connections[connection] = False
        try:
            threading.Thread(target=self._converse, args=(connection, gateway), daemon=True).start()
        except RuntimeError:  # no more threads
            self._forget(connection)

    def _converse(self, connection: socket.socket, gateway: Gateway) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = RequestReader(connection)
            while not self._stopping and self._exchange(connection, reader, gateway):
                self._connections[connection] = False
        except (ClientLeft, OSError):
            pass
        finally:
            self._forget(connection)

    def _exchange(self, connection: socket.socket, reader: RequestReader, gateway: Gateway) -> bool:
        """One request and its answer; whether the connection can carry another."""
        request_id = str(uuid.uuid4())
        head = None
        try:
            head = reader.read_head()
            if head is None:
                return False
            self._connections[connection] = True
            body = reader.read_body(head)
            if self._local_names_only:
                check_name(head)
        except APIError as error:
            write(connection, _refusal(error), head, request_id, keep_alive=False)
            _linger(connection)
            return False
        response = _answer(gateway, request_id, head, body, _client_left(connection))
        keep_alive = head.keep_alive and not self._stopping
        try:
            write(connection, response, head, request_id, keep_alive=keep_alive)
        except OSError:
            raise
        except Exception as error:  # a body that fails: without the last chunk, the client sees that it was cut
            _report(error, request_id)
            return False
        return keep_alive

    def _finish(self) -> None:
        for connection, busy in list(self._connections.items()):
            if not busy:
                _shut_down(connection)
        self._wait(GRACE_S)
        for connection in list(self._connections):
            _shut_down(connection)
        self._wait(FAREWELL_S)

    def _wait(self, timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        while self._connections and time.monotonic() < deadline_s:
            time.sleep(0.02)

    def _forget(self, connection: socket.socket) -> None:
        self._connections.pop(connection, None)
        connection.close()


def _answer(gateway: Gateway, request_id: str, head: Head, body: bytes, client_left: Callable[[], bool]) -> Response:
    path, query = _split_target(head.target)
    try:
        operation, path_params = paths.match(head.method, path)
    except APIError as error:
        return _refusal(error)
    request = Request(request_id, head.headers, body, path_params, query, client_left=client_left)
    try:
        return gateway.handle(operation, request)
    except Exception as error:  # the gateway never raises; if it does, one request fails, not the server
        _report(error, request_id)
        return _refusal(InternalServerError("The gateway failed to answer. The request id leads to its log line."))


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


def _split_target(target: str) -> tuple[str, dict[str, str]]:
    """The path, still percent-encoded, and the decoded query. Proxies send a whole URL as the target."""
    target = target.encode("latin-1").decode("utf-8", "replace").partition("#")[0]
    scheme, separator, rest = target.partition("://")
    if separator and "/" not in scheme and "?" not in scheme:
        target = "/" + rest.partition("/")[2]
    path, _, query = target.partition("?")
    return path, dict(parse_qsl(query, keep_blank_values=True)) if query else {}


def _refusal(error: APIError) -> Response:
    return Response(error.status, {"content-type": "application/json", **error.headers}, json.dumps(error.body()).encode())


def _report(error: Exception, request_id: str) -> None:
    """Names the kind of the failure only: its text can quote a request."""
    print(f"haimaker: unexpected {type(error).__name__} in request {request_id}", file=sys.stderr, flush=True)


def _client_left(connection: socket.socket) -> Callable[[], bool]:
    """Looks at the connection without taking from it and without waiting; requests sent ahead are no sign of leaving."""

    def client_left() -> bool:
        try:
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            return bool(poll.poll(0)) and not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (OSError, ValueError):
            return True

    return client_left


def _linger(connection: socket.socket) -> None:
    """Reads what the client still sends before the connection is closed: closing over unread bytes would destroy the answer."""
    connection.shutdown(socket.SHUT_WR)
    deadline_s = time.monotonic() + LINGER_S
    while (left_s := deadline_s - time.monotonic()) > 0:
        connection.settimeout(left_s)
        if not connection.recv(64 * 1024):
            return


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
