"""The standard library's connections, which write a request's head and its body together.

Apart they are two packets, as a connection of `http.client` delays none, and two records of TLS: two system calls here, and two
times that the other side wakes up.
"""

import http.client
from typing import Any

MOST_TOGETHER = 65_536
"""A larger body is not worth its copy."""


class _Together:
    _held: list[Any] | None = None

    def request(self, *arguments: Any, **options: Any) -> None:
        self._held = []
        try:
            super().request(*arguments, **options)  # type: ignore[misc]
            held = self._held
        finally:
            self._held = None
        for data in [b"".join(held)] if sum(map(len, held)) <= MOST_TOGETHER else held:
            self.send(data)

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._held.append(data)


class HTTPConnection(_Together, http.client.HTTPConnection):
    pass


class HTTPSConnection(_Together, http.client.HTTPSConnection):
    pass
