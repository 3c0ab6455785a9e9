"""A client that costs next to nothing: one connection kept alive, bytes in and out, nothing decoded on the way."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

TIMEOUT_S = 60.0
MODEL = "openai/gpt-4o-mini"
END_OF_STREAM = b"0\r\n\r\n"
MARK = b"~"
"""The upstream puts one into each chunk and nothing else holds any: a single byte is counted however a proxy cuts the stream."""


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody who answers chat: `url` without the `/v1`."""

    name: str
    url: str
    key: str = "sk-none"
    headers: str = ""
    """More headers of each request, with the lines' ends."""


class Answer(NamedTuple):
    status: int
    body: bytes
    """As it came; a stream still has the framing of HTTP."""

    def json(self) -> Any:
        """Numbers with a point as Decimal, since they are money."""
        return json.loads(self.body, parse_float=Decimal)


class Connection:
    """One request after the other; `begin` and `finish` are for who has several under way and waits until one can be read."""

    def __init__(self, target: Target) -> None:
        parts = urlsplit(target.url)
        self._socket = socket.create_connection((parts.hostname, parts.port), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = (
            f"host: {parts.netloc}\r\nauthorization: Bearer {target.key}\r\n{target.headers}content-type: application/json"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def chat(self, prompt: str = "Hello!", **fields: object) -> Answer:
        return self.ask("POST", "/v1/chat/completions", chat_body(prompt, **fields))

    def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        self.begin(self.request(method, path, body))
        return self.finish()

    def request(self, method: str, path: str, body: bytes) -> bytes:
        """Its bytes, for who sends it often."""
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def begin(self, request: bytes) -> None:
        self._socket.sendall(request)

    def fileno(self) -> int:
        return self._socket.fileno()

    def count_events(self, path: str, body: bytes) -> int:
        """Asks for a stream and counts its chunks, forgetting them as it goes."""
        return sum(data.count(MARK) for data in self._stream(path, body))

    def event_moments(self, prompt: str) -> list[float]:
        """When each chunk of a stream came, in seconds of `time.perf_counter`."""
        moments: list[float] = []
        for data in self._stream("/v1/chat/completions", chat_body(prompt, stream=True)):
            moments += [time.perf_counter()] * data.count(MARK)
        return moments

    def _stream(self, path: str, body: bytes) -> Iterator[bytes]:
        self._socket.sendall(f"POST {path} HTTP/1.1\r\n{self._headers}\r\n".encode())
        self._socket.sendall(b"content-length: %d\r\n\r\n%b" % (len(body), body))
        tail = b""
        while tail != END_OF_STREAM:
            data = self._receive()
            tail = (tail + data)[-len(END_OF_STREAM) :]
            yield data

    def finish(self) -> Answer:
        data = self._receive()
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields.get(b"content-length", b"-1"))
        while len(body) < length or (length < 0 and not body.endswith(END_OF_STREAM)):
            body += self._receive()
        return Answer(int(head[9:12]), body)

    def _receive(self) -> bytes:
        if data := self._socket.recv(1 << 18):
            return data
        raise ConnectionError("the server closed the connection in the middle of an answer")


def chat_body(prompt: str, **fields: object) -> bytes:
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": prompt}], **fields}).encode()
