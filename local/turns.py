"""How long a thread computes before another one gets its turn."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

ORDINARY_S, SHORT_S = sys.getswitchinterval(), 0.001
"""Python's own, and a fifth of it: a small request needs several turns, and waits for each as long as all that compute. Always
short, turns cost a fourteenth of the throughput. https://docs.python.org/3/library/sys.html#sys.setswitchinterval"""
_lock = Lock()
_wanted = 0


@contextmanager
def short_turns() -> Iterator[None]:
    """While somebody has much to read, so that others are answered meanwhile."""
    _change(1)
    try:
        yield
    finally:
        _change(-1)


def _change(by: int) -> None:
    global _wanted
    with _lock:
        _wanted += by
        sys.setswitchinterval(SHORT_S if _wanted else ORDINARY_S)
