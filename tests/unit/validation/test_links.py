"""Links in messages: those of the web and of the clouds pass, and what else looks like one is refused, for every operation."""

import json
from typing import Any

import pytest

from haimaker.http.errors import BadRequestError
from haimaker.http.values import Request
from haimaker.operations import embeddings, moderations, rerank
from haimaker.operations.chat import parse_chat
from haimaker.validation.links import check_link
from tests.support.builders import chat_body

GOOD = [
    "https://example.com/a.png",
    "http://example.com",
    "HTTPS://example.com/?a=b c".replace(" ", "%20"),
    "gs://bucket/a.png",
    "s3://bucket/key",
    "data:image/png;base64,AA==",
    "file-abc123",
    "files/abc",
    "JVBERi0xLjQK",
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAUDBAQEAwUEBAQFBQUGBwwIBwcHBw8LCwkMEQ8S",
    "//uQxAAAAAAAAAAAAAAAAAAAAAAASW5mbwAAAA8AAAACAAACcQCAgICAgICAgICAgICAgICAgICA",
    "https://user@example.com/",
]
BAD = [
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    " file:///etc/passwd",
    "ftp://example.com/a.png",
    "//example.com/a.png",
    "/etc/passwd",
    "\\\\host\\share",
    "http:/\\\\example.com",
    "http:example.com",
    "http:///a.png",
    "https://",
    "https://exa mple.com/",
    "//example.com/" + "a" * 90,
    "/home/someone/" + "a" * 40 + ".png",
    "https://example.com/\n",
    "gopher://example.com",
    "javascript:alert(1)",
    "https://[::1",
    "https://example.com/" + "a" * 9_000,
]


@pytest.mark.parametrize("link", GOOD)
def test_links_and_what_is_none_pass(link: str) -> None:
    check_link(link, "x")


@pytest.mark.parametrize("link", BAD)
@pytest.mark.parametrize(
    ("part", "field"),
    [
        (lambda link: {"type": "image_url", "image_url": {"url": link}}, "image_url.url"),
        (lambda link: {"type": "image_url", "image_url": link}, "image_url"),
        (lambda link: {"type": "video_url", "video_url": {"url": link}}, "video_url.url"),
        (lambda link: {"type": "file", "file": {"file_data": link}}, "file.file_data"),
    ],
)
def test_what_is_no_link_is_refused_by_chat(link: str, part: Any, field: str) -> None:
    body = chat_body(messages=[{"role": "user", "content": [{"type": "text", "text": "a"}, part(link)]}])
    with pytest.raises(BadRequestError) as raised:
        parse_chat(json.dumps(body).encode())
    assert (raised.value.param, raised.value.code) == (f"messages[0].content[1].{field}", "invalid_url")


@pytest.mark.parametrize("link", BAD)
@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (moderations.parse, lambda part: {"input": [part]}),
        (embeddings.parse, lambda part: {"model": "m", "input": [part]}),
        (rerank.parse, lambda part: {"model": "m", "query": "q", "documents": [part]}),
    ],
)
def test_and_by_the_other_operations(link: str, parse: Any, body: Any) -> None:
    sent = json.dumps(body({"type": "image_url", "image_url": {"url": link}})).encode()
    with pytest.raises(BadRequestError) as raised:
        parse(Request("r", {"content-type": "application/json"}, sent))
    assert raised.value.code == "invalid_url"
