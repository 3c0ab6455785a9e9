"""HTTP/1.1 requests from a socket (https://www.rfc-editor.org/rfc/rfc9112). It knows no routes and writes no answers.

It is strict: what two readers could understand differently is refused, never repaired. Every wait has an end.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator
from math import ceil
from urllib.parse import parse_qsl

from haimaker.http.errors import APITimeoutError, BadRequestError, RequestTooLargeError
from haimaker.lean_dataclasses import dataclass

from .waits import limit_reads

REQUEST_LINE_LIMIT = 8 * 1024
HEAD_LIMIT = 32 * 1024
HEADER_COUNT_LIMIT = 100
CHUNK_LINE_LIMIT = 1024
FREE_CHUNKS, CHUNK_BYTES = 1_000, 512
"""Of a body: so many chunks may be of any size, those after them have so many bytes each on average. Each costs a microsecond, and
a body of 6 MB has room for 6 million."""
BODY_LIMIT = 6 * 1024 * 1024
"""Of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
UPLOAD_LIMIT = 100_000_000
"""Of a file that is put into its place, which in the deployed stack goes to S3 and not to a function."""
SMALL_BODY = 64 * 1024
ENCODING = "content-encoding"
HUGE_BODY = 1024 * 1024
DISCARD_LIMIT = 64 * 1024 * 1024
"""How much of a body that is too large is read and thrown away, so that a client which sends first can read the answer."""

IDLE_TIMEOUT_S = 75.0
HEAD_TIMEOUT_S = 10.0
BODY_TIMEOUT_S = 120.0
UPLOAD_TIMEOUT_S = 600.0
RECEIVE_SIZE, RECEIVE_SIZE_OF_HEAD = 64 * 1024, 8 * 1024
"""Each connection that waits for a request holds as much as it is ready to receive."""

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rf"({_NAME}) ([^\x00-\x20\x7f]+) HTTP/(\d)\.(\d)")
_TOKEN = re.compile(_NAME)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_METHOD_START = re.compile(rb"[A-Za-z]|\r\Z")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")


class ClientLeft(Exception):
    """The client closed the connection in the middle of a request."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request before its body. `target` is still percent-encoded; `headers` have lower-case names."""

    method: str
    target: str
    minor_version: int
    headers: dict[str, str]

    @property
    def keep_alive(self) -> bool:
        tokens = self.headers.get("connection", "").lower().split(",")
        return self.minor_version == 1 and "close" not in [token.strip() for token in tokens]

    def split_target(self) -> tuple[str, dict[str, str]]:
        """The path, still percent-encoded, and the decoded query. Proxies send a whole URL as the target."""
        target = self.target.encode("latin-1").decode("utf-8", "replace").partition("#")[0]
        scheme, separator, rest = target.partition("://")
        if separator and "/" not in scheme and "?" not in scheme:
            target = "/" + rest.partition("/")[2]
        path, _, query = target.partition("?")
        return path, dict(parse_qsl(query, keep_blank_values=True)) if query else {}


class RequestReader:
    """Reads one request after the other; what a client sent ahead stays in the buffer.

    An APIError that it raises is the last answer on the connection: where the next request starts is not known.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()
        self._limit_s = 0.0
        """How long a read waits."""
        self.is_inside = False
        """Whether a body was begun and not read to its end: where the next request starts is then not known."""

    def read_head(self) -> Head | None:
        """The next request, or None when the client has no more."""
        if not self._buffer:
            try:
                self._receive(time.monotonic() + IDLE_TIMEOUT_S)
            except (ClientLeft, TimeoutError):
                return None
        deadline_s = time.monotonic() + HEAD_TIMEOUT_S
        try:
            return parse_head(self._read_block(deadline_s))
        except TimeoutError:
            raise APITimeoutError(f"The request's headers did not arrive within {HEAD_TIMEOUT_S:.0f} s.", status=408) from None

    def read_body(self, head: Head, when_huge: Callable[[], object] = bool) -> bytes:
        """The body, or an error: a body over the limit is read on and thrown away, so that the client gets to the answer.

        `when_huge` is called once so much has come that few such bodies may be held at once; what it raises ends the reading.
        """
        body = bytearray()
        size, limit = 0, BODY_LIMIT
        try:
            for piece in self._pieces(head, time.monotonic() + BODY_TIMEOUT_S, limit):
                size += len(piece)
                if size > HUGE_BODY >= size - len(piece):
                    when_huge()
                if size <= limit:
                    body += piece
                elif size > max(limit, DISCARD_LIMIT):
                    break
        except TimeoutError:
            raise APITimeoutError(f"The request's body did not arrive within {BODY_TIMEOUT_S:.0f} s.", status=408) from None
        if size > limit:
            raise _too_large(limit)
        return bytes(body)

    def read_pieces(self, head: Head, limit: int = UPLOAD_LIMIT) -> Iterator[bytes]:
        """The body of an upload as it comes. Raises APIError, also where it breaks off: whoever takes it knows no connections."""
        self.is_inside = True
        return self._upload(head, limit)

    def _upload(self, head: Head, limit: int) -> Iterator[bytes]:
        size = 0
        try:
            for piece in self._pieces(head, time.monotonic() + UPLOAD_TIMEOUT_S, limit):
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                yield piece
        except TimeoutError:
            raise APITimeoutError(f"The request's body did not arrive within {UPLOAD_TIMEOUT_S:.0f} s.", status=408) from None
        except (ClientLeft, OSError):
            raise BadRequestError("The request's body broke off.", code="malformed_request") from None
        self.is_inside = False

    def _read_block(self, deadline_s: float) -> bytes:
        while True:
            while self._buffer.startswith(b"\r\n"):
                del self._buffer[:2]
            end = self._buffer.find(b"\r\n\r\n")
            _check_start(self._buffer if end < 0 else self._buffer[:end])
            if end >= 0:
                block = bytes(self._buffer[:end])
                del self._buffer[: end + 4]
                return block
            self._receive(deadline_s)

    def _pieces(self, head: Head, deadline_s: float, limit: int) -> Iterator[bytes]:
        length = _body_length(head)
        awaits_consent = head.headers.get("expect", "").lower() == "100-continue" and not self._buffer
        if awaits_consent and (length is None or length > 0):
            if length is not None and length > limit:
                raise _too_large(limit)
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return self._read_chunked(deadline_s) if length is None else self._read_sized(length, deadline_s)

    def _read_sized(self, length: int, deadline_s: float) -> Iterator[bytes]:
        while length:
            if not self._buffer:
                self._receive(deadline_s, RECEIVE_SIZE)
            piece = bytes(self._buffer[:length])
            del self._buffer[: len(piece)]
            length -= len(piece)
            yield piece

    def _read_chunked(self, deadline_s: float) -> Iterator[bytes]:
        chunks, read = 0, 0
        while size := _chunk_size(self._read_line(deadline_s)):
            chunks, read = chunks + 1, read + size
            if chunks > FREE_CHUNKS + read // CHUNK_BYTES:
                raise BadRequestError("The request's body comes in too many small chunks.", code="malformed_request")
            yield from self._read_sized(size, deadline_s)
            if self._read_line(deadline_s):
                raise BadRequestError("A chunk of the request's body is longer than its size.", code="malformed_request")
        for _ in range(HEADER_COUNT_LIMIT):
            if not self._read_line(deadline_s):
                return
        raise BadRequestError("The request's body has too many trailers.", code="malformed_request")

    def _read_line(self, deadline_s: float) -> bytes:
        while (end := self._buffer.find(b"\r\n", 0, CHUNK_LINE_LIMIT)) < 0:
            if len(self._buffer) >= CHUNK_LINE_LIMIT:
                raise BadRequestError("The request's body is not in chunked encoding.", code="malformed_request")
            self._receive(deadline_s)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _receive(self, deadline_s: float, at_most: int = RECEIVE_SIZE_OF_HEAD) -> None:
        left_s = ceil((deadline_s - time.monotonic()) * 10) / 10  # so that a wait as long as the last one asks for nothing
        if left_s <= 0:
            raise TimeoutError
        if left_s != self._limit_s:
            self._limit_s = left_s
            limit_reads(self._connection, left_s)
        try:
            data = self._connection.recv(at_most)
        except BlockingIOError:
            raise TimeoutError from None
        if not data:
            raise ClientLeft
        self._buffer += data


def parse_head(block: bytes) -> Head:
    """A request line and headers, without the empty line that ends them."""
    request_line, *header_lines = block.decode("latin-1").split("\r\n")
    parts = _REQUEST_LINE.fullmatch(request_line)
    if parts is None:
        raise BadRequestError("The request line is malformed.", code="malformed_request")
    method, target, major_version, minor_version = parts.groups()
    if major_version != "1" or minor_version not in "01":
        raise BadRequestError("Only HTTP/1.1 and HTTP/1.0 are spoken here.", code="http_version_not_supported", status=505)
    head = Head(method, target, int(minor_version), _parse_headers(header_lines))
    if minor_version == "1" and "host" not in head.headers:
        raise BadRequestError("The request has no host header.", code="malformed_request")
    return head


def _parse_headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > HEADER_COUNT_LIMIT:
        raise BadRequestError(f"The request has over {HEADER_COUNT_LIMIT} headers.", code="headers_too_large", status=431)
    if _CONTROL.search("".join(lines)):
        raise BadRequestError("A header of the request is malformed.", code="malformed_request")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise BadRequestError("A header of the request is malformed.", code="malformed_request")
        name, value = name.lower(), value.strip(" \t")
        if name == "host" and name in headers:  # https://www.rfc-editor.org/rfc/rfc9112#section-3.2
            raise BadRequestError("The request has more than one host header.", code="malformed_request")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _check_start(start: bytes | bytearray) -> None:
    """Refuses what can't become a request, as soon as that is known."""
    if start and not _METHOD_START.match(start):
        raise BadRequestError("This is not HTTP. The base URL starts with http://, not https://.", code="malformed_request")
    if start.find(b"\r\n", 0, REQUEST_LINE_LIMIT) < 0 and len(start) > REQUEST_LINE_LIMIT:
        raise BadRequestError(f"The URL is longer than {REQUEST_LINE_LIMIT} bytes.", code="url_too_long", status=414)
    if len(start) > HEAD_LIMIT:
        raise BadRequestError(f"The headers are longer than {HEAD_LIMIT} bytes.", code="headers_too_large", status=431)


def _body_length(head: Head) -> int | None:
    """None when the body comes in chunks. Both framings at once are how requests are smuggled past proxies."""
    length = head.headers.get("content-length")
    encoding = head.headers.get("transfer-encoding")
    if encoding is None and length is None:
        return 0
    if encoding is None and length is not None and _LENGTH.fullmatch(length):
        return int(length)
    if encoding is not None and length is None and head.minor_version == 1 and encoding.lower() == "chunked":
        return None
    raise BadRequestError("The length of the request's body is unclear.", code="malformed_request")


def _chunk_size(line: bytes) -> int:
    parts = _CHUNK_SIZE.fullmatch(line)
    if parts is None:
        raise BadRequestError("The request's body is not in chunked encoding.", code="malformed_request")
    return int(parts[1], 16)


def is_large(head: Head) -> bool:
    """Whether a body is, or may be, so large that it is read only of who may send one; a compressed one may be a thousand times its
    length."""
    has_no_length = "transfer-encoding" in head.headers or ENCODING in head.headers
    return has_no_length or int(_digits(head.headers.get("content-length", "0"))) > SMALL_BODY


def _digits(length: str) -> str:
    return length if _LENGTH.fullmatch(length) else "0"  # refused where the body would be read


def _too_large(limit: int) -> RequestTooLargeError:
    if limit >= UPLOAD_LIMIT:
        return RequestTooLargeError(f"The file is over {limit} bytes, the most that can be uploaded.")
    return RequestTooLargeError(
        f"The request's body is over {BODY_LIMIT} bytes. AWS Lambda takes at most 6 MB per request, "
        "which is about 4.5 MB of binary upload; the local gateway keeps the same limit."
    )
