"""AWS event streams, against botocore's parser, in any split, and damaged in any way."""

import json
from itertools import pairwise
from typing import Any
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http.errors import BadGatewayError
from haimaker.http.eventstream import decode
from haimaker.http.values import Event
from tests.support.event_messages import event, message, stream

EVENTS: list[tuple[str, Any]] = [
    ("messageStart", {"role": "assistant"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Zürich 🏔"}}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("throttlingException", {"message": "Too many requests"}),
]
RAW = stream(EVENTS)
EXPECTED = [Event(json.dumps(body, ensure_ascii=False).encode(), name) for name, body in EVENTS]

TYPED_HEADERS = (
    b"\x01a\x00\x01b\x01\x01c\x02\x05\x01d\x03\x00\x05\x01e\x04\x00\x00\x00\x05\x01f\x05" + b"\x00" * 8
    + b"\x01g\x06\x00\x02\xff\xfe\x01h\x08" + b"\x00" * 8 + b"\x01i\x09" + b"\x00" * 16
    + b"\x0b:event-type\x07\x00\x04last"
)  # fmt: skip


def with_headers(headers: bytes, payload: bytes = b"{}") -> bytes:
    """A message with these bytes as headers, its lengths and checksums right."""
    beginning = (16 + len(headers) + len(payload)).to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    whole = beginning + crc32(beginning).to_bytes(4, "big") + headers + payload
    return whole + crc32(whole).to_bytes(4, "big")


def test_our_writer_is_read_by_botocore() -> None:
    parser = EventStreamBuffer()
    parser.add_data(RAW)
    assert [(found.headers.get(":event-type") or found.headers[":exception-type"], found.payload) for found in parser] == [
        (expected.name, expected.data) for expected in EXPECTED
    ]


@given(st.lists(st.integers(0, len(RAW)), max_size=30))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(RAW)]
    assert list(decode(RAW[start:end] for start, end in pairwise(edges))) == EXPECTED


def test_an_event_is_told_as_soon_as_it_is_complete() -> None:
    events = decode([RAW[:-1], RAW[-1:]])
    assert [next(events) for _ in EXPECTED[:-1]] == EXPECTED[:-1]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", []),
        (message({}, b""), [Event(b"", "")]),
        (message({":event-type": "metadata"}, b""), [Event(b"", "metadata")]),
        (
            message({":message-type": "error", ":error-code": "InternalError", ":error-message": "oh"}, b""),
            [Event(b'{"message": "oh"}', "InternalError")],
        ),
        (with_headers(TYPED_HEADERS), [Event(b"{}", "last")]),
    ],
)
def test_messages_of_every_kind(raw: bytes, expected: list[Event]) -> None:
    assert list(decode([raw])) == expected


def test_typed_headers_are_what_botocore_reads() -> None:
    parser = EventStreamBuffer()
    parser.add_data(with_headers(TYPED_HEADERS))
    (found,) = parser
    assert set(found.headers) == {*"abcdefghi", ":event-type"}


@pytest.mark.parametrize(
    "headers", [b"\x01", b"\x05ab", b"\x01a\x0b", b"\x01a\x07\x00", b"\x01a\x07\x00\x05ab", b"\x01\xff\x00", b"\x01a\x04\x00"]
)
def test_headers_that_can_not_be_read(headers: bytes) -> None:
    with pytest.raises(BadGatewayError) as caught:
        list(decode([with_headers(headers)]))
    assert caught.value.code == "stream_interrupted"


@pytest.mark.parametrize("total", [0, 15, 2**31, 2**32 - 1])
def test_a_length_that_is_impossible(total: int) -> None:
    beginning = total.to_bytes(4, "big") + bytes(4)
    with pytest.raises(BadGatewayError):
        list(decode([beginning + crc32(beginning).to_bytes(4, "big") + bytes(64)]))


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_no_changed_byte_goes_unnoticed(place: int, change: int) -> None:
    damaged = RAW[:place] + bytes([RAW[place] ^ change]) + RAW[place + 1 :]
    with pytest.raises(BadGatewayError):
        list(decode([damaged]))


@given(st.integers(1, len(RAW) - 1))
def test_an_end_within_an_event_is_an_error(length: int) -> None:
    whole = {len(stream(EVENTS[:count])) for count in range(len(EVENTS) + 1)}
    events = decode([RAW[:length]])
    if length in whole:
        assert list(events) == EXPECTED[: sum(size <= length for size in whole) - 1]
    else:
        with pytest.raises(BadGatewayError):
            list(events)


@given(st.binary(max_size=200))
def test_bytes_of_anything_else_are_an_error(junk: bytes) -> None:
    try:
        assert list(decode([junk])) == []
    except BadGatewayError:
        return
    assert junk == b""


def test_a_large_event_in_small_pieces() -> None:
    raw = event("contentBlockDelta", {"text": "x" * 300_000})
    assert [len(found.data) for found in decode(raw[start : start + 1000] for start in range(0, len(raw), 1000))] == [300_012]
