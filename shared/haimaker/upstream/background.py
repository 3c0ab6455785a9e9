"""Runs an iterator in a thread of its own, so that whoever waits for its items can do something else meanwhile.

Reading an upstream has to happen beside writing to the client: silence can then be filled, deadlines kept, and a client
that leaves noticed. The threads are kept and used again; of many that were needed at once, most are given back.
"""

import time
from collections.abc import Callable, Generator
from functools import cache, partial
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")

MAX_THREADS = 1_000
KEPT_THREADS = 32
"""However few are in use."""
MAX_WAITING = 1_000
"""Items that may wait for a slow consumer before the producer is held up."""
HOLD_UP_S = 0.01


class _Sentinel:
    """SILENCE: nothing came in the time given. END: nothing more will come."""


SILENCE: Final = _Sentinel()
END: Final = _Sentinel()


class BackgroundIterator(Generic[T]):
    """Items of a generator that runs elsewhere. An exception that it raises is raised by `get`, after the items before it."""

    def __init__(self, items: Generator[T]) -> None:
        self._queue: SimpleQueue[T | _Sentinel] = SimpleQueue()
        self._discards = False
        self._done: Future[None] = _threads().submit(partial(self._run, items))

    def get(self, timeout_s: float) -> T | _Sentinel:
        """The next item, SILENCE after `timeout_s` without one, or END. Items that come at once are got without waiting."""
        try:
            item = self._queue.get(timeout=max(0.0, timeout_s))
        except Empty:
            return SILENCE
        if item is END:
            self._queue.put(END)
            self._done.result()
        return item

    def ready(self, most: int) -> list[T]:
        """Items that have come already, without waiting; what ended the iterator is left for `get`."""
        items: list[T] = []
        while len(items) < most and not self._queue.empty():
            item = self._queue.get()
            if isinstance(item, _Sentinel):
                self._queue.put(item)
                break
            items.append(item)
        return items

    def wait(self, timeout_s: float) -> bool:
        """Closes the iterator at its next item; whether it ended within `timeout_s`. Its exception is not raised."""
        self._discards = True
        try:
            self._done.exception(timeout_s)
        except TimeoutError:
            return False
        return True

    def _run(self, items: Generator[T]) -> None:
        try:
            for item in items:
                while self._queue.qsize() >= MAX_WAITING and not self._discards:
                    time.sleep(HOLD_UP_S)
                if self._discards:
                    break
                self._queue.put(item)
        finally:
            try:
                items.close()
            finally:
                self._queue.put(END)


def run_beside(work: Callable[[], object]) -> "Future[None]":
    """Runs what nothing here can end, such as the search for a name's address, in one of the same threads."""
    return _threads().submit(work)


class Threads:
    """A pool that gives its threads back once more than KEPT_THREADS were needed and few are: each keeps memory of its own."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._executor = _make_executor()
        self._running = self._most = 0
        """Now, and at once since the executor was made."""

    def submit(self, work: Callable[[], object]) -> "Future[None]":
        with self._lock:
            done = self._executor.submit(self._run, work)
            self._running += 1
            self._most = max(self._most, self._running)
            return done

    def _run(self, work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._running -= 1
            if self._most <= KEPT_THREADS or self._running > KEPT_THREADS // 2:
                return
            emptied, self._executor, self._most = self._executor, _make_executor(), self._running
        emptied.shutdown(wait=False)


@cache
def _threads() -> Threads:
    return Threads()


def _make_executor() -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor  # with logging and queue: not before an answer runs beside

    return ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="beside")
