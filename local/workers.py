"""Several processes that serve one port from one store: what starts and ends them, and replaces one that dies.

A worker is a fork of a process that has no threads, opens nothing and only waits. All accept from the same listening socket, so a
connection goes to whoever is free. What a worker that was killed had reserved is charged by the one that takes its place, which
knows it by the ids of its requests; what it counted for Prometheus stays in its file.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import FrameType
from typing import NamedTuple, NoReturn

from haimaker.http.request_ids import ENDING_LENGTH

PAUSE_S = 1.0
"""Before a worker that did not live for as long is replaced."""
MAX_REMEMBERED = 100
"""Workers that died, of which anything may still be reserved."""


class Worker(NamedTuple):
    """One of the processes, as it sees itself."""

    place: int
    """Its place among them, from 0: that of the one that died, where it replaces one."""
    ending: str
    """The ending of the ids of its requests."""
    dead: tuple[str, ...]
    """The endings of workers that died."""
    counts: Path
    """A folder for what each worker counts."""
    ready: Callable[[], None]
    """Called once it can serve."""


class Workers:
    """The process above. `serve` is what each worker does; it returns its exit status once it was told to end by SIGTERM."""

    def __init__(self, number: int, serve: Callable[[Worker], int], stop_signals: Sequence[signal.Signals]) -> None:
        self._number, self._serve, self._stop_signals = number, serve, stop_signals
        self._running: dict[int, tuple[Worker, float]] = {}
        """By process id: the worker, and since when it runs."""
        self._dead: list[str] = []
        self._stopping = False
        self._lifeline, self._life = os.pipe()
        """Whoever reads from it learns when this process has ended."""
        self._counts = Path(mkdtemp(prefix="haimaker-workers-"))

    def run(self, welcome: Callable[[], None]) -> int:
        """Serves until a signal comes. Returns 1 where a worker can't start, which has said why."""
        for stop_signal in self._stop_signals:
            signal.signal(stop_signal, self._stop)
        try:
            is_ready = all(map(self._start, range(self._number)))
            if is_ready and not self._stopping:
                welcome()
            elif not self._stopping:
                self._stop()
            while self._running:
                self._replace(*os.wait())
            return 0 if is_ready else 1
        finally:
            rmtree(self._counts, ignore_errors=True)

    def _stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self._stopping = True
        for process in tuple(self._running):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)

    def _start(self, place: int) -> bool:
        """Starts a worker; whether it is ready to serve."""
        told, tells = os.pipe()
        ending = os.urandom(ENDING_LENGTH // 2).hex()
        worker = Worker(place, ending, tuple(self._dead), self._counts, lambda: _say(tells))
        signal.pthread_sigmask(signal.SIG_BLOCK, self._stop_signals)  # one that comes now is for both, once they know each other
        process = os.fork()
        if process == 0:
            os.close(told)
            self._become(worker)
        self._running[process] = worker, time.monotonic()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._stop_signals)
        os.close(tells)
        if self._stopping:
            self._stop()
        try:
            return bool(os.read(told, 1))
        finally:
            os.close(told)

    def _become(self, worker: Worker) -> NoReturn:
        """The rest of a worker's life."""
        for stop_signal in self._stop_signals:
            signal.signal(stop_signal, _leave)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._stop_signals)
        os.close(self._life)
        threading.Thread(target=_end_with, args=(self._lifeline,), daemon=True).start()
        status = 1
        try:
            status = self._serve(worker)
        except SystemExit:
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def _replace(self, process: int, status: int) -> None:
        """Puts another worker into the place of one that ended without being asked to."""
        worker, since_s = self._running.pop(process, (None, 0.0))
        if worker is None or self._stopping:
            return
        self._dead = [*self._dead, worker.ending][-MAX_REMEMBERED:]
        code = os.waitstatus_to_exitcode(status)
        cause = f"status {code}" if code >= 0 else signal.Signals(-code).name
        with suppress(OSError):  # a log on a full disk
            print(f"haimaker: a worker ended ({cause}); another one takes its place", file=sys.stderr, flush=True)
        if time.monotonic() - since_s < PAUSE_S:
            time.sleep(PAUSE_S)
        if not self._stopping:
            self._start(worker.place)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _end_with(lifeline: int) -> None:
    """Ends this process as SIGTERM does, when the one above it has ended."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _say(tells: int) -> None:
    os.write(tells, b"\0")
    os.close(tells)
