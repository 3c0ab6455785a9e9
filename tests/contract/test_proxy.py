"""A gateway whose only way out is a proxy: proxy.py, which people use."""

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openai import OpenAI

from haimaker.http import tls
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError
from haimaker.http.errors import BadRequestError
from haimaker.http.proxies import Proxies, Proxy, from_environment
from haimaker.http.values import UpstreamRequest
from haimaker.upstream.image_fetcher import FetchBounds, ImageFetcher
from tests.contract.money_support import serving
from tests.contract.test_crash import start
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.loopback import accepting, self_signed
from tests.support.openai_wire import plays_openai

pytest.importorskip("proxy", reason="proxy.py of requirements-dev.txt is not installed")
from tests.support.proxied_names import NAME, PICTURES, named, running_proxy

REQUEST = UpstreamRequest("/chat/completions", b'{"a":1}', {"content-type": "application/json"})
TIMEOUTS = Timeouts(5, 5, 5)


def send(client: HTTPClient, url: str) -> tuple[int, bytes]:
    answer = client.send(REQUEST, url, {"authorization": "Bearer k"}, TIMEOUTS, CancelToken())
    return answer.status, b"".join(answer.pieces)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_proxy(tmp_path_factory.mktemp("proxy")) as url:
        yield url


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as server:
        yield server


def test_whole_answers_and_streams_come_through_the_proxy(tmp_path, upstream, proxy):
    upstream.answers(plays_openai())
    with serving(tmp_path, upstream, OPENAI_BASE_URL=named(upstream.url), HTTP_PROXY=proxy) as desk:
        client = OpenAI(base_url=desk.url, api_key=desk.key(), max_retries=0)
        asked = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
        whole = client.chat.completions.create(**asked)
        streamed = [chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**asked, stream=True)]
        assert whole.choices[0].message.content == "".join(streamed)
    assert len(upstream.calls) == 2


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE names /nowhere/ca.pem, which is not there."),
        ("HTTPS_PROXY", "socks5://user:s3cret@proxy.example", "HTTPS_PROXY must be the URL of an HTTP proxy"),
    ],
)
def test_what_cannot_be_used_is_said_at_the_start(tmp_path, variable, value, said):
    with FakeUpstream() as upstream:
        process = start(tmp_path, upstream, {variable: value})
        assert process.wait(30) == 1
        assert process.stdout
        process.stdout.close()
    log = (tmp_path / "log").read_text()
    assert said in log
    assert "s3cret" not in log


def test_a_provider_without_tls_is_asked_for_by_the_proxy(proxy: str, upstream: FakeUpstream) -> None:
    upstream.answers(Reply.raw(200, b"one"), Reply.sse([{"n": 1}, {"n": 2}]))
    client = HTTPClient(from_environment({"HTTP_PROXY": proxy}))
    assert send(client, named(upstream.url)) == (200, b"one")
    status, streamed = send(client, named(upstream.url))
    assert (status, streamed.count(b"data: ")) == (200, 3)
    calls = upstream.calls
    assert [(call.method, call.path, call.body) for call in calls] == [("POST", "/v1/chat/completions", REQUEST.body)] * 2
    assert all(call.headers["authorization"] == "Bearer k" and call.headers["host"].startswith("provider.test") for call in calls)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A certificate for the name, which SSL_CERT_FILE names."""
    file = self_signed(tmp_path, "provider.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    tls.tls_context.cache_clear()
    yield file
    tls.tls_context.cache_clear()


@contextmanager
def tls_provider(certificate: Path, heard: list[bytes], end: bytes = REQUEST.body) -> Iterator[str]:
    """Answers once it has heard the end of a request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection):  # type: ignore[no-untyped-def]
        with context.wrap_socket(connection, server_side=True) as secure:
            while not heard or not b"".join(heard).endswith(end):
                heard.append(secure.recv(65_536))
            secure.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    with accepting(answer) as url:
        yield url.replace("http:", "https:")


def test_a_provider_with_tls_is_reached_through_a_tunnel(proxy: str, trusted: Path) -> None:
    heard = list[bytes]()
    with tls_provider(trusted, heard) as url:
        assert send(HTTPClient(from_environment({"HTTPS_PROXY": proxy})), named(url)) == (200, b"ok")
    said = b"".join(heard)
    assert said.startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
    assert b"roxy-" not in said


def test_what_the_proxy_refuses_was_not_sent(proxy: str, upstream: FakeUpstream) -> None:
    wrong = from_environment({"HTTPS_PROXY": proxy.replace("pass", "s3cret")})
    with pytest.raises(TransportError, match=r"^The proxy did not lead to the provider\.$") as caught:
        send(HTTPClient(wrong), named(upstream.url).replace("http:", "https:"))
    assert not caught.value.sent
    nobody = Proxies({"http": Proxy("127.0.0.1", 9)})
    with pytest.raises(TransportError, match=r"^The proxy did not lead to the provider\.$"):
        send(HTTPClient(nobody), named(upstream.url))
    assert not upstream.calls


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Names that this machine can resolve, and what to."""
    known = {"pictures.test": PICTURES, "inner.test": "10.0.0.7"}
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *_: object, **more: int) -> list[object]:
        return real(known.get(host, host), port, **more)  # type: ignore[return-value]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def fetch(url: str, variable: str, proxy: str) -> bytes:
    images = ImageFetcher(ports=frozenset({urlsplit(url).port or 0}), proxies=from_environment({variable: proxy}))
    return images.fetch(url, "image", FetchBounds(time.monotonic() + 5))


def test_a_link_of_a_client_is_fetched_by_its_checked_address(world: object, proxy: str, upstream: FakeUpstream) -> None:
    """The proxy knows no `pictures.test`; the host is told its name all the same, and nothing of the proxy."""
    port = urlsplit(upstream.url).port
    upstream.answers(Reply.raw(302, b"", {"location": f"http://pictures.test:{port}/b.png?size=1"}), Reply.raw(200, b"picture", {}))
    assert fetch(f"http://pictures.test:{port}/a.png", "HTTP_PROXY", proxy) == b"picture"
    assert [call.path for call in upstream.calls] == ["/a.png", "/b.png?size=1"]
    assert all(call.headers["host"] == f"pictures.test:{port}" for call in upstream.calls)
    assert not any("proxy" in name.lower() for call in upstream.calls for name in call.headers)


def test_a_link_with_tls_is_fetched_through_a_tunnel(
    world: object, proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = self_signed(tmp_path, "pictures.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    tls.tls_context.cache_clear()
    heard = list[bytes]()
    with tls_provider(file, heard, b"\r\n\r\n") as url:
        assert fetch(url.replace("127.0.0.1", "pictures.test"), "HTTPS_PROXY", proxy) == b"ok"
    tls.tls_context.cache_clear()
    assert b"roxy-" not in b"".join(heard)


@pytest.mark.parametrize("host", [NAME, "inner.test", "localhost", "127.0.0.1", "169.254.169.254"])
def test_a_link_that_is_not_known_to_be_public_is_not_asked_of_the_proxy(
    world: object, proxy: str, upstream: FakeUpstream, host: str
) -> None:
    """`provider.test` is a name that the proxy alone can resolve."""
    port = urlsplit(upstream.url).port
    with pytest.raises(BadRequestError):
        fetch(f"http://{host}:{port}/a.png", "HTTP_PROXY", proxy)
    upstream.answers(Reply.raw(302, b"", {"location": f"http://{host}:{port}/a.png"}))
    with pytest.raises(BadRequestError):
        fetch(f"http://pictures.test:{port}/a.png", "HTTP_PROXY", proxy)
    assert len(upstream.calls) == 1


def test_a_proxy_that_refuses_a_link_is_no_way_around(world: object, proxy: str, upstream: FakeUpstream) -> None:
    link = f"http://pictures.test:{urlsplit(upstream.url).port}/a.png"
    for other in (proxy.replace("pass", "s3cret"), "http://127.0.0.1:9"):
        with pytest.raises(BadRequestError):
            fetch(link, "HTTP_PROXY", other)
    assert not upstream.calls
