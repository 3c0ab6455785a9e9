"""How long a connection waits for its client, kept by the system.

Python's own timeouts ask the system before each read and write whether it will wait, and once more to be set, each time letting go
of Python's turn, which others then take. https://man7.org/linux/man-pages/man7/socket.7.html
"""

import socket
import struct

SHORTEST_S = 0.001
"""None at all would be for ever."""


def limit_reads(connection: socket.socket, seconds: float) -> None:
    """Has a read of a blocking connection raise BlockingIOError after so long without a byte."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(seconds))


def limit_writes(connection: socket.socket, seconds: float) -> None:
    """Has a write raise BlockingIOError after so long in which nothing could be written; what could be, it returns."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(seconds))


def _timeval(seconds: float) -> bytes:
    whole, rest = divmod(max(SHORTEST_S, seconds), 1)
    return struct.pack("@ll", int(whole), int(rest * 1_000_000))
