"""HTTP/1.1 answers to a socket: whole ones with their length, streamed ones item by item. It decides no status.

A write that fails means that the client has left; it raises OSError, and the body's iterator is closed before that.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from http import HTTPStatus

from haimaker.http.values import Response
from haimaker.lean_dataclasses import dataclass

from .request_reader import Head

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = {"connection", "content-length", "date", "keep-alive", "transfer-encoding"}
_BODILESS = {204, 304}


@dataclass(slots=True)
class EarlyHead:
    """Writes the head of an answer before the answer is there; whoever writes the answer then asks whether it did."""

    connection: socket.socket
    head: Head
    request_id: str
    keep_alive: bool
    edit: Callable[[Response], Response]
    is_written: bool = False

    def write(self, response: Response) -> None:
        self.is_written = True
        headers = _headers(self.edit(response), self.request_id, self.keep_alive)
        if takes_chunks(self.head):
            headers["transfer-encoding"] = "chunked"
        _send(self.connection, encode_head(response.status, headers))


def write(
    connection: socket.socket,
    response: Response,
    head: Head | None,
    request_id: str,
    *,
    keep_alive: bool,
    has_head: bool = False,
) -> None:
    """Sends the answer to `head`, None if the request could not be read so far; only the body where it has its head already. Closes
    the body's iterator whatever happens."""
    try:
        if has_head and head:
            items = iter((response.body,)) if isinstance(response.body, bytes) else response.body
            _stream(connection, items, chunked=takes_chunks(head))
        else:
            _write(connection, response, head, _headers(response, request_id, keep_alive))
    finally:
        close = getattr(response.body, "close", None)
        if close is not None:
            close()


def _headers(response: Response, request_id: str, keep_alive: bool) -> dict[str, str]:
    headers = {name.lower(): value for name, value in response.headers.items() if name.lower() not in _FRAMING}
    headers.setdefault("content-type", "application/json")
    headers["x-request-id"] = headers["request-id"] = request_id  # OpenAI's SDK reads the one, Anthropic's the other
    headers["date"] = _date(int(time.time()))
    if not keep_alive:
        headers["connection"] = "close"
    return headers


@lru_cache(maxsize=1)
def _date(now_s: int) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now_s))


def _write(connection: socket.socket, response: Response, head: Head | None, headers: dict[str, str]) -> None:
    may_have_body = response.status not in _BODILESS
    has_body = may_have_body and (head is None or head.method != "HEAD")
    if isinstance(response.body, bytes):
        if may_have_body:
            headers["content-length"] = str(len(response.body))
        _send(connection, encode_head(response.status, headers) + (response.body if has_body else b""))
        return
    chunked = may_have_body and head is not None and takes_chunks(head)
    if chunked:
        headers["transfer-encoding"] = "chunked"
    _send(connection, encode_head(response.status, headers))
    if has_body:
        _stream(connection, response.body, chunked=chunked)


def encode_head(status: int, headers: Mapping[str, str]) -> bytes:
    """Control characters become spaces: a value can't end its header, whoever chose it."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}", *(f"{name}: {value}" for name, value in headers.items())]
    if _UNSAFE.search("".join(lines)):
        lines = [_UNSAFE.sub(" ", line) for line in lines]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def takes_chunks(head: Head) -> bool:
    return head.minor_version == 1


def send_piece(connection: socket.socket, piece: bytes, *, chunked: bool) -> None:
    if piece:
        _send(connection, b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)


def _stream(connection: socket.socket, items: Iterator[bytes], *, chunked: bool) -> None:
    for item in items:
        send_piece(connection, item, chunked=chunked)
    if chunked:
        _send(connection, b"0\r\n\r\n")


def _send(connection: socket.socket, data: bytes) -> None:
    """Unlike `sendall`, the time that a write may take counts from the last byte that went out."""
    sent = connection.send(data)
    while sent < len(data):
        sent += connection.send(memoryview(data)[sent:])
