"""Which addresses may be connected to, in any spelling; and what is fetched, over real sockets on loopback."""

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from haimaker.http.errors import BadRequestError
from haimaker.upstream import image_fetcher as remote_images
from haimaker.upstream.image_fetcher import ImageFetcher, is_public
from tests.support.builders import chat_request
from tests.support.fake_upstream import FakeUpstream, Reply

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::",
        "fd00:ec2::254",
        "fec0::1",
        "::127.0.0.1",
        "::169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1::7f00:1",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
    ],
)
def test_no_inner_address_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


@pytest.fixture
def web() -> Iterator[FakeUpstream]:
    with FakeUpstream() as web:
        yield web


def fetcher(web: FakeUpstream, **over: Any) -> ImageFetcher:
    return ImageFetcher(**{"may_connect": lambda address: True, "ports": frozenset({urlsplit(web.url).port})} | over)


def asked(url: object) -> Any:
    part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    return chat_request(messages=[{"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}])


def refused(images: ImageFetcher, url: str) -> BadRequestError:
    with pytest.raises(BadRequestError) as raised:
        images.inlined(asked(url))
    assert raised.value.param == "messages[0].content[1].image_url.url"
    assert "127.0.0.1" not in raised.value.message
    return raised.value


def test_a_link_becomes_data_and_the_request_is_not_changed(web: FakeUpstream) -> None:
    web.answers(Reply.raw(200, PNG, {"content-type": "text/plain"}))
    request = asked(f"{web.url}/cat.png?size=1")
    made = fetcher(web).inlined(request).body["messages"][0]["content"][1]["image_url"]
    assert made == {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}", "detail": "low"}
    assert request.body["messages"][0]["content"][1]["image_url"]["url"].startswith("http://")
    assert web.calls[0].path == "/v1/cat.png?size=1"


@pytest.mark.parametrize("url", ["data:image/png;base64,AA==", 5, None, "gs://bucket/x"])
def test_what_is_no_link_stays(web: FakeUpstream, url: object) -> None:
    request = asked(url)
    assert fetcher(web).inlined(request) is request


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
def test_an_inner_address_is_never_connected_to(web: FakeUpstream, host: str) -> None:
    port = urlsplit(web.url).port
    assert refused(fetcher(web, may_connect=is_public), f"http://{host}:{port}/x").code == "invalid_image_url"
    assert web.calls == []


def test_nor_is_one_that_a_redirect_leads_to(web: FakeUpstream) -> None:
    seen: list[str] = []

    def first_only(address: str) -> bool:
        seen.append(address)
        return len(seen) == 1

    web.answers(Reply.raw(302, b"", {"location": f"{web.url}/inner"}))
    refused(fetcher(web, may_connect=first_only), f"{web.url}/outer")
    assert len(web.calls) == 1
    assert len(seen) == 2


def test_redirects_are_followed_a_few_times(web: FakeUpstream) -> None:
    web.answers(Reply.raw(301, b"", {"location": "/v1/there"}), Reply.raw(200, PNG))
    assert "base64" in str(fetcher(web).inlined(asked(f"{web.url}/here")).body)
    web.answers(Reply.raw(302, b"", {"location": "/v1/round"}))
    refused(fetcher(web), f"{web.url}/round")


@pytest.mark.parametrize(
    "reply",
    [Reply.raw(200, b"<svg/>"), Reply.raw(404, PNG), Reply.raw(200, b""), Reply.hangup(), Reply.raw(200, b"RIFF0000WAVEfmt ")],
    ids=["no image", "not found", "empty", "hung up", "sound"],
)
def test_what_is_no_image_is_refused(web: FakeUpstream, reply: Reply) -> None:
    web.answers(reply)
    assert refused(fetcher(web), f"{web.url}/x").code == "invalid_image_url"


def test_size_and_time_are_limited(web: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_images, "MOST_BYTES", 20)
    web.answers(Reply.raw(200, PNG))
    refused(fetcher(web), f"{web.url}/large")
    monkeypatch.setattr(remote_images, "SECONDS", 0.2)
    web.answers(Reply.raw(200, PNG).trickled(0.1))
    refused(fetcher(web), f"{web.url}/slow")


@pytest.mark.parametrize("url", ["http://", "https://[", "http://user@:80/", "http://x:99999/", "https://\x00/", "http://a b/"])
def test_strange_addresses_are_refused(url: str) -> None:
    refused(ImageFetcher(may_connect=lambda address: False), url)


def test_the_number_of_links_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_images, "MOST_IMAGES", 1)
    part = {"type": "image_url", "image_url": "https://example.invalid/x.png"}
    with pytest.raises(BadRequestError, match="At most 1"):
        ImageFetcher().inlined(chat_request(messages=[{"role": "user", "content": [part, part]}]))
