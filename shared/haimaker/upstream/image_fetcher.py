"""Images that a request names by link, fetched for providers that take them only inside it.

The link comes from a client, so it must not reach what only the gateway can reach: each address that is connected to, also after a
redirect, has to be a public one, however it is spelled. The name is resolved once and the connection goes to that very address;
where the environment names a proxy for it, the proxy is asked for a tunnel to that address, and never for the name.
https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import http.client
import io
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Lock
from typing import Any, cast
from urllib.parse import SplitResult, urljoin, urlsplit

from haimaker.http import tls
from haimaker.http.client import CancelToken
from haimaker.http.errors import BadRequestError
from haimaker.http.proxies import NO_PROXIES, Proxies, Proxy
from haimaker.lean_dataclasses import dataclass, field
from haimaker.media import images as media_images
from haimaker.operations.operation import OperationRequest
from haimaker.upstream.shares import Shares

MAX_BYTES = 20_000_000
HEAD_BYTES = 65_536
"""Of all that comes before an image, redirects' bodies and interim answers included."""
SECONDS = 10.0
"""For all images of a request together, from the look-up of the first name to the last byte."""
LOOK_S = 0.1
"""How often to look whether a name's look-up, which nothing can end, is still wanted."""
FETCHES = Shares("images are being fetched", total=64, each=16)
LOOKUPS = Shares("names of image hosts are being looked up", total=32, each=8)
"""A look-up counts until it ends, also when nobody waits for it any more."""
HELD = Shares("bytes of images that were fetched are held", total=128_000_000, each=64_000_000)
"""Until their requests are answered; each byte is there as one of an image while it comes, then in base64, and in the body that is
sent: up to three times."""
MAX_REDIRECTS = 3
PORTS = {"http": 80, "https": 443}
NAT64 = IPv6Network("64:ff9b::/96")
UNICAST = IPv6Network("2000::/3")
"""All that the internet has given out: https://www.iana.org/assignments/ipv6-address-space"""
SET_ASIDE = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")))
"""Set aside for protocols and documentation, of which Python's tables lack some.
https://www.iana.org/assignments/iana-ipv4-special-registry  https://www.iana.org/assignments/iana-ipv6-special-registry"""
KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""The types of images that models look at."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also as the IPv4 address that an IPv6 one stands for."""
    found = ip_address(address.partition("%")[0])
    inner: list[IPv4Address | IPv6Address | None] = [found]
    if isinstance(found, IPv6Address):
        if found in NAT64:
            inner.append(IPv4Address(int(found) & 0xFFFFFFFF))
        elif found not in UNICAST and found.ipv4_mapped is None:
            return False
        inner += [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
    return all(_is_global(each) for each in inner if each is not None)


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    set_aside = any(address in network for network in SET_ASIDE)
    return address.is_global and not address.is_multicast and not set_aside


@dataclass(slots=True)
class HeldBytes:
    """What one request holds of images that were fetched for it."""

    owner: str
    _bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def take(self, number: int) -> None:
        """Raises GatewayBusyError."""
        HELD.take(self.owner, number)
        with self._lock:
            self._bytes += number

    def give_back(self, number: int | None = None) -> None:
        """Gives back so many bytes, or all."""
        with self._lock:
            number = self._bytes if number is None else number
            self._bytes -= number
        if number:
            HELD.give_back(self.owner, number)


@dataclass(frozen=True, slots=True)
class FetchBounds:
    """The bounds of one request's fetches: for whom they are, until when they have to be done, and what ends them before."""

    until_s: float
    """Monotonic."""
    owner: str = ""
    cancel: CancelToken = field(default_factory=CancelToken)
    held: HeldBytes | None = None
    """The account of what was fetched, until its request is answered."""

    @classmethod
    def for_request(cls, deadline_s: float, held: HeldBytes, cancel: CancelToken, seconds: float | None = None) -> "FetchBounds":
        """Fetches that take up to `seconds` from now, and never longer than `deadline_s`, which is monotonic."""
        return cls(min(deadline_s, time.monotonic() + (SECONDS if seconds is None else seconds)), held.owner, cancel, held)

    def left_s(self) -> float:
        """Raises TimeoutError, also where the request was given up."""
        left_s = self.until_s - time.monotonic()
        if left_s <= 0 or self.cancel.requested:
            raise TimeoutError
        return left_s


@dataclass(frozen=True, slots=True)
class ImageFetcher:
    """Looks up, connects and reads within one deadline, which each step shares, and which ends when the client leaves."""

    may_connect: Callable[[str], bool] = is_public
    ports: frozenset[int] = frozenset(PORTS.values())
    proxies: Proxies = NO_PROXIES

    def inline_images(self, request: OperationRequest, bounds: FetchBounds) -> OperationRequest:
        """The request with every linked image as a data URL. Raises BadRequestError, naming the part, and GatewayBusyError."""
        return request.with_inline_images(partial(self.data_url, bounds=bounds))

    def data_url(self, url: str, param: str, bounds: FetchBounds) -> str:
        """Raises BadRequestError, naming the parameter, and GatewayBusyError."""
        content = self.fetch(url, param, bounds)
        if media_images.sniff_type(content) not in KINDS:
            raise BadRequestError("The URL is not one of a PNG, JPEG, GIF or WebP image.", param=param, code="invalid_image_url")
        return media_images.to_data_url(content)

    def fetch(self, url: str, param: str, bounds: FetchBounds) -> bytes:
        """Whatever is there. Raises BadRequestError, and GatewayBusyError."""
        try:
            with FETCHES.reservation(bounds.owner):
                return self._fetch(url, bounds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # Why it failed would tell a client what is where in the gateway's network.
            raise BadRequestError("The image could not be fetched from its URL.", param=param, code="invalid_image_url") from error

    def _fetch(self, url: str, bounds: FetchBounds) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            address = urlsplit(url)
            connected = self._connect(address, bounds)
            try:
                path = (address.path or "/") + (f"?{address.query}" if address.query else "")
                own = {"host": address.netloc.rpartition("@")[2], "accept": "image/*", "connection": "close"}
                with _ask(connected, "GET", path, own, bounds) as answer:
                    if answer.status not in (301, 302, 303, 307, 308):
                        return _read(answer, bounds.held)
                    url = urljoin(url, answer.headers.get("location", ""))
            finally:
                bounds.cancel.forget(connected)
                connected.close()
        raise ValueError("too many redirects")

    def _connect(self, address: SplitResult, bounds: FetchBounds) -> socket.socket:
        """A connection to an address that was checked. Raises OSError or ValueError."""
        port = address.port or PORTS.get(address.scheme, 0)
        if address.scheme not in PORTS or not address.hostname or port not in self.ports:
            raise ValueError("not a web address")
        found = _look_up(address.hostname, port, bounds)
        if not found or not all(self.may_connect(str(place[0])) for *_, place in found):
            raise ValueError("not a public address")
        proxy = self.proxies.for_address(address)
        family, kind, protocol, _, place = (_look_up(proxy.host, proxy.port, bounds) if proxy else found)[0]
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(bounds.left_s())
            bounds.cancel.watch(connected)
            connected.connect(place)
            if proxy:
                _tunnel(connected, proxy, found, bounds)
            if address.scheme == "https":
                bounds.cancel.forget(connected)
                connected = _secure(connected, address.hostname, bounds)
        except BaseException:
            bounds.cancel.forget(connected)
            connected.close()
            raise
        return connected


def _tunnel(connected: socket.socket, proxy: Proxy, found: list[Any], bounds: FetchBounds) -> None:
    """Leads a connection with a proxy on to the checked address, an IPv4 one if there is one: what the proxy itself reaches is not
    known. Without TLS too, so that the proxy does not say the address to the host in place of its name. Raises OSError."""
    host, port = next((place for family, *_, place in found if family == socket.AF_INET), found[0][-1])[:2]
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    with _ask(connected, "CONNECT", target, {"host": target, **proxy.headers}, bounds) as answer:
        if answer.status != 200:
            raise ConnectionError("the proxy does not lead there")


def _secure(connected: socket.socket, host: str, bounds: FetchBounds) -> socket.socket:
    secured = tls.tls_context().wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    try:
        secured.settimeout(bounds.left_s())
        bounds.cancel.watch(secured)
        secured.do_handshake()
    except BaseException:
        bounds.cancel.forget(secured)
        secured.close()
        raise
    return secured


class _Reader(io.RawIOBase):
    """What comes from a socket until the deadline, however little at a time, and no more than an image and a head."""

    def __init__(self, connected: socket.socket, bounds: FetchBounds) -> None:
        self._connected, self._bounds = connected, bounds
        self._left = MAX_BYTES + HEAD_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connected.settimeout(self._bounds.left_s())
        received = self._connected.recv_into(buffer)
        if not received:
            self._bounds.left_s()  # an end that is our own giving up is no end of an image
        self._left -= received
        if self._left < 0:
            raise ValueError("too large")
        return received


@dataclass(frozen=True, slots=True)
class _Readable:
    """What `http.client` needs of a socket to read an answer."""

    reader: _Reader

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.reader)


def _ask(
    connected: socket.socket, method: str, target: str, headers: Mapping[str, str], bounds: FetchBounds
) -> http.client.HTTPResponse:
    """An answer whose head was read. It has to be closed: one that a garbage collector ends after its file is a traceback on stderr
    (https://docs.python.org/3/whatsnew/3.13.html#io)."""
    asking = http.client.HTTPConnection(headers["host"])
    asking.sock = connected
    connected.settimeout(bounds.left_s())
    asking.request(method, target, headers=headers)
    answer = http.client.HTTPResponse(cast(socket.socket, _Readable(_Reader(connected, bounds))), method=method)
    try:
        answer.begin()  # it skips interim answers, without end if they have none: the reader has one
    except BaseException:
        answer.close()
        raise
    return answer


def _read(answer: http.client.HTTPResponse, held: HeldBytes | None) -> bytes:
    if answer.status != 200:
        raise ValueError("not found")
    content, taken = bytearray(), 0
    try:
        while piece := answer.read1(65_536):
            if held:
                held.take(len(piece))
                taken += len(piece)
            content += piece
            if len(content) > MAX_BYTES:
                raise ValueError("too large")
        if answer.length:
            raise ValueError("cut off")
    except BaseException:
        if held:
            held.give_back(taken)
        raise
    return bytes(content)


def _look_up(host: str, port: int, bounds: FetchBounds) -> list[Any]:
    """The addresses of a name. Nothing ends a look-up, so it has a thread of its own, which is left to itself when it takes
    too long. Raises OSError, ValueError, GatewayBusyError."""
    LOOKUPS.take(bounds.owner)
    try:
        found: Future[list[Any]] = _threads().submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    except BaseException:
        LOOKUPS.give_back(bounds.owner)
        raise
    found.add_done_callback(lambda _: LOOKUPS.give_back(bounds.owner))
    while True:
        try:
            return found.result(min(LOOK_S, bounds.left_s()))
        except TimeoutError:
            if found.done():
                raise
            bounds.left_s()


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(LOOKUPS.total, thread_name_prefix="lookup")
