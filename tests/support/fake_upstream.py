"""A provider on loopback that follows a script, well behaved or not: a real HTTP/1.1 server with keep-alive.

    with FakeUpstream() as upstream:
        upstream.answers(Reply.json(429, {}, headers={"retry-after": "3"}), Reply.json(200, completion("Hi")))
        ...                         # the gateway calls upstream.url
        assert upstream.calls[0].json["model"] == "gpt-4o-mini"

It must not know the gateway, and never sleeps: a wait ends early when the client leaves or the server stops.
"""

import json
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, BinaryIO, Self

from tests.support.reply import Gate, Pause, Reply, Step, Wait

__all__ = ["Call", "FakeUpstream", "Gate", "Pause", "Reply"]

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
CLIENT_TIMEOUT_S = 30.0
"""How long a client may take to send a request or to read what it asked for, so that no test hangs for ever."""


@dataclass
class Call:
    """One request as it arrived; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """Which connection it came on, counted from 1."""
    at: float = field(default_factory=time.monotonic)
    closed_by_client: threading.Event = field(default_factory=threading.Event)
    """Set when the client closed the connection before it had the whole reply."""
    closed_at: float | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Reply | Callable[[Call], Reply]


class FakeUpstream:
    """Serves from `start()` to `stop()`, which `with` calls. An error in an answer that is computed is raised by `stop()`."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._changed = threading.Condition()
        self._calls: list[Call] = []
        self._answers: list[Answer] = [Reply.json(500, {"error": {"message": "This provider has no script."}})]
        self._drops: list[bool] = []
        self._failures: list[Exception] = []
        self._stopping = Gate()
        self._gates = [self._stopping]
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def start(self) -> Self:
        self._threads[0].start()
        return self

    def stop(self) -> None:
        """Ends every connection, also in the middle of a reply. From then on the address refuses connections."""
        self._stopping.open()
        self._threads[0].join()
        self._listener.close()
        for connection in self._connections:
            _shut_down(connection)
        for thread in self._threads[1:]:
            thread.join()
        for gate in self._gates:
            gate.close()
        if self._failures:
            raise self._failures[0]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def calls(self) -> list[Call]:
        """So far, in the order they arrived."""
        with self._changed:
            return list(self._calls)

    def answers(self, *answers: Answer) -> None:
        """Replaces the script: one answer per call, a Reply or a function of the Call; the last one repeats."""
        with self._changed:
            self._answers = list(answers)

    def drops(self, connections: int = 1, *, reset: bool = False) -> None:
        """Closes the next connections as soon as they are made, before a request is read."""
        with self._changed:
            self._drops += [reset] * connections

    def forget(self) -> None:
        """The calls so far, of which a long run has too many to keep."""
        with self._changed:
            self._calls.clear()

    def gate(self) -> Gate:
        """A wait for replies, `Reply.json(...).after(gate)`, until `gate.open()`."""
        self._gates.append(Gate())
        return self._gates[-1]

    def wait_for_calls(self, count: int, timeout_s: float = 60.0) -> list[Call]:
        """The calls, once there are `count` of them."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._calls) >= count, timeout_s):
                raise TimeoutError(f"{len(self._calls)} of {count} calls after {timeout_s} s")
            return list(self._calls)

    def _accept(self) -> None:
        while not _readable(self._listener, self._stopping, seconds=None) & {self._stopping.fileno()}:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(CLIENT_TIMEOUT_S)
            with self._changed:
                dropped = self._drops.pop(0) if self._drops else None
            if dropped is not None:
                _end(connection, reset=dropped)
                continue
            self._connections.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection, len(self._connections)), daemon=True))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        reset = False
        try:
            with connection.makefile("rb") as reader, suppress(OSError):  # A client may break off while it sends.
                while call := _read_call(reader, number):
                    reply = self._next_reply(call)
                    if not self._play(reply, connection, call) or reply.end != "keep":
                        reset = reply.end == "reset"
                        break
        except Exception as error:
            self._failures.append(error)
        _end(connection, reset=reset)

    def _next_reply(self, call: Call) -> Reply:
        with self._changed:
            self._calls.append(call)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            self._changed.notify_all()
        return answer if isinstance(answer, Reply) else answer(call)

    def _play(self, reply: Reply, connection: socket.socket, call: Call) -> bool:
        """Whether the whole reply was sent; False once the client left or the server stops."""
        for step in reply.steps():
            try:
                sent = self._take(step, connection)
            except OSError:
                sent = False
            if not sent:
                call.closed_at = time.monotonic()
                if self._stopping.fileno() not in _readable(self._stopping, seconds=0):
                    call.closed_by_client.set()
                return False
        return True

    def _take(self, step: Step, connection: socket.socket) -> bool:
        stays = self._wait(step if isinstance(step, Pause | Gate) else Pause(0), connection)
        if stays and isinstance(step, bytes):
            connection.sendall(step)
        return stays

    def _wait(self, wait: Wait, connection: socket.socket) -> bool:
        """Whether the client is still there, and the server too, when the wait is over."""
        gates, seconds = ([wait], None) if isinstance(wait, Gate) else ([], wait.seconds)
        ready = _readable(connection, self._stopping, *gates, seconds=seconds)
        left = connection.fileno() in ready and not connection.recv(1, socket.MSG_PEEK)
        return not left and self._stopping.fileno() not in ready


def _read_call(reader: BinaryIO, connection: int) -> Call | None:
    """The next request, None when the client has closed the connection."""
    if not (line := reader.readline()):
        return None
    method, path, _ = line.decode("latin-1").split()
    headers = {}
    while header := reader.readline().decode("latin-1").strip():
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise NotImplementedError("a request in HTTP chunks")
    length = int(headers.get("content-length", "0"))
    body = reader.read(length)
    return Call(method, path, headers, body, connection) if len(body) == length else None


def _readable(*sources: socket.socket | Gate, seconds: float | None) -> set[int]:
    """Which of these have something to read, or have ended, within this time; None waits for one of them."""
    poll = select.poll()
    for source in sources:
        poll.register(source, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)}


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # It may have ended already.
        connection.shutdown(socket.SHUT_RDWR)


def _end(connection: socket.socket, *, reset: bool) -> None:
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.close()
