"""The threads that work on batches, in one process of those that share a store: who has the lock of the folder works.

Requests of batches are asked by a few threads of their own, whichever batch they are of, so that a small batch is not behind a
large one. A process that ends, in whatever way, lets go of the lock, and another one goes on.
"""

import fcntl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import BinaryIO

from haimaker.batches import Batch, BatchDirectory
from haimaker.batches.place import LineWorker, Place
from haimaker.batches.run import AT_ONCE, BatchRun
from haimaker.blobs import BlobError
from haimaker.observability.observer import Observer
from haimaker.store import Store, StoreUnavailable
from haimaker.stored_files import StoredFiles

MOST_RUNNING = 8
LOOKS_EVERY_S = 2.0
"""How often batches are looked for that another process was given."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Before a batch goes on whose store or folder failed."""


class BatchRunner:
    def __init__(self, store: Store, files: StoredFiles, folder: Path, worker: LineWorker, observer: Observer) -> None:
        self._stopping, self._wake = Event(), Event()
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._place = Place(store, files, folder, worker, self._tasks.put, self._stopping)
        self._observer = observer
        self._running: dict[str, Thread] = {}
        self._runs: dict[str, BatchRun] = {}
        self._thread: Thread | None = None
        self._askers: list[Thread] = []
        self._lock = Lock()
        self._turn: BinaryIO | None = None

    def start(self) -> None:
        """Works on what there is, and on what comes, in threads of its own. May be repeated, to look at once."""
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._watch, daemon=True, name="batches")
                self._thread.start()
        self._wake.set()

    def cancel(self, batch_id: str) -> None:
        """Has a batch that runs here asked for nothing more at once; another process sees in a moment that it is cancelled."""
        run = self._runs.get(batch_id)
        if run:
            run.cancel()
        self.start()

    def stop(self, timeout_s: float) -> None:
        """Asks nothing more, and waits for what is being asked."""
        self._stopping.set()
        self._wake.set()
        give_up_s = time.monotonic() + timeout_s
        for _ in self._askers:
            self._tasks.put(None)
        watching = [self._thread] if self._thread else []
        for thread in [*watching, *self._askers, *self._running.values()]:
            thread.join(max(0.0, give_up_s - time.monotonic()))

    def _watch(self) -> None:
        directory = BatchDirectory(self._place.store.documents)
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if self._takes_turn() and not self._stopping.is_set():
                    for batch in directory.open():
                        if batch.id not in self._running and len(self._running) < MOST_RUNNING:
                            self._running[batch.id] = Thread(target=self._run, args=(batch,), daemon=True)
                            self._running[batch.id].start()
            except (StoreUnavailable, OSError) as error:
                self._observer.error(f"Batches: {error}")
            self._wake.wait(LOOKS_EVERY_S)

    def _takes_turn(self) -> bool:
        """Whether this process is the one that works."""
        if self._turn:
            return True
        self._place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        turn = (self._place.folder / "lock").open("ab")
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            turn.close()
            return False
        self._turn = turn
        self._askers = [Thread(target=self._take_tasks, daemon=True, name="batch line") for _ in range(AT_ONCE)]
        for asker in self._askers:
            asker.start()
        return True

    def _take_tasks(self) -> None:
        while task := self._tasks.get():
            try:
                task()
            except Exception as error:
                self._observer.exception(error)

    def _run(self, batch: Batch) -> None:
        """Works on a batch until it has ended, also where the store or the folder fails for a while."""
        pause_s = FIRST_PAUSE_S
        try:
            while not self._stopping.is_set():
                self._runs[batch.id] = run = BatchRun(batch, self._place)
                try:
                    run.run()
                    return
                except (StoreUnavailable, BlobError, OSError) as error:
                    self._observer.error(f"Batch {batch.id}: {error}")
                except Exception as error:
                    self._observer.exception(error)
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                with suppress(StoreUnavailable):
                    now = BatchDirectory(self._place.store.documents).get(batch.owner, batch.id)
                    if now is None or now.has_ended:
                        return
                    batch = now
        finally:
            self._running.pop(batch.id, None)
            self._runs.pop(batch.id, None)
            self._wake.set()
