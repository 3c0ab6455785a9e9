"""The processor on which a process answers, where the machine has several.

Python computes in one thread at a time, and a request lets go of its turn some forty times. Where threads wait for their turn on
several processors, each time one is woken up elsewhere, mostly in vain, and finds nothing in that processor's caches: kept on one
they answer a quarter more, and two processes on two of them 1.7 times as much as where they please. A request that is alone waits
for nobody, and goes where there is room; so does what computes long without Python's turn, such as a report that SQLite adds up.

Linux only; elsewhere no thread is asked to stay. https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

LOOKS_S = (0.1, 0.3)
"""How long until the next look at what is used: at random, lest two processes change places for ever."""
BUSY = 0.3
"""Of a processor's time, that this process uses where its threads wait for one another."""
MARGIN = 0.25
"""Of a processor's time, that others must use less of another one before ours is left."""
TICKS_PER_S = 100


class Use(NamedTuple):
    """What was used up to a moment, in seconds."""

    moment_s: float
    own_s: float
    """Seconds that this process used, of all processors together."""
    busy_s: Mapping[int, float]
    """Seconds that all processes used, of each processor."""


def read_use() -> Use:
    """Raises OSError and ValueError where the system hides it. https://man7.org/linux/man-pages/man5/proc_stat.5.html"""
    busy_s = {}
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("cpu") and line[3] != " ":  # the first is of all
            number, user, nice, system, _idle, _iowait, *others = map(int, line[3:].split()[:9])
            busy_s[number] = (user + nice + system + sum(others)) / TICKS_PER_S
    return Use(time.monotonic(), time.process_time(), busy_s)


class OwnProcessor:
    """One of the processors that this process may use; `place` spreads several processes over them."""

    def __init__(self, place: int, read: Callable[[], Use] = read_use) -> None:
        self._read = read
        self._all = frozenset(os.sched_getaffinity(0)) if sys.platform == "linux" else frozenset[int]()
        self._own = frozenset(sorted(self._all)[place % len(self._all) :][:1]) if len(self._all) > 1 else None
        """None where there is nothing to choose from."""
        self._is_crowded = False
        self._seen: Use | None = None
        self._look_s = 0.0
        self._looking = threading.Lock()
        self._threads = threading.local()

    def choose(self, *, anywhere: bool, others: int) -> None:
        """Chooses where the thread that asks computes from now on, beside so many others that answer. `anywhere` is for what is no
        model's answer."""
        if self._own is None or sys.platform != "linux":
            return
        if time.monotonic() >= self._look_s and self._looking.acquire(blocking=False):
            with suppress(OSError, ValueError):
                self._look(others)
            self._looking.release()
        wanted = self._own if self._is_crowded and not anywhere else self._all
        if getattr(self._threads, "are_on", self._all) != wanted:
            self._threads.are_on = wanted
            with suppress(OSError):  # that processor was taken away from this process meanwhile
                os.sched_setaffinity(0, wanted)

    def _look(self, others: int) -> None:
        self._look_s = time.monotonic() + random.uniform(*LOOKS_S)  # noqa: S311 - spreads processes, guards nothing
        before, self._seen = self._seen, self._read()
        if before and self._own:
            [own] = self._own
            self._is_crowded = others > 0 and self._seen.own_s - before.own_s > BUSY * (self._seen.moment_s - before.moment_s)
            self._own = frozenset({least_used(own, used_by_others(own, before, self._seen, self._all))})


def used_by_others(own: int, before: Use, now: Use, usable: frozenset[int]) -> Mapping[int, float]:
    """The share of the time between two looks that others used of each usable processor. All that this process used is taken to be
    used of its own one."""
    passed_s = now.moment_s - before.moment_s
    used_s = {number: busy_s - before.busy_s.get(number, busy_s) for number, busy_s in now.busy_s.items() if number in usable}
    if own in used_s:
        used_s[own] = max(0.0, used_s[own] - (now.own_s - before.own_s))
    return {number: each_s / passed_s for number, each_s in used_s.items()}


def least_used(own: int, used: Mapping[int, float]) -> int:
    """Another processor only where others use it a good deal less."""
    least = min(used, key=used.__getitem__, default=own)
    return least if used.get(own, 1.0) - used.get(least, 1.0) > MARGIN else own
