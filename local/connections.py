"""The connections of the front door: where they come in, how many there may be, and which of them makes room for another.

A connection that waits for a request, or for the rest of one, is closed when all places are taken, the oldest first: whoever opens
connections and sends nothing, or a byte now and then, keeps nobody out. Past the bound a few more are heard, so that the state
of the gateway can be asked (`GET /health`), and told in words that there is no place.
"""

import contextlib
import errno
import socket
from enum import Enum
from threading import Lock

MAX_CONNECTIONS = 1_000
"""As many as there are threads that read providers, so that none of these has to be waited for."""
SPARE_CONNECTIONS = 32
BACKLOG = 512


class Waiting(Enum):
    """What a connection waits for: its next request, the rest of one, or the answer."""

    IDLE = 1
    READING = 2
    ANSWERING = 3


class Connections:
    """Each open connection, and what it waits for; those that wait longest are first."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        self._most = most
        self._open: dict[socket.socket, Waiting] = {}
        self._spare: set[socket.socket] = set()
        self._lock = Lock()
        self.answering = 0
        """How many wait for their answer."""

    def __len__(self) -> int:
        return len(self._open) + len(self._spare)

    def add(self, connection: socket.socket) -> bool:
        """Takes a place for it; False where there is not even a spare one."""
        with self._lock:
            if len(self._open) < self._most or self._make_room():
                self._open[connection] = Waiting.IDLE
            elif len(self._spare) < SPARE_CONNECTIONS:
                self._spare.add(connection)
            else:
                return False
            return True

    def is_spare(self, connection: socket.socket) -> bool:
        return connection in self._spare

    def set(self, connection: socket.socket, waiting: Waiting) -> None:
        with self._lock:
            if before := self._open.pop(connection, None):
                self._open[connection] = waiting
                self.answering += (waiting is Waiting.ANSWERING) - (before is Waiting.ANSWERING)

    def remove(self, connection: socket.socket) -> None:
        with self._lock:
            self.answering -= self._open.pop(connection, None) is Waiting.ANSWERING
            self._spare.discard(connection)

    def shut_down(self, *, idle_only: bool) -> None:
        """Ends those that wait for a request, or all of them."""
        with self._lock:
            found = [connection for connection, waiting in self._open.items() if not idle_only or waiting is Waiting.IDLE]
            found += self._spare
        for connection in found:
            _shut_down(connection)

    def _make_room(self) -> bool:
        oldest = next((connection for connection, waiting in self._open.items() if waiting is not Waiting.ANSWERING), None)
        if oldest is None:
            return False
        del self._open[oldest]
        _shut_down(oldest)
        return True


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def listen(host: str, port: int) -> socket.socket:
    """At the first of a name's addresses that this machine has, an IPv4 one if there is one. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    *others, last = sorted(found, key=lambda each: each[0] != socket.AF_INET)
    for family, kind, protocol, _, address in (*others, last):
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            if address == last[4] or error.errno != errno.EADDRNOTAVAIL:  # one that is in use is no reason to be elsewhere
                raise
        else:
            break
    return listener
