"""How long a thread computes before another one gets its turn."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from haimaker.long_work import giving_way

ORDINARY_S, SHORT_S, REPORT_S = sys.getswitchinterval(), 0.001, 0.0002
"""Python's own, a fifth of it, and a fifth of that while a report is made: a small request needs several turns, and waits for each
as long as all that compute. Always short, turns cost a fourteenth of the throughput.
https://docs.python.org/3/library/sys.html#sys.setswitchinterval"""
REST = 4
"""For how many times as long as it has computed a report then leaves the processor to others, where there are any."""
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


@contextmanager
def reporting(others: Callable[[], bool]) -> Iterator[None]:
    """While a report is made, which rests between its steps as long as `others` says that somebody else waits for an answer."""
    computed_s = time.thread_time()

    def rest() -> None:
        nonlocal computed_s
        now_s = time.thread_time()
        if others():
            time.sleep(REST * (now_s - computed_s))
        computed_s = now_s

    with short_turns(REPORT_S), giving_way(rest):
        yield
