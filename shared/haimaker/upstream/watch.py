"""One thread that looks after all answers whose own threads wait for them: now and then, and when one of them asks for it."""

import threading
import time
from typing import Protocol

IDLE_LOOKS = 4
"""After so many looks at nothing the thread waits to be woken: waking it costs a request more than a few looks."""


class Watched(Protocol):
    def look(self, now_s: float) -> float:
        """Sees to what is to be done now, without waiting; returns when it wants to be looked at again at the latest. Monotonic."""


class Watch:
    """Looks after what was added until it is removed, also once more while that is being done."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._watched: dict[int, Watched] = {}
        self._needed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, watched: Watched) -> None:
        self._watched[id(watched)] = watched
        if not self._needed.is_set():
            self._needed.set()
        if self._thread is None:
            self._start()

    def remove(self, watched: Watched) -> None:
        del self._watched[id(watched)]

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        idle = 0
        while True:
            if idle > IDLE_LOOKS:
                self._needed.clear()
                if not self._watched:  # asked after the clearing, since `add` sets it last
                    self._needed.wait()
            now_s = time.monotonic()
            next_s = now_s + self._every_s
            found = list(self._watched.values())
            for watched in found:
                next_s = min(next_s, watched.look(now_s))
            idle = 0 if found else idle + 1
            time.sleep(max(0.0, next_s - time.monotonic()))
