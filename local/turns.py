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
MOST_S = 0.02
"""How long it does so at most: what SQLite looks up alone keeps nobody waiting."""
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
def reporting(answering: Callable[[], int]) -> Iterator[None]:
    """While a report is made, which rests between its steps and at its end where somebody waits for an answer that is none:
    `answering` tells how many wait for any."""
    computed_s = time.thread_time()

    def rest() -> None:
        nonlocal computed_s
        now_s = time.thread_time()
        if answering() > _wanted.count(REPORT_S):
            time.sleep(min(REST * (now_s - computed_s), MOST_S))
        computed_s = now_s

    with short_turns(REPORT_S), giving_way(rest):
        yield
        rest()
