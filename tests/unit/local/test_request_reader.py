import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http.errors import APIError
from local import request_reader
from local.request_reader import BODY_LIMIT, DISCARD_LIMIT, FREE_CHUNKS, ClientLeft, RequestReader


class Pieces:
    """The receiving side of a connection on which these pieces arrive, one at each look; then the client closes it."""

    def __init__(self, pieces):
        self.pieces = iter(pieces)
        self.sent = b""
        self.received = 0

    def setsockopt(self, _level, option, timeval):
        assert option == socket.SO_RCVTIMEO
        assert any(timeval)

    def recv(self, _size):
        piece = next(self.pieces, b"")
        self.received += len(piece)
        return piece

    def sendall(self, data):
        self.sent += data


def read_all(pieces):
    """Every request in the pieces: method, target, body."""
    reader = RequestReader(Pieces(pieces))
    requests = []
    while (head := reader.read_head()) is not None:
        requests.append((head.method, head.target, reader.read_body(head)))
    return requests


def get(*headers, line=b"GET / HTTP/1.1"):
    return b"\r\n".join([line, b"host: x", *headers, b"", b""])


def post(body, *headers):
    return get(*headers, line=b"POST /v1/chat/completions HTTP/1.1") + body


CHUNKED = b"Transfer-Encoding: chunked"

UNDERSTOOD = [
    (get(), [("GET", "/", b"")]),
    (b"GET / HTTP/1.0\r\n\r\n", [("GET", "/", b"")]),
    (b"\r\n\r\n" + get(), [("GET", "/", b"")]),
    (get() + get(), [("GET", "/", b"")] * 2),
    (post(b"{}", b"content-length: 2"), [("POST", "/v1/chat/completions", b"{}")]),
    (post(b"{}", b"Content-Length:\t2 "), [("POST", "/v1/chat/completions", b"{}")]),
    (post(b"2\r\n{}\r\n0\r\n\r\n", CHUNKED), [("POST", "/v1/chat/completions", b"{}")]),
    (post(b"1\r\n{\r\n01;name=value\r\n}\r\n0\r\n\r\n", CHUNKED), [("POST", "/v1/chat/completions", b"{}")]),
    (post(b"2\r\n{}\r\n0\r\nchecksum: 1\r\n\r\n", CHUNKED) + get(), [("POST", "/v1/chat/completions", b"{}"), ("GET", "/", b"")]),
    (post(b"{}\r\n", b"content-length: 4") + get(), [("POST", "/v1/chat/completions", b"{}\r\n"), ("GET", "/", b"")]),
    (post(b"A\r\n0123456789\r\n0\r\n\r\n", b"transfer-encoding: Chunked"), [("POST", "/v1/chat/completions", b"0123456789")]),
]

REFUSED = [
    (b"\x16\x03\x01\x02\x00", 400, "malformed_request"),
    (b" GET / HTTP/1.1\r\n\r\n", 400, "malformed_request"),
    (get(line=b"GET /"), 400, "malformed_request"),
    (get(line=b"GET  / HTTP/1.1"), 400, "malformed_request"),
    (get(line=b"GET / HTTP/1.1 "), 400, "malformed_request"),
    (get(line=b"GET /a b HTTP/1.1"), 400, "malformed_request"),
    (get(line=b"G(T / HTTP/1.1"), 400, "malformed_request"),
    (get(line=b"GET /\x00 HTTP/1.1"), 400, "malformed_request"),
    (get(line=b"GET / HTTP/2.0"), 505, "http_version_not_supported"),
    (get(line=b"PRI * HTTP/2.0"), 505, "http_version_not_supported"),
    (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed_request"),
    (get(b"no colon"), 400, "malformed_request"),
    (get(b"space : 1"), 400, "malformed_request"),
    (get(b"a: 1", b" folded"), 400, "malformed_request"),
    (get(b"a: 1\nb: 2"), 400, "malformed_request"),
    (get(b"a: 1\rb: 2"), 400, "malformed_request"),
    (get(b"a: \x00"), 400, "malformed_request"),
    (get(b"content-length: -1"), 400, "malformed_request"),
    (get(b"content-length: 1_0"), 400, "malformed_request"),
    (get("content-length: ²".encode("latin-1")), 400, "malformed_request"),
    (get(b"content-length: " + b"9" * 5000), 400, "malformed_request"),
    (get(b"content-length:"), 400, "malformed_request"),
    (get(b"content-length: 1", b"content-length: 2"), 400, "malformed_request"),
    (get(b"content-length: 2", CHUNKED), 400, "malformed_request"),
    (get(b"transfer-encoding: gzip, chunked"), 400, "malformed_request"),
    (get(b"transfer-encoding: identity"), 400, "malformed_request"),
    (b"POST / HTTP/1.0\r\n" + CHUNKED + b"\r\n\r\n", 400, "malformed_request"),
    (post(b"x\r\n", CHUNKED), 400, "malformed_request"),
    (post(b"-2\r\n{}\r\n", CHUNKED), 400, "malformed_request"),
    (post(b"0x2\r\n{}\r\n", CHUNKED), 400, "malformed_request"),
    (post(b"1\r\n{}\r\n0\r\n\r\n", CHUNKED), 400, "malformed_request"),
    (post(b"1" * 2000, CHUNKED), 400, "malformed_request"),
    (post(b"0\r\n" + b"a: b\r\n" * 200, CHUNKED), 400, "malformed_request"),
    (get(line=b"GET /" + b"a" * 9000 + b" HTTP/1.1"), 414, "url_too_long"),
    (b"GET /" + b"a" * 9000, 414, "url_too_long"),
    (get(b"a: " + b"b" * 40_000), 431, "headers_too_large"),
    (b"GET / HTTP/1.1\r\na: " + b"b" * 40_000, 431, "headers_too_large"),
    (post(b"1\r\na\r\n" * (FREE_CHUNKS + 100) + b"0\r\n\r\n", CHUNKED), 400, "malformed_request"),
    (get(b"host: x"), 400, "malformed_request"),
    (get(b"Host : x"), 400, "malformed_request"),
    (get(b"host: localhost\x00.evil.example"), 400, "malformed_request"),
    (get(b"transfer-encoding: chunked", CHUNKED), 400, "malformed_request"),
    (get(b"transfer-encoding: \x0bchunked"), 400, "malformed_request"),
    (get(b"content-length: 0", b"content-length: 0"), 400, "malformed_request"),
    (get(b"content-length: +1"), 400, "malformed_request"),
    (post(b"1 ;\n\r\na\r\n0\r\n\r\n", CHUNKED), 400, "malformed_request"),
    (post(b"1\r\nab\r\n0\r\n\r\n", CHUNKED), 400, "malformed_request"),
    (post(b"1\na\n0\n\n", CHUNKED) + b"a" * 2_000, 400, "malformed_request"),
    (get(*[b"a: b"] * 200), 431, "headers_too_large"),
    (post(b"", b"content-length: 6291457", b"expect: 100-continue"), 413, "request_too_large"),
    (post(b"", b"content-length: 999999999999999", b"expect: 100-continue"), 413, "request_too_large"),
]


@pytest.mark.parametrize(("data", "requests"), UNDERSTOOD)
def test_understood_in_any_split(data, requests):
    assert read_all([data]) == requests
    assert read_all(data[index : index + 1] for index in range(len(data))) == requests
    for middle in range(1, len(data)):
        assert read_all([data[:middle], data[middle:]]) == requests


@pytest.mark.parametrize(("data", "status", "code"), REFUSED)
def test_refused(data, status, code):
    with pytest.raises(APIError) as raised:
        read_all([data])
    assert (raised.value.status, raised.value.code) == (status, code)


@pytest.mark.parametrize("data", [get()[:-1], post(b"{", b"content-length: 2"), post(b"2\r\n{}", CHUNKED)])
def test_a_client_that_leaves_midway_is_no_request(data):
    with pytest.raises(ClientLeft):
        read_all([data])


def megabytes(count):
    return [b"x" * 2**20] * count


def chunked(pieces):
    return [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]


@pytest.mark.parametrize(
    "pieces",
    [
        [post(b"", b"content-length: %d" % (7 * 2**20)), *megabytes(7)],
        [post(b"", b"content-length: %d" % (BODY_LIMIT + 1)), *megabytes(6), b"x"],
        [post(b"", CHUNKED), *chunked(megabytes(7))],
    ],
)
def test_a_body_over_the_limit_is_read_to_its_end_and_refused(pieces):
    connection = Pieces(pieces)
    reader = RequestReader(connection)
    head = reader.read_head()
    with pytest.raises(APIError) as raised:
        reader.read_body(head)
    assert (raised.value.status, raised.value.code) == (413, "request_too_large")
    assert "6 MB" in raised.value.message
    assert connection.received == sum(map(len, pieces))


@pytest.mark.parametrize("pieces", [megabytes(6), [*megabytes(5), b"x" * (2**20 - 1)]])
def test_a_body_within_the_limit_is_whole(pieces):
    length = sum(map(len, pieces))
    assert len(read_all([post(b"", b"content-length: %d" % length), *pieces])[0][2]) == length


@pytest.mark.parametrize("framing", [b"content-length: %d" % 10**12, CHUNKED])
def test_an_endless_body_is_not_read_for_ever(framing):
    def endless():
        yield post(b"", framing)
        while True:
            yield from chunked(megabytes(1))[:-1] if framing == CHUNKED else megabytes(1)

    connection = Pieces(endless())
    reader = RequestReader(connection)
    head = reader.read_head()
    with pytest.raises(APIError, match="6 MB"):
        reader.read_body(head)
    assert connection.received < DISCARD_LIMIT + 2 * 2**20


def test_consent_is_given_once_and_only_when_it_is_awaited():
    expecting = post(b"", b"content-length: 2", b"expect: 100-continue")
    for pieces, sent in [
        ([expecting, b"{}"], b"HTTP/1.1 100 Continue\r\n\r\n"),
        ([expecting + b"{}"], b""),
        ([get(b"expect: 100-continue")], b""),
    ]:
        connection = Pieces(pieces)
        reader = RequestReader(connection)
        reader.read_body(reader.read_head())
        assert connection.sent == sent


@pytest.mark.parametrize(
    ("line", "connection", "keep_alive"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"keep-alive", True),
        (b"GET / HTTP/1.1", b"Close", False),
        (b"GET / HTTP/1.1", b"te, close", False),
        (b"GET / HTTP/1.0", b"", False),
    ],
)
def test_keep_alive(line, connection, keep_alive):
    assert RequestReader(Pieces([get(b"connection: " + connection, line=line)])).read_head().keep_alive is keep_alive


def test_headers_are_joined_by_lower_case_name():
    head = RequestReader(Pieces([get(b"X-Name:  a b ", b"x-name: \xe9")])).read_head()
    assert head.headers == {"host": "x", "x-name": "a b, é"}


FRAGMENTS = st.sampled_from(
    [
        b"GET ",
        b"POST ",
        b"/",
        b" HTTP/1.1",
        b"\r\n",
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"host: x\r\n",
        b"content-length: ",
        b"5",
        CHUNKED,
        b":",
        b"\x00",
    ]
)


@given(st.lists(FRAGMENTS | st.binary(max_size=20), max_size=30))
def test_garbage_is_refused_or_left(pieces):
    status = 400
    try:
        read_all(piece for piece in pieces if piece)
    except APIError as error:
        status = error.status
    except ClientLeft:
        pass
    assert 400 <= status < 500 or status == 505


def test_the_limit_is_that_of_lambda():
    assert request_reader.BODY_LIMIT == 6_291_456
