"""Over a pair of sockets, one of which counts what is written at once."""

import socket
import threading

import pytest

from haimaker.http.connection import MOST_TOGETHER, HTTPConnection


class Counting(socket.socket):
    writes = 0

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        self.writes += 1
        super().sendall(data, flags)


@pytest.mark.parametrize(("size", "writes"), [(0, 1), (10, 1), (MOST_TOGETHER, 2)], ids=["nothing", "small", "large"])
def test_a_head_and_its_body_are_written_together(size: int, writes: int) -> None:
    ours, other = socket.socketpair()
    with other, Counting(fileno=ours.detach()) as counting:
        came = bytearray()
        connection = HTTPConnection("provider.example")
        connection.sock = counting
        reading = threading.Thread(target=lambda: [came.extend(piece) for piece in iter(lambda: other.recv(65_536), b"")])
        reading.start()
        for _ in range(2):  # what was held is not written again
            connection.request("POST", "/v1", b"x" * size, {"a": "b"})
            connection._HTTPConnection__state = "Idle"  # type: ignore[attr-defined] # as after an answer
        counting.shutdown(socket.SHUT_WR)
        reading.join(10)
    lines = ["POST /v1 HTTP/1.1", "Host: provider.example", "Accept-Encoding: identity", f"Content-Length: {size}", "a: b"]
    head = "\r\n".join([*lines, "", ""]).encode()
    assert (counting.writes, bytes(came)) == (2 * writes, 2 * (head + b"x" * size))
