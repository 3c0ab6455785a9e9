"""What functions do with batches, by the messages of their queue (`queued.py`). Each step may be done twice, and cut off anywhere.

Who begins or ends a batch, or follows its providers', writes into it until when it has it (`heart.py`); who asks the lines of a
part does so into the part. A batch is ended when its parts are done, or nobody lives who works on one: it is first written into the
batch that it ends, and who takes a part looks at the batch after that is written down.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from haimaker.batches import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    EXPIRED,
    FAILED,
    FINALIZING,
    IN_PROGRESS,
    VALIDATING,
    Batch,
)
from haimaker.batches.beginning import Checked, check_lines, open_pools, pool_error
from haimaker.batches.ending import keep_unread
from haimaker.batches.heart import LEASE_S, Heart
from haimaker.batches.journal import ERROR, OUTPUT
from haimaker.batches.lines import ENDPOINTS, LineError, RawLine, split_at
from haimaker.batches.native import unread_names
from haimaker.batches.native_steps import NativeSteps, all_done, next_look_s
from haimaker.batches.pace import halves
from haimaker.batches.part_run import PartLost, PartRun, Tools, charge_dead
from haimaker.batches.parts import Cutter, Part, lines_key, sum_up
from haimaker.batches.queued import TIMER_S, Message
from haimaker.batches.row_files import RowFiles
from haimaker.batches.successors import close_pools
from haimaker.http.errors import APIError
from haimaker.http.values import JSON, Request
from haimaker.store import Account, StoreUnavailable
from haimaker.stored_files import FOLDER as FILES_FOLDER
from haimaker.stored_files import ID_PREFIX as FILE_PREFIX
from haimaker.stored_files import StoredFile, new_id

CHECKS_UNTIL_S = 60.0
"""Of its time, what a function keeps that reads the lines of a batch; a fifth, where that is less."""
POOL_WAIT_S = 1.0
SOON_S = 5.0
EARLY_S = 1.0
"""How much too early a message may come."""


def _is_over(batch: Batch) -> bool:
    """Whether no lines of it are to be asked any more."""
    has_expired: bool = time.time() >= batch.body["expires_at"]
    return batch.status != IN_PROGRESS or has_expired


class Steps:
    """What a function does for one message of the queue."""

    def __init__(self, tools: Tools, workers: int, seconds_left: Callable[[], float], heart: Heart) -> None:
        self._tools, self._workers, self._seconds_left, self._heart = tools, workers, seconds_left, heart
        self._queue, self._directory, self._parts = tools.queue, tools.queue.directory, tools.queue.parts

    def do(self, message: Message) -> None:
        """Raises StoreUnavailable, BlobError; the message is then to be delivered again."""
        batch = self._directory.get(message.owner, message.batch_id)
        if batch is None:
            return
        if message.part is not None:
            self._do_part(message, batch, message.part)
            return
        self._look(message, batch)
        now = self._directory.get(message.owner, message.batch_id) if message.is_timer else None
        if now and not now.has_ended:
            pause_s = min(TIMER_S, max(SOON_S, now.body["expires_at"] - time.time()))
            self._queue.send(message, TIMER_S if _is_over(now) and unread_names(now) else pause_s)

    # A part.

    def _do_part(self, message: Message, batch: Batch, number: int) -> None:
        part, now_s = self._parts.get(batch.id, number), time.time()
        if part is None or batch.has_ended:
            return
        if not part.has_work(unread_names(batch), over=_is_over(batch)):  # whoever did it may not have said so
            self._go_on(message, batch, part)
            return
        if part.body["taken_until"] > now_s:
            return
        delivery = part.body["deliveries"] + 1
        part = self._parts.put(
            part,
            deliveries=delivery,
            unclean=[*part.body["unclean"], delivery],
            taken_until=now_s + LEASE_S,
        )
        seen = self._directory.get(batch.owner, batch.id)
        if part is None or seen is None:
            return
        if not part.has_work(unread_names(seen), over=_is_over(seen)):
            self._parts.put(part, taken_until=0, unclean=part.body["unclean"][:-1])
            self._queue.send(message._replace(part=None))
            return
        run = PartRun(self._tools, seen, part, self._seconds_left())
        try:
            is_over = run.run()
        except PartLost:
            raise
        except Exception:
            with suppress(StoreUnavailable):  # nothing is being asked any more: another function may have it
                self._parts.put(run.part, taken_until=0)
            raise
        if is_over:
            self._go_on(message, seen, run.part)
        else:
            self._queue.send(message, run.pause_s)

    def _go_on(self, message: Message, batch: Batch, part: Part) -> None:
        """Sends the next part of the lane, if nobody had it yet; at its end, or if the part is not done since all is over, has the
        batch seen to. Where parts wait for batches of providers, the next is any for which there is something to do."""
        if batch.body.get("native"):
            now = self._directory.get(batch.owner, batch.id) or batch
            lane = part.number % now.body["lanes"]
            if not self._start_lane(now, self._parts.current(now.id, range(lane, now.body["parts"], now.body["lanes"]))):
                self._queue.send(message._replace(part=None))
            return
        following = self._parts.get(batch.id, part.number + batch.body["lanes"]) if part.is_done else None
        if following is None:
            self._queue.send(message._replace(part=None))
        elif not following.body["deliveries"]:
            self._queue.send(message._replace(part=following.number))

    # The batch as a whole.

    def _look(self, message: Message, batch: Batch) -> None:
        if batch.has_ended:
            self._clean_up(batch)
            return
        if batch.status == VALIDATING or (batch.status == CANCELLING and "lanes" not in batch.body):
            if (taken := self._heart.take(batch)) is not None:
                self._begin(taken)
            return
        if unread_names(batch):
            followed = self._follow(message, batch)
            if followed is None:
                return
            batch = followed
        parts, unread = self._parts.current(batch.id, range(batch.body["parts"])), unread_names(batch)
        has_work = not _is_over(batch) or unread or any(part.has_work(unread, over=True) for part in parts)
        if all(part.is_done for part in parts) or not has_work:
            self._end(batch)
        elif message.is_timer or batch.body.get("native"):
            self._start_again(batch, parts)

    def _follow(self, message: Message, batch: Batch) -> Batch | None:
        """Looks at providers' batches, if that is due, and has the next look made. None where nothing else is to be done: another
        function does it, or nothing came of it."""
        early_s = next_look_s(batch) - time.time()
        if message.is_follow and early_s < EARLY_S:  # a message is delayed by whole seconds
            time.sleep(max(0.0, early_s))
        elif early_s > 0:
            return batch
        taken = self._heart.take(batch)
        if taken is None:
            return None
        followed = NativeSteps(self._tools, self._seconds_left).follow(taken)
        followed = self._directory.change(followed, taken_until=0)
        if unread_names(followed):
            self._queue.send(Message(batch.owner, batch.id, is_follow=True), int(next_look_s(followed) - time.time()))
        return None if message.is_follow and unread_names(followed) == unread_names(batch) else followed

    def _start_again(self, batch: Batch, parts: list[Part]) -> None:
        """Sends what is next in lanes that nobody works on: a message that waits still does no harm."""
        for lane in range(batch.body["lanes"]):
            self._start_lane(batch, parts[lane :: batch.body["lanes"]])

    def _start_lane(self, batch: Batch, lane: list[Part]) -> bool:
        """Sends the first part of a lane for which there is something to do, unless somebody works on the lane. False where nothing
        is, and nobody does."""
        if any(part.body["taken_until"] > time.time() for part in lane if not part.is_done):
            return True
        unread, over = unread_names(batch), _is_over(batch)
        for part in lane:
            if part.has_work(unread, over=over):
                self._queue.send(Message(batch.owner, batch.id, part.number))
                return True
        return False

    # Beginning.

    def _begin(self, batch: Batch) -> None:
        """Reads all lines and puts their worst case aside before any is asked."""
        accounts = self._accounts(batch)
        if batch.status == CANCELLING or accounts is None:
            file_id = batch.body["error_file_id"] or new_id(FILE_PREFIX, time.time())
            batch = self._directory.change(batch, finalizing_at=int(time.time()), error_file_id=file_id)
            self._tell_end(batch, CANCELLED, **keep_unread(self._tools.files, batch, CANCELLED, file_id))
            return
        file = self._tools.files.get(batch.owner, batch.body["input_file_id"])
        if file is None:
            self._fail(batch, [LineError("file_not_found", "The input file is gone.").to_json()])
            return
        cutter, late_s = Cutter(), min(CHECKS_UNTIL_S, self._seconds_left() / 5)
        checked = self._check(batch, file, accounts[0], cutter, late_s)
        errors = checked.errors
        if not errors:
            batch, errors = self._put_aside(batch, accounts, checked.most_nanousd, late_s)
        if errors:
            self._fail(batch, errors)
            return
        native = NativeSteps(self._tools, self._seconds_left).plan(
            batch, checked.total, accounts[0], cutter.parts, is_late=lambda: self._seconds_left() < late_s
        )
        self._parts.add(batch.id, cutter.parts)
        now_s = time.time()
        batch = self._directory.change(
            batch,
            status=IN_PROGRESS,
            in_progress_at=int(now_s),
            total=checked.total,
            model=checked.model,
            parts=len(cutter.parts),
            lanes=max(1, min([self._workers, len(cutter.parts), *halves(account.parallel_limit for account in accounts)])),
            native=native,
            output_file_id=new_id(FILE_PREFIX, now_s),
            error_file_id=new_id(FILE_PREFIX, now_s),
            taken_until=0,
        )
        self._send_first(batch, cutter.parts)

    def _check(self, batch: Batch, file: StoredFile, account: Account, cutter: Cutter, late_s: float) -> Checked:
        """Reads all lines, which are cut into parts as they come. Raises BlobError."""
        self._tools.blobs.copy(f"{FILES_FOLDER}/{file.id}", lines_key(batch.id), "application/jsonl")
        operation = ENDPOINTS[batch.body["endpoint"]]
        checked = check_lines(
            self._cut(cutter, self._tools.blobs.pieces(lines_key(batch.id))),
            batch.body["endpoint"],
            lambda body: self._tools.worker.bound(operation, Request("", batch.headers, body), account),
            lambda: self._seconds_left() < late_s,
        )
        if not checked.errors and self._seconds_left() < late_s:
            late = LineError("validation_timeout", "The lines could not be read in the time of a function.")
            return checked._replace(errors=[late.to_json()])
        return checked

    def _send_first(self, batch: Batch, parts: Sequence[JSON]) -> None:
        """Has providers' batches followed, and the first part of each lane begun of which not all is asked there."""
        message, lanes = Message(batch.owner, batch.id), batch.body["lanes"]
        if batch.body["native"]:
            self._queue.send(message._replace(is_follow=True))
        for lane in range(lanes):
            number = next((each for each in range(lane, len(parts), lanes) if not parts[each]["asked"]), None)
            if number is not None:
                self._queue.send(message._replace(part=number))

    def _accounts(self, batch: Batch) -> tuple[Account, ...] | None:
        """None where the key may do nothing any more."""
        try:
            return self._tools.worker.accounts_of(batch.body["account_id"])
        except APIError as error:
            if error.status >= 500:
                raise StoreUnavailable(str(error)) from None
            return None

    def _cut(self, cutter: Cutter, pieces: Iterator[bytes]) -> Iterator[RawLine]:
        for line in split_at(pieces):
            cutter.add(line.start, len(line.data))
            yield line

    def _put_aside(
        self, batch: Batch, accounts: tuple[Account, ...], amount_nanousd: int, late_s: float
    ) -> tuple[Batch, list[JSON]]:
        """Puts the worst case aside on each account, or says why it can't be."""
        while amount_nanousd:
            pools = [account.id for account in accounts]
            until_s = time.time() + LEASE_S
            batch = self._directory.change(batch, pools=pools, pooled_nanousd=amount_nanousd, taken_until=until_s)
            denied = open_pools(self._tools.store, batch.id, accounts, amount_nanousd)
            if denied is None:
                break
            self._close_pools(batch)
            if error := pool_error(denied):
                return batch, [error]
            if self._seconds_left() < late_s:
                raise StoreUnavailable(f"no pool could be opened: {denied.reason}")
            time.sleep(POOL_WAIT_S if denied.reason != "version" else 0)
            accounts = self._accounts(batch) or accounts
        return batch, []

    def _close_pools(self, batch: Batch) -> None:
        close_pools(self._tools.store, batch)

    def _fail(self, batch: Batch, errors: list[JSON]) -> None:
        self._close_pools(batch)
        fields = {"object": "list", "data": errors}
        batch = self._directory.change(batch, status=FAILED, failed_at=int(time.time()), errors=fields, taken_until=0)
        self._clean_up(batch)

    # Ending.

    def _end(self, batch: Batch) -> None:
        status = CANCELLING if batch.status == CANCELLING else FINALIZING
        finalizing_at = batch.body["finalizing_at"] or int(time.time())
        taken = self._heart.take(batch, status=status, finalizing_at=finalizing_at)
        if taken is None:
            return
        parts = self._parts.current(batch.id, range(batch.body["parts"]))
        living = [part.body["taken_until"] - time.time() for part in parts if not part.is_done]
        if max(living, default=0) > 0:  # who has one sees in a moment that all is over, and then sends the batch here
            self._directory.change(taken, taken_until=0)
            return
        is_done = all(part.is_done for part in parts)
        ends_as = COMPLETED if is_done else CANCELLED if status == CANCELLING else EXPIRED
        for account_id in taken.body["pools"]:
            self._tools.store.charge_lost(account_id, time.time())
        balance = self._tools.store.get(batch.body["account_id"])
        account = balance.account if balance else Account(batch.body["account_id"], "", 0)
        for part in parts:
            if not part.is_done:
                charge_dead(self._tools, taken, account, part, range(part.body["lines"]), part.body["unclean"])
        rows = RowFiles(self._tools, taken, ends_as)
        output, error = rows.store("output", parts, OUTPUT), rows.store("error", parts, ERROR)
        extra_nanousd = sum(rows.unanswered_nanousd(part) for part in parts if not part.is_done)
        self._close_pools(taken)
        self._tell_end(taken, ends_as, output_file_id=output, error_file_id=error, **sum_up(parts, extra_nanousd))

    def _tell_end(self, batch: Batch, ends_as: str, **fields: object) -> None:
        now_s = int(time.time())
        finalizing_at = batch.body["finalizing_at"] or now_s
        batch = self._directory.change(
            batch,
            status=ends_as,
            finalizing_at=finalizing_at,
            taken_until=0,
            native=all_done(batch),
            **fields,
            **{f"{ends_as}_at": now_s},
        )
        self._clean_up(batch)

    def _clean_up(self, batch: Batch) -> None:
        """Forgets what only its work needed; the bucket's lifecycle takes away what a function left that died here."""
        parts = self._parts.all(batch.id)
        NativeSteps(self._tools, self._seconds_left).forget(batch, parts)
        for part in parts:
            for key in part.segments:
                self._tools.blobs.delete(key)
            self._parts.delete(part)
        self._tools.blobs.delete(lines_key(batch.id))
        self._directory.close(batch)
