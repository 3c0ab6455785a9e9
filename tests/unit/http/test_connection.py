"""Over a pair of sockets, one of which counts what is written at once."""

import socket
import threading
from urllib.parse import urlsplit

import pytest

from haimaker.http.connection import MOST_TOGETHER, encode_head, host_of, send


class Counting(socket.socket):
    writes = 0

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        self.writes += 1
        super().sendall(data, flags)


@pytest.mark.parametrize(
    ("size", "writes"), [(0, 1), (10, 1), (MOST_TOGETHER, 1), (MOST_TOGETHER + 1, 2)], ids=["nothing", "small", "most", "large"]
)
def test_a_head_and_its_body_are_written_together(size: int, writes: int) -> None:
    ours, other = socket.socketpair()
    with other, Counting(fileno=ours.detach()) as counting:
        came = bytearray()
        reading = threading.Thread(target=lambda: [came.extend(piece) for piece in iter(lambda: other.recv(65_536), b"")])
        reading.start()
        send(counting, b"head", b"x" * size)
        counting.shutdown(socket.SHUT_WR)
        reading.join(10)
    assert (counting.writes, bytes(came)) == (writes, b"head" + b"x" * size)


@pytest.mark.parametrize(
    ("method", "size", "lines"),
    [
        ("POST", 3, ["POST /v1?a=b HTTP/1.1", "host: provider.example", "a: b\xe9", "content-length: 3"]),
        ("PUT", 0, ["PUT /v1?a=b HTTP/1.1", "host: provider.example", "a: b\xe9", "content-length: 0"]),
        ("GET", 0, ["GET /v1?a=b HTTP/1.1", "host: provider.example", "a: b\xe9"]),
    ],
)
def test_a_head(method: str, size: int, lines: list[str]) -> None:
    head = encode_head(method, "/v1?a=b", "provider.example", {"a": "b\xe9"}, size)
    assert head == "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        *((f"/v1{character}", {}) for character in " \r\n\x00\x7f\xe9"),
        *(("/v1", {"a": f"b{character}c: d"}) for character in "\r\n\x00\u20ac"),
        ("/v1", {"a: b\r\nc": "d"}),
    ],
)
def test_what_would_end_its_line_is_refused(target: str, headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no head of HTTP"):
        encode_head("POST", target, "provider.example", headers, 0)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://provider.example/v1", "provider.example"),
        ("https://provider.example:443/v1", "provider.example"),
        ("https://provider.example:80/v1", "provider.example:80"),
        ("http://user:secret@provider.example:80/v1", "provider.example"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://[::1]", "[::1]"),
        ("https://b\xfccher.example", "xn--bcher-kva.example"),
    ],
)
def test_a_host(url: str, host: str) -> None:
    assert host_of(urlsplit(url)) == host
