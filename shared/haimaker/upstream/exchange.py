"""One admitted request on its way: tried at its targets, translated back, settled, and only then its end told.

`run` works beside the door that writes what it gives (`relay.py`), so that a silent upstream holds up nobody.
"""

import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from itertools import dropwhile
from typing import TYPE_CHECKING, Any, Protocol

from haimaker.billing.settlement import AttemptLog, Settlement, Status
from haimaker.http import errors
from haimaker.http.client import CancelToken
from haimaker.http.errors import (
    APIError,
    APITimeoutError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
)
from haimaker.http.responses import join_names
from haimaker.http.values import JSON, Event, StreamEvent
from haimaker.lean_dataclasses import dataclass
from haimaker.observability.observer import Observer
from haimaker.operations.attempt import Attempt
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.operation import STORED, ByteStream, EventStream, OperationRequest, Result
from haimaker.operations.stream_usage import StreamUsage
from haimaker.pricing import usage
from haimaker.pricing.amounts import to_usd
from haimaker.pricing.usage import Usage
from haimaker.routing.health import Health
from haimaker.routing.plan import Plan
from haimaker.store import Record
from haimaker.upstream.call import UpstreamCall

if TYPE_CHECKING:
    from haimaker.billing.unsettled import Unsettled
    from haimaker.content.transcript import Conversation

STREAM = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
"""Headers with which nothing between here and the client keeps an answer back."""
CLIENT_LEFT = APIError("The client closed the connection.", status=499, code="client_left")


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """Status and headers; it comes before all bytes, once the answer is known to be good."""

    status: int
    headers: Mapping[str, str]
    of_one_call: bool = False
    """Whether what follows waits for nothing but the bytes of one call."""


@dataclass(slots=True)
class AttemptLoop:
    """Tries the targets of a plan: which is next, after how long, and when to give up. `trials` grows by one as each begins."""

    call: UpstreamCall
    plan: Plan
    health: Health
    attempt_logs: list[AttemptLog]
    can_afford: Callable[[Attempt], bool] = lambda attempt: True
    """Whether what an attempt may cost is reserved, after others that cost something and failed."""
    has_client_timeout: bool = False
    """Whether the client leaves targets less time than the deployer does: that one is too slow for it says nothing to others."""

    @property
    def request(self) -> OperationRequest:
        return self.call.request

    @property
    def cancel(self) -> CancelToken:
        return self.call.cancel

    def waits_for_calls_only(self) -> bool:
        """Whether what is waited for are calls one after another, each of which can be ended: no token, picture or calls beside."""
        return self.request.is_text and all(map(self.call.is_all_of, self.plan.all()))

    def first_success(self) -> Result | EventStream | ByteStream:
        """The answer of the first target that gives one. Raises the last APIError, with all attempts in it."""
        waiting = list(self.plan.attempts)
        retries = self.plan.retries
        while True:
            attempt_log = AttemptLog(waiting.pop(0), time.time())
            self.attempt_logs.append(attempt_log)
            try:
                opened = self.call.open(attempt_log)
            except APIError as error:
                self._note(attempt_log, error)
                waiting = self._fallbacks_for(error) or waiting if errors.allows_fallback(error) else self._fallbacks_for(error)
                if not waiting:
                    retries -= 1
                    waiting = self._retry(attempt_log.attempt, error, retries)
                waiting = list(dropwhile(lambda attempt: not self.can_afford(attempt), waiting))
                if not waiting:
                    raise self._last(error) from None
            else:
                self._note(attempt_log)
                return opened

    def _fallbacks_for(self, error: APIError) -> list[Attempt]:
        """Targets for a prompt that was too long or refused, without those that have been tried."""
        special: tuple[Attempt, ...] = ()
        if isinstance(error, ContextWindowExceededError):
            special = self.plan.context_window
        elif isinstance(error, ContentPolicyViolationError):
            special = self.plan.content_policy
        tried = {attempt_log.attempt.target for attempt_log in self.attempt_logs}
        return [attempt for attempt in special if attempt.target not in tried]

    def _retry(self, attempt: Attempt, error: APIError, left: int) -> list[Attempt]:
        """The last target once more, after a wait; raises the error when that makes no sense."""
        back_off = self.plan.back_off
        asked_s = float(error.headers.get("retry-after", 0))
        wait_s = max(asked_s, min(back_off.first_s * 2 ** (self.plan.retries - left - 1), back_off.longest_s))
        wait_s *= random.uniform(1.0, 1.0 + back_off.jitter)  # noqa: S311 - spreads retries, guards nothing
        hopeless = left < 0 or not errors.allows_retry(error) or asked_s > back_off.longest_s
        if hopeless or self.cancel.requested or time.monotonic() + wait_s >= self.call.deadline_s:
            raise self._last(error)
        self.cancel.sleep(wait_s)
        return [attempt]

    def _last(self, error: APIError) -> APIError:
        """The last error, with all attempts in it. SDKs would repeat them all, which is of use only where one is to wait."""
        info, day = self.attempt_logs[-1].attempt.model_info, time.strftime("%Y-%m-%d", time.gmtime())
        if error.status in (404, 410) and info.is_retired(day):
            error.message = f"{error.message} The model was retired on {info.deprecation_date}."
        if len(self.attempt_logs) > 1 and error.status != 429:
            error.headers = {**error.headers, "x-should-retry": "false"}
        error.attempts = [attempt_log.to_record() for attempt_log in self.attempt_logs]
        return error

    def _note(self, attempt_log: AttemptLog, error: APIError | None = None) -> None:
        attempt_log.duration_ms = round((time.time() - attempt_log.started_s) * 1000)
        attempt_log.status, attempt_log.code = (error.status, error.code) if error else (200, None)
        if self.call.answer:
            return  # it says nothing of how its provider is now
        now_s, target = time.time(), attempt_log.attempt.target
        if error is not None and errors.allows_fallback(error):
            if not (self.cancel.requested or (self.has_client_timeout and isinstance(error, APITimeoutError))):
                wait_s = float(error.headers.get("retry-after", 0))
                self.health.breaker.record_failure(target, now_s, wait_s, share=len(self.plan.attempts) > 1)
            return
        if error is None:
            self.health.latency.record_latency(target, now_s, took_ms=attempt_log.duration_ms, streams=self.request.streams)
        self.health.breaker.record_success(target, now_s)  # also a refusal of what was asked is an answer


class Deferral(Protocol):
    """Sees to it that a response is settled which goes on at its provider when nobody waits for it any more."""

    @property
    def is_begun(self) -> bool:
        """Whether it was noted, and has not ended: its exchange then settles nothing."""

    def note(self, response: JSON, attempt: Attempt) -> None:
        """The response as it is now, at who makes it."""

    def note_event(self, event: Event, attempt: Attempt) -> None:
        """The same of an event of its stream."""

    def end(self) -> None:
        """Once its exchange has settled it after all."""


@dataclass(slots=True)
class Exchange:
    """One request, from its first attempt to its last byte."""

    attempts: AttemptLoop
    client_format: ClientFormat
    settlement: Settlement
    observer: Observer
    headers: Mapping[str, str]
    """What is known before anything is sent: limits left, what was clamped."""
    cancel_reason: APIError = CLIENT_LEFT
    """Why the call was cancelled, if it was."""
    transcript: "Conversation | None" = None
    """What is kept of the request, where its key wants that."""
    deferral: "Deferral | None" = None
    """What notes a response that its provider makes in the background."""
    unsettled: "Unsettled | None" = None
    """What settles it later, if the store fails: in a process that goes on."""
    sent_events: int = 0
    _sent_bytes: int = 0
    """The bytes of the body that were sent."""

    @property
    def request(self) -> OperationRequest:
        return self.attempts.call.request

    @property
    def request_id(self) -> str:
        return self.settlement.reservation.request_id

    def stream_head(self) -> Mapping[str, str]:
        """The headers of any stream in the client's format."""
        return {"content-type": self.client_format.stream_type, **STREAM}

    def run(self) -> Generator[ResponseHead | bytes, None, None]:
        """A ResponseHead, then the bytes of the body. Raises APIError before the head only; after it an error is an event."""
        status: Status = "cut"
        error: APIError | None = None
        try:
            opened = self.attempts.first_success()
            if isinstance(opened, Result):
                items = self._whole(opened)
            elif isinstance(opened, EventStream):
                items = self._events(opened)
            else:
                items = self._bytes(opened)
            yield from self.transcript.tee(items) if self.transcript else items
            status = "ok"
        except APIError as raised:
            error = raised
            self._name_provider(raised)
            _clear_frames(raised)
            raise
        except Exception as raised:
            status, error = "error", InternalServerError("The gateway failed; this is a defect of ours.", code="internal_error")
            self.observer.exception(raised, request_id=self.request_id)
            raise error from raised
        finally:
            self.attempts.call.release()
            record = self.settle(status, error)
            if self.transcript:
                self.transcript.end(record)

    def settle(self, status: Status, error: APIError | None = None) -> Record:
        """Charges what was used so far; only the first call counts.

        What fails is cut where its client left, or has the begin of it; else it is an error, whoever saw first that it failed.
        """
        if self.deferral and self.deferral.is_begun:
            return self.settlement.outline()
        first = self.settlement.record is None
        if status == "cut":
            error = self.cancel_reason if self.attempts.cancel.requested else error
            if error not in (None, CLIENT_LEFT) and self.settlement.first_chunk_s is None:
                status = "error"
        record = self.settlement.settle(status, time.time(), error)
        if first and self.deferral and not self.settlement.store_failed:
            self.deferral.end()
        if first:
            self.observer.request(record, self.settlement.attempt_logs, self.attempts.call.headers)
            self.observer.budget_alerts(record, self.settlement.alerts)
        if first and status == "ok":
            attempt_log = self.attempts.attempt_logs[-1]
            written = attempt_log.tokens.completion if attempt_log.tokens else 0
            self.attempts.health.latency.record_throughput(attempt_log.attempt.target, written, time.time() - attempt_log.started_s)
        if first and self.settlement.store_failed:
            self.observer.settle_failed(record.request_id)
        if first and self.unsettled and (self.settlement.store_failed or self.settlement.has_earlier):
            self.unsettled.add(self.settlement)
        return record

    def _name_provider(self, error: APIError) -> None:
        for attempt_log in self.attempts.attempt_logs[-1:]:
            error.name_provider(attempt_log.attempt.provider.name)

    def _whole(self, result: Result) -> Iterator[ResponseHead | bytes]:
        """A whole answer, with its cost where it has a place for that."""
        attempt_log = self.attempts.attempt_logs[-1]
        if self.request.delivers:
            delivered = self.attempts.call.deliver(result)
            result = delivered.result
            attempt_log.dropped += delivered.dropped
            if delivered.problem:
                self.observer.error(delivered.problem, request_id=self.request_id)
        if isinstance(result.body, dict):
            self._note_stored(result.body)
        if self.deferral and result.native:
            self.deferral.note(result.native, attempt_log.attempt)
        record = self.settle("ok")
        if isinstance(result.body, dict):
            told = self._usage_object(result.body.get("usage"), attempt_log, record)
            result = result._replace(body={**result.body, "usage": told})
        content_type, body = self.client_format.render(self.request, result, self.request_id)
        cost = decimal(record.detail["cost_usd"])
        headers = {"content-type": content_type, **self.response_headers(attempt_log), "x-haimaker-cost": cost}
        yield ResponseHead(200, {name: value for name, value in headers.items() if value})
        yield body

    def _events(self, stream: EventStream) -> Iterator[ResponseHead | bytes]:
        """Events as they come; what ends them waits for its cost."""
        self.settlement.first_chunk_s = time.time()
        attempt_log, stream_usage = self.attempts.attempt_logs[-1], self.request.stream_usage()
        try:
            yield ResponseHead(200, {**self.stream_head(), **self.response_headers(attempt_log)}, stream.of_one_call)
            settled = self._settled(stream, attempt_log, stream_usage)
            for data in self.client_format.events(self.request, settled, self.request_id):
                self._sent_bytes += len(data)
                self.sent_events += 1
                yield data
            if self.client_format.done:
                yield self.client_format.done
        except APIError as error:
            self._charge(attempt_log, stream_usage, cut=True)
            self.settle("cut", error)
            self._name_provider(error)
            yield self.client_format.error_event(error, self.request_id, self.sent_events)
        except GeneratorExit:
            self._charge(attempt_log, stream_usage, cut=True)
            raise

    def _settled(self, stream: EventStream, attempt_log: AttemptLog, stream_usage: StreamUsage) -> Iterator[StreamEvent]:
        """The events of a stream; before the last ones the request is settled."""
        keeps = self.request.original or self.request.body.get("tools")  # without tools a chat has nothing run
        for event in stream_usage.read(self._with_stored_noted(stream.events) if keeps else stream.events):
            if stream_usage.text_bytes and not self.settlement.first_token_s:
                self.settlement.first_token_s = time.time()
            yield event
        self._charge(attempt_log, stream_usage, cut=False)
        record = self.settle("ok")
        yield from stream_usage.last_events(self._usage_object(stream_usage.provider_usage, attempt_log, record))

    def _with_stored_noted(self, events: Iterator[StreamEvent]) -> Iterator[StreamEvent]:
        for event in events:
            self._note_stored(event.body)
            if self.deferral and event.native:
                self.deferral.note_event(event.native[-1], self.attempts.attempt_logs[-1].attempt)
            yield event

    def _note_stored(self, body: JSON) -> None:
        """What the record says of what the provider keeps."""
        if STORED in body:
            self.settlement.request_fields = {**self.settlement.request_fields, **body[STORED]}
        container = body.get("container")
        if isinstance(container, dict) and isinstance(container.get("id"), str):
            self.settlement.request_fields = {**self.settlement.request_fields, "container": container["id"]}

    def _charge(self, attempt_log: AttemptLog, stream_usage: StreamUsage, *, cut: bool) -> None:
        if self.settlement.record is None:
            so_far = attempt_log.counted() if cut else None
            counted = stream_usage.count(attempt_log.attempt, attempt_log.tokens, self._sent_bytes, cut=cut, so_far=so_far)
            if counted:
                attempt_log.set_usage(counted[0], estimated=counted[1])

    def _bytes(self, stream: ByteStream) -> Iterator[ResponseHead | bytes]:
        """Bytes as they are made. What they cost is told where it is known before they are, as by the text that is spoken."""
        self.settlement.first_chunk_s = time.time()
        attempt_log = self.attempts.attempt_logs[-1]
        cost = decimal(to_usd(self.settlement.cost_nanousd())) if attempt_log.tokens else ""
        headers = {"content-type": stream.content_type, **self.response_headers(attempt_log)}
        try:
            yield ResponseHead(200, {**headers, **({"x-haimaker-cost": cost} if cost else {})})
            for piece in stream.pieces:
                if isinstance(piece, bytes):
                    self._sent_bytes += len(piece)
                    yield piece
        finally:
            if attempt_log.tokens is None:
                attempt_log.set_usage(self.request.estimate_usage(attempt_log.attempt, self._sent_bytes), estimated=True)

    def _usage_object(self, told: Any, attempt_log: AttemptLog, record: Record) -> JSON:
        """The provider's usage object, or one of ours, with what all attempts cost together."""
        shown = told if usage.is_plausible(told) else self.request.usage_object(attempt_log.tokens or Usage())
        estimated = {"cost_estimated": True} if record.detail["cost_estimated"] else {}
        return {**shown, "cost": record.detail["cost_usd"], **estimated}

    def response_headers(self, attempt_log: AttemptLog) -> dict[str, str]:
        """What the headers say of a target that answers."""
        dropped = join_names(dict.fromkeys(name for tried in self.attempts.attempt_logs for name in tried.dropped))
        return {
            **self.headers,
            "x-haimaker-provider": attempt_log.attempt.provider.name,
            "x-haimaker-model": attempt_log.attempt.model,
            "x-haimaker-attempts": str(len(self.attempts.attempt_logs)),
            **({"x-haimaker-dropped-params": dropped} if dropped else {}),
            **(
                {"x-haimaker-max-tokens": str(attempt_log.attempt.max_output_tokens)}
                if attempt_log.attempt.max_output_tokens
                else {}
            ),
            **(
                {"x-haimaker-max-tool-calls": str(attempt_log.attempt.max_tool_calls)} if attempt_log.attempt.max_tool_calls else {}
            ),
        }


def decimal(cost_usd: float | None) -> str:
    return "" if cost_usd is None else f"{cost_usd:.9f}"


def _clear_frames(error: BaseException | None) -> None:
    """Lets go of what the functions that ended with an error have read, which may be an answer of 128 MB.

    An error, its traceback and who keeps the error are a circle, which Python finds only after a while.
    """
    while error:
        traceback = error.__traceback__
        while traceback:
            with suppress(RuntimeError):  # it has not ended
                traceback.tb_frame.clear()
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
