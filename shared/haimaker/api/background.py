"""Responses that are made in the background: `"background": true` of `POST /v1/responses`, for every model.

https://platform.openai.com/docs/guides/background. A provider that has such responses itself makes them, and what they cost is
settled by whoever sees first that one has ended (`api/background_polls.py`). For all others the gateway's own process, or on AWS
another invocation of the same function, asks as it would for a stream, and writes what comes where stored responses are
(`content/responses.py`). What is reserved is written down before anything is asked (`billing/pending.py`): a worker that is killed
leaves an answer that is found to have failed, and what it may have cost is charged.
"""

import json
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from haimaker.accounts.cache import BilledAccounts
from haimaker.adapters import is_native
from haimaker.api.formats import find
from haimaker.api.formats.responses import ENDS, error_event
from haimaker.api.formats.responses_answers import ACTIVE, begun, failed
from haimaker.aws.client import AWSError
from haimaker.billing.estimates import Affordable
from haimaker.billing.pending import PendingRequest, load, refund_lost, seems_lost
from haimaker.blobs import BlobError
from haimaker.content.responses import ResponseStore, StoredResponse
from haimaker.http.errors import APIError, BadRequestError, InternalServerError, NotFoundError, ServiceUnavailableError
from haimaker.http.responses import json_response
from haimaker.http.sse import KEEP_ALIVE, decode, dumps, encode_named
from haimaker.http.values import JSON, Event, Request, Response
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import OperationRequest
from haimaker.routing import deadlines
from haimaker.routing.plan import Plan
from haimaker.routing.routing_request import read_routing_request
from haimaker.store import UNLIMITED, Granted, StoreUnavailable
from haimaker.upstream.exchange import STREAM, Exchange
from haimaker.upstream.relay import ClientLeft, Relay
from haimaker.upstream.shares import Shares

if TYPE_CHECKING:
    from haimaker.services import Services

AT_PROVIDER_S = 24 * 3_600
"""How long a response may take that its provider makes, until what it may cost is charged."""
HERE_S, IN_FUNCTION_S = 3_600.0, 900.0
"""And one that a process of the gateway makes: as long as its operator lets it, or as a function may run.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
BEAT_S, SILENT_S = 5.0, 45.0
"""How often a worker says that it lives, and after how long a silence it is taken for dead."""
WAITING_S = 180.0
"""How long an answer may be queued: an event for a function is given up after 120 s, as the template says."""
LOOK_S = 0.5
"""Between two looks whether more has come of an answer that is read, or whether it was cancelled."""
FIRST_FLUSH_S, LAST_FLUSH_S, PART = 0.5, 10.0, 20
"""Events are written after this part of the time that an answer has taken so far, within bounds."""
CANCEL_S = 10.0
"""How long a cancelled answer is waited for."""
SILENCE_S = 15.0
MAX_HERE, MAX_EACH = 64, 16
GIVEN_ON = ("x-haimaker-", "x-litellm-", "openai-", "anthropic-")
"""How the headers begin that say something of a request to its worker; none of them is a credential."""

workers = Shares("responses are being made in the background", MAX_HERE, MAX_EACH)


def plan_for(asked: OperationRequest, plan: Plan, targets: Collection[str] = (), *, in_function: bool) -> Plan:
    """A plan whose targets are all asked in one way, that of the best, and which may take its time; of `targets` alone, where these
    were admitted before. Raises the BadRequestError of what can't be kept here."""
    assert asked.original
    if targets:
        plan = plan.without({attempt.target for attempt in plan.all() if attempt.target not in targets})
        if not plan.attempts:
            raise ServiceUnavailableError("No provider of the model is configured any more.", code="provider_not_configured")
    there = [attempt for attempt in plan.attempts if _is_made_there(asked, attempt)]
    if there and (there[0] is plan.attempts[0] or asked.original.keep is None):
        return replace(plan, attempts=tuple(there), context_window=(), content_policy=(), timeout_s=AT_PROVIDER_S)
    if asked.original.keep is None:
        message = "Background mode needs the response to be stored, which this gateway's deployer does not allow for this model."
        raise BadRequestError(message, param="background", code="response_not_stored")
    others = tuple(attempt for attempt in plan.attempts if attempt not in there)
    lasts_s = IN_FUNCTION_S if in_function else max(plan.timeout_s, HERE_S)
    return replace(plan, attempts=others, timeout_s=lasts_s)


def _is_made_there(asked: OperationRequest, attempt: Attempt) -> bool:
    return is_native(asked, attempt) and attempt.provider.limits.runs_in_background


def begin(gateway: "Services", request: Request, exchange: Exchange, account_id: str, affordable: Affordable) -> Response:
    """Has an admitted request answered in the background; its own answer is what there is of it by now. Raises APIError."""
    asked, settlement = exchange.request, exchange.settlement
    original = asked.original
    assert original
    state: JSON = {
        "account_id": account_id,
        "team_id": settlement.request_fields.get("team_id"),
        "status": "queued",
        "prompt_tokens": asked.estimate_prompt_tokens(),
        "beat_s": time.time(),
    }
    pending = PendingRequest(gateway.store, settlement.reservation, settlement.started_s, dict(settlement.request_fields), state)
    if _is_made_there(asked, exchange.attempts.plan.attempts[0]):
        return _begin_there(gateway, request, exchange, pending)
    store = gateway.content.responses()
    assert store
    try:
        created = begun(_echoed(asked), request.id, int(settlement.started_s))
        if not store.put(request.id, settlement.started_s, StoredResponse(created, _items(original.body))):
            raise BadRequestError("The request is too long to be answered in the background.", code="response_not_stored")
        headers = {name: value for name, value in request.headers.items() if name.startswith(GIVEN_ON)}
        asked_for: JSON = {
            "body": original.body,
            "previous": original.previous,
            "headers": headers,
            "affordable": [*affordable],
            "targets": [attempt.target for attempt in exchange.attempts.plan.all()],
        }
        store.put_request(settlement.started_s, request.id, asked_for)
        pending.save(streams=asked.streams)
        start(gateway, account_id, request.id)
    except (APIError, AWSError, BlobError, StoreUnavailable) as error:
        if pending.version:
            pending.forget()
        with suppress(BlobError):
            store.delete_by_id(settlement.started_s, request.id)
        told = error if isinstance(error, APIError) else ServiceUnavailableError("It could not be kept.", code="store_unavailable")
        exchange.settle("error", told)
        raise told from error
    if asked.streams:
        return stream(gateway, request.id, settlement.started_s, request)
    return json_response(created)


def _begin_there(gateway: "Services", request: Request, exchange: Exchange, pending: PendingRequest) -> Response:
    from haimaker.api.background_polls import ProvidersResponse

    pending.save()
    exchange.deferral = ProvidersResponse(pending, gateway.observer)
    exchange.transcript = None
    limits = min(request.seconds_left() - deadlines.MARGIN_S, 600.0)
    now_s = time.monotonic()
    return Relay(request, exchange, now_s + limits, now_s + request.seconds_left() - deadlines.MARGIN_S).response()


def start(gateway: "Services", account_id: str, request_id: str) -> None:
    """Starts the worker of a queued answer. Raises GatewayBusyError, ServiceUnavailableError."""
    if gateway.is_function:
        from haimaker.aws.invocation import invoke_later

        assert gateway.settings.aws
        invoke_later(gateway.settings.aws, gateway.settings.function_name, {"background": request_id})
        return
    workers.take(account_id)

    def work() -> None:
        try:
            run(gateway, request_id, float("inf"))
        finally:
            workers.give_back(account_id)

    threading.Thread(target=work, name="background", daemon=True).start()


def run(gateway: "Services", request_id: str, seconds_left: float) -> None:
    """Makes a queued answer, once, whoever is asked to; never raises."""
    try:
        pending, store = load(gateway.store, request_id), gateway.content.responses()
        if pending is None or store is None or pending.state["status"] != "queued":
            return
        if pending.save(status="in_progress", beat_s=time.time()):
            Worker(gateway, pending, store, time.monotonic() + seconds_left).run()
    except Exception as error:
        gateway.observer.exception(error, request_id=request_id)


@dataclass(slots=True)
class Worker:
    """Makes one answer."""

    gateway: "Services"
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
    """Of the last event."""
    _items: list[JSON] = field(default_factory=list)
    """Of the output, that are complete."""
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
            self.gateway.observer.exception(raised, request_id=pending.request_id)
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
        gateway, pending = self.gateway, self.pending
        left_s = self.end_s - time.monotonic()
        body = dumps({**asked["body"], "stream": True})
        request = Request(pending.request_id, asked["headers"], body, seconds_left=lambda: left_s)
        client_format = find("responses")
        routed = read_routing_request(client_format.parse(request), request, pending.started_s)
        original = routed.asked.original
        assert original
        original = original._replace(previous=asked["previous"], keep=self._keep)
        routed = routed._replace(asked=replace(routed.asked, original=original))
        balance = gateway.store.get(pending.state["account_id"])
        if balance is None:
            raise NotFoundError("The key was deleted.", code="key_not_found")
        billed: BilledAccounts = gateway.accounts.billed_accounts(balance.account, routed.asked.fields.user)
        decision = gateway.runtime().planner.plan(routed, billed, Affordable(*asked["affordable"]))
        plan = plan_for(routed.asked, decision.plan, asked["targets"], in_function=gateway.is_function)
        granted = Granted(pending.reservation, UNLIMITED, UNLIMITED)
        exchange, _, end_s = gateway.exchange(request, routed, billed, decision._replace(plan=plan), granted, client_format)
        exchange.transcript = gateway.content.begin_conversation(original.body, balance.account, request.id)
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
                self.gateway.observer.error(str(error), request_id=self.pending.request_id)
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
            response = {**response, "status": "cancelled"} if is_given_up else failed(response, error or _gone())
            name = "response.incomplete" if is_given_up else "response.failed"  # the SDKs know no event of what is cancelled
            event = {"type": name, "response": response, "sequence_number": self._number + 1}
            self._waiting += encode_named(Event(dumps(event), name)) if pending.state["streams"] else b""
        try:
            self._flush()
            if not self.store.put(pending.request_id, pending.started_s, StoredResponse(response, kept.input)):
                told = failed({**kept.response, "output": []}, InternalServerError("The answer is too long to be kept."))
                self.store.put(pending.request_id, pending.started_s, StoredResponse(told, []))
        except BlobError as raised:
            self.gateway.observer.error(f"response not stored: {raised}", request_id=pending.request_id)
            return
        pending.forget()


def current(gateway: "Services", request_id: str, started_s: float, stored: StoredResponse) -> JSON:
    """A response as it is now. One whose worker is dead has failed, and is charged. Raises APIError, StoreUnavailable."""
    if stored.response["status"] not in ACTIVE:
        return stored.response
    pending, store, now = load(gateway.store, request_id), gateway.content.responses(), None
    assert store
    if pending is None:  # it ended just now
        now = read(store, started_s, request_id)
        if now is None:
            raise NotFoundError("The response was deleted.", param="id", code="response_not_found")
        if now.response["status"] not in ACTIVE:
            return now.response
    elif not is_dead(gateway, pending):
        return {**stored.response, "status": pending.state["status"]}
    elif seems_lost(gateway.store.record(request_id)):
        pending.charge_as_lost()
    response = failed(now.response if now else stored.response, _gone())
    store.put(request_id, started_s, StoredResponse(response, stored.input))
    if pending:
        pending.forget()
    return response


def is_dead(gateway: "Services", pending: PendingRequest) -> bool:
    """Also where the process was started anew since, which charged what its requests had reserved."""
    record, is_queued = gateway.store.record(pending.request_id), pending.state["status"] == "queued"
    if record is not None and record.status == "lost":
        return True
    silent_s: float = time.time() - pending.state["beat_s"]
    return silent_s > (WAITING_S if is_queued else SILENT_S)


def cancel(gateway: "Services", request_id: str, started_s: float, stored: StoredResponse) -> JSON:
    """The response as it is once nobody makes it any more. Raises BadRequestError where it was not made in the background."""
    if not stored.response.get("background"):
        message = "Only responses that are made in the background can be cancelled."
        raise BadRequestError(message, code="invalid_request_error")
    store = gateway.content.responses()
    assert store
    response, give_up_s = current(gateway, request_id, started_s, stored), time.monotonic() + CANCEL_S
    if response["status"] in ACTIVE and (pending := load(gateway.store, request_id)):
        pending.change(cancelled=True)
    while response["status"] in ACTIVE and time.monotonic() < give_up_s:
        time.sleep(LOOK_S / 2)
        stored = read(store, started_s, request_id) or stored
        response = current(gateway, request_id, started_s, stored)
    return response


def stream(gateway: "Services", request_id: str, started_s: float, request: Request) -> Response:
    """The events of a response, after the one that `starting_after` names. Raises APIError."""
    after = request.query.get("starting_after", "-1")
    if not after.removeprefix("-").isdigit() or not after.isascii():
        raise BadRequestError("Invalid value for 'starting_after': it is a number.", param="starting_after", code="invalid_value")
    store, pending = gateway.content.responses(), load(gateway.store, request_id)
    assert store
    streams = pending.state.get("streams") if pending else store.get_events(started_s, request_id, 0) is not None
    if not streams:
        message = "Only a response that was created with `background` and `stream` can be streamed."
        raise BadRequestError(message, param="stream", code="invalid_value")
    headers = {"content-type": "text/event-stream; charset=utf-8", **STREAM}
    return Response(200, headers, _follow(gateway, store, request_id, started_s, int(after), request))


def _follow(
    gateway: "Services", store: ResponseStore, request_id: str, started_s: float, after: int, request: Request
) -> Iterator[bytes]:
    part, number, said_s = 0, -1, time.monotonic()
    try:
        while not request.client_left() and request.seconds_left() > deadlines.MARGIN_S:
            stored = read(store, started_s, request_id)
            response = current(gateway, request_id, started_s, stored) if stored else None
            while events := store.get_events(started_s, request_id, part):
                part, said_s = part + 1, time.monotonic()
                told = [(json.loads(event.data)["sequence_number"], event) for event in decode([events])]
                number = told[-1][0] if told else number
                yield b"".join(encode_named(event) for place, event in told if place > after)
            if response is None or response["status"] not in ACTIVE:
                break
            if time.monotonic() - said_s >= SILENCE_S:
                said_s = time.monotonic()
                yield KEEP_ALIVE
            time.sleep(LOOK_S)
        if response and response["status"] == "failed" and response["error"]["message"] == _gone().message:
            event = {"type": "response.failed", "response": response, "sequence_number": number + 1}
            yield encode_named(Event(dumps(event), "response.failed"))
    except (APIError, BlobError, StoreUnavailable) as raised:
        error = raised if isinstance(raised, APIError) else ServiceUnavailableError("Responses can't be read at the moment.")
        yield encode_named(Event(dumps(error_event(error, number + 1)), "error"))


def read(store: ResponseStore, started_s: float, request_id: str) -> StoredResponse | None:
    """Raises ServiceUnavailableError."""
    try:
        return store.get_by_id(started_s, request_id)
    except BlobError:
        raise ServiceUnavailableError("Stored responses can't be read at the moment.", code="store_unavailable") from None


def _gone() -> APIError:
    return InternalServerError("The process that made the answer ended before it was complete.", code="server_error")


def _echoed(asked: OperationRequest) -> JSON:
    """The request as its response repeats it."""
    assert asked.original
    return {**asked.original.body, "store": True, "previous_response_id": asked.original.previous}


def _items(body: JSON) -> list[Any]:
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
