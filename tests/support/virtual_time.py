"""Time that passes only while everybody waits: threads of which one runs at a moment, so that a load is the same on any machine."""

import heapq
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from types import ModuleType
from unittest.mock import patch


class VirtualTime:
    """Stands for the module `time` in the modules that it is given to."""

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        """When somebody goes on, and how."""
        self._idle = threading.Event()
        """Set when the thread that ran waits, or has ended."""

    def time(self) -> float:
        return self._now_s

    monotonic = time

    def sleep(self, seconds: float) -> None:
        """Only in what `start` began."""
        wakes = threading.Event()
        self._at(self._now_s + max(0.0, seconds), wakes.set)
        self._idle.set()
        wakes.wait()

    def start(self, at_s: float, task: Callable[[], object]) -> None:
        """Lets a thread of its own do this at a moment."""

        def run() -> None:
            try:
                task()
            finally:
                self._idle.set()

        self._at(at_s, threading.Thread(target=run, daemon=True).start)

    def pass_by(self) -> None:
        """Until nobody waits any more."""
        while self._due:
            self._now_s, _, go_on = heapq.heappop(self._due)
            self._idle.clear()
            go_on()
            self._idle.wait()

    @contextmanager
    def standing_for_time(self, *modules: ModuleType) -> Iterator[None]:
        with ExitStack() as patched:
            for module in modules:
                patched.enter_context(patch.object(module, "time", self))
            yield

    def _at(self, moment_s: float, go_on: Callable[[], object]) -> None:
        heapq.heappush(self._due, (moment_s, next(self._order), go_on))
