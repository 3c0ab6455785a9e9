"""What a call writes to a connection: a request's head and its body together.

Apart they are two packets, as a connection of `http.client` delays none, and two records of TLS: two system calls here, and two
times that the other side wakes up. https://www.rfc-editor.org/rfc/rfc9112#name-request-line
"""

import re
import socket
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import SplitResult

from haimaker.http.proxies import DEFAULT_PORTS

MOST_TOGETHER = 65_536
"""A larger body is not worth its copy."""
UNSAFE_IN_TARGET = re.compile(r"[^!-~]")
UNSAFE = re.compile(r"[^\x01-\x09\x0b\x0c\x0e-\xff]")
"""What would end a header and begin another one or the body, and what its bytes have no place for. By what it is not: a set with
most of Unicode in it takes 3 ms of a start to compile."""


def encode_head(method: str, target: str, host: str, headers: Mapping[str, str], length: int) -> bytes:
    """The head of a request whose body has `length` bytes. Raises ValueError for a character that no head can hold."""
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if UNSAFE_IN_TARGET.search(target) or UNSAFE.search("".join(lines)):
        raise ValueError("There is a character in the request that no head of HTTP can hold.")
    if length or method in ("POST", "PUT", "PATCH"):
        lines.append(f"content-length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def send(connected: socket.socket, head: bytes, body: bytes) -> None:
    if len(body) <= MOST_TOGETHER:
        connected.sendall(head + body)
    else:
        connected.sendall(head)
        connected.sendall(body)


@lru_cache(maxsize=1_024)
def host_of(address: SplitResult) -> str:
    """The header of that name. https://www.rfc-editor.org/rfc/rfc9110#field.host"""
    name, port = address.hostname or "", address.port
    name = f"[{name}]" if ":" in name else name if name.isascii() else name.encode("idna").decode()
    return name if port in (None, DEFAULT_PORTS[address.scheme]) else f"{name}:{port}"
