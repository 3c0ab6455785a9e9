"""Responses that a provider makes in the background: whoever sees first that one has ended settles it, by a poll, at the end of its
stream, or when an operator reconciles the accounts.

https://platform.openai.com/docs/guides/background
"""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from haimaker.adapters.responses.answer import Answer
from haimaker.api import background_reading
from haimaker.api.formats.responses import ENDS, error_event, with_cost
from haimaker.api.formats.responses_answers import ACTIVE
from haimaker.billing.pending import PendingRequest, load_all, refund_lost
from haimaker.billing.settlement import AttemptLog
from haimaker.content.responses import ResponseStore
from haimaker.http.errors import APIError, ServiceUnavailableError
from haimaker.http.json import as_objects, as_text, read_or_none
from haimaker.http.sse import KEEP_ALIVE, decode, dumps, encode_named
from haimaker.http.values import JSON, Event, Request, UpstreamRequest
from haimaker.lean_dataclasses import dataclass
from haimaker.observability.observer import Observer
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import STORED, trusted_usage
from haimaker.pricing import usage
from haimaker.pricing.amounts import to_usd
from haimaker.pricing.usage import Usage
from haimaker.routing.context import RoutingContext
from haimaker.store import StoreUnavailable
from haimaker.upstream.single_call import call_once

if TYPE_CHECKING:
    from haimaker.services import Services

UNKNOWN_S = 3_600.0
"""After how long a request of which no provider ever said that it has it counts as lost."""


@dataclass(slots=True)
class ProvidersResponse:
    """Notes a response while its provider is heard of it. See `exchange.Deferral`."""

    pending: PendingRequest
    observer: Observer
    is_begun: bool = False

    def note(self, response: JSON, attempt: Attempt) -> None:
        """Raises ServiceUnavailableError if it can't be written down: what is reserved is then charged when its time is over."""
        status, known = response.get("status"), self.pending.state
        if status not in ACTIVE:
            self.is_begun = False
            return
        self.is_begun = True
        if "response_id" in known:
            return
        try:
            self.pending.save(
                status=status, provider=attempt.provider.name, model=attempt.model, response_id=as_text(response.get("id"))
            )
        except StoreUnavailable as error:
            raise ServiceUnavailableError("The response could not be kept.", code="store_unavailable") from error

    def note_event(self, event: Event, attempt: Attempt) -> None:
        if self.is_begun and event.name not in ENDS:
            return
        told = read_or_none(event.data)
        if isinstance(told, dict) and isinstance(told.get("response"), dict):
            self.note(told["response"], attempt)

    def end(self) -> None:
        """Once it is settled."""
        with suppress(StoreUnavailable):  # it is settled; whoever meets what is left sees that
            self.pending.forget()


def settle_if_ended(services: "Services", pending: PendingRequest, response: JSON) -> JSON:
    """The response with its cost, if it has ended; it is then charged. Raises StoreUnavailable."""
    if response.get("status") in ACTIVE:
        return response
    attempt = _attempt_of(services, pending)
    log, answer = AttemptLog(attempt, pending.started_s, status=200), Answer()
    for _ in answer.whole(response):
        pass
    told = answer.chat_usage().get("usage")
    if usage.is_plausible(told):
        log.set_usage(trusted_usage(usage.from_openai(told, answer.service_tier), attempt), estimated=False)
    elif written := _estimate(pending, response):
        log.set_usage(written, estimated=True)
    settlement = pending.settlement()
    settlement.request_fields = {**settlement.request_fields, **answer.stored()[STORED]}
    settlement.attempt_logs.append(log)
    was_lost = not seems_new(services, pending)
    status: Any = {"completed": "ok", "incomplete": "ok", "failed": "error"}.get(str(response.get("status")), "cut")
    now_s = time.time()
    log.duration_ms = round((now_s - pending.started_s) * 1000)
    record = settlement.settle(status, now_s, _error_of(response) if status == "error" else None)
    if settlement.store_failed:
        services.observer.settle_failed(record.request_id)
        return response
    if was_lost:
        refund_lost(services.store, pending.request_id)
    services.observer.request(record, settlement.attempt_logs)
    pending.forget()
    cost: JSON = {"cost": to_usd(settlement.cost_nanousd()), **({"cost_estimated": True} if log.estimated else {})}
    return with_cost(response, {**usage.to_openai(log.tokens or Usage()), **cost})


def seems_new(services: "Services", pending: PendingRequest) -> bool:
    return services.store.record(pending.request_id) is None


def _attempt_of(services: "Services", pending: PendingRequest) -> Attempt:
    """The target that makes a response, at today's prices. Raises ServiceUnavailableError where it is not configured any more."""
    router, target = services.runtime().router, f"{pending.state['provider']}/{pending.state['model']}"
    context = RoutingContext(pending.request_id, int(pending.started_s), "responses")
    definition = router.serving(target, context)
    if definition is None:
        raise ServiceUnavailableError("The provider that has the response is not configured any more.")
    return Attempt(pending.request_id, int(pending.started_s), definition, pending.state["model"], router.model_info_for(target))


def _estimate(pending: PendingRequest, response: JSON) -> Usage | None:
    """About what was used of a response that does not say: one that failed before it wrote anything used nothing."""
    written = sum(len(json.dumps(item.get("content") or item.get("summary") or "")) for item in as_objects(response.get("output")))
    if response.get("status") == "failed" and not written:
        return None
    return Usage(input=pending.state["prompt_tokens"], output=usage.estimate_tokens(written))


def _error_of(response: JSON) -> APIError:
    error = response.get("error")
    told = error if isinstance(error, dict) else {}
    return APIError(as_text(told.get("message")) or "The response failed.", status=502, code=as_text(told.get("code")) or None)


def write_events(
    services: "Services", pending: PendingRequest | None, pieces: Iterator[bytes], upstream_id: str, request: Request
) -> Iterator[bytes]:
    """The events of a provider's stream of a response, with our id of it, and at its end its cost."""
    number = -1
    try:
        for event in decode(pieces):
            told = read_or_none(event.data)
            if isinstance(told, dict):
                number = told.get("sequence_number", number)
                response = told.get("response")
                if isinstance(response, dict) and response.get("id") == upstream_id:
                    if pending and event.name in ENDS:
                        response = settle_if_ended(services, pending, response)
                    event = Event(dumps({**told, "response": {**response, "id": request.path["id"]}}), event.name)
            yield encode_named(event) if event.name else KEEP_ALIVE
    except (APIError, StoreUnavailable) as raised:
        error = raised if isinstance(raised, APIError) else ServiceUnavailableError("The store can't be reached.")
        yield encode_named(Event(dumps(error_event(error, number + 1)), "error"))


def settle_all(services: "Services") -> int:
    """Asks of each response that nobody has asked for, and settles those that have ended; returns how many. Raises
    StoreUnavailable."""
    settled, store = 0, services.content.responses()
    for pending in load_all(services.store):
        with suppress(APIError):
            if "provider" in pending.state:
                settled += _settle(services, pending)
            elif "streams" in pending.state and store:
                settled += _settle_ours(services, store, pending)
            elif time.time() - pending.started_s > UNKNOWN_S:
                settled += _lose(services, pending)
    return settled


def _settle(services: "Services", pending: PendingRequest) -> bool:
    """Raises APIError."""
    call = UpstreamRequest(f"/responses/{pending.state['response_id']}", b"", method="GET")
    definition = _attempt_of(services, pending).provider
    status, raw = call_once(services.runtime().clients, definition, call, Request(pending.request_id))
    if status == 404:
        return _lose(services, pending)
    body = read_or_none(raw)
    if status != 200 or not isinstance(body, dict) or body.get("status") in ACTIVE:
        return False
    settle_if_ended(services, pending, body)
    return True


def _settle_ours(services: "Services", store: ResponseStore, pending: PendingRequest) -> bool:
    """Raises APIError."""
    stored = background_reading.read(store, pending.started_s, pending.request_id)
    if stored is None:
        return _lose(services, pending) if background_reading.is_dead(services, pending) else False
    return background_reading.current(services, pending.request_id, pending.started_s, stored)["status"] not in ACTIVE


def _lose(services: "Services", pending: PendingRequest) -> bool:
    if seems_new(services, pending):
        pending.charge_as_lost()
    pending.forget()
    return True
