"""Responses that are made in the background: `"background": true` of `POST /v1/responses`, for every model.

https://platform.openai.com/docs/guides/background. A provider that has such responses itself makes them, and what they cost is
settled by whoever sees first that one has ended (`api/background_polls.py`). For all others the gateway's own process, or on AWS
another invocation of the same function, asks as it would for a stream, and writes what comes where stored responses are
(`content/responses.py`). What is reserved is written down before anything is asked (`billing/pending.py`): a worker that is killed
leaves an answer that is found to have failed, and what it may have cost is charged.
"""

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from haimaker.api.background_polls import ProvidersResponse
from haimaker.api.background_reading import stream
from haimaker.api.background_worker import is_made_there, run
from haimaker.api.formats.responses_answers import begun
from haimaker.aws.client import AWSError
from haimaker.billing.estimates import Affordable
from haimaker.billing.pending import KIND, PendingRequest
from haimaker.blobs import BlobError
from haimaker.content.responses import StoredResponse
from haimaker.http.errors import APIError, BadRequestError, ServiceUnavailableError
from haimaker.http.responses import json_response
from haimaker.http.values import JSON, Request, Response
from haimaker.operations.operation import OperationRequest
from haimaker.routing import deadlines
from haimaker.store import StoreUnavailable
from haimaker.upstream.exchange import Exchange
from haimaker.upstream.relay import Relay
from haimaker.upstream.shares import Shares

if TYPE_CHECKING:
    from haimaker.services import Services

MAX_HERE, MAX_EACH = 64, 16
GIVEN_ON = ("x-haimaker-", "x-litellm-", "openai-", "anthropic-")
"""How the headers begin that say something of a request to its worker; none of them is a credential."""

workers = Shares("responses are being made in the background", MAX_HERE, MAX_EACH)


def begin(services: "Services", request: Request, exchange: Exchange, account_id: str, affordable: Affordable) -> Response:
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
    pending = PendingRequest(services.store, settlement.reservation, settlement.started_s, dict(settlement.request_fields), state)
    if is_made_there(asked, exchange.attempts.plan.attempts[0]):
        return _begin_there(services, request, exchange, pending)
    store = services.content.responses()
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
        start(services, account_id, request.id)
    except (APIError, AWSError, BlobError, StoreUnavailable) as error:
        if pending.version:
            pending.forget()
        with suppress(BlobError):
            store.delete_by_id(settlement.started_s, request.id)
        told = error if isinstance(error, APIError) else ServiceUnavailableError("It could not be kept.", code="store_unavailable")
        exchange.settle("error", told)
        raise told from error
    if asked.streams:
        return stream(services, request.id, settlement.started_s, request)
    return json_response(created)


def _begin_there(services: "Services", request: Request, exchange: Exchange, pending: PendingRequest) -> Response:
    pending.save()
    exchange.deferral = ProvidersResponse(pending, services.observer)
    exchange.transcript = None
    limits = min(request.seconds_left() - deadlines.MARGIN_S, 600.0)
    now_s = time.monotonic()
    return Relay(request, exchange, now_s + limits, now_s + request.seconds_left() - deadlines.MARGIN_S).response()


def start(services: "Services", account_id: str, request_id: str) -> None:
    """Starts the worker of a queued answer. Raises GatewayBusyError, ServiceUnavailableError."""
    if services.is_function:
        from haimaker.aws.invocation import invoke_later

        assert services.settings.aws
        invoke_later(services.settings.aws, services.settings.function_name, {KIND: request_id})
        return
    workers.take(account_id)

    def work() -> None:
        try:
            run(services, request_id, float("inf"))
        finally:
            workers.give_back(account_id)

    threading.Thread(target=work, name="background", daemon=True).start()


def _echoed(asked: OperationRequest) -> JSON:
    """The request as its response repeats it."""
    assert asked.original
    return {**asked.original.body, "store": True, "previous_response_id": asked.original.previous}


def _items(body: JSON) -> list[Any]:
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
