"""Which calls go through a proxy. That they come through one is tested with a proxy that people use, in `tests/contract`."""

from urllib.parse import urlsplit

import pytest

from haimaker.http.client import CancelToken, HTTPClient, Timeouts
from haimaker.http.proxies import NO_PROXIES, Proxies, Proxy, from_environment
from haimaker.http.values import UpstreamRequest
from tests.support.fake_upstream import FakeUpstream, Reply

URL = "http://proxy.example:3128"
PROXY = Proxy("proxy.example", 3128)


@pytest.mark.parametrize(
    ("env", "address", "proxy"),
    [
        ({"HTTPS_PROXY": URL}, "https://api.openai.com/v1", PROXY),
        ({"HTTPS_PROXY": URL}, "http://api.openai.com/v1", None),
        ({"HTTP_PROXY": URL}, "http://api.example:8080/v1", PROXY),
        ({"HTTP_PROXY": URL}, "https://api.openai.com/v1", None),
        ({"https_proxy": URL, "HTTPS_PROXY": "http://other.example"}, "https://api.openai.com/v1", PROXY),
        ({"https_proxy": "", "HTTPS_PROXY": URL}, "https://api.openai.com/v1", PROXY),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "https://api.openai.com/v1", PROXY),
        ({"HTTPS_PROXY": "http://proxy.example"}, "https://api.openai.com/v1", Proxy("proxy.example", 80)),
        (
            {"HTTPS_PROXY": "http://us%40er:p%3Aw@proxy.example:3128"},
            "https://api.openai.com/v1",
            Proxy("proxy.example", 3128, {"Proxy-Authorization": "Basic dXNAZXI6cDp3"}),
        ),
        ({}, "https://api.openai.com/v1", None),
    ],
)  # fmt: skip
def test_the_variables_of_most_clients_are_read(env: dict[str, str], address: str, proxy: Proxy | None) -> None:
    assert from_environment(env).for_address(urlsplit(address)) == proxy


@pytest.mark.parametrize(
    "url", ["https://proxy.example", "socks5://proxy.example:1080", "http://", "http://h:x", "http://s3cret:s3cret@:1"]
)
def test_a_proxy_that_cannot_be_used_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(ValueError, match=r"^HTTPS_PROXY must be the URL of an HTTP proxy") as caught:
        from_environment({"HTTPS_PROXY": url})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("direct", "goes_directly", "goes_through"),
    [
        ("", ["localhost", "api.localhost", "127.0.0.1", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"],
         ["local", "10.0.0.1", "[2001:db8::1]", "a.example"]),
        ("", ["169.254.169.254", "[fe80::1]"], []),
        ("*", ["a.example", "10.0.0.1"], []),
        ("a.example", ["a.example", "A.example", "b.a.example", "a.example."], ["ba.example", "example", "a.example.com"]),
        (".a.example, *.b.example", ["a.example", "x.a.example", "x.b.example"], ["xa.example", "c.example"]),
        ("a.example:8443 c.example", ["a.example:8443", "c.example:1"], ["a.example", "b.a.example:443"]),
        ("a.example:443", ["a.example"], ["a.example:444"]),
        ("10.0.0.0/8,192.0.2.7", ["10.1.2.3", "192.0.2.7"], ["11.0.0.1", "192.0.2.8", "10.example"]),
        ("2001:db8::/32", ["[2001:db8::7]"], ["[2001:db9::7]"]),
        ("[2001:db8::7]:443", ["[2001:db8::7]"], ["[2001:db8::7]:444", "[2001:db8::8]"]),
        ("8", [], ["8.8.8.8", "host8"]),
    ],
)  # fmt: skip
def test_hosts_that_are_asked_directly(direct: str, goes_directly: list[str], goes_through: list[str]) -> None:
    proxies = from_environment({"HTTPS_PROXY": URL, "NO_PROXY": direct})
    assert [host for host in goes_directly if proxies.for_address(urlsplit(f"https://{host}/v1"))] == []
    assert [host for host in goes_through if not proxies.for_address(urlsplit(f"https://{host}/v1"))] == []


def test_what_is_here_is_asked_directly() -> None:
    nobody = HTTPClient(Proxies({"http": Proxy("127.0.0.1", 9)}))
    with FakeUpstream() as upstream:
        upstream.answers(Reply.raw(200, b"one"))
        answer = nobody.send(UpstreamRequest("/models", b""), upstream.url, {}, Timeouts(5, 5, 5), CancelToken())
        assert b"".join(answer.pieces) == b"one"
    assert HTTPClient().proxies is NO_PROXIES


def test_what_a_proxy_wants_to_know_is_shown_nowhere() -> None:
    proxies = from_environment({"HTTPS_PROXY": "http://ada:geheim@proxy.example:3128"})
    assert "Basic " in proxies.by_scheme["https"].headers["Proxy-Authorization"]
    assert "Basic " not in repr(HTTPClient(proxies))
