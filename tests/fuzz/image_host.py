"""A host of images that answers slowly, without end, elsewhere or with what is no image, by the path that is asked for."""

import base64
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
HEAD = b"HTTP/1.1 %b\r\ncontent-type: image/png\r\n%b\r\n"
PAUSE_S = 0.2
Send = Callable[[bytes], None]


class ImageHost:
    """Serves between `with` and its end."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._listener.close()

    def links(self) -> list[str]:
        return [f"{self.url}/{name}" for name in self._ways]

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, IndexError):
            connection.settimeout(30)
            way = connection.recv(4_096).split(b" ")[1].decode("latin-1").strip("/")
            self._ways.get(way, ImageHost._gone)(self, connection.sendall)

    def _slow(self, send: Send) -> None:
        """A head that comes a byte at a time."""
        send(b"HTTP/1.1 200 OK\r\nx-a: ")
        while not self._over.wait(PAUSE_S):
            send(b"a")

    def _slow_body(self, send: Send) -> None:
        send(HEAD % (b"200 OK", b"content-length: 100000\r\n") + PNG)
        while not self._over.wait(PAUSE_S):
            send(b"a")

    def _interim(self, send: Send) -> None:
        while not self._over.is_set():
            send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    def _endless(self, send: Send) -> None:
        send(HEAD % (b"200 OK", b"") + PNG)
        while not self._over.is_set():
            send(bytes(65_536))

    def _round(self, send: Send) -> None:
        send(HEAD % (b"302 Found", b"location: /round\r\ncontent-length: 0\r\n"))

    def _inside(self, send: Send) -> None:
        send(HEAD % (b"302 Found", b"location: file:///etc/passwd\r\ncontent-length: 0\r\n"))

    def _page(self, send: Send) -> None:
        send(HEAD % (b"200 OK", b"content-length: 5\r\n") + b"<svg>")

    def _image(self, send: Send) -> None:
        send(HEAD % (b"200 OK", b"content-length: %d\r\n" % len(PNG)) + PNG)

    def _short(self, send: Send) -> None:
        send(HEAD % (b"200 OK", b"content-length: 5000\r\n") + PNG)

    def _gone(self, send: Send) -> None:
        send(HEAD % (b"404 Not Found", b"content-length: 0\r\n"))

    _ways: Mapping[str, Callable[["ImageHost", Send], None]] = {
        "slow": _slow,
        "slow_body": _slow_body,
        "interim": _interim,
        "endless": _endless,
        "round": _round,
        "inside": _inside,
        "page": _page,
        "image": _image,
        "short": _short,
        "gone": _gone,
    }
