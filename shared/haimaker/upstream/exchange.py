"""One admitted request on its way: sends it, translates back, settles, and only then tells the end of the answer.

`items` runs beside the door that writes them (`relay.py`), so that a silent upstream holds up nobody.
"""

import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from haimaker.billing.estimates import estimate_usage
from haimaker.billing.settlement import AttemptLog, Settlement, Status
from haimaker.http.errors import APIError, InternalServerError
from haimaker.http.sse import DONE, dumps, encode, encode_error
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.observability.observer import Observer
from haimaker.operations.chat import Asked
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage
from haimaker.store import Record
from haimaker.upstream.attempts import Sender
from haimaker.upstream.stream_usage import Meter, text_bytes

if TYPE_CHECKING:
    from haimaker.content.transcript import Conversation

EVENT_STREAM = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}
WHOLE = {"content-type": "application/json"}
CLIENT_LEFT = APIError("The client closed the connection.", status=499, code="client_left")


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers; it comes before all bytes, once the answer is known to be good."""

    status: int
    headers: Mapping[str, str]


@dataclass(slots=True)
class Exchange:
    """One request, from its first attempt to its last byte."""

    sender: Sender
    settlement: Settlement
    observer: Observer
    headers: Mapping[str, str]
    """What is known before anything is sent: limits left, what was clamped."""
    given_up_for: APIError = CLIENT_LEFT
    """Why the call was cancelled, if it was."""
    transcript: "Conversation | None" = None
    """For a key whose prompts and answers are kept."""

    def items(self) -> Generator[Head | bytes, None, None]:
        """A Head, then the bytes of the body. Raises APIError before the Head only; after it an error is an event."""
        status: Status = "cut"
        error: APIError | None = None
        try:
            yield from self.transcript.tee(self._answer()) if self.transcript else self._answer()
            status = "ok"
        except APIError as raised:
            status, error = "cut" if self.sender.cancel.requested else "error", raised
            raise
        except Exception as raised:
            status, error = "error", InternalServerError("The gateway failed; this is a defect of ours.", code="internal_error")
            self.observer.exception(raised, request_id=self.settlement.reservation.request_id)
            raise error from raised
        finally:
            record = self.settle(status, error)
            if self.transcript:
                self.transcript.end(record)

    def settle(self, status: Status, error: APIError | None = None) -> Record:
        """Charges what was used so far; only the first call counts."""
        first = self.settlement.record is None
        if status == "cut" and self.sender.cancel.requested:
            error = self.given_up_for
        record = self.settlement.settle(status, time.time(), error)
        if first:
            self.observer.request(record)
            for alert in self.settlement.alerts:
                self.observer.budget_alert(alert)
        if first and status == "ok":
            self._measure(self.sender.attempt_logs[-1])
        if first and self.settlement.store_failed:
            self.observer.error("settling failed; the hold will be charged as lost", request_id=record.request_id)
        return record

    def _measure(self, attempt_log: AttemptLog) -> None:
        tokens = attempt_log.tokens.completion if attempt_log.tokens else 0
        self.sender.health.record_throughput(attempt_log.attempt.target, tokens, time.time() - attempt_log.started_s)

    def _answer(self) -> Iterator[Head | bytes]:
        return self._stream() if self.sender.request.streams else self._whole()

    def _whole(self) -> Iterator[Head | bytes]:
        body = self.sender.whole()
        attempt_log = self.sender.attempt_logs[-1]
        said = body.get("usage")
        tokens, is_told = self._counted(attempt_log, said, body.get("service_tier"), text_bytes(body, "message"))
        attempt_log.set_usage(tokens, estimated=not is_told)
        record = self.settle("ok")
        headers = {**WHOLE, **self.told(attempt_log), "x-haimaker-cost": decimal(record.detail["cost_usd"])}
        yield Head(200, {name: value for name, value in headers.items() if value})
        yield dumps({**body, "usage": _with_cost(said, attempt_log, record)})

    def _stream(self) -> Iterator[Head | bytes]:
        chunks = self.sender.stream()
        self.settlement.first_chunk_s = time.time()
        attempt_log = self.sender.attempt_logs[-1]
        meter = Meter(self._wants_usage)
        try:
            yield Head(200, {**EVENT_STREAM, **self.told(attempt_log)})
            for chunk in meter.read(chunks):
                if meter.text_bytes and not self.settlement.first_token_s:
                    self.settlement.first_token_s = time.time()
                yield encode(chunk)
        except APIError as error:
            self._use(meter, attempt_log, cut=True)
            self.settle("cut", error)
            yield encode_error(error.body())
        except GeneratorExit:
            self._use(meter, attempt_log, cut=True)
            raise
        else:
            self._use(meter, attempt_log, cut=False)
            record = self.settle("ok")
            last = meter.last_chunk(_with_cost(meter.usage, attempt_log, record))
            yield (encode(last) if last else b"") + DONE

    def _use(self, meter: Meter, attempt_log: AttemptLog, *, cut: bool) -> None:
        """What the stream used: as its provider counted, at least what arrived of one that was cut, else an estimate."""
        tokens, is_told = self._counted(attempt_log, meter.usage, (meter.head or {}).get("service_tier"), meter.text_bytes)
        uncounted = max(0, usage.estimate_tokens(meter.text_bytes) - tokens.completion) if cut else 0
        attempt_log.set_usage(replace(tokens, output=tokens.output + uncounted), estimated=not is_told or uncounted > 0)

    def _counted(self, attempt_log: AttemptLog, said: Any, service_tier: Any, answer_bytes: int) -> tuple[Usage, bool]:
        """What was used, and whether the provider told it."""
        if usage.is_plausible(said):
            return _tokens(said, service_tier, attempt_log), True
        return self._estimate(attempt_log, answer_bytes), False

    def _estimate(self, attempt_log: AttemptLog, answer_bytes: int) -> Usage:
        return estimate_usage(self.sender.request, attempt_log.attempt, answer_bytes)

    @property
    def _wants_usage(self) -> bool:
        request = self.sender.request
        return isinstance(request, Asked) and request.wants_usage

    def told(self, attempt_log: AttemptLog) -> dict[str, str]:
        """What the headers say of a target that answers."""
        dropped = {name: True for tried in self.sender.attempt_logs for name in tried.dropped}
        return {
            **self.headers,
            "x-haimaker-provider": attempt_log.attempt.provider.name,
            "x-haimaker-model": attempt_log.attempt.model,
            "x-haimaker-attempts": str(len(self.sender.attempt_logs)),
            **({"x-haimaker-dropped-params": ",".join(dropped)} if dropped else {}),
            **(
                {"x-haimaker-max-tokens": str(attempt_log.attempt.max_output_tokens)}
                if attempt_log.attempt.max_output_tokens
                else {}
            ),
        }


def _tokens(said: JSON, service_tier: Any, attempt_log: AttemptLog) -> Usage:
    """The counts of a usage object; the cost that it reports counts only from a provider that is known to report it."""
    tokens = usage.from_openai(said, service_tier)
    return tokens if attempt_log.attempt.provider.catalog.reports_cost else replace(tokens, reported_units=None)


def _with_cost(said: Any, attempt_log: AttemptLog, record: Record) -> JSON:
    """The provider's usage object, or one of ours, with what all attempts cost together."""
    shown = said if usage.is_plausible(said) else usage.to_openai(attempt_log.tokens or Usage())
    estimated = {"cost_estimated": True} if record.detail["cost_estimated"] else {}
    return {**shown, "cost": record.detail["cost_usd"], **estimated}


def decimal(cost_usd: float | None) -> str:
    return "" if cost_usd is None else f"{cost_usd:.9f}"
