"""What a batch that runs does with its lines that are in batches of their providers' own: see `native.py`.

The batch's worker calls `plan` once, when all lines are checked, and `advance` before it asks the other lines, and again when it
did: what is due is sent and looked at, answers are settled, and what a provider left over is there for the worker to ask.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import Protocol

from haimaker.batches import Batch
from haimaker.batches.journal import ERROR, OUTPUT, Journal, Outcome
from haimaker.batches.lines import ENDPOINTS, LineError, answer_row, read_line, usage_of
from haimaker.batches.native import (
    DONE,
    ENDED,
    FOLLOWED,
    LIVE,
    LOST,
    REFUSED,
    NativeCall,
    NativePart,
    PartFiles,
    PartFollower,
    ProviderCalls,
    after_failed_reading,
    give_up_s,
    is_due,
    is_over,
    items_of,
    read_parts,
)
from haimaker.batches.native_answers import FolderFiles, PartAnswers
from haimaker.batches.native_plan import plan_parts
from haimaker.batches.place import LineWorker, Place
from haimaker.http.client import TransportError
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, BatchLine, ProviderAnswer, Request
from haimaker.store import Account, Store, StoreUnavailable

NOW, NATIVE = "now", "native"
MODE = "haimaker_mode"
"""The metadata of a batch that says how its lines are asked: `now`, as ordinary requests; `native`, however few they are."""
OK, FAILURE = 200, 500
ASKED_OTHERWISE = (429, 500, 502, 503, 504, 529)
"""Answers of a provider's batch that say nothing against the request, which is then asked as others are."""


class BatchAtWork(Protocol):
    """The batch whose lines they are, as it is worked on."""

    batch: Batch

    @property
    def is_stuck(self) -> bool: ...

    def account(self) -> Account:
        """The account whose batch it is, whatever that may do now."""

    def numbered_lines(self) -> Iterator[tuple[int, bytes]]: ...

    def journal(self) -> Journal: ...

    def tell(self, **fields: object) -> None:
        """Keeps fields of the batch, and how far it is."""

    def tell_sometimes(self) -> None: ...


class NativeLines:
    def __init__(self, run: BatchAtWork, place: Place, folder: Path) -> None:
        self._run, self._place, self._folder = run, place, folder
        self._calls, self._files = place.worker.provider_batches, FolderFiles(folder)
        self.next_step_s = inf
        """When a provider is to be asked how far its batch is."""

    def plan(self, total: int) -> list[JSON]:
        """The parts of the batch; none where there is nothing to be saved, or its client does not want to wait."""
        lines = takewhile(lambda _: not self._run.is_stuck, self._run.numbered_lines())
        parts = plan_lines(self._run.batch, total, self._run.account(), lines, self._calls, self._files)
        return [part.to_json() for part in parts]

    def advance(self) -> Collection[int]:
        """Makes what steps are due, and settles what has been answered. Returns the lines that are at a provider. Raises
        StoreUnavailable, OSError."""
        elsewhere = set[int]()
        for part, save in self._step():
            if part.state in (ENDED, LOST) and not self._run.is_stuck:
                part = self._settle(part, save)
            if part.state == REFUSED:
                part = part._replace(state=DONE)
                save(part)
            if part.state in LIVE:
                elsewhere |= {line for line, _ in items_of(part, self._files)}
        return elsewhere

    def follow(self) -> None:
        """Makes what steps are due, while lines are asked. Raises StoreUnavailable."""
        for _ in self._step():
            pass

    def _step(self) -> Iterator[tuple[NativePart, Callable[[NativePart], None]]]:
        """Each part after the step that was due, and what keeps it."""
        parts = read_parts(self._run.batch)
        for number, part in enumerate(parts):

            def save(part: NativePart, number: int = number) -> None:
                parts[number] = part
                self._run.tell(native=[each.to_json() for each in parts])

            over = is_over(self._run.batch)
            if is_due(part, over=over) and not self._run.is_stuck:
                follower, until_s = PartFollower(self._calls, self._files, save), give_up_s(self._run.batch)
                part = follower.advance(part, is_over=over, give_up_s=until_s)
            yield part, save
        self.next_step_s = min((part.next_s for part in parts if part.state in FOLLOWED), default=inf)

    def _settle(self, part: NativePart, save: Callable[[NativePart], None]) -> NativePart:
        """Settles the answers of a part that has ended, and what each line of one that is lost may have cost. Raises
        StoreUnavailable, OSError."""
        path, answers = self._folder / f"answers-{part.name}", None
        if part.state == ENDED:
            if part.next_s > time.time():
                return part
            try:
                answers = PartAnswers(part, self._calls, self._files, path)
            except (APIError, TransportError) as error:
                part = after_failed_reading(part, error, give_up_s(self._run.batch))
                save(part)
                return part
        mine = {line for line, _ in items_of(part, self._files)}
        for number, raw in self._run.numbered_lines():
            if number not in mine or self._run.journal().is_done(number):
                continue
            if self._run.is_stuck:
                return part
            status, body = answers.read(number) if answers and number in answers else (0, b"")
            if part.state == LOST or is_answer(status):
                self._settle_line(part, number, raw, status, body)
            self._run.tell_sometimes()
        path.unlink(missing_ok=True)
        part = part._replace(state=DONE)
        save(part)
        return part

    def _settle_line(self, part: NativePart, number: int, raw: bytes, status: int, body: bytes) -> None:
        """Raises StoreUnavailable."""
        place, run = self._place, self._run
        settled = settle_line(place.worker, place.store, run.batch, run.account(), part, number, raw, status, body)
        run.journal().finish(number, *settled)


def plan_lines(
    batch: Batch, total: int, account: Account, lines: Iterable[tuple[int, bytes]], calls: ProviderCalls, files: PartFiles
) -> list[NativePart]:
    """The parts of a batch of so many lines; none where there is nothing to be saved, or its client does not want to wait."""
    mode = (batch.body["metadata"] or {}).get(MODE)
    least = 1 if mode == NATIVE else calls.settings.least_lines
    if mode == NOW or total < least or not calls.are_on():
        return []
    return plan_parts(_to_calls(batch, account, lines, calls), calls.rules, files, least)


def _to_calls(
    batch: Batch, account: Account, lines: Iterable[tuple[int, bytes]], calls: ProviderCalls
) -> Iterator[tuple[int, NativeCall | None]]:
    endpoint = batch.body["endpoint"]
    for number, raw in lines:
        try:
            request = Request("", batch.headers, read_line(raw, endpoint).body)
            yield number, calls.to_call(ENDPOINTS[endpoint], request, account)
        except (APIError, LineError):
            yield number, None  # it is told as the answer of the line


def is_answer(status: int) -> bool:
    """Whether a provider's batch answered a line so that it stays; otherwise the line is asked as others are."""
    return bool(status) and status not in ASKED_OTHERWISE


def settle_line(
    worker: LineWorker,
    store: Store,
    batch: Batch,
    account: Account,
    part: NativePart,
    number: int,
    raw: bytes,
    status: int,
    body: bytes,
) -> tuple[Outcome, bytes]:
    """Charges the answer of a line, once however often it is read, and returns what came of it and its row; of status 0 is a line
    of which nobody tells what it cost. Raises StoreUnavailable."""
    endpoint, request_id = batch.body["endpoint"], part.request_id(number)
    line = read_line(raw, endpoint)
    answer = ProviderAnswer(part.target, part.batch_id, status, body, part.told_s)
    request = Request(request_id, batch.headers, line.body, batch=BatchLine(batch.id, number, line.custom_id, answer=answer))
    response = worker.handle(ENDPOINTS[endpoint], request, account)
    shown = response.body if isinstance(response.body, bytes) else b"".join(response.body)
    record = store.record(request_id)
    if record is None and response.status >= FAILURE:
        raise StoreUnavailable(f"The answer of line {number + 1} could not be charged.")
    cost_nanousd, tokens = (record.cost_nanousd, usage_of(record.detail)) if record else (0, (0, 0, 0, 0))
    outcome = Outcome(OUTPUT if response.status == OK else ERROR, cost_nanousd, tokens)
    return outcome, answer_row(line.custom_id, request_id, response.status, shown)
