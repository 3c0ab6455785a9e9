"""Images that a request names by link, fetched for providers that take them only inside it.

The link comes from a client, so it must not reach what only the gateway can reach: each address that is connected to, also after a
redirect, has to be a public one, however it is spelled. The name is resolved once and the connection goes to that very address.
https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urljoin, urlsplit

from haimaker.http import tls
from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON
from haimaker.media import images as pictures
from haimaker.operations.chat import ChatRequest

MOST_BYTES = 20_000_000
MOST_IMAGES = 100
SECONDS = 10.0
MOST_REDIRECTS = 3
PORTS = {"http": 80, "https": 443}
NAT64 = IPv6Network("64:ff9b::/96")
UNICAST = IPv6Network("2000::/3")
"""All that the internet has given out: https://www.iana.org/assignments/ipv6-address-space"""
KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""That models look at."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also as the IPv4 address that an IPv6 one stands for."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if found in NAT64:
            inner.append(IPv4Address(int(found) & 0xFFFFFFFF))
        elif found not in UNICAST and found.ipv4_mapped is None:
            return False
        if any(address is not None and not address.is_global for address in inner):
            return False
    return found.is_global and not found.is_multicast


@dataclass(frozen=True, slots=True)
class ImageFetcher:
    may_connect: Callable[[str], bool] = is_public
    ports: frozenset[int] = frozenset(PORTS.values())

    def inlined(self, request: ChatRequest) -> ChatRequest:
        """The request with every linked image as a data URL. Raises BadRequestError, naming the part."""
        places = list(_links(request.body["messages"]))
        if not places:
            return request
        if len(places) > MOST_IMAGES:
            raise BadRequestError(f"At most {MOST_IMAGES} images can be given by link.", param="messages", code="too_many_images")
        until_s = time.monotonic() + SECONDS
        data = {url: self._data_url(url, param, until_s) for url, param in reversed(places)}
        messages = [_with_data(message, data) for message in request.body["messages"]]
        return replace(request, body={**request.body, "messages": messages})

    def data_url(self, url: str, param: str) -> str:
        """Raises BadRequestError, naming the parameter."""
        return self._data_url(url, param, time.monotonic() + SECONDS)

    def _data_url(self, url: str, param: str, until_s: float) -> str:
        content = self.fetch(url, param, until_s)
        if pictures.kind_of(content) not in KINDS:
            raise BadRequestError("The URL is not one of a PNG, JPEG, GIF or WebP image.", param=param, code="invalid_image_url")
        return pictures.to_data_url(content)

    def fetch(self, url: str, param: str, until_s: float) -> bytes:
        """Whatever is there. Raises BadRequestError."""
        try:
            return self._fetch(url, until_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            # Why it failed would tell a client what is where in the gateway's network.
            raise BadRequestError("The image could not be fetched from its URL.", param=param, code="invalid_image_url") from error

    def _fetch(self, url: str, until_s: float) -> bytes:
        for _ in range(MOST_REDIRECTS + 1):
            address = urlsplit(url)
            connection = self._connect(address, until_s)
            try:
                target = (address.path or "/") + (f"?{address.query}" if address.query else "")
                connection.request("GET", target, headers={"host": address.netloc.rpartition("@")[2], "accept": "image/*"})
                answer = connection.getresponse()
                if answer.status in (301, 302, 303, 307, 308):
                    url = urljoin(url, answer.headers.get("location", ""))
                    continue
                if answer.status != 200:
                    raise ValueError("not found")
                return _read(answer, connection, until_s)
            finally:
                connection.close()
        raise ValueError("too many redirects")

    def _connect(self, address: SplitResult, until_s: float) -> http.client.HTTPConnection:
        """A connection to an address that was checked. Raises OSError or ValueError."""
        port = address.port or PORTS.get(address.scheme, 0)
        if address.scheme not in PORTS or not address.hostname or port not in self.ports:
            raise ValueError("not a web address")
        found = socket.getaddrinfo(address.hostname, port, type=socket.SOCK_STREAM)
        if not all(self.may_connect(str(place[0])) for *_, place in found):
            raise ValueError("not a public address")
        family, kind, protocol, _, place = found[0]
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(_left(until_s))
            connected.connect(place)
            if address.scheme == "https":
                connected = tls.context().wrap_socket(connected, server_hostname=address.hostname)
        except BaseException:
            connected.close()
            raise
        connection = http.client.HTTPConnection(address.hostname, port)
        connection.sock = connected
        return connection


def _read(answer: http.client.HTTPResponse, connection: http.client.HTTPConnection, until_s: float) -> bytes:
    content = bytearray()
    while True:
        if connection.sock is not None:
            connection.sock.settimeout(_left(until_s))
        piece = answer.read1(65_536)
        if not piece:
            return bytes(content)
        content += piece
        if len(content) > MOST_BYTES:
            raise ValueError("too large")


def _left(until_s: float) -> float:
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _links(messages: list[JSON]) -> Iterator[tuple[str, str]]:
    """Every image that is a link, and where it stands."""
    for i, message in enumerate(messages):
        content = message.get("content")
        for j, part in enumerate(content if isinstance(content, list) else ()):
            url = _url_of(part)
            if url[:8].lower().startswith(("http://", "https://")):
                yield url, f"messages[{i}].content[{j}].image_url.url"


def _url_of(part: JSON) -> str:
    image = part.get("image_url") if part.get("type") == "image_url" else None
    url = image.get("url") if isinstance(image, dict) else image
    return url if isinstance(url, str) else ""


def _with_data(message: JSON, data: dict[str, str]) -> JSON:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {**message, "content": [_inlined(part, data.get(_url_of(part))) for part in content]}


def _inlined(part: JSON, data: str | None) -> JSON:
    if data is None:
        return part
    image = part["image_url"]
    return {**part, "image_url": {**image, "url": data} if isinstance(image, dict) else {"url": data}}
