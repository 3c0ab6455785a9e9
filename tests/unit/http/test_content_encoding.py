"""Compressed bodies: read, bounded, refused with words."""

import gzip
import zlib

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


@pytest.mark.parametrize(
    ("coding", "body", "status", "code"),
    [
        ("gzip", BODY, 400, "invalid_content_encoding"),
        ("gzip", b"", 400, "invalid_content_encoding"),
        ("gzip", gzip.compress(BODY)[:-1], 400, "invalid_content_encoding"),
        ("gzip", gzip.compress(BODY) + b"x", 400, "invalid_content_encoding"),
        ("gzip", gzip.compress(b"a" * (MAX_BYTES + 1)), 413, "request_too_large"),
        ("gzip", gzip.compress(bytes(60 * MAX_BYTES), 1), 413, "request_too_large"),
        ("zstd", BODY, 415, "unsupported_content_encoding"),
        ("br", BODY, 415, "unsupported_content_encoding"),
        ("deflate", zlib.compress(BODY), 415, "unsupported_content_encoding"),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY)), 415, "unsupported_content_encoding"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_gzip_or_too_large_is_refused(coding: str, body: bytes, status: int, code: str) -> None:
    with pytest.raises(APIError) as raised:
        decode_body(sent(coding, body))
    assert (raised.value.status, raised.value.code) == (status, code)
    assert (raised.value.headers.get("accept-encoding") == "gzip, identity") == (status == 415)
