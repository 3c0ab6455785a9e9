"""A bound on what a process does at once of one kind, of which no single owner gets more than a share.

What is over the bound is refused at once, since whoever waits keeps a thread.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from haimaker.http.errors import GatewayBusyError
from haimaker.lean_dataclasses import dataclass, field


@dataclass(slots=True)
class Shares:
    """Shares that are lent: at most `total` at once, and at most `each` to one owner."""

    what: str
    """What is lent, in words for who is refused."""
    total: int
    each: int
    _taken: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def reservation(self, owner: str) -> Iterator[None]:
        """Takes a share for the time of a block. Raises GatewayBusyError."""
        self.take(owner)
        try:
            yield
        finally:
            self.give_back(owner)

    def take(self, owner: str, amount: int = 1) -> None:
        """Raises GatewayBusyError."""
        with self._lock:
            if self._taken.total() + amount > self.total or self._taken[owner] + amount > self.each:
                raise GatewayBusyError(f"Too many {self.what} at the same moment.", code="gateway_busy")
            self._taken[owner] += amount

    def give_back(self, owner: str, amount: int = 1) -> None:
        with self._lock:
            self._taken[owner] -= amount
            if not self._taken[owner]:
                del self._taken[owner]
