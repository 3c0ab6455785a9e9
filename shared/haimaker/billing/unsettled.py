"""Requests that ended while the store failed, such as on a full disk, or after they were charged as lost, as when the clock has
jumped: their process settles them once the store works again, and gives back what was charged too much.

It is for a process that goes on; a function of AWS is frozen after its answer. What a process had here when it ended is charged as
lost, like what it had under way.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from haimaker.billing.pending import refund_lost
from haimaker.billing.settlement import Settlement
from haimaker.store import BudgetAlert, Record, Reservation, Store, StoreUnavailable

MOST = 10_000
"""The most requests whose cost a process keeps; a later one is charged as lost."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 15.0


class Outcome(NamedTuple):
    """What the store is to be told of a request."""

    reservation: Reservation
    record: Record
    tokens: int
    extra: tuple[Reservation, ...]


class Unsettled:
    """`tell` is called with the record of each that was settled after all, and the alerts that it raises. Every method may be
    called from any thread."""

    def __init__(self, store: Store, tell: Callable[[Record, tuple[BudgetAlert, ...]], object]) -> None:
        self._store, self._tell = store, tell
        self._outcomes: deque[Outcome] = deque()
        self._lock = threading.Lock()
        self._runs = False
        self._closing = threading.Event()

    def add(self, settlement: Settlement) -> None:
        """Keeps one that the store failed, or whose outcome it has noted in the record of a lost request."""
        assert settlement.record is not None
        outcome = Outcome(settlement.reservation, settlement.record, settlement.tokens_used(), tuple(settlement.extra))
        with self._lock:
            if len(self._outcomes) < MOST:
                self._outcomes.append(outcome)
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="unsettled", daemon=True).start()

    def close(self) -> None:
        """Tries a last time, before the process ends."""
        self._closing.set()
        self._settle_all()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._closing.wait(pause_s):
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            self._settle_all()
            with self._lock:
                self._runs = bool(self._outcomes)
                if not self._runs:
                    return

    def _settle_all(self) -> None:
        """Settles what waits, until the store fails again."""
        while True:
            with self._lock:
                if not self._outcomes:
                    return
                outcome = self._outcomes.popleft()
            try:
                settled = self._store.settle(outcome.reservation, outcome.record, outcome.tokens)
                for reservation in outcome.extra:
                    self._store.release(reservation)
                is_refunded = settled is None and refund_lost(self._store, outcome.record.request_id)
            except StoreUnavailable:
                with self._lock:
                    self._outcomes.appendleft(outcome)
                return
            if settled or is_refunded:
                self._tell(outcome.record, settled.alerts if settled else ())
