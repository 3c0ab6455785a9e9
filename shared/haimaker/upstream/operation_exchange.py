"""One admitted request of these on its way: sent, translated back, settled, and only then its end told. As `exchange.py`."""

import time
from collections.abc import Iterator
from typing import Any, cast

from haimaker.billing.settlement import AttemptLog
from haimaker.http.errors import APIError
from haimaker.http.sse import encode, encode_error
from haimaker.http.values import JSON, StreamEvent
from haimaker.lean_dataclasses import dataclass
from haimaker.operations.operation import Made, Task, is_last
from haimaker.pricing import usage
from haimaker.pricing.amounts import to_usd
from haimaker.pricing.usage import Usage
from haimaker.store import Record
from haimaker.upstream.exchange import EVENT_STREAM, Exchange, Head, decimal
from haimaker.upstream.operation_call import TaskCaller, counted


@dataclass(slots=True)
class TaskExchange(Exchange):
    """One such request, from its first attempt to its last byte."""

    @property
    def task(self) -> Task:
        return cast(Task, self.sender.request)

    @property
    def caller(self) -> TaskCaller:
        return cast(TaskCaller, self.sender.caller)

    def _answer(self) -> Iterator[Head | bytes]:
        if self.task.form == "events":
            return self._events()
        return self._pieces() if self.task.in_pieces else self._rendered()

    def _rendered(self) -> Iterator[Head | bytes]:
        """A whole answer, with what it cost in it where it has a place for that."""
        made = self.sender.first_good(self.caller.made)
        attempt_log = self.sender.attempt_logs[-1]
        if self.task.delivers:
            made = self._delivered(made, attempt_log)
        record = self.settle("ok")
        if isinstance(made.body, dict):
            made = made._replace(body={**made.body, "usage": self._usage(made.body.get("usage"), attempt_log, record)})
        content_type, body = self.task.rendered(made)
        headers = {"content-type": content_type, **self.told(attempt_log), "x-haimaker-cost": decimal(record.detail["cost_usd"])}
        yield Head(200, {name: value for name, value in headers.items() if value})
        yield body

    def _delivered(self, made: Made, attempt_log: AttemptLog) -> Made:
        delivered = self.caller.delivered(made)
        attempt_log.dropped += delivered.dropped
        if delivered.problem:
            self.observer.error(delivered.problem, request_id=self.settlement.reservation.request_id)
        return delivered.made

    def _pieces(self) -> Iterator[Head | bytes]:
        """Bytes as they are made. What they cost is told where it is known before they are, as by the text that is spoken."""
        answer = self.sender.first_good(self.caller.pieces)
        self.settlement.first_chunk_s = time.time()
        attempt_log = self.sender.attempt_logs[-1]
        cost = decimal(to_usd(self.settlement.cost_nanousd())) if attempt_log.tokens else ""
        told = {"content-type": answer.content_type, **self.told(attempt_log), **({"x-haimaker-cost": cost} if cost else {})}
        sent = 0
        try:
            yield Head(200, told)
            for piece in answer.pieces:
                sent += len(piece)
                yield piece
        finally:
            self._estimate_rest(attempt_log, sent)

    def _events(self) -> Iterator[Head | bytes]:
        """Events; the one that ends them waits for its cost."""
        sender, task = self.sender, self.task
        if task.in_pieces:
            events = task.from_pieces(sender.first_good(self.caller.pieces).pieces)
        else:
            events = sender.first_good(self.caller.events)
        attempt_log = sender.attempt_logs[-1]
        ends: list[StreamEvent] = []
        sent = 0
        try:
            yield Head(200, {**EVENT_STREAM, **self.told(attempt_log)})
            for event in events:
                if is_last(event.body):
                    ends.append(event)
                else:
                    data = _encoded(event)
                    sent += len(data)
                    yield data
        except APIError as error:
            self._use_of(attempt_log, ends, sent)
            self.settle("cut", error)
            yield encode_error(error.body())
            return
        except GeneratorExit:
            self._use_of(attempt_log, ends, sent)
            raise
        self._use_of(attempt_log, ends, sent)
        record = self.settle("ok")
        for end in ends[:-1]:
            yield _encoded(end)
        if ends:
            used = self._usage(ends[-1].body.get("usage"), attempt_log, record)
            yield _encoded(StreamEvent({**ends[-1].body, "usage": used}))

    def _use_of(self, attempt_log: AttemptLog, ends: list[StreamEvent], sent: int) -> None:
        used = [tokens for end in ends if (tokens := counted(attempt_log, self.task, end.body.get("usage")))]
        if attempt_log.tokens is None and used:
            attempt_log.set_usage(usage.sum_usages(used), estimated=False)
        self._estimate_rest(attempt_log, sent)

    def _estimate_rest(self, attempt_log: AttemptLog, sent: int) -> None:
        if attempt_log.tokens is None:
            attempt_log.set_usage(self.task.estimate(attempt_log.attempt, sent), estimated=True)

    def _usage(self, said: Any, attempt_log: AttemptLog, record: Record) -> JSON:
        """The provider's usage, or one of ours, with what all attempts cost together."""
        shown = said if usage.is_plausible(said) else self.task.usage(attempt_log.tokens or Usage())
        estimated = {"cost_estimated": True} if record.detail["cost_estimated"] else {}
        return {**shown, "cost": record.detail["cost_usd"], **estimated}


def _encoded(event: StreamEvent) -> bytes:
    return f"event: {event.body.get('type', 'message')}\n".encode() + encode(event)
