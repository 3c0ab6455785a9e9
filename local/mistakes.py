"""Who sends unknown keys or malformed requests again and again, or has bodies read for nothing: told so with 429 at once, and never
by waiting.

Mistakes count for the address that they come from, and those that are made with a valid key for that key. So does the work that a
body makes which comes to no reservation, whatever it is answered: nothing else bounds how often a key may send it. A valid key is
not touched by what others at its address do. Counts leak away by the minute, and those of the last few thousand senders are kept.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address
from threading import Lock

from haimaker.accounts.keys import owner_of
from haimaker.http.errors import RateLimitError
from haimaker.lean_dataclasses import dataclass, field

Networks = tuple[IPv4Network | IPv6Network, ...]

KEYS_SHARE = 10
"""A valid key may make so many times the mistakes of an address: an application that is wrong is known by its key."""
WORK_MS = 5.0
"""Of CPU: what a body of weight 1 costs at most, as `python -m tests.fuzz.costs` finds it."""
BYTES, CONTAINERS, MEMBERS, VALUES = 200_000, 1_500, 10_000, 3_000
"""Of a body that was read for nothing: as many as weigh as much as one mistake. Objects and lists are what the gateway looks at one
by one, the others pass through the reader of JSON alone."""
CHEAP_BYTES = 4_096
"""Of a body that costs no more than any request."""
MINUTE_S = 60.0
MAX_SENDERS = 10_000


@dataclass(slots=True)
class Mistakes:
    """`per_minute` of an address, which may come all at once; 0 is no limit."""

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    _senders: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)
    """What each has on its account, and since when."""
    _lock: Lock = field(default_factory=Lock)

    @property
    def has_any(self) -> bool:
        """Whether anybody made a mistake lately; if not, a sender's name need not be hashed."""
        return bool(self._senders)

    def note(self, sender: str, weight: float = 1) -> None:
        """Notes a mistake of an address or a key, or one that counts as `weight` mistakes."""
        if not self.per_minute or not weight:
            return
        now_s = self.clock()
        with self._lock:
            weight += self._weight(sender, now_s)
            self._senders[sender] = (min(weight, 2.0 * self._most(sender)), now_s)
            self._senders.move_to_end(sender)
            while len(self._senders) > MAX_SENDERS:
                self._senders.popitem(last=False)

    def wait_s(self, sender: str) -> int:
        """How long until it is listened to again, 0 if it is now."""
        if not self.per_minute or sender not in self._senders:
            return 0
        with self._lock:
            over = self._weight(sender, self.clock()) - self._most(sender)
        return min(int(MINUTE_S), math.ceil((over + 1) * MINUTE_S / self._most(sender))) if over > 0 else 0

    def _most(self, sender: str) -> int:
        return self.per_minute * (KEYS_SHARE if sender.startswith("key#") else 1)

    def _weight(self, sender: str, now_s: float) -> float:
        weight, since_s = self._senders.get(sender, (0.0, now_s))
        return max(0.0, weight - (now_s - since_s) * self._most(sender) / MINUTE_S)


def weight_of(body: bytes) -> float:
    """The work that a body makes before it is known whether it is admitted, in mistakes: an upper bound, without reading it."""
    if len(body) <= CHEAP_BYTES:
        return 0.0
    containers = body.count(b"{") + body.count(b"[")
    return len(body) / BYTES + containers / CONTAINERS + body.count(b":") / MEMBERS + body.count(b",") / VALUES


def too_many(wait_s: int) -> RateLimitError:
    message = (
        "Too many requests with unknown keys, or that are malformed, came from here, or large ones that could not be served. "
        "Wait, and check the key and the requests."
    )
    return RateLimitError(message, code="too_many_mistakes", type="requests", headers={"retry-after": str(wait_s)})


def address_of(peer: str, headers: Mapping[str, str], proxies: Networks) -> str:
    """The client's address: the peer's, unless that is a proxy which the settings name; then the last in X-Forwarded-For that is
    none of them. What a client writes into that header itself counts for nothing."""
    if not proxies or not _is_in(peer, proxies):
        return peer
    hops = [hop.strip() for hop in headers.get("x-forwarded-for", "")[-4_096:].split(",") if hop.strip()]
    for hop in reversed(hops):
        if not _is_in(hop, proxies):
            return hop[:64]
        peer = hop
    return peer


def sender_of(headers: Mapping[str, str]) -> str:
    """A valid key's name among senders."""
    return "key#" + sha256(owner_of(headers).encode()).hexdigest()


def _is_in(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in networks)
