"""What functions do with batches of providers' own (`native.py`): they plan them when a batch begins, and follow them, by messages
that come when one is due. Their answers are put beside the parts whose lines they are, and settled with these (`part_run.py`).

In the place of `done`, a batch of a provider's stays `refused` or `lost` until ours ends: by that it is known what its lines need.
"""

import time
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from haimaker.batches import Batch
from haimaker.batches.heart import LEASE_S
from haimaker.batches.lines import split
from haimaker.batches.native import (
    DONE,
    ENDED,
    UNREAD,
    NativePart,
    PartFollower,
    after_failed_reading,
    give_up_s,
    is_due,
    is_over,
    items_of,
    read_parts,
)
from haimaker.batches.native_answers import FETCH_ERRORS, FolderFiles, PartAnswers
from haimaker.batches.native_blobs import BlobLines, answers_of, lines_of, put_answers
from haimaker.batches.native_lines import is_answer, plan_lines
from haimaker.batches.part_run import Tools
from haimaker.batches.parts import Part, assign, lines_key
from haimaker.http.values import JSON
from haimaker.store import Account

TOGETHER_S = 60.0
"""Looks that would be made so soon after another are made with it."""


def next_look_s(batch: Batch) -> float:
    """When one is to be followed next, in seconds of the epoch; 0 is at once. There has to be one that is unread."""
    over, unread = is_over(batch), [part for part in read_parts(batch) if part.state in UNREAD]
    due = sorted(0.0 if is_due(part, over=over) else part.next_s for part in unread)
    return max((each for each in due if each <= due[0] + TOGETHER_S), default=0.0) if due[0] > time.time() else 0.0


class NativeSteps:
    """The steps of providers' batches, for a batch that this function has."""

    def __init__(self, tools: Tools, seconds_left: Callable[[], float]) -> None:
        self._tools, self._calls, self._seconds_left = tools, tools.worker.provider_batches, seconds_left
        self._keeps_s = seconds_left() / 2

    def plan(self, batch: Batch, total: int, account: Account, parts: list[JSON], is_late: Callable[[], bool]) -> list[JSON]:
        """Puts lines together as batches of their providers, notes in the bodies of `parts` which, and returns what is known of
        each. When it is late, what is left is asked as other lines are. Raises BlobError."""
        blobs = self._tools.blobs
        lines = takewhile(lambda _: not is_late(), enumerate(split(blobs.pieces(lines_key(batch.id)))))
        with TemporaryDirectory() as folder:
            files, kept = FolderFiles(Path(folder)), BlobLines(blobs, batch.id)
            found = list[NativePart]()
            for number, part in enumerate(plan_lines(batch, total, account, lines, self._calls, files)):
                name = blake2b(f"{batch.id} {number}".encode(), digest_size=8).hexdigest()  # the same when it is planned again
                kept.put(name, files.lines(part.name))
                assign(parts, name, (line for line, _ in items_of(part, files)))
                found.append(part._replace(name=name))
        return [part.to_json() for part in found]

    def follow(self, batch: Batch) -> Batch:
        """Makes the steps that are due, in half of the function's time. Raises StoreUnavailable, BlobError."""
        natives, files = read_parts(batch), BlobLines(self._tools.blobs, batch.id)
        for number, part in enumerate(natives):

            def save(part: NativePart, number: int = number) -> None:
                nonlocal batch
                natives[number] = part
                batch = self._tools.queue.directory.change(
                    batch, native=[each.to_json() for each in natives], taken_until=time.time() + LEASE_S
                )

            if self._seconds_left() < self._keeps_s:
                break
            over, until_s = is_over(batch), give_up_s(batch)
            if is_due(part, over=over):
                part = PartFollower(self._calls, files, save).advance(part, is_over=over, give_up_s=until_s)
            if part.state == ENDED and part.next_s <= time.time():
                save(self._fetch(batch, part, files))
        return batch

    def _fetch(self, batch: Batch, native: NativePart, files: BlobLines) -> NativePart:
        """Puts the answers of one that has ended to the parts whose lines they are."""
        with TemporaryDirectory() as folder:
            try:
                answers = PartAnswers(native, self._calls, files, Path(folder) / "answers")
            except FETCH_ERRORS as error:
                return after_failed_reading(native, error, give_up_s(batch))
            for part in self._parts_of(batch, native):
                first = part.body["first"]
                asked = (line for line in part.native[native.name] if first + line in answers)
                read = {line: answers.read(first + line) for line in asked}
                kept = {line: each for line, each in read.items() if is_answer(each[0])}
                put_answers(self._tools.blobs, answers_of(batch.id, native.name, part.number), kept)
        return native._replace(state=DONE)

    def _parts_of(self, batch: Batch, native: NativePart) -> Iterator[Part]:
        parts = self._tools.queue.parts
        found = parts.all(batch.id)
        if len(found) < batch.body["parts"]:  # they have just been added
            found = parts.current(batch.id, range(batch.body["parts"]))
        return (part for part in found if native.name in part.native)

    def forget(self, batch: Batch, parts: list[Part]) -> None:
        """Deletes what only the work on it needed. Raises BlobError."""
        for part in parts:
            for name in part.native:
                self._tools.blobs.delete(answers_of(batch.id, name, part.number))
        for native in read_parts(batch):
            self._tools.blobs.delete(lines_of(batch.id, native.name))


def all_done(batch: Batch) -> list[JSON]:
    """What is known of providers' batches once ours has ended."""
    return [part._replace(state=DONE).to_json() for part in read_parts(batch)]
