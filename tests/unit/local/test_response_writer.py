from hypothesis import given
from hypothesis import strategies as st

from local.response_writer import encode_head

TEXT = st.text(max_size=30)


@given(st.dictionaries(TEXT, TEXT, max_size=5))
def test_no_header_splits_the_head(headers):
    head = encode_head(200, headers)
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n") == head.count(b"\n") == head.count(b"\r") == len(headers) + 2


def test_the_head_is_plain():
    assert encode_head(200, {"a": "b"}) == b"HTTP/1.1 200 OK\r\na: b\r\n\r\n"
    assert encode_head(529, {}) == b"HTTP/1.1 529 \r\n\r\n"
    assert encode_head(200, {"a": "x\r\nset-cookie: y", "b": "€é"}) == b"HTTP/1.1 200 OK\r\na: x  set-cookie: y\r\nb: ?\xe9\r\n\r\n"
