"""One batch from its beginning, or from where another process left it, to its end; see `haimaker.batches` for its money.

What is known of it while it runs is a folder: the lines as they were sent, and the journal. A process may be killed at any point:
whoever goes on finds the same folder, asks again what has no answer, and ends the batch in the same way.
"""

import time
from collections.abc import Collection, Container, Iterable, Iterator
from threading import Condition

from haimaker.batches import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    EXPIRED,
    FAILED,
    FINALIZING,
    IN_PROGRESS,
    Batch,
)
from haimaker.batches.asking import Asking
from haimaker.batches.beginning import check_lines, open_pools, pool_error
from haimaker.batches.ending import describe, error_rows, keep_unread
from haimaker.batches.input_file import read_input, write_input
from haimaker.batches.journal import ERROR, OUTPUT, Journal
from haimaker.batches.lines import ENDPOINTS, LineError
from haimaker.batches.native import next_look_s, waits
from haimaker.batches.native_lines import NativeLines
from haimaker.batches.pace import Pace
from haimaker.batches.place import Place
from haimaker.batches.successors import close_pools
from haimaker.http.errors import APIError
from haimaker.http.request_ids import new_request_id
from haimaker.http.values import JSON, Request, Response
from haimaker.store import Account
from haimaker.stored_files import ID_PREFIX as FILE_PREFIX
from haimaker.stored_files import StoredFile, new_id

TELLS_EVERY_S = 1.0
"""How often a batch that runs writes how far it is."""
UNPOOLED_WAIT_S = 1.0
LATE_RECORDS_S = 5.0
"""How long the records of requests of a process that died are waited for, at the end."""


class KeyRefused(Exception):
    """The key of a batch does nothing any more, or was made anew: it is to be seen again, from the beginning."""


class BatchRun:
    def __init__(self, batch: Batch, place: Place, late: Collection[str] = ()) -> None:
        """`late` is what an earlier run of this process left."""
        self.batch, self._place = batch, place
        self._directory = place.directory
        self._folder = place.folder / batch.id
        self._journal: Journal | None = None
        self._accounts: tuple[Account, ...] = ()
        self._changed, self._asking = Condition(), 0
        self._told_s, self._extra_nanousd = 0.0, 0
        self._cancelled = False
        self._pace = Pace()
        self._error: Exception | None = None
        self.late = set(late)
        """Requests whose records were not there yet: of a process that died, or of when the store failed."""

    def run(self) -> bool:
        """Returns when the batch has ended, or the gateway stops; True if it waits for a provider's batch. Raises StoreUnavailable,
        BlobError, OSError."""
        if not self._read_accounts():
            return False
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.batch.body["in_progress_at"] is None:
            if self._is_cancelled:
                self._end_unread()
                return False
            if not self._begin():
                return False
        if self.batch.status != FINALIZING:
            self._journal = Journal(self._folder / "journal", self.batch.body["total"])
            try:
                ends_as = self._work()
            except Exception as error:
                self._leave(error)
                raise
            if ends_as is None:
                return not self._place.stopping.is_set()
            status = CANCELLING if ends_as == CANCELLED else FINALIZING
            self.tell(status=status, finalizing_at=int(time.time()), ends_as=ends_as)
        if self.batch.has_ended:  # by somebody else, who took its work to be over
            self.forget()
            return False
        self._end(self.batch.body["ends_as"])
        return False

    def is_over(self) -> bool:
        """Whether nothing more is to be asked."""
        has_expired: bool = time.time() >= self.batch.body["expires_at"]
        return self.is_stuck or self._is_cancelled or has_expired

    @property
    def is_stuck(self) -> bool:
        """Whether another process, or another try, goes on."""
        return self._place.stopping.is_set() or self._error is not None

    @property
    def _is_cancelled(self) -> bool:
        return self._cancelled or self.batch.status == CANCELLING or self.batch.has_ended

    def account(self) -> Account:
        """The key's, also of one that may do nothing any more, or is not there."""
        if self._accounts:
            return self._accounts[0]
        account_id = self.batch.body["account_id"]
        balance = self._place.store.get(account_id)
        return balance.account if balance else Account(account_id, "", 0)

    def numbered_lines(self) -> Iterator[tuple[int, bytes]]:
        return enumerate(self._lines())

    def cancel(self) -> None:
        """Asks nothing more; the batch says itself that it is cancelled, or whose it is may do nothing any more."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def _read_accounts(self) -> bool:
        """False where they can't be read. A key that may do nothing any more has its batches cancelled, when it is looked at
        once more: it may just be made anew."""
        old_id = self.batch.body["account_id"]
        try:
            self._accounts = self._place.worker.accounts_of(old_id)
        except APIError as error:
            if error.status >= 500:
                return False
            if self._accounts:
                self.refuse()
            else:
                self._cancelled = True
            return True
        if (new_id := self._accounts[0].id) != old_id:
            pools = [new_id if each == old_id else each for each in self.batch.body["pools"]]
            self.batch = self._directory.change(self.batch, account_id=new_id, pools=pools)
        return True

    # Beginning: nothing is asked before all lines were read and the worst case is put aside.

    def _begin(self) -> bool:
        """Whether the batch goes on: not if it failed, or the gateway stops."""
        file = self._place.files.get(self.batch.owner, self.batch.body["input_file_id"])
        if file is None:
            return self._fail([LineError("file_not_found", "The input file is gone.").to_json()])
        write_input(self._folder, self._place.files.pieces(file))
        checked = check_lines(read_input(self._folder), self.batch.body["endpoint"], self._bound, lambda: self.is_stuck)
        if self.is_stuck:
            return False
        if checked.errors:
            return self._fail(checked.errors)
        if not self._is_cancelled and not self._open_pools(checked.most_nanousd):
            return False
        native = self._native_lines().plan(checked.total)
        now_s = time.time()
        self.tell(
            native=native,
            status=IN_PROGRESS,
            in_progress_at=int(now_s),
            total=checked.total,
            model=checked.model,
            output_file_id=new_id(FILE_PREFIX, now_s),
            error_file_id=new_id(FILE_PREFIX, now_s),
        )
        return True

    def _bound(self, body: bytes) -> int:
        operation = ENDPOINTS[self.batch.body["endpoint"]]
        return self._place.worker.bound(operation, Request("", self.batch.headers, body), self._accounts[0])

    def _open_pools(self, amount_nanousd: int) -> bool:
        """Puts the worst case aside on each account, or on none, and then fails the batch. False also if the gateway stops."""
        while amount_nanousd and not self._place.stopping.is_set():
            self.tell(pools=[account.id for account in self._accounts], pooled_nanousd=amount_nanousd)
            denied = open_pools(self._place.store, self.batch.id, self._accounts, amount_nanousd)
            if denied is None:
                return True
            self._close_pools()
            if error := pool_error(denied):
                return self._fail([error])
            if denied.reason == "version":
                self._accounts = self._place.worker.accounts_of(self.batch.body["account_id"])
            else:
                self._place.stopping.wait(UNPOOLED_WAIT_S)
        return not self._place.stopping.is_set()

    def _close_pools(self) -> None:
        close_pools(self._place.store, self.batch)

    def _fail(self, errors: list[JSON]) -> bool:
        self._close_pools()
        fields = {"object": "list", "data": errors}
        self.batch = self._directory.change(self.batch, status=FAILED, failed_at=int(time.time()), errors=fields)
        self.forget()
        return False

    # Asking.

    def _work(self) -> str | None:
        """How the batch ends; None if it does not yet: the gateway stops, or a provider's batch is to be waited for."""
        native = self._native_lines()
        while True:
            elsewhere = native.advance()
            ends_as = self._ask_all(elsewhere, native)
            if ends_as is None or not elsewhere:
                return ends_as
            if waits(self.batch) and next_look_s(self.batch) > time.time():
                self.tell()
                self.journal().close()
                return None

    def _native_lines(self) -> NativeLines:
        return NativeLines(self, self._place, self._folder)

    def _ask_all(self, elsewhere: Container[int], native: NativeLines) -> str | None:
        """Asks every line that has no answer and is not in a provider's batch, while those are followed. How the batch ends; None
        if it does not, since the gateway stops."""
        journal = self.journal()
        for number, raw in enumerate(self._lines()):
            if not journal.is_done(number) and number not in elsewhere:
                while (has_turn := self._wait_for_turn(native.next_step_s)) is None:
                    native.follow()
                if not has_turn:
                    break
                self._place.put_task(lambda number=number, raw=raw: self._ask(number, raw))  # type: ignore[misc]
        while self._wait_for_answers():
            if native.next_step_s <= time.time():
                native.follow()
        if self._error:
            raise self._error
        if self._place.stopping.is_set():
            return None
        total = self.batch.body["total"]
        if total and journal.sums.completed + journal.sums.failed == total:
            return COMPLETED
        return CANCELLED if self._is_cancelled else EXPIRED

    def _wait_for_answers(self) -> bool:
        """Waits a moment; whether some lines are still asked."""
        with self._changed:
            if self._asking and not self._place.stopping.is_set():
                self._changed.wait(TELLS_EVERY_S / 2)
                self.tell_sometimes()
            return bool(self._asking) and not self._place.stopping.is_set()

    def _wait_for_turn(self, until_s: float) -> bool | None:
        """Waits until another line may be asked; False if none may any more, None if none may before `until_s`."""
        with self._changed:
            while not self.is_over():
                now_s = time.time()
                if now_s >= until_s:
                    return None
                pause_s = self._pace.pause_s(self._accounts, now_s)
                if self._asking < self._pace.at_once(self._accounts) and pause_s <= 0:
                    self._asking += 1
                    self._pace.note_asked(now_s)
                    self.tell_sometimes()
                    return True
                self._changed.wait(min(TELLS_EVERY_S / 2, pause_s) if pause_s > 0 else TELLS_EVERY_S / 2)
                self.tell_sometimes()
        return False

    def _ask(self, number: int, raw: bytes) -> None:
        try:
            if not self.is_over():
                self._ask_until_answered(number, raw)
        except Exception as error:
            self._error = error
        finally:
            with self._changed:
                self._asking -= 1
                self._changed.notify_all()

    def _ask_until_answered(self, number: int, raw: bytes) -> None:
        journal, batch, place = self.journal(), self.batch, self._place
        asking = Asking(place.worker, place.store, batch.id, batch.body["endpoint"], self._accounts[0], self, batch.headers)
        asked_before = tuple(journal.begun.get(number, ()))
        self.late.difference_update(asked_before)  # those that have their records by now are in the line's sum
        self.late |= {request_id for request_id in asked_before if asking.spent(request_id) is None}
        asked = asking.ask(number, raw, asked_before)
        self.late.update(asked.late)
        if asked.outcome:
            journal.finish_with_room(number, asked.outcome, asked.row, self._place.stopping)
        else:
            self._extra_nanousd += asked.cost_nanousd

    def _leave(self, error: Exception) -> None:
        """Asks nothing more, and waits for what is being asked, so that who goes on has all answers and the journal for itself."""
        self._error = self._error or error
        with self._changed:
            while self._asking and not self._place.stopping.is_set():
                self._changed.wait(TELLS_EVERY_S / 2)
            if not self._asking:
                self.journal().close()

    def begin_line(self, number: int, tries: int) -> str:
        request_id = new_request_id()
        self.journal().begin(number, request_id)
        return request_id

    def wait(self, seconds: float) -> None:
        self._place.stopping.wait(seconds)

    def refuse(self) -> None:
        self._error = self._error or KeyRefused()

    def leave_room(self, response: Response) -> None:
        self._pace.leave_room(response)

    # Telling and ending.

    def tell_sometimes(self) -> None:
        if time.monotonic() < self._told_s + TELLS_EVERY_S:
            return
        self.journal().flush()
        if self._cancelled and self.batch.status == IN_PROGRESS:
            self.tell(status=CANCELLING, cancelling_at=int(time.time()))
        self.tell()
        self._read_accounts()

    def tell(self, **fields: object) -> None:
        """Writes how far the batch is, and learns whether it was cancelled."""
        sums = self._journal.sums if self._journal else None
        if sums:
            told = {"completed": sums.completed, "failed": sums.failed, "tokens": list(sums.tokens)}
            fields = {**told, "cost_nanousd": sums.cost_nanousd + self._extra_nanousd, **fields}
        self._told_s = time.monotonic()
        self.batch = self._directory.change(self.batch, **fields)

    def _end(self, ends_as: str) -> None:
        if self._journal is None:
            self._journal = Journal(self._folder / "journal", self.batch.body["total"])
        self._extra_nanousd = self._late_nanousd()
        output = self._store_file("output", (row for _, row in self._journal.rows(OUTPUT)))
        error = self._store_file("error", self._error_rows(ends_as))
        self._close_pools()
        ids = {"output_file_id": output and output.id, "error_file_id": error and error.id}
        self.tell(status=ends_as, **ids, **{f"{ends_as}_at": int(time.time())})
        self.forget()

    def _end_unread(self) -> None:
        """Of a batch that was cancelled before its lines were read."""
        now_s = int(time.time())
        self.tell(finalizing_at=now_s, error_file_id=self.batch.body["error_file_id"] or new_id(FILE_PREFIX, now_s))
        self._close_pools()
        told = keep_unread(self._place.files, self.batch, CANCELLED, self.batch.body["error_file_id"])
        self.tell(status=CANCELLED, cancelled_at=now_s, **told)
        self.forget()

    def _late_nanousd(self) -> int:
        """What requests cost of lines without an answer, and those whose records came late: those of a process that died, once they
        count as lost."""
        cost_nanousd, give_up_s = 0, time.monotonic() + (LATE_RECORDS_S if self.late else 0)
        for request_id in self.late.union(*self.journal().begun.values()):
            while (record := self._place.store.record(request_id)) is None and time.monotonic() < give_up_s:
                time.sleep(0.1)
            cost_nanousd += record.cost_nanousd if record else 0
        return cost_nanousd

    def _store_file(self, kind: str, rows: Iterable[bytes]) -> StoredFile | None:
        """Makes a file of rows; none of no rows."""
        file_id = self.batch.body[f"{kind}_file_id"] or new_id(FILE_PREFIX, time.time())
        size = self._place.files.put(file_id, rows)
        if not size:
            self._place.files.forget(file_id)
            return None
        return self._place.files.add(file_id, size, self.batch.owner, describe(self.batch, kind), self.batch.body["finalizing_at"])

    def _error_rows(self, ends_as: str) -> Iterator[bytes]:
        """The rows of lines that failed or were not asked, in the order of the lines."""
        if ends_as == COMPLETED:
            return (row for _, row in self.journal().rows(ERROR))
        return error_rows(self.journal(), self._lines(), self.batch.body["endpoint"], ends_as)

    def forget(self) -> None:
        """Leaves nothing of what only the work on it needs."""
        self._directory.close(self.batch)
        if self._journal:
            self._journal.close()
        from shutil import rmtree  # with its archives' compressions: not before a batch is over

        rmtree(self._folder, ignore_errors=True)

    def journal(self) -> Journal:
        assert self._journal
        return self._journal

    def _lines(self) -> Iterator[bytes]:
        return (line.data for line in read_input(self._folder))
