"""Lines of ours in batches of their providers' own, which cost less: how they are put together, asked for and followed.

A part is what becomes one batch at one provider: some lines of one target. What is known of it stands in the document of our batch,
and is written before anything is asked for, so that whoever takes over from a process that died knows what may have begun:

    planned    its lines are written, nothing is asked for
    sending    the provider was asked for a batch, and did not answer yet: by a list of its batches it is seen whether there is one
    running    it is there, and looked at with growing pauses
    ended      its answers can be read
    refused    it did nothing and cost nothing: its lines are asked as all others are
    lost       nobody tells what became of it, and its lines are charged by estimate
    done       nothing is to be done any more: each line is answered, or was left over and is asked as all others are

`advance` is one step of one part, by whoever has the time: a thread, or a function that a delayed message calls. Reading answers is
`native_answers.py`'s.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from haimaker.adapters import batch_formats
from haimaker.adapters.batch_formats import BatchCall, BatchFormat, BatchItem, BatchStatus
from haimaker.batches import CANCELLING, Batch
from haimaker.batches.provider_call import MISSING, NOT_NOW, SHOWN_ERROR, Refused, Unsure, send
from haimaker.http.errors import APIError
from haimaker.http.json import as_object
from haimaker.http.values import JSON, Request, UpstreamRequest, UpstreamResponse
from haimaker.lean_dataclasses import dataclass
from haimaker.providers.provider import BatchAccount, NativeBatches
from haimaker.routing.config import BatchSettings
from haimaker.store import Account

PLANNED, SENDING, RUNNING, ENDED = "planned", "sending", "running", "ended"
REFUSED, LOST, DONE = "refused", "lost", "done"
FOLLOWED = (PLANNED, SENDING, RUNNING)
"""States in which the provider is asked for the next one."""
LIVE = (*FOLLOWED, ENDED, LOST)
"""States in which nobody else is to ask the lines."""
UNREAD = (*FOLLOWED, ENDED)
"""States in which there may be answers that nobody has read."""
FIRST_PAUSE_S, LONGEST_PAUSE_S, GROWTH = 10.0, 300.0, 1.5
MOST_TRIES = 5
"""Of sending a part at which its provider fails or is busy; of reading what the provider does not know."""
MOST_WAITS = 12
"""For what was uploaded, until it can be used: half an hour."""
MOST_LOOKS, MOST_SENDS = 3, 3
"""For a batch that may have begun; then it has not. How often one is asked for that does not begin."""
LAST_S = 7_200
"""Before our batch ends, in which what its providers' have not answered is asked as all other lines are. One waits up to three
days, https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/batch-prediction-gemini, or for ever,
https://docs.fireworks.ai/guides/batch-inference."""
GRACE_S = 7_200
"""After the end of our batch, for which its providers' may take to end."""
EXISTS = 409
MOST_READS_CANCELLED = 20
"""Of answers that can't be read, of what was cancelled: about an hour; of all other as long as there may be any."""


class NativeCall(NamedTuple):
    """The call that asks one line, as its adapter made it."""

    provider: str
    target: str
    path: str
    model: str
    """The model by the name that the provider's batches know."""
    headers: Mapping[str, str]
    body: bytes
    inputs: int = 1
    """How many texts of embeddings it has."""
    alike: str = ""
    """What all lines of one batch have alike besides, as a digest."""


class NativePart(NamedTuple):
    """One batch at one provider, as it is kept."""

    name: str
    provider: str
    target: str
    path: str
    model: str
    headers: Mapping[str, str]
    lines: int = 0
    first: int = 0
    last: int = 0
    """Numbers of lines, from 0."""
    state: str = PLANNED
    file_id: str = ""
    batch_id: str = ""
    results: Sequence[str] = ()
    completed: int = 0
    failed: int = 0
    tries: int = 0
    sends: int = 0
    """How often the provider was asked for it."""
    begun_s: float = 0.0
    next_s: float = 0.0
    """When it is to be looked at again."""
    told_s: float = 0.0
    """When it was seen to have ended."""
    is_cancelled: bool = False
    error: str = ""

    def to_json(self) -> JSON:
        return {**self._asdict(), "headers": dict(self.headers), "results": list(self.results)}

    def shown(self) -> JSON:
        """What the client of our batch sees of it."""
        return {
            "provider": self.provider,
            "model": self.model,
            "id": self.batch_id or None,
            "status": self.state,
            "lines": self.lines,
            "first_line": self.first + 1,
            "last_line": self.last + 1,
            "completed": self.completed,
            "failed": self.failed,
            "error": self.error or None,
        }

    def custom_id(self, line: int) -> str:
        return f"{self.name}-{line}"

    def line_of(self, custom_id: str) -> int | None:
        """None of an id that this part never had."""
        name, _, number = custom_id.rpartition("-")
        return int(number) if name == self.name and number.isascii() and number.isdigit() and len(number) < 10 else None

    def request_id(self, line: int) -> str:
        """The id of the request as which a line's answer is settled: the same however often it is read, so that it is charged
        once."""
        return f"{self.name[:8]}-{self.name[8:12]}-4{self.name[12:15]}-a{self.name[15]}00-{line:012x}"


def read_parts(batch: Batch) -> list[NativePart]:
    return [NativePart(**part) for part in batch.body.get("native", ())]


def unread_names(batch: Batch) -> set[str]:
    return {part.name for part in read_parts(batch) if part.state in UNREAD}


class PartLines(Protocol):
    """The lines of parts, by name."""

    def lines(self, name: str) -> Iterator[bytes]: ...


class PartFiles(PartLines, Protocol):
    """Files in which the lines of parts are put together."""

    def append(self, name: str, line: bytes) -> None: ...

    def delete(self, name: str) -> None: ...


class ProviderCalls(Protocol):
    """Providers, as parts need them."""

    @property
    def settings(self) -> BatchSettings: ...

    def are_on(self) -> bool:
        """Whether any provider that is on has batches."""

    def rules(self, provider: str) -> NativeBatches:
        """Raises APIError."""

    def to_call(self, operation: str, request: Request, account: Account) -> NativeCall | None:
        """The call that asks a line; None where it can't be in a batch, or costs no less there. Raises APIError."""

    def send(self, provider: str, call: UpstreamRequest, headers: Mapping[str, str]) -> UpstreamResponse:
        """Raises APIError where there is no answer; TransportError while its body is read."""


def items_of(part: NativePart, files: PartLines) -> Iterator[tuple[int, bytes]]:
    for line in files.lines(part.name):
        number, _, body = line.rstrip(b"\n").partition(b" ")
        yield int(number), body


@dataclass(frozen=True, slots=True)
class PartFollower:
    """Asks a provider for the next state of a part."""

    calls: ProviderCalls
    files: PartLines
    save: Callable[[NativePart], None]
    """Keeps the part as it is now, before anything more is asked for. Raises StoreUnavailable."""

    def advance(self, part: NativePart, *, is_over: bool, give_up_s: float) -> NativePart:
        """One step, which is kept. `is_over` says that nothing more is to be asked: what runs is cancelled. After `give_up_s` a
        part of which nobody tells anything is lost."""
        now_s = time.time()
        try:
            if part.state == PLANNED:
                part = part._replace(state=REFUSED) if is_over else self._begin(part)
            elif part.state == SENDING:
                part = self._find(part, is_over=is_over)
            elif part.state == RUNNING:
                part = self._look(part, is_over=is_over)
        except Refused as error:
            part = part._replace(state=REFUSED, error=str(error))
        except (Unsure, APIError, KeyError, ValueError) as error:
            part = self._after_failure(part, error, give_up_s)
        if part.state in FOLLOWED:
            part = part._replace(tries=part.tries + 1, next_s=now_s + _pause_s(part.tries))
        self.save(part)
        return part

    def call(self, part: NativePart, rules: NativeBatches) -> BatchCall:
        own = self.calls.settings.accounts.get(part.provider, BatchAccount())
        return BatchCall(part.name, part.path, part.model, rules, part.lines, part.begun_s, own)

    def _begin(self, part: NativePart) -> NativePart:
        """Raises Refused, Unsure, APIError."""
        rules = self.calls.rules(part.provider)
        wire, call = batch_formats.find(rules.format), self.call(part, rules)
        part = self._upload(part, wire, call)
        if not self._is_ready(part, wire, rules, part.file_id):
            return part._replace(state=REFUSED if part.tries >= MOST_WAITS else PLANNED, error="What was uploaded is not ready.")
        tries, part = part.tries, part._replace(state=SENDING, begun_s=time.time(), tries=0, sends=part.sends + 1)
        self.save(part)
        try:
            status = wire.read_batch(self._ask(part, wire.to_batch(self._items(part), part.file_id, call)))
        except Unsure as error:
            if error.status in NOT_NOW and error.status != EXISTS:
                return part._replace(state=REFUSED if tries >= MOST_TRIES else PLANNED, tries=tries, error=_text(error))
            return part._replace(error=_text(error))  # it may have begun: the next step looks
        except (APIError, KeyError, ValueError) as error:
            return part._replace(error=_text(error))
        return self._with_status(part._replace(state=RUNNING, batch_id=status.id, error=""), status)

    def _is_ready(self, part: NativePart, wire: Any, rules: NativeBatches, file_id: str) -> bool:
        """Raises Refused, Unsure, APIError."""
        if not rules.files_take_time:
            return True
        state = wire.read_readiness(self._ask(part, wire.to_readiness(file_id)))
        if state == batch_formats.FAILED:
            raise Refused("What was uploaded can't be used.")
        return bool(state == batch_formats.ENDED)

    def _upload(self, part: NativePart, wire: BatchFormat, call: BatchCall) -> NativePart:
        """Raises Refused, Unsure, APIError."""
        if part.file_id:
            return part
        if to_preparation := getattr(wire, "to_preparation", None):
            try:
                self._ask(part, to_preparation(call))
            except Unsure as error:
                if error.status != EXISTS:
                    raise
                file_id = wire.read_upload({}, call)
                if self._is_ready(part, wire, call.rules, file_id):  # whoever died had uploaded it
                    return part._replace(file_id=file_id)
                if part.tries < MOST_LOOKS:
                    raise  # it may have been
        upload = wire.to_upload(self._items(part), call)
        if upload:
            part = part._replace(file_id=wire.read_upload(self._ask(part, upload), call))
            self.save(part)
        return part

    def _find(self, part: NativePart, *, is_over: bool) -> NativePart:
        """Raises Refused, Unsure, APIError."""
        rules = self.calls.rules(part.provider)
        wire, call = batch_formats.find(rules.format), self.call(part, rules)
        try:
            found = wire.find(self._ask(part, wire.to_list(call)), part.file_id, call)
        except Refused as error:
            if error.status not in MISSING:
                raise
            found = None  # it is asked for by its name
        if found:
            return part._replace(state=RUNNING, batch_id=found, tries=0, error="")
        if part.tries < MOST_LOOKS:
            return part
        if is_over or part.sends == MOST_SENDS:
            raise Refused(part.error or "No batch has begun.")
        return part._replace(state=PLANNED, tries=0)

    def _look(self, part: NativePart, *, is_over: bool) -> NativePart:
        """Raises Unsure, APIError."""
        wire = batch_formats.find(self.calls.rules(part.provider).format)
        if is_over and not part.is_cancelled:
            part = part._replace(is_cancelled=True, tries=0)
            with suppress(Refused, Unsure, APIError):  # one that has ended meanwhile is as good
                self._send(part, wire.to_cancel(part.batch_id))
        try:
            return self._with_status(part, wire.read_batch(self._ask(part, wire.to_status(part.batch_id))))
        except Refused as error:
            after_deletion = getattr(wire, "after_deletion", None)
            if part.is_cancelled and after_deletion and error.status in MISSING:
                return self._with_status(part, after_deletion(part.batch_id, part.completed))
            raise Unsure(str(error), MISSING[0]) from None

    def _with_status(self, part: NativePart, status: BatchStatus) -> NativePart:
        part = part._replace(completed=status.completed, failed=status.failed, error=status.error[:SHOWN_ERROR])
        if status.state == batch_formats.ENDED:
            return part._replace(state=ENDED, results=status.results, told_s=time.time(), tries=0, next_s=0.0)
        return part._replace(state=REFUSED) if status.state == batch_formats.FAILED else part

    def _after_failure(self, part: NativePart, error: Exception, give_up_s: float) -> NativePart:
        part, status = part._replace(error=_text(error)), getattr(error, "status", 0)
        if part.state == PLANNED:
            return part._replace(state=REFUSED if part.tries >= MOST_TRIES else PLANNED)
        is_gone = part.state == RUNNING and status in MISSING and part.tries >= MOST_TRIES
        return part._replace(state=LOST, told_s=time.time()) if is_gone or time.time() > give_up_s else part

    def _items(self, part: NativePart) -> Iterator[BatchItem]:
        return (BatchItem(part.custom_id(number), body) for number, body in items_of(part, self.files))

    def _ask(self, part: NativePart, call: UpstreamRequest) -> JSON:
        """The object that a call is answered; of a bare list, `data` of one. Raises Refused, Unsure, APIError, ValueError."""
        read = json.loads(self._send(part, call) or b"{}")
        return as_object({"data": read} if isinstance(read, list) else read)

    def _send(self, part: NativePart, call: UpstreamRequest) -> bytes:
        """Raises Refused, Unsure, APIError."""
        return send(lambda: self.calls.send(part.provider, call, part.headers))


def _text(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:SHOWN_ERROR]


def is_over(batch: Batch) -> bool:
    """Whether nothing more is to be asked for in batches of its providers, and what runs there is to be cancelled."""
    return bool(batch.status == CANCELLING or time.time() >= batch.body["expires_at"] - LAST_S)


def give_up_s(batch: Batch) -> float:
    return float(batch.body["expires_at"] + GRACE_S)


def is_due(part: NativePart, *, over: bool) -> bool:
    """Whether a step of it is to be made now."""
    return part.state in FOLLOWED and (part.next_s <= time.time() or (over and part.state == RUNNING and not part.is_cancelled))


def after_failed_reading(part: NativePart, error: Exception, give_up_s: float) -> NativePart:
    """A part whose answers could not be read: another try comes later, for as long as there may be one."""
    part = part._replace(error=_text(error), tries=part.tries + 1, next_s=time.time() + _pause_s(part.tries))
    is_lost = time.time() > give_up_s or (part.is_cancelled and part.tries >= MOST_READS_CANCELLED)
    return part._replace(state=LOST) if is_lost else part


def _pause_s(tries: int) -> float:
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * GROWTH ** min(tries, 20))


def waits(batch: Batch) -> bool:
    """Whether all that is left of a batch whose other lines are answered is what its providers' batches do: `follow` is to be
    called now and then. False where answers are to be read, or lines are to be asked."""
    parts, now_s = read_parts(batch), time.time()
    at_work = [part.state in FOLLOWED or (part.state == ENDED and part.next_s > now_s) for part in parts if part.state != DONE]
    return bool(at_work) and all(at_work)


def follow(batch: Batch, calls: ProviderCalls, files: PartLines, change: Callable[[Batch, list[NativePart]], Batch]) -> Batch:
    """Makes the steps of a batch that are due. `change` keeps its parts. Raises StoreUnavailable."""
    parts = read_parts(batch)
    for number, part in enumerate(parts):

        def save(part: NativePart, number: int = number) -> None:
            nonlocal batch
            parts[number] = part
            batch = change(batch, parts)

        if is_due(part, over=is_over(batch)):
            PartFollower(calls, files, save).advance(part, is_over=is_over(batch), give_up_s=give_up_s(batch))
    return batch


def next_look_s(batch: Batch) -> float:
    """When a batch that waits is to be followed next, in seconds of the epoch."""
    over, parts = is_over(batch), [part for part in read_parts(batch) if part.state != DONE]
    return min((0.0 if is_due(part, over=over) else part.next_s for part in parts), default=0.0)
