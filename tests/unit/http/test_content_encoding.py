"""Compressed bodies: read, bounded, refused with words."""

import gzip
import zlib
from collections.abc import Callable

import pytest

from haimaker.http.content_encoding import MAX_BYTES, decode_body
from haimaker.http.errors import APIError
from haimaker.http.values import Request

BODY = b'{"model": "m"}' * 100


def sent(coding: str, body: bytes) -> Request:
    return Request("r", {"content-encoding": coding, "accept": "*/*"}, body)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", " GZIP "])
@pytest.mark.parametrize("body", [BODY, b"", b"a" * MAX_BYTES])
def test_gzip_is_read_and_named_no_more(coding: str, body: bytes) -> None:
    made = decode_body(sent(coding, gzip.compress(body)))
    assert (made.body, made.headers) == (body, {"accept": "*/*"})


@pytest.mark.parametrize("coding", ["", "identity"])
def test_what_is_not_compressed_stays(coding: str) -> None:
    request = sent(coding, BODY)
    assert decode_body(request) is request


REFUSED = {
    "no gzip": ("gzip", lambda: BODY, 400),
    "nothing": ("gzip", lambda: b"", 400),
    "cut off": ("gzip", lambda: gzip.compress(BODY)[:-1], 400),
    "more behind it": ("gzip", lambda: gzip.compress(BODY) + b"x", 400),
    "a byte too large": ("gzip", lambda: gzip.compress(b"a" * (MAX_BYTES + 1)), 413),
    "sixty times too large": ("gzip", lambda: gzip.compress(bytes(60 * MAX_BYTES), 1), 413),
    "zstd": ("zstd", lambda: BODY, 415),
    "br": ("br", lambda: BODY, 415),
    "deflate": ("deflate", lambda: zlib.compress(BODY), 415),
    "twice": ("gzip, gzip", lambda: gzip.compress(gzip.compress(BODY)), 415),
}
CODES = {400: "invalid_content_encoding", 413: "request_too_large", 415: "unsupported_content_encoding"}


@pytest.mark.parametrize(("coding", "make", "status"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_gzip_or_too_large_is_refused(coding: str, make: Callable[[], bytes], status: int) -> None:
    with pytest.raises(APIError) as raised:
        decode_body(sent(coding, make()))
    assert (raised.value.status, raised.value.type, raised.value.code) == (status, "invalid_request_error", CODES[status])
    assert (raised.value.headers.get("accept-encoding") == "gzip, identity") == (status == 415)
