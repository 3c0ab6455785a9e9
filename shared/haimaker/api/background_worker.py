"""Makes responses in the background as they would be streamed, and writes what comes where stored responses are."""

import json
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from haimaker.accounts.cache import BilledAccounts
from haimaker.adapters import is_native
from haimaker.api.background_reading import gone
from haimaker.api.formats import find
from haimaker.api.formats.responses import ENDS
from haimaker.api.formats.responses_answers import failed
from haimaker.billing.estimates import Affordable
from haimaker.billing.pending import PendingRequest, load, refund_lost
from haimaker.blobs import BlobError
from haimaker.content.responses import ResponseStore, StoredResponse
from haimaker.http.errors import APIError, BadRequestError, InternalServerError, NotFoundError, ServiceUnavailableError
from haimaker.http.sse import decode, dumps, encode_named
from haimaker.http.values import JSON, Event, Request
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import OperationRequest
from haimaker.routing.plan import Plan
from haimaker.routing.routing_request import read_routing_request
from haimaker.store import UNLIMITED, Granted, StoreUnavailable
from haimaker.upstream.exchange import Exchange
from haimaker.upstream.relay import ClientLeft, Relay

if TYPE_CHECKING:
    from haimaker.services import Services


AT_PROVIDER_S = 24 * 3_600
"""How long a response may take that its provider makes, until what it may cost is charged."""
HERE_S, IN_FUNCTION_S = 3_600.0, 900.0
"""And one that a process of the gateway makes: as long as its operator lets it, or as a function may run.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
BEAT_S = 5.0
"""How often a worker says that it lives."""
LOOK_S = 0.5
"""Between two looks whether an answer was cancelled, and whether events are to be written."""
FIRST_FLUSH_S, LAST_FLUSH_S, PART = 0.5, 10.0, 20
"""Events are written after this part of the time that an answer has taken so far, within bounds."""


def plan_for(asked: OperationRequest, plan: Plan, targets: Collection[str] = (), *, in_function: bool) -> Plan:
    """A plan whose targets are all asked in one way, that of the best, and which may take its time; of `targets` alone, where these
    were admitted before. Raises the BadRequestError of what can't be kept here."""
    assert asked.original
    if targets:
        plan = plan.without({attempt.target for attempt in plan.all() if attempt.target not in targets})
        if not plan.attempts:
            raise ServiceUnavailableError("No provider of the model is configured any more.", code="provider_not_configured")
    there = [attempt for attempt in plan.attempts if is_made_there(asked, attempt)]
    if there and (there[0] is plan.attempts[0] or asked.original.keep is None):
        return replace(plan, attempts=tuple(there), context_window=(), content_policy=(), timeout_s=AT_PROVIDER_S)
    if asked.original.keep is None:
        message = "Background mode needs the response to be stored, which this gateway's deployer does not allow for this model."
        raise BadRequestError(message, param="background", code="response_not_stored")
    others = tuple(attempt for attempt in plan.attempts if attempt not in there)
    lasts_s = IN_FUNCTION_S if in_function else max(plan.timeout_s, HERE_S)
    return replace(plan, attempts=others, timeout_s=lasts_s)


def is_made_there(asked: OperationRequest, attempt: Attempt) -> bool:
    return is_native(asked, attempt) and attempt.provider.limits.runs_in_background


def run(services: "Services", request_id: str, seconds_left: float) -> None:
    """Makes a queued answer, once, whoever is asked to; never raises."""
    try:
        pending, store = load(services.store, request_id), services.content.responses()
        if pending is None or store is None or pending.state["status"] != "queued":
            return
        if pending.save(status="in_progress", beat_s=time.time()):
            Worker(services, pending, store, time.monotonic() + seconds_left).run()
    except Exception as error:
        services.observer.exception(error, request_id=request_id)


@dataclass(slots=True)
class Worker:
    """Makes one answer."""

    services: "Services"
    pending: PendingRequest
    store: ResponseStore
    end_s: float
    """Monotonic, of the platform's patience."""
    _begun_s: float = field(default_factory=time.monotonic)
    _beat_s: float = field(default_factory=time.monotonic)
    _looked_s: float = field(default_factory=time.monotonic)
    _flushed_s: float = field(default_factory=time.monotonic)
    _waiting: bytearray = field(default_factory=bytearray)
    """Events that are to be written."""
    _rest: bytes = b""
    _parts: int = 0
    _number: int = -1
    """The number of the last event."""
    _items: list[JSON] = field(default_factory=list)
    """The items of the output that are complete."""
    _last: JSON | None = None
    """The response of the last event, once there was one."""
    is_cancelled: bool = False

    def run(self) -> None:
        pending, kept = self.pending, self.store.get_by_id(self.pending.started_s, self.pending.request_id)
        if kept is None:  # deleted before it was begun
            pending.settlement().settle("cut", time.time())
            pending.forget()
            return
        try:
            self._make(self.store.take_request(pending.started_s, pending.request_id))
            error: APIError | None = (
                None if self._last or self.is_cancelled else InternalServerError("The answer broke off.", code="internal_error")
            )
        except ClientLeft:
            error = None
        except APIError as raised:
            error = raised
        except Exception as raised:
            self.services.observer.exception(raised, request_id=pending.request_id)
            error = InternalServerError("The gateway failed; this is a defect of ours.", code="internal_error")
        self._end(kept, error)

    def _make(self, asked: JSON) -> None:
        """Raises APIError, ClientLeft."""
        exchange, deadline_s = self._exchange(asked)
        request = Request(self.pending.request_id, asked["headers"], client_left=self._look)
        response = Relay(request, exchange, deadline_s, deadline_s).response()
        body: Any = response.body
        try:
            for piece in body:
                self._read(piece)
                if self._look():
                    return
        finally:
            body.close()

    def _exchange(self, asked: JSON) -> tuple[Exchange, float]:
        """The request once more, as that of a stream, with what was reserved for it. Raises APIError."""
        services, pending = self.services, self.pending
        left_s = self.end_s - time.monotonic()
        body = dumps({**asked["body"], "stream": True})
        request = Request(pending.request_id, asked["headers"], body, seconds_left=lambda: left_s)
        request = replace(request, allowed_ids=services.settings.config.allowed_ids)
        client_format = find("responses")
        routed = read_routing_request(client_format.parse(request), request, pending.started_s)
        original = routed.asked.original
        assert original
        original = original._replace(previous=asked["previous"], keep=self._keep)
        routed = routed._replace(asked=replace(routed.asked, original=original))
        balance = services.store.get(pending.state["account_id"])
        if balance is None:
            raise NotFoundError("The key was deleted.", code="key_not_found")
        billed: BilledAccounts = services.accounts.billed_accounts(balance.account, routed.asked.fields.user)
        runtime, begun_s = services.runtime(), time.monotonic()
        decision = runtime.planner.plan(routed, billed, Affordable(*asked["affordable"]))
        plan = plan_for(routed.asked, decision.plan, asked["targets"], in_function=services.is_function)
        granted = Granted(pending.reservation, UNLIMITED, UNLIMITED)
        exchange, _, end_s = services.exchange(
            request, routed, billed, decision._replace(plan=plan), granted, client_format, runtime, begun_s
        )
        exchange.transcript = services.content.begin_conversation(original.body, balance.account, request.id)
        return exchange, end_s

    def _keep(self, response: JSON) -> bool:
        """The last event is what is stored, after it is settled: its stream says that it will be."""
        return True

    def _look(self) -> bool:
        """Says now and then that the worker lives, and writes what has come. Returns whether nobody wants the answer any more."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            try:
                self._look_at_state(now_s)
                if self._waiting and now_s - self._flushed_s >= self._patience(now_s):
                    self._flush()
            except (StoreUnavailable, BlobError) as error:  # the next look may find it well
                self.services.observer.error(str(error), request_id=self.pending.request_id)
        return self.is_cancelled

    def _look_at_state(self, now_s: float) -> None:
        known = load(self.pending.store, self.pending.request_id)
        self.is_cancelled = known is None or bool(known.state.get("cancelled"))
        if known and now_s - self._beat_s >= BEAT_S:
            self._beat_s = now_s
            self.pending.change(beat_s=time.time())

    def _patience(self, now_s: float) -> float:
        return min(LAST_FLUSH_S, max(FIRST_FLUSH_S, (now_s - self._begun_s) / PART))

    def _read(self, piece: bytes) -> None:
        """Takes the events of a stream as they are written, which may come in pieces of any size."""
        *blocks, self._rest = (self._rest + piece).split(b"\n\n")
        for event in decode(block + b"\n\n" for block in blocks):
            told = json.loads(event.data)
            self._number = told.get("sequence_number", self._number)
            if isinstance(told.get("response"), dict):
                told["response"]["background"] = True
                event = Event(dumps(told), event.name)
                if event.name in ENDS:
                    self._last = told["response"]
            if event.name == "response.output_item.done":
                self._items.append(told["item"])
            if self.pending.state["streams"]:
                self._waiting += encode_named(event)

    def _flush(self) -> None:
        """Raises BlobError."""
        if self._waiting:
            self.store.put_events(self.pending.started_s, self.pending.request_id, self._parts, bytes(self._waiting))
            self._parts, self._flushed_s = self._parts + 1, time.monotonic()
            self._waiting.clear()

    def _end(self, kept: StoredResponse, error: APIError | None) -> None:
        """Writes how it ended, and settles it where it is not yet. What is cancelled has what had come of it."""
        pending = self.pending
        status: Any = "cut" if self.is_cancelled else "error" if error else "ok"
        if pending.store.record(pending.request_id) is None:  # nothing of it was asked
            pending.settlement().settle(status, time.time(), error)
        refund_lost(pending.store, pending.request_id)
        response = self._last or {**kept.response, "output": self._items}
        if response["status"] == "failed":
            response = {**kept.response, "status": "failed", "error": response["error"]}
        if self._last is None:
            is_given_up = self.is_cancelled and not error
            response = {**response, "status": "cancelled"} if is_given_up else failed(response, error or gone())
            name = "response.incomplete" if is_given_up else "response.failed"  # the SDKs know no event of what is cancelled
            event = {"type": name, "response": response, "sequence_number": self._number + 1}
            self._waiting += encode_named(Event(dumps(event), name)) if pending.state["streams"] else b""
        try:
            self._flush()
            if not self.store.put(pending.request_id, pending.started_s, StoredResponse(response, kept.input)):
                told = failed({**kept.response, "output": []}, InternalServerError("The answer is too long to be kept."))
                self.store.put(pending.request_id, pending.started_s, StoredResponse(told, []))
        except BlobError as raised:
            self.services.observer.error(f"response not stored: {raised}", request_id=pending.request_id)
            return
        pending.forget()
