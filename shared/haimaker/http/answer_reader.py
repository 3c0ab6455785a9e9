"""The bytes of an answer, for a thread that does something else now and then while it waits for them."""

import http.client
import io
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

MAX_INTERIM = 16
"""Interim answers (1xx) before one that counts."""


class Patience(NamedTuple):
    """What a thread does that waits for an answer's bytes, beside waiting. It may cancel the call, and raises nothing."""

    before: Callable[[], None]
    """When all that has come is read, before more is waited for."""
    meanwhile: Callable[[], None]
    """Again and again until something comes."""
    every_s: float


class Cancel(Protocol):
    """What cancels a call, and knows how patient its thread is."""

    patience: Patience | None


class Reader(socket.SocketIO):
    """Unlike the standard library's file, which is of no use after one timeout, it can look up from waiting."""

    _sock: socket.socket
    _limit_s: float | None = None
    """How long to wait for the next bytes, while the socket's own timeout is the time until it looks up."""

    def __init__(self, connected: socket.socket, cancel: Cancel) -> None:
        super().__init__(connected, "r")
        self._cancel = cancel

    def limit(self, seconds: float) -> None:
        if self._limit_s is None:
            self._sock.settimeout(seconds)
        else:
            self._limit_s = seconds

    def readinto(self, buffer: Any) -> int | None:
        patience = self._cancel.patience
        if patience is None:
            return super().readinto(buffer)
        patience.before()
        if self._limit_s is None:  # once: each change is a system call
            self._limit_s = self._sock.gettimeout() or 0.0
            self._sock.settimeout(patience.every_s)
        until_s = time.monotonic() + self._limit_s
        while True:
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                if time.monotonic() >= until_s:
                    raise
                patience.meanwhile()


class Answer(http.client.HTTPResponse):
    """The standard library skips interim answers however many there are."""

    _statuses = 0

    def __init__(self, connected: socket.socket, cancel: Cancel, **options: Any) -> None:
        connected._io_refs += 1  # type: ignore[attr-defined] # as `makefile` does
        self.reader = Reader(connected, cancel)
        super().__init__(self, **options)  # type: ignore[arg-type] # of a socket it takes the file only

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.reader)

    def _read_status(self) -> tuple[str, int, str]:
        self._statuses += 1
        if self._statuses > MAX_INTERIM:
            raise http.client.HTTPException("too many interim answers")
        return super()._read_status()  # type: ignore[misc,no-any-return]
