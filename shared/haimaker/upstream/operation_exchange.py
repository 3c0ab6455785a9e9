"""One admitted request of these on its way: sent, translated back, settled, and only then its end told. As `exchange.py`."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from haimaker.billing.settlement import Trial
from haimaker.http.errors import APIError
from haimaker.http.sse import encode, encode_error
from haimaker.http.values import JSON, StreamEvent
from haimaker.operations.operation import Result, OperationRequest, is_last
from haimaker.pricing import usage
from haimaker.pricing.amounts import usd
from haimaker.pricing.usage import Tokens
from haimaker.store import Record
from haimaker.upstream.exchange import EVENT_STREAM, Exchange, Head, decimal
from haimaker.upstream.operation_call import TaskCaller, counted


@dataclass(slots=True)
class TaskExchange(Exchange):
    """One such request, from its first attempt to its last byte."""

    @property
    def task(self) -> OperationRequest:
        return cast(OperationRequest, self.sender.request)

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
        trial = self.sender.trials[-1]
        if self.task.delivers:
            made = self._delivered(made, trial)
        record = self.settle("ok")
        if isinstance(made.body, dict):
            made = made._replace(body={**made.body, "usage": self._usage(made.body.get("usage"), trial, record)})
        content_type, body = self.task.rendered(made)
        headers = {"content-type": content_type, **self.told(trial), "x-haimaker-cost": decimal(record.detail["cost_usd"])}
        yield Head(200, {name: value for name, value in headers.items() if value})
        yield body

    def _delivered(self, made: Result, trial: Trial) -> Result:
        delivered = self.caller.delivered(made)
        trial.dropped += delivered.dropped
        if delivered.problem:
            self.observer.problem(delivered.problem, request_id=self.settlement.hold.request_id)
        return delivered.made

    def _pieces(self) -> Iterator[Head | bytes]:
        """Bytes as they are made. What they cost is told where it is known before they are, as by the text that is spoken."""
        answer = self.sender.first_good(self.caller.pieces)
        self.settlement.first_chunk_s = time.time()
        trial = self.sender.trials[-1]
        cost = decimal(usd(self.settlement.cost_nanousd())) if trial.tokens else ""
        told = {"content-type": answer.content_type, **self.told(trial), **({"x-haimaker-cost": cost} if cost else {})}
        sent = 0
        try:
            yield Head(200, told)
            for piece in answer.pieces:
                sent += len(piece)
                yield piece
        finally:
            self._estimate_rest(trial, sent)

    def _events(self) -> Iterator[Head | bytes]:
        """Events; the one that ends them waits for its cost."""
        sender, task = self.sender, self.task
        if task.in_pieces:
            events = task.from_bytes(sender.first_good(self.caller.pieces).pieces)
        else:
            events = sender.first_good(self.caller.events)
        trial = sender.trials[-1]
        ends: list[StreamEvent] = []
        sent = 0
        try:
            yield Head(200, {**EVENT_STREAM, **self.told(trial)})
            for event in events:
                if is_last(event.body):
                    ends.append(event)
                else:
                    data = _encoded(event)
                    sent += len(data)
                    yield data
        except APIError as error:
            self._use_of(trial, ends, sent)
            self.settle("cut", error)
            yield encode_error(error.body())
            return
        except GeneratorExit:
            self._use_of(trial, ends, sent)
            raise
        self._use_of(trial, ends, sent)
        record = self.settle("ok")
        for end in ends[:-1]:
            yield _encoded(end)
        if ends:
            used = self._usage(ends[-1].body.get("usage"), trial, record)
            yield _encoded(StreamEvent({**ends[-1].body, "usage": used}))

    def _use_of(self, trial: Trial, ends: list[StreamEvent], sent: int) -> None:
        used = [tokens for end in ends if (tokens := counted(trial, self.task, end.body.get("usage")))]
        if trial.tokens is None and used:
            trial.use(usage.total(used), estimated=False)
        self._estimate_rest(trial, sent)

    def _estimate_rest(self, trial: Trial, sent: int) -> None:
        if trial.tokens is None:
            trial.use(self.task.estimate(trial.attempt, sent), estimated=True)

    def _usage(self, said: Any, trial: Trial, record: Record) -> JSON:
        """The provider's usage, or one of ours, with what all attempts cost together."""
        shown = said if usage.is_plausible(said) else self.task.usage(trial.tokens or Tokens())
        estimated = {"cost_estimated": True} if record.detail["cost_estimated"] else {}
        return {**shown, "cost": record.detail["cost_usd"], **estimated}


def _encoded(event: StreamEvent) -> bytes:
    return f"event: {event.body.get('type', 'message')}\n".encode() + encode(event)
