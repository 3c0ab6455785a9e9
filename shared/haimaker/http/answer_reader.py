"""The bytes of an answer, for a thread that does something else now and then while it waits for them."""

import http.client
import io
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

MAX_INTERIM = 16
"""Interim answers (1xx) before one that counts."""
MAX_HEADERS, MAX_HEADER_BYTES = 100, 65_536
"""Of an answer, and of each; as many as the standard library takes."""
SWITCHING_PROTOCOLS, BODILESS = 101, (101, 204, 304)


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

    def __init__(self, connected: socket.socket, cancel: Cancel) -> None:
        super().__init__(connected, "r")
        self._cancel = cancel
        self._limit_s = self._timeout_s = connected.gettimeout() or 0.0
        """How long to wait for the next bytes, and how long the socket does so now: each change is a system call, made only where
        something is waited for."""

    def limit(self, seconds: float) -> None:
        self._limit_s = seconds

    def readinto(self, buffer: Any) -> int | None:
        patience = self._cancel.patience
        if patience is None:
            self._set_timeout(self._limit_s)
            return self._sock.recv_into(buffer)
        patience.before()
        self._set_timeout(min(patience.every_s, self._limit_s))
        until_s = time.monotonic() + self._limit_s
        while True:
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                if time.monotonic() >= until_s:
                    raise
                patience.meanwhile()

    def _set_timeout(self, seconds: float) -> None:
        if seconds != self._timeout_s:
            self._timeout_s = seconds
            self._sock.settimeout(seconds)


class Answer(http.client.HTTPResponse):
    """The standard library's, but for its headers, which are a dictionary by their small names, the first of several counting:
    the parser of e-mail that it has for them takes longer than all the rest of it."""

    fp: io.BufferedReader
    by_name: dict[str, str]

    def __init__(self, connected: socket.socket, cancel: Cancel, **options: Any) -> None:
        connected._io_refs += 1  # type: ignore[attr-defined] # as `makefile` does
        self.reader = Reader(connected, cancel)
        super().__init__(self, **options)  # type: ignore[arg-type] # of a socket it takes the file only

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.reader)

    def begin(self) -> None:
        """Reads the head, after those of interim answers. Raises HTTPException and OSError."""
        for _ in range(MAX_INTERIM):
            version, status, reason = self._read_status()  # type: ignore[attr-defined]
            self.by_name = self._read_headers()
            if status >= 200 or status == SWITCHING_PROTOCOLS:
                break
        else:
            raise http.client.HTTPException("too many interim answers")
        if not version.startswith("HTTP/1."):
            raise http.client.UnknownProtocol(version)
        self.version = 10 if version == "HTTP/1.0" else 11
        self.code = self.status = status
        self.reason = reason.strip()
        self.headers = self.msg = self.by_name  # type: ignore[assignment] # which are asked for small names only
        self.chunked = self.by_name.get("transfer-encoding", "").lower() == "chunked"
        self.chunk_left: int | None = None
        self.length = None if self.chunked else _to_length(self.by_name.get("content-length", ""))
        if status in BODILESS or self._method == "HEAD":  # type: ignore[attr-defined]
            self.length = 0
        # https://www.rfc-editor.org/rfc/rfc9112#name-message-body-length: what has no length ends with its connection.
        self.will_close = self._check_close() or not (self.chunked or self.length is not None)  # type: ignore[attr-defined]

    def _read_headers(self) -> dict[str, str]:
        found: dict[str, str] = {}
        name = ""
        for _ in range(MAX_HEADERS + 1):
            line = self.fp.readline(MAX_HEADER_BYTES + 1)
            if len(line) > MAX_HEADER_BYTES:
                raise http.client.LineTooLong("header line")
            if not line.endswith(b"\n"):
                raise http.client.IncompleteRead(line)
            text = line.decode("latin-1")
            if not (stripped := text.strip()):
                return found
            if text[0] in " \t" and name:  # https://www.rfc-editor.org/rfc/rfc9112#name-obsolete-line-folding
                found[name] += f" {stripped}"
                continue
            before, _, value = stripped.partition(":")
            if (name := before.rstrip().lower()) not in found:
                found[name] = value.lstrip()
        raise http.client.HTTPException("too many headers")


def _to_length(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() else None
