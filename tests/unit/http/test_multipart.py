"""Uploads, as the official SDK sends them and as nobody should."""

import time

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http.errors import BadRequestError
from haimaker.http.multipart import UploadedFile, decode, encode

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=20)


def test_reads_what_httpx_sends() -> None:
    """The client of the official SDK."""
    files = [("image[]", ("ä.png", b"\x89PNG\r\n--x", "image/png")), ("image[]", ("b.png", b"", "image/png"))]
    request = httpx.Request("POST", "http://x", data={"prompt": "Grüezi", "n": "2"}, files=files)
    form = decode(request.headers["content-type"], request.read())
    assert form.fields == (("prompt", "Grüezi"), ("n", "2"))
    assert form.files == (
        ("image[]", UploadedFile("ä.png", "image/png", b"\x89PNG\r\n--x")),
        ("image[]", UploadedFile("b.png", "image/png", b"")),
    )


@given(st.lists(st.tuples(NAMES, st.text(max_size=50))), st.lists(st.tuples(NAMES, st.binary(max_size=200))))
def test_what_is_written_is_read_again(fields: list[tuple[str, str]], files: list[tuple[str, bytes]]) -> None:
    named = [(name, UploadedFile(f"{name}.bin", "audio/wav", data)) for name, data in files]
    read = decode(*encode(fields, named))
    assert [value for _, value in read.fields] == [value for _, value in fields]
    assert [file.data for _, file in read.files] == [data for _, data in files]


@pytest.mark.parametrize("more", range(-8, 9))
def test_a_form_of_any_length_is_read(more: int) -> None:
    """Also where the last bytes are a piece of their own."""
    around = len(encode([], [("file", UploadedFile("a", "audio/wav", b""))])[1])
    data = bytes(2 * 64 * 1024 - around + more)
    assert decode(*encode([], [("file", UploadedFile("a", "audio/wav", data))])).files[0][1].data == data


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("", b""),
        ("multipart/form-data", b"--x\r\n\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--y\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--y--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\ncut sho'),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nno name\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n\xff\r\n--x--\r\n'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\ncontent-disposition: form-data; name="a"\r\n'
            b"content-type: text/plain; charset=utf-16\r\n\r\n\xff\xfea\0\r\n--x--\r\n",
        ),
    ],
)
def test_what_is_no_form_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(BadRequestError) as raised:
        decode(content_type, body)
    assert raised.value.code == "invalid_form"


def test_a_charset_that_takes_quadratic_time_is_not_followed() -> None:
    """Python's punycode takes minutes for a megabyte."""
    value = b"a" * 1_000_000 + b"-" + b"a" * 1_000_000
    head = b'--x\r\ncontent-disposition: form-data; name="a"\r\ncontent-type: text/plain; charset=punycode\r\n\r\n'
    began_s = time.monotonic()
    assert decode("multipart/form-data; boundary=x", head + value + b"\r\n--x--\r\n").fields == (("a", value.decode()),)
    assert time.monotonic() - began_s < 2
