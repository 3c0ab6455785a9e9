"""Asks the lines of one part of a batch, in a function that lives for some minutes; see `parts.py` for what is kept of them.

Nothing is written down before a line is asked: the id of each request is made of its line and of how often the part was given to a
function, so that whoever has the part after a function that died finds by the records what had been asked. When it is given to
another, the first is dead, and what it had reserved is charged as lost, so that each request has its record. If it lives all the
same, and only could not be heard, its next write fails, and what it still settles is noted in those records.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition, Event, Thread
from typing import NamedTuple

from haimaker.batches import CANCELLED, CANCELLING, IN_PROGRESS, Batch
from haimaker.batches.asking import MOST_RETRIES, Asking
from haimaker.batches.heart import BEAT_S, LEASE_S
from haimaker.batches.journal import Journal
from haimaker.batches.lines import ENDPOINTS, read_line, split
from haimaker.batches.native import DONE, LOST, NativePart, read_parts, unread_names
from haimaker.batches.native_blobs import answers_of, read_answers
from haimaker.batches.native_lines import settle_line
from haimaker.batches.pace import Pace
from haimaker.batches.parts import Part, lines_key, read_segments, segment_key
from haimaker.batches.place import LineWorker
from haimaker.batches.queued import BatchQueue
from haimaker.blobs import BlobError
from haimaker.blobs.s3 import S3Blobs
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, Request, Response
from haimaker.observability.observer import Observer
from haimaker.store import Account, Store, StoreUnavailable
from haimaker.stored_files import StoredFiles

AT_ONCE = 16
"""Lines that one function asks at a time, at most."""
ASKS_S = 300.0
"""How long a function asks for more; what it has asked then has the rest of its time."""
ASKS_PART = 0.4
"""The part of a function's time in which it asks, where that is less."""
WRITES_EVERY_S, LOOKS_EVERY_S = 1.0, 2.0
MOST_UNCERTAIN = 3
"""Requests in a row of which is not known whether the store had admitted them, after which it is taken to fail."""


class Tools(NamedTuple):
    """What functions work on batches with."""

    store: Store
    files: StoredFiles
    blobs: S3Blobs
    queue: BatchQueue
    worker: LineWorker
    observer: Observer


AGAIN_S = 1.0
"""After which a key that was refused is looked at once more: it may just be made anew."""


class PartLost(Exception):
    """Another function has the part."""


def request_id_for(batch_id: str, line: int, delivery: int, tries: int) -> str:
    """The id of the request as which a line is asked, the same for the same delivery and try."""
    text = blake2b(f"{batch_id} {line} {delivery} {tries}".encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def find_requests(store: Store, part: Part, line: int, deliveries: Sequence[int]) -> Iterator[str]:
    """The requests that have records, of those as which a line of a part may have been asked by functions that died."""
    for delivery in deliveries:
        tries, missing = 0, 0
        while missing <= MOST_UNCERTAIN:
            request_id = request_id_for(part.batch_id, part.body["first"] + line, delivery, tries)
            if store.record(request_id):
                missing = 0
                yield request_id
            else:
                missing += 1
            tries += 1


def charge_dead(
    tools: Tools, batch: Batch, account: Account, part: Part, lines: Collection[int], deliveries: Sequence[int]
) -> None:
    """Charges what was reserved for lines of a part by functions that died, on each account that pays, without waiting for its
    deadlines. Raises StoreUnavailable, BlobError."""
    if not deliveries:
        return
    most = MOST_RETRIES + MOST_UNCERTAIN + 1
    first, asked = part.body["first"], [(delivery, tries) for delivery in deliveries for tries in range(most + 1)]
    dead = {request_id_for(part.batch_id, first + line, *each) for line in lines for each in asked}
    data = tools.blobs.get_range(lines_key(batch.id), part.body["start"], part.body["end"])
    operation, wanted, payers = ENDPOINTS[batch.body["endpoint"]], set(lines), {account.id, *batch.body["pools"]}
    for number, raw in enumerate(split([data])):
        if number in wanted:
            with suppress(APIError):  # nothing was reserved for it
                request = Request("", body=read_line(raw, batch.body["endpoint"]).body)
                payers |= {payer.id for payer in tools.worker.payers(operation, request, account)}
    for account_id in sorted(payers):
        tools.store.charge_lost(account_id, time.time(), dead)


class ProviderSaid(NamedTuple):
    """What a batch of a line's provider answered to it; of status 0 where nobody tells."""

    native: NativePart
    status: int = 0
    body: bytes = b""


class PartRun:
    """The work of one function on a part that it has."""

    def __init__(self, tools: Tools, batch: Batch, part: Part, seconds_left: float) -> None:
        self.part = part
        self.pause_s = 0.0
        """How long nothing may be asked, where that is why not all was."""
        self._tools, self._batch = tools, batch
        self._ends_s = time.monotonic() + seconds_left
        self._asks_until_s = time.monotonic() + min(ASKS_S, seconds_left * ASKS_PART)
        self._accounts: tuple[Account, ...] = ()
        self._changed, self._stopped = Condition(), Event()
        self._said: dict[int, ProviderSaid] = {}
        self._left: list[tuple[int, bytes, ProviderSaid | None]] = []
        self._unread = unread_names(batch)
        self._elsewhere: set[int] = set()
        """Lines in providers' batches that were not read when the function got the part."""
        self._pace = Pace(AT_ONCE, batch.body["lanes"])
        self._error: Exception | None = None
        self._journal: Journal
        self._written = 0
        """How much of the journal is in segments."""

    def run(self) -> bool:
        """Whether the part is done, or nothing more is to be asked of it. Raises StoreUnavailable, BlobError, PartLost."""
        self._read_accounts()
        with TemporaryDirectory() as folder:
            path = Path(folder) / "journal"
            with path.open("wb") as file:
                file.writelines(read_segments(self._tools.blobs, self.part))
            self._journal = Journal(path, self.part.body["lines"])
            try:
                self._written = path.stat().st_size
                self._read_providers()
                self._find_lost()
                self._ask()
                self._write(unclean=[], taken_until=0, done=self._is_done, **self._waits())
            finally:
                self._journal.close()
        return not self.part.has_work(self._unread, over=self._is_over_for_good)

    @property
    def _is_done(self) -> bool:
        sums = self._journal.sums
        lines: int = self.part.body["lines"]
        return sums.completed + sums.failed == lines

    @property
    def _is_late(self) -> bool:
        return time.monotonic() >= self._asks_until_s

    @property
    def _is_over_for_good(self) -> bool:
        expires_s: int = self._batch.body["expires_at"]
        return self._batch.status != IN_PROGRESS or time.time() >= expires_s

    def _read_accounts(self) -> None:
        """Reads the accounts that pay. A key that may do nothing any more has its batches cancelled; what providers answered is
        still charged."""
        account_id = self._batch.body["account_id"]
        try:
            self._accounts = self._tools.worker.accounts_of(account_id)
        except APIError as error:
            if error.status >= 500:
                raise StoreUnavailable(str(error)) from None
            self.refuse()
            if self._batch.status == IN_PROGRESS:
                raise StoreUnavailable("a key is just made anew") from None
            balance = self._tools.store.get(account_id)
            self._accounts = (balance.account if balance else Account(account_id, "", 0),)

    def _read_providers(self) -> None:
        """Finds what providers' batches answered to lines, of those that were read. Raises BlobError."""
        natives, said = {native.name: native for native in read_parts(self._batch)}, dict[int, ProviderSaid]()
        for name, lines in self.part.native.items():
            native = natives[name]
            if name in self._unread:
                self._elsewhere.update(lines)
            elif native.state == LOST:
                said |= dict.fromkeys(lines, ProviderSaid(native))
            elif native.state == DONE and name in self.part.body["waits"]:
                found = read_answers(self._tools.blobs, answers_of(self.part.batch_id, name, self.part.number))
                said |= {line: ProviderSaid(native, *each) for line, each in found.items()}
        self._said = {line: each for line, each in said.items() if not self._journal.is_done(line)}

    def _waits(self) -> JSON:
        """The providers' batches for which the part waits, and whether all its other lines are answered, as fields of the part."""
        unsettled = {each.native.name for line, each in self._said.items() if not self._journal.is_done(line)}
        waits = [name for name in self.part.body.get("waits", ()) if name in self._unread or name in unsettled]
        lines = range(self.part.body["lines"])
        return {"waits": waits, "asked": all(line in self._elsewhere or self._journal.is_done(line) for line in lines)}

    def _find_lost(self) -> None:
        """Notes as which requests the lines without an answer were asked by functions that died."""
        deliveries = [each for each in self.part.body["unclean"] if each != self.part.body["deliveries"]]
        if not deliveries:
            return
        left = [each for each in range(self.part.body["lines"]) if not self._journal.is_done(each) and each not in self._elsewhere]
        for delivery in deliveries:  # what it had put last may be in no document
            known = sum(each == delivery for each, _ in self.part.body["segments"])
            self._tools.blobs.delete(segment_key(self.part.batch_id, self.part.number, delivery, known))
        charge_dead(self._tools, self._batch, self._accounts[0], self.part, left, deliveries)
        for line in left:
            for request_id in find_requests(self._tools.store, self.part, line, deliveries):
                if request_id not in self._journal.begun.get(line, ()):
                    self._journal.begin(line, request_id)

    # Asking.

    def _ask(self) -> None:
        """Settles what was said, and asks the other lines that have no answer."""
        body = self.part.body
        data = self._tools.blobs.get_range(lines_key(self.part.batch_id), body["start"], body["end"])
        left = [
            (line, raw, self._said.get(line))
            for line, raw in enumerate(split([data]))
            if not self._journal.is_done(line) and line not in self._elsewhere
        ]
        self._left = sorted(left, key=lambda each: (each[2] is not None, -each[0]))
        at_once = min(len(self._left), self._pace.at_once(self._accounts))
        askers = [Thread(target=self._ask_lines, daemon=True) for _ in range(at_once)]
        for asker in askers:
            asker.start()
        looked_s = wrote_s = time.monotonic()
        while any(asker.is_alive() for asker in askers):
            with self._changed:
                self._changed.wait(WRITES_EVERY_S / 4)
            now_s = time.monotonic()
            if now_s >= wrote_s + WRITES_EVERY_S:
                wrote_s = now_s
                self._write_meanwhile()
            if now_s >= looked_s + LOOKS_EVERY_S:
                looked_s = now_s
                self._look()
        if error := self._error:
            self._write_meanwhile()  # what was answered is not to be asked again
            raise error

    def _ask_lines(self) -> None:
        """What each of several threads does: it settles the lines that a provider's batch answered, then asks others, one after
        another."""
        batch, tools = self._batch, self._tools
        asking = Asking(
            tools.worker,
            tools.store,
            batch.id,
            endpoint=batch.body["endpoint"],
            account=self._accounts[0],
            work=self,
            headers=batch.headers,
            seconds_left=lambda: self._ends_s - time.monotonic(),
            most_uncertain=MOST_UNCERTAIN,
        )
        try:
            while found := self._next_line():
                line, raw, said = found
                number = self.part.body["first"] + line
                if said:
                    account = self._accounts[0]
                    settled = settle_line(tools.worker, tools.store, batch, account, said.native, number, raw, *said[1:])
                    self._journal.finish(line, *settled)
                    continue
                before = tuple(each for each in self._journal.begun.get(line, ()) if asking.spent(each) is not None)
                asked = asking.ask(number, raw, before)
                if asked.outcome:
                    self._journal.finish(line, asked.outcome, asked.row)
        except Exception as error:
            self._error = error
            self._stopped.set()
        finally:
            with self._changed:
                self._changed.notify_all()

    def _next_line(self) -> tuple[int, bytes, ProviderSaid | None] | None:
        """Waits until a line may be asked; None if none is left, or may be by this function."""
        with self._changed:
            while self._left and not self._error and not self._is_late:
                if self._left[-1][2]:
                    return self._left.pop()
                if self.is_over():
                    return None
                now_s = time.time()
                pause_s = self._pace.pause_s(self._accounts, now_s)
                if pause_s <= 0:
                    self._pace.note_asked(now_s)
                    return self._left.pop()
                if time.monotonic() + pause_s >= self._asks_until_s:
                    self.pause_s = pause_s
                    return None
                self._changed.wait(min(pause_s, WRITES_EVERY_S))
        return None

    def begin_line(self, number: int, tries: int) -> str:
        line = number - self.part.body["first"]
        request_id = request_id_for(self.part.batch_id, number, self.part.body["deliveries"], tries)
        if request_id not in self._journal.begun.get(line, ()):
            self._journal.begin(line, request_id)
        return request_id

    def is_over(self) -> bool:
        return self._stopped.is_set() or self._is_late or self._is_over_for_good

    def wait(self, seconds: float) -> None:
        self._stopped.wait(max(0.0, min(seconds, self._asks_until_s - time.monotonic())))

    def leave_room(self, response: Response) -> None:
        self._pace.leave_room(response)

    def refuse(self) -> None:
        """Cancels the batch of a key that may do nothing any more; what is left of a key that was being made anew is given on."""
        self._stopped.set()
        time.sleep(AGAIN_S)
        try:
            self._tools.worker.accounts_of(self._batch.body["account_id"])
            return
        except APIError as error:
            if error.status >= 500:
                return
        directory, batch = self._tools.queue.directory, self._batch
        while batch.status == IN_PROGRESS:
            changed = directory.put(batch.with_fields(status=CANCELLING, cancelling_at=int(time.time())))
            batch = changed or directory.get(batch.owner, batch.id) or batch.with_fields(status=CANCELLED)
        self._batch = batch

    # Telling.

    def _look(self) -> None:
        """Sees whether the batch was cancelled."""
        try:
            now = self._tools.queue.directory.get(self._batch.owner, self._batch.id)
        except StoreUnavailable as error:
            self._tools.observer.error(f"Batch {self._batch.id}: {error}")
            return
        self._batch = now or self._batch.with_fields(status=CANCELLED)
        if self._is_over_for_good:
            self._stopped.set()

    def _write_meanwhile(self) -> None:
        """What can't be written now is written with the next."""
        sums = self._journal.sums
        has_news = sums.completed + sums.failed > self.part.sums.completed + self.part.sums.failed
        left_s = self.part.body["taken_until"] - time.time()
        if not has_news and left_s > LEASE_S - BEAT_S:
            return
        try:
            self._write()
        except (StoreUnavailable, BlobError) as error:
            self._tools.observer.error(f"Batch {self._batch.id}: {error}")
            if left_s < 0:  # nobody knows that this function lives
                self._error = error
                self._stopped.set()
        except PartLost as error:
            self._error = error
            self._stopped.set()

    def _write(self, **fields: object) -> None:
        """Writes what was answered since the last time. Raises StoreUnavailable, BlobError, PartLost."""
        sums, data, delivery = self._journal.sums, self._journal.entries(self._written), self.part.body["deliveries"]
        named = [delivery, sum(each == delivery for each, _ in self.part.body["segments"])]
        told = [sums.completed, sums.failed, sums.cost_nanousd, list(sums.tokens)]
        if data:
            self._tools.blobs.put(segment_key(self.part.batch_id, self.part.number, *named), data, "text/plain")
        fields = {"taken_until": time.time() + LEASE_S, **fields}
        for _ in range(2):
            known = self.part.body["segments"]
            segments = known if not data or named in known else [*known, named]
            kept = self._tools.queue.parts.put(self.part, segments=segments, sums=told, **fields)
            if kept:
                self.part, self._written = kept, self._written + len(data)
                return
            now = self._tools.queue.parts.get(self.part.batch_id, self.part.number)
            if now is None or now.body["deliveries"] != delivery:
                break
            self.part = now  # an earlier try to write it was carried out, but not told
        raise PartLost(f"part {self.part.number} of {self.part.batch_id}")
