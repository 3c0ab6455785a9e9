"""Which addresses may be connected to, in any spelling; and what is fetched, over real sockets on loopback."""

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from haimaker.http.client import CancelToken
from haimaker.http.errors import BadRequestError, GatewayBusyError, allows_fallback, allows_retry
from haimaker.operations import image_links
from haimaker.upstream import image_fetcher
from haimaker.upstream.image_fetcher import FetchBounds, HeldBytes, ImageFetcher, is_public
from haimaker.upstream.shares import Shares
from tests.support.builders import chat_request
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.loopback import answers_left_open

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
        "192.0.0.192",
        "::ffff:192.0.0.192",
        "192.88.99.1",
        "3fff::1",
        "2001:20::1",
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


def bounds(seconds: float = 5.0, **over: Any) -> FetchBounds:
    return FetchBounds(**{"until_s": time.monotonic() + seconds} | over)


def refused(images: ImageFetcher, url: str, within: FetchBounds | None = None) -> BadRequestError:
    with pytest.raises(BadRequestError) as raised:
        images.inline_images(asked(url), within or bounds())
    assert raised.value.param == "messages[0].content[1].image_url.url"
    assert "127.0.0.1" not in raised.value.message
    assert answers_left_open(raised.value) == []
    return raised.value


def test_a_link_becomes_data_and_the_request_is_not_changed(web: FakeUpstream) -> None:
    web.answers(Reply.raw(200, PNG, {"content-type": "text/plain"}))
    request = asked(f"{web.url}/cat.png?size=1")
    made = fetcher(web).inline_images(request, bounds()).body["messages"][0]["content"][1]["image_url"]
    assert made == {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}", "detail": "low"}
    assert request.body["messages"][0]["content"][1]["image_url"]["url"].startswith("http://")
    assert web.calls[0].path == "/v1/cat.png?size=1"


@pytest.mark.parametrize("url", ["data:image/png;base64,AA==", None, "gs://bucket/x"])
def test_what_is_no_link_stays(web: FakeUpstream, url: object) -> None:
    request = asked(url)
    assert fetcher(web).inline_images(request, bounds()) is request


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
    assert "base64" in str(fetcher(web).inline_images(asked(f"{web.url}/here"), bounds()).body)
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
    monkeypatch.setattr(image_fetcher, "MAX_BYTES", 20)
    web.answers(Reply.raw(200, PNG))
    refused(fetcher(web), f"{web.url}/large")
    web.answers(Reply.raw(200, PNG).trickled(0.1))
    refused(fetcher(web), f"{web.url}/slow", bounds(0.2))


@pytest.mark.parametrize("url", ["http://", "https://[", "http://user@:80/", "http://x:99999/", "https://\x00/", "http://a b/"])
def test_strange_addresses_are_refused(url: str) -> None:
    refused(ImageFetcher(may_connect=lambda address: False), url)


def test_the_number_of_links_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "MAX_IMAGES", 1)
    part = {"type": "image_url", "image_url": "https://example.invalid/x.png"}
    with pytest.raises(BadRequestError, match="At most 1"):
        ImageFetcher().inline_images(chat_request(messages=[{"role": "user", "content": [part, part]}]), bounds())


HEAD = b"HTTP/1.1 200 OK\r\nx-a: "


@pytest.fixture
def trickle() -> Iterator[Callable[[bytes, bytes], str]]:
    """The address of a host that sends a beginning, and then one thing again and again without end, whoever is there."""
    stops = threading.Event()
    threads: list[threading.Thread] = []

    def serve(listener: socket.socket, begin: bytes, again: bytes) -> None:
        with listener:
            listener.settimeout(5)
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(begin)
                    while not stops.wait(0.02):
                        connection.sendall(again)

    def start(begin: bytes, again: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        threads.append(threading.Thread(target=serve, args=(listener, begin, again)))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/x"

    yield start
    stops.set()
    for thread in threads:
        thread.join()


ENDLESS = [
    pytest.param(HEAD, b"a", id="head"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", id="interim answers"),
    pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + PNG, b"\0", id="body"),
    pytest.param(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1", b"0", id="chunk size"),
    pytest.param(b"", b"", id="nothing"),
]


@pytest.mark.parametrize(("begin", "again"), ENDLESS)
def test_one_deadline_holds_for_all_that_is_read(trickle: Callable[[bytes, bytes], str], begin: bytes, again: bytes) -> None:
    url, began_s = trickle(begin, again), time.monotonic()
    refused(ImageFetcher(lambda address: True, frozenset({urlsplit(url).port or 0})), url, bounds(0.3))
    assert time.monotonic() - began_s < 1.0


@pytest.mark.parametrize(("begin", "again"), ENDLESS)
def test_a_fetch_ends_when_its_client_leaves(trickle: Callable[[bytes, bytes], str], begin: bytes, again: bytes) -> None:
    url, cancel, began_s = trickle(begin, again), CancelToken(), time.monotonic()
    threading.Timer(0.2, cancel.request).start()
    refused(ImageFetcher(lambda address: True, frozenset({urlsplit(url).port or 0})), url, bounds(9.0, cancel=cancel))
    assert time.monotonic() - began_s < 1.0


def test_a_look_up_that_hangs_is_left_alone_and_counts_until_it_ends(web: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    hung, look_up = threading.Event(), socket.getaddrinfo

    def slow(host: str, *rest: Any, **named: Any) -> Any:
        if host == "slow.example":
            hung.wait(10)
        return look_up("127.0.0.1", *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(image_fetcher, "LOOKUPS", Shares("look-ups", total=3, each=2))
    web.answers(Reply.raw(200, PNG))
    images, port = fetcher(web), urlsplit(web.url).port
    for _ in range(2):
        began_s = time.monotonic()
        refused(images, f"http://slow.example:{port}/x", bounds(0.2, owner="mallory"))
        assert time.monotonic() - began_s < 1.0
    with pytest.raises(GatewayBusyError):
        images.inline_images(asked(f"http://slow.example:{port}/x"), bounds(owner="mallory"))
    assert "base64" in str(images.inline_images(asked(f"http://fast.example:{port}/x"), bounds(owner="ada")).body)
    hung.set()


def test_bytes_that_are_held_have_a_bound(web: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is over it is told to come again, be it the key's own or that of all; what is given up counts no more."""
    monkeypatch.setattr(image_fetcher, "HELD", Shares("bytes are held", total=5 * len(PNG), each=2 * len(PNG)))
    web.answers(Reply.raw(200, PNG))
    images, url = fetcher(web), f"{web.url}/x"

    def fetch(owner: str, number: int = 1) -> HeldBytes:
        held = HeldBytes(owner)
        for _ in range(number):
            images.fetch(url, "image", FetchBounds.for_request(time.monotonic() + 5, held, CancelToken()))
        return held

    first = fetch("mallory", 2)
    with pytest.raises(GatewayBusyError) as raised:
        fetch("mallory")
    assert (raised.value.status, raised.value.headers["retry-after"]) == (429, "1")
    assert "Too many bytes are held" in raised.value.message
    others = [fetch("ada", 2), fetch("eve")]
    with pytest.raises(GatewayBusyError):
        fetch("bob")
    first.give_back()
    first.give_back()
    cut, cut_bounds = Reply.raw(200, PNG).cut(after_bytes=len(PNG) - 1), HeldBytes("bob")
    web.answers(cut)
    with pytest.raises(BadRequestError):
        images.fetch(url, "image", FetchBounds.for_request(time.monotonic() + 5, cut_bounds, CancelToken()))
    web.answers(Reply.raw(200, PNG))
    others.append(fetch("bob", 2))
    for each in others:
        each.give_back()
    assert not image_fetcher.HELD._taken


def test_one_owner_gets_no_more_than_a_share(web: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_fetcher, "FETCHES", Shares("images", total=2, each=1))
    web.answers(Reply.raw(200, PNG))
    url = f"{web.url}/x"
    with image_fetcher.FETCHES.reservation("mallory"):
        with pytest.raises(GatewayBusyError) as raised:
            fetcher(web).inline_images(asked(url), bounds(owner="mallory"))
        assert (raised.value.status, raised.value.headers["retry-after"]) == (429, "1")
        assert not allows_fallback(raised.value)
        assert not allows_retry(raised.value)
        fetcher(web).inline_images(asked(url), bounds(owner="ada"))
    fetcher(web).inline_images(asked(url), bounds(owner="mallory"))
