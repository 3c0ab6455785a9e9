"""Which proxy a call goes through: the variables that curl and most clients read, by the rules that they agree in. Pure.

https://curl.se/docs/manpage.html#ENVIRONMENT  https://about.gitlab.com/blog/we-need-to-talk-no-proxy/
The small spelling of a variable counts before the large one. Loopback and link-local addresses are never asked of a proxy: there
are this machine's own services, the metadata and credentials of its cloud among them.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443}
PROXY_PORT = 80
"""The port of a proxy whose URL names none."""
LOCAL_NAME = "localhost"


class Proxy(NamedTuple):
    host: str
    port: int
    headers: Mapping[str, str] = {}
    """The proxy's credentials, which are secret."""

    def __repr__(self) -> str:
        return f"Proxy({self.host!r}, {self.port})"


class Proxies(NamedTuple):
    """The proxies for each scheme, and the hosts that are asked directly."""

    by_scheme: Mapping[str, Proxy] = {}
    direct: tuple[str, ...] = ()
    """Hosts that are called directly: a domain with its subdomains, an address or a network, perhaps with a port; `*` is all."""

    def for_address(self, address: SplitResult) -> Proxy | None:
        """The proxy for a call of this address, None for one that goes directly."""
        proxy = self.by_scheme.get(address.scheme)
        if proxy is None:
            return None
        host, port = (address.hostname or "").rstrip("."), address.port or DEFAULT_PORTS[address.scheme]
        is_direct = _is_local(host) or any(_covers(entry, host, port) for entry in self.direct)
        return None if is_direct else proxy


NO_PROXIES = Proxies()


def from_environment(env: Mapping[str, str]) -> Proxies:
    """The proxies that the variables name. Raises ValueError for one that can't be used; its message shows no secret."""
    found = {}
    for scheme in DEFAULT_PORTS:
        name = next((name for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY") if env.get(name, "").strip()), None)
        if name:
            found[scheme] = _to_proxy(name, env[name].strip())
    if not found:
        return NO_PROXIES
    entries = (env.get("no_proxy") or env.get("NO_PROXY") or "").replace(",", " ").split()
    return Proxies(found, tuple(entry.lower() for entry in entries))


def _to_proxy(name: str, url: str) -> Proxy:
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port or PROXY_PORT
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise ValueError(f"{name} must be the URL of an HTTP proxy, such as http://proxy.example:3128; it is asked without TLS.")
    headers = {}
    if parts.username is not None:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Proxy-Authorization"] = f"Basic {b64encode(secret).decode()}"
    return Proxy(parts.hostname, port, headers)


def _is_local(host: str) -> bool:
    if host == LOCAL_NAME or host.endswith(f".{LOCAL_NAME}"):
        return True
    address = _to_address(host)
    return address is not None and (address.is_loopback or address.is_link_local or address.is_unspecified)


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, separator, digits = entry.rpartition(":")
    if separator and digits.isdigit() and (":" not in name or name.endswith("]")):
        if int(digits) != port:
            return False
        entry = name
    entry = entry.removeprefix("[").removesuffix("]")
    address = _to_address(host)
    if address is not None:
        from ipaddress import ip_network  # few hosts are addresses

        try:
            return address in ip_network(entry, strict=False)
        except ValueError:
            return False
    entry = entry.removeprefix("*").lstrip(".").rstrip(".")
    return bool(entry) and (host == entry or host.endswith(f".{entry}"))


def _to_address(host: str) -> "IPv4Address | IPv6Address | None":
    """The host as an address, None for a name."""
    if not (host[:1].isdigit() or ":" in host):
        return None
    from ipaddress import ip_address  # few hosts are addresses

    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped: IPv4Address | None = getattr(found, "ipv4_mapped", None)
    return mapped or found
