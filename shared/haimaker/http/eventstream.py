"""AWS event streams: bytes to Events, checksums checked. Pure.

A message is its total length, the length of its headers, a checksum of these two, headers, payload, and a checksum of it all:
https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
How exceptions are told: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import json
import struct
from collections.abc import Iterable, Iterator
from zlib import crc32

from haimaker.http.errors import BadGatewayError
from haimaker.http.values import Event

PRELUDE = struct.Struct(">II")
CHECKSUM = struct.Struct(">I")
PRELUDE_BYTES = PRELUDE.size + CHECKSUM.size
MIN_BYTES = PRELUDE_BYTES + CHECKSUM.size
MAX_BYTES = 32 * 2**20
"""Of one message: AWS sends 16 MB at most, so that a larger length is damage."""

TEXT, BYTES = 7, 6
LENGTH = struct.Struct(">H")
FIXED_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Header types whose values have one size: booleans, integers, a time, a UUID."""


def decode(pieces: Iterable[bytes]) -> Iterator[Event]:
    """Events of a stream however its bytes are split. Raises BadGatewayError for bytes that are damaged or end too early."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        start = 0
        while (size := _message_bytes(buffer, start)) and len(buffer) - start >= size:
            yield _event(bytes(buffer[start : start + size]))
            start += size
        del buffer[:start]
    if buffer:
        raise _damaged("it ends within an event")


def _message_bytes(buffer: bytearray, start: int) -> int:
    """The size of the message at `start`, 0 while its beginning has not come."""
    if len(buffer) - start < PRELUDE_BYTES:
        return 0
    total, headers = PRELUDE.unpack_from(buffer, start)
    (checksum,) = CHECKSUM.unpack_from(buffer, start + PRELUDE.size)
    if crc32(buffer[start : start + PRELUDE.size]) != checksum:
        raise _damaged("the checksum of a beginning is wrong")
    if not MIN_BYTES + headers <= total <= MAX_BYTES:
        raise _damaged("a length is impossible")
    return int(total)


def _event(message: bytes) -> Event:
    (checksum,) = CHECKSUM.unpack_from(message, len(message) - CHECKSUM.size)
    if crc32(message[: -CHECKSUM.size]) != checksum:
        raise _damaged("the checksum of an event is wrong")
    end = PRELUDE_BYTES + PRELUDE.unpack_from(message)[1]
    headers = _headers(message[PRELUDE_BYTES:end])
    payload = message[end : -CHECKSUM.size]
    if headers.get(":message-type") == "error":
        return Event(json.dumps({"message": headers.get(":error-message", "")}).encode(), headers.get(":error-code", "error"))
    return Event(payload, headers.get(":exception-type") or headers.get(":event-type", ""))


def _headers(raw: bytes) -> dict[str, str]:
    """The headers that are text; all others are skipped."""
    headers: dict[str, str] = {}
    position = 0
    try:
        while position < len(raw):
            name_end = position + 1 + raw[position]
            name = raw[position + 1 : name_end].decode()
            kind = raw[name_end]
            position = name_end + 1
            if kind in (TEXT, BYTES):
                (size,) = LENGTH.unpack_from(raw, position)
                position += LENGTH.size
            else:
                size = FIXED_BYTES[kind]
            if position + size > len(raw):
                raise _damaged("a header is longer than its event")
            if kind == TEXT:
                headers[name] = raw[position : position + size].decode()
            position += size
    except (IndexError, KeyError, struct.error, UnicodeDecodeError):
        raise _damaged("a header can't be read") from None
    return headers


def _damaged(why: str) -> BadGatewayError:
    return BadGatewayError(f"The provider's stream is damaged: {why}.", code="stream_interrupted")
