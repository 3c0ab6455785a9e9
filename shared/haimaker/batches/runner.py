"""The threads that work on batches, in one process of those that share a store: who has the lock of the folder works.

Requests of batches are asked by a few threads of their own, whichever batch they are of, so that a small batch is not behind a
large one. A process that ends, in whatever way, lets go of the lock, and another one goes on.
"""

import fcntl
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import BinaryIO

from haimaker.batches import Batch, BatchDirectory
from haimaker.batches.native import NativePart, follow, next_look_s, waits
from haimaker.batches.native_answers import FolderFiles
from haimaker.batches.pace import AT_ONCE
from haimaker.batches.place import LineWorker, Place
from haimaker.batches.run import BatchRun, KeyRefused
from haimaker.blobs import BlobError
from haimaker.observability.observer import Observer
from haimaker.store import Store, StoreUnavailable
from haimaker.stored_files import StoredFiles

MOST_RUNNING = 8
POLLS_EVERY_S = 1.0
"""How often it is looked whether a batch of a provider is to be asked about."""
LOOKS_EVERY_S = 2.0
"""How often batches are looked for that another process was given."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Before a batch goes on whose store or folder failed."""


class BatchRunner:
    def __init__(self, store: Store, files: StoredFiles, folder: Path, worker: LineWorker, observer: Observer) -> None:
        self._stopping, self._wake = Event(), Event()
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._store, self._files, self._folder, self._worker = store, files, folder, worker
        self._found_place: Place | None = None
        self._observer = observer
        self._running: dict[str, Thread] = {}
        self._runs: dict[str, BatchRun] = {}
        self._thread: Thread | None = None
        self._askers: list[Thread] = []
        self._waiting: set[str] = set()
        """Batches whose lines are all asked here, and which wait for their providers' own."""
        self._polled = ""
        """The one of them that is asked about now."""
        self._polls: Thread | None = None
        self._lock = Lock()
        self._turn: BinaryIO | None = None

    @property
    def directory(self) -> BatchDirectory:
        """The batches whose lines are in this process's folder. Raises OSError."""
        return self._place.directory

    @property
    def _place(self) -> Place:
        if self._found_place is None:
            directory = BatchDirectory(self._store.documents, _name_of(self._folder))
            self._found_place = Place(
                self._store,
                directory,
                self._files,
                folder=self._folder,
                worker=self._worker,
                put_task=self._tasks.put,
                stopping=self._stopping,
            )
        return self._found_place

    def resume(self) -> None:
        """Goes on with what an earlier process left, if there was ever a batch."""
        if self._folder.exists():
            self.start()

    def start(self, batch: Batch | None = None) -> None:
        """Works on what there is, and on what comes, in threads of its own. May be repeated, to look at once."""
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._watch, daemon=True, name="batches")
                self._thread.start()
        self._wake.set()

    def with_progress(self, batch: Batch) -> Batch:
        """How far a batch is, it says itself."""
        return batch

    def cancel(self, batch: Batch) -> None:
        """Has a batch that runs here asked for nothing more at once; another process sees in a moment that it is cancelled."""
        run = self._runs.get(batch.id)
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
        watching = [thread for thread in (self._thread, self._polls) if thread]
        for thread in [*watching, *self._askers, *self._running.values()]:
            thread.join(max(0.0, give_up_s - time.monotonic()))

    def _watch(self) -> None:
        pause_s = LOOKS_EVERY_S
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if self._takes_turn() and not self._stopping.is_set():
                    for batch in self.directory.open():
                        self._begin_run(batch)
                pause_s = LOOKS_EVERY_S
            except (StoreUnavailable, OSError) as error:
                self._observer.error(f"Batches: {error}")
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            self._wake.wait(pause_s)

    def _begin_run(self, batch: Batch) -> None:
        with self._lock:
            if self._only_waits(batch) or batch.id in self._running or len(self._running) == MOST_RUNNING:
                return
            self._running[batch.id] = Thread(target=self._run, args=(batch,), daemon=True)
            self._running[batch.id].start()

    def _only_waits(self, batch: Batch) -> bool:
        """Whether nothing is to be done for a batch but to ask its providers sometimes how far theirs are."""
        return batch.id == self._polled or (batch.id in self._waiting and batch.id not in self._running and waits(batch))

    def _poll(self) -> None:
        """Follows the providers' batches of all that wait, one after another."""
        while not self._stopping.wait(POLLS_EVERY_S):
            try:
                for batch in self.directory.open() if self._waiting else ():
                    if self._stopping.is_set():
                        return
                    if self._only_waits(batch) and next_look_s(batch) <= time.time():
                        self._follow(batch)
            except (StoreUnavailable, OSError) as error:
                self._observer.error(f"Batches of providers: {error}")
            except Exception as error:
                self._observer.exception(error)

    def _follow(self, batch: Batch) -> None:
        with self._lock:
            if batch.id in self._running:
                return
            self._polled = batch.id
        try:
            now = self.directory.get(batch.owner, batch.id)
            if now and waits(now):
                files = FolderFiles(self._place.folder / batch.id)
                follow(now, self._worker.provider_batches, files, self._keep_parts)
        finally:
            self._polled = ""
            self._wake.set()

    def _keep_parts(self, batch: Batch, parts: list[NativePart]) -> Batch:
        return self.directory.change(batch, native=[part.to_json() for part in parts])

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
        self._polls = Thread(target=self._poll, daemon=True, name="batch polls")
        self._polls.start()
        return True

    def _take_tasks(self) -> None:
        while task := self._tasks.get():
            try:
                task()
            except Exception as error:
                self._observer.exception(error)

    def _run(self, batch: Batch) -> None:
        """Works on a batch until it has ended, also where the store or the folder fails for a while. It may have ended since it was
        read: it is read again, when nobody else works on it any more."""
        pause_s, late = FIRST_PAUSE_S, set[str]()
        try:
            while not self._stopping.is_set():
                try:
                    now = self.directory.get(batch.owner, batch.id)
                    self._runs[batch.id] = run = BatchRun(now or batch, self._place, late)
                    late = run.late
                    if now is None or now.has_ended:
                        run.forget()
                        return
                    self._waiting.discard(batch.id)
                    if run.run():
                        self._waiting.add(batch.id)
                    return
                except KeyRefused:
                    pause_s = FIRST_PAUSE_S
                except (StoreUnavailable, BlobError, OSError) as error:
                    self._observer.error(f"Batch {batch.id}: {error}")
                except Exception as error:
                    self._observer.exception(error)
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            self._running.pop(batch.id, None)
            self._runs.pop(batch.id, None)
            self._wake.set()


def _name_of(folder: Path) -> str:
    """A name that the folder has for ever, made when it is first used. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, made = folder / "name", folder / f".name-{secrets.token_hex(8)}"
    if not path.exists():
        made.write_text(secrets.token_hex(8))
        with suppress(FileExistsError):
            os.link(made, path)  # one of several processes at once
        made.unlink()
    return path.read_text()
