"""Server-sent events: bytes to Events, chunks to bytes. Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import json
from collections.abc import Iterable, Iterator

from haimaker.http.errors import BadGatewayError
from haimaker.http.values import JSON, Event, StreamEvent

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": waiting\n\n"
"""A comment, which clients skip; it keeps proxies from closing a connection on which nothing happens."""

# `json.dumps` with arguments makes a new encoder each time, which takes longer than a chunk does.
_to_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_to_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode

MAX_EVENT_BYTES = 64 * 2**20
"""The most bytes of one event; the largest hold an image in base64."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def decode(pieces: Iterable[bytes]) -> Iterator[Event]:
    """The events of a stream, however its bytes are split, without comments; the last one needs no blank line after it. Their data
    is JSON without NaN or infinity. Raises BadGatewayError for an event that is larger than MAX_EVENT_BYTES."""
    buffer = bytearray()
    scanned = 0
    for piece in _with_newlines(pieces):
        buffer += piece
        if buffer.find(b"\n\n", scanned) >= 0:
            *blocks, rest = bytes(buffer).split(b"\n\n")
            buffer = bytearray(rest)
            for block in blocks:
                if event := _event(block):
                    yield event
        if len(buffer) > MAX_EVENT_BYTES:
            raise BadGatewayError("The provider's stream has an event without end.", code="invalid_provider_response")
        scanned = max(0, len(buffer) - 1)
    if event := _event(bytes(buffer)):
        yield event


def encode(chunk: StreamEvent) -> bytes:
    return b"data: %b\n\n" % (dumps(chunk.body) if chunk.raw is None else chunk.raw)


def encode_error(body: JSON) -> bytes:
    return b"data: %b\n\n" % dumps(body)


def encode_named(event: Event) -> bytes:
    """An event with its name."""
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), event.data)


def dumps(body: JSON | list[JSON]) -> bytes:
    """Compact JSON; a lone surrogate, which UTF-8 can't carry, stays an escape, and what JSON has no number for is null."""
    try:
        return _to_text(body).encode()
    except UnicodeEncodeError:
        return _to_ascii(body).encode()
    except ValueError:
        # NaN and infinities as JavaScript writes them; Python's reader takes them, so that a body may hold them.
        return dumps(json.loads(json.dumps(body), parse_constant=lambda name: None))


def _with_newlines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces with CRLF and CR as LF, without a byte order mark; a CR at the end of a piece waits for the next one."""
    start, held = b"", b""
    begun = False
    for piece in pieces:
        if not begun:
            start += piece
            if BYTE_ORDER_MARK.startswith(start):
                continue
            piece, begun = start.removeprefix(BYTE_ORDER_MARK), True
        piece, held = held + piece, b""
        if b"\r" in piece:
            if piece.endswith(b"\r"):
                piece, held = piece[:-1], b"\r"
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield piece
    if held:
        yield b"\n"


def _event(block: bytes) -> Event | None:
    if block.startswith(b"data: ") and b"\n" not in block:
        return Event(without_infinities(block[6:]))
    if block.startswith(b"event: ") and block.count(b"\n") == 1:  # as most are that have a name: half the time of what follows
        label, found, only = block[7:].partition(b"\ndata: ")
        if found:
            return Event(without_infinities(only), label.decode("utf-8", "replace"))
    data, name = [], ""
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return Event(without_infinities(b"\n".join(data)), name) if data else None


def without_infinities(data: bytes) -> bytes:
    """JSON with null for NaN and infinities, which some serializers write and JavaScript can't read."""
    if b"NaN" not in data and b"Infinity" not in data:
        return data
    found: list[str] = []
    try:
        body = json.loads(data, parse_constant=found.append)
    except (ValueError, RecursionError):
        return data
    return dumps(body) if found else data
