"""How long a thread computes before another one gets its turn."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

ORDINARY_S, SHORT_S, REPORT_S = sys.getswitchinterval(), 0.001, 0.0002
"""Python's own, a fifth of it, and a fifth of that while a report is made: a small request needs several turns, and waits for each
as long as all that compute. Always short, turns cost a fourteenth of the throughput.
https://docs.python.org/3/library/sys.html#sys.setswitchinterval"""
_lock = Lock()
_wanted: list[float] = []


@contextmanager
def short_turns(turn_s: float = SHORT_S) -> Iterator[None]:
    """While somebody has much to read, so that others are answered meanwhile. Of several the shortest hold."""
    with _lock:
        _wanted.append(turn_s)
        sys.setswitchinterval(min(_wanted))
    try:
        yield
    finally:
        with _lock:
            _wanted.remove(turn_s)
            sys.setswitchinterval(min(_wanted, default=ORDINARY_S))
