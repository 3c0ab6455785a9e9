import json
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http import sse
from haimaker.http.errors import BadGatewayError
from haimaker.http.sse import DONE, KEEP_ALIVE, decode, dumps, encode, encode_error
from haimaker.http.values import Event, StreamEvent

STREAMS = [
    (b"", []),
    (b"\n\n\n\n", []),
    (b"data: a\n\n", [Event(b"a")]),
    (b"data:a\n\ndata:  b\n\n", [Event(b"a"), Event(b" b")]),
    (b"data: a\ndata: b\n\n", [Event(b"a\nb")]),
    (b"data\n\ndata:\n\n", [Event(b""), Event(b"")]),
    (b": waiting\n\ndata: a\n\n:\n\n", [Event(b"a")]),
    (b": waiting\ndata: a\n\n", [Event(b"a")]),
    (b"event: ping\nid: 7\nretry: 5\ndata: a\n\n", [Event(b"a", "ping")]),
    (b"event: ping\n\ndata: a\n\n", [Event(b"a")]),
    (b"data: a\nevent: late\n\n", [Event(b"a", "late")]),
    (b"unknown: x\ndata: a\n\n", [Event(b"a")]),
    (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [Event(b"a"), Event(b"b"), Event(b"c")]),
    (b"data: a\r\ndata: b\r\n\r\n", [Event(b"a\nb")]),
    (b"\xef\xbb\xbfdata: a\n\n", [Event(b"a")]),
    (b"data: \xef\xbb\xbf\n\n", [Event(b"\xef\xbb\xbf")]),
    (b"data: a\n\n\n\n\ndata: b\n\n", [Event(b"a"), Event(b"b")]),
    ("data: Zürich 🐻\n\n".encode(), [Event("Zürich 🐻".encode())]),
    (b"event: \xff\ndata: \xff\n\n", [Event(b"\xff", "\ufffd")]),
    # what is no JSON
    (b'data: {"a":NaN,"b":[-Infinity,Infinity],"c":1.50}\n\n', [Event(b'{"a":null,"b":[null,null],"c":1.5}')]),
    (b'data: {"a":"NaN"}\n\ndata: NaN\n\ndata: [NaN\n\n', [Event(b'{"a":"NaN"}'), Event(b"null"), Event(b"[NaN")]),
    # the end of the stream without a blank line
    (b"data: a", [Event(b"a")]),
    (b"data: a\n", [Event(b"a")]),
    (b"data: a\r", [Event(b"a")]),
    (b"data: a\n\ndata: [DONE]", [Event(b"a"), Event(b"[DONE]")]),
    (b": comment", []),
    (b"\xef\xbb", []),
]

line = st.sampled_from(
    [b"data: x", b"data:", b"data: \xc3\xbc\xf0\x9f\x90\xbb", b": c", b"event: e", b"", b"id: 1", b"\xef\xbb\xbfdata: y"]
)
streams = st.lists(st.tuples(line, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=12).map(
    lambda lines: b"".join(text + end for text, end in lines)
)


def cut(raw: bytes, positions: Iterable[int]) -> Iterator[bytes]:
    at = sorted({min(position, len(raw)) for position in positions} | {0, len(raw)})
    yield b""
    yield from (raw[start:end] for start, end in pairwise(at))


@pytest.mark.parametrize(("raw", "events"), STREAMS, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("size", [10**6, 1, 2, 3])
def test_events_of_a_stream(raw: bytes, events: list[Event], size: int) -> None:
    assert list(decode(cut(raw, range(0, len(raw), size)))) == events


@given(streams, st.sets(st.integers(0, 200)))
def test_any_split_of_the_bytes_gives_the_same_events(raw: bytes, positions: set[int]) -> None:
    assert list(decode(cut(raw, positions))) == list(decode([raw]))


@given(streams)
def test_line_ends_make_no_difference(raw: bytes) -> None:
    unix = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert list(decode([raw])) == list(decode([unix])) == list(decode([unix.replace(b"\n", b"\r\n")]))


def test_an_event_is_told_as_soon_as_it_is_complete() -> None:
    read: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        for piece in (b"data: a\n", b"\ndata: b\n\nda", b"ta: c\n\n"):
            read.append(piece)
            yield piece

    events = decode(pieces())
    assert (next(events), len(read)) == (Event(b"a"), 2)
    assert (next(events), len(read)) == (Event(b"b"), 2)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=4))
def test_what_is_encoded_is_decoded(bodies: list[dict[str, object]]) -> None:
    raw = b"".join(encode(StreamEvent(body)) + KEEP_ALIVE for body in bodies) + DONE
    *events, done = decode([raw])
    assert [json.loads(event.data) for event in events] == bodies
    assert done == Event(b"[DONE]")


def test_a_chunk_that_was_not_edited_keeps_its_bytes() -> None:
    assert encode(StreamEvent({"a": 1.0}, b'{ "a":1.0e0 }')) == b'data: { "a":1.0e0 }\n\n'
    assert encode_error({"error": {"message": "ü"}}) == 'data: {"error":{"message":"ü"}}\n\n'.encode()


def test_half_a_surrogate_pair_stays_an_escape() -> None:
    assert dumps({"text": "\ud83d"}) == b'{"text":"\\ud83d"}'
    assert json.loads(dumps({"text": "\ud83d ü"})) == {"text": "\ud83d ü"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_has_no_number_for_is_null(value: float) -> None:
    assert dumps({"a": [value, {"b": value, "c": "\ud83d"}], "d": 1.5}) == b'{"a":[null,{"b":null,"c":"\\ud83d"}],"d":1.5}'


@pytest.mark.parametrize("piece", [b"data: a", b"data: a\n", b": a\r", b"\r\n"])
def test_an_event_has_an_end(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1_000)
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for _ in range(100_000 if piece != b"\r\n" else 1):
            read += len(piece)
            yield piece

    if piece == b"\r\n":
        assert list(decode(pieces())) == []
    else:
        with pytest.raises(BadGatewayError):
            list(decode(pieces()))
        assert read <= 1_100
