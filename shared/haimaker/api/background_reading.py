"""Reads responses that the gateway makes in the background: how one is now, its events from any of them on; and gives one up."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from haimaker.api.formats.responses import error_event
from haimaker.api.formats.responses_answers import ACTIVE, failed
from haimaker.billing.pending import PendingRequest, load, seems_lost
from haimaker.blobs import BlobError
from haimaker.content.responses import ResponseStore, StoredResponse
from haimaker.http.errors import APIError, BadRequestError, InternalServerError, NotFoundError, ServiceUnavailableError
from haimaker.http.json import to_whole_number
from haimaker.http.sse import KEEP_ALIVE, decode, dumps, encode_named
from haimaker.http.values import JSON, Event, Request, Response
from haimaker.routing import deadlines
from haimaker.store import StoreUnavailable
from haimaker.upstream.exchange import STREAM

if TYPE_CHECKING:
    from haimaker.services import Services

SILENT_S = 45.0
"""After how long a silence a worker is taken for dead."""
WAITING_S = 180.0
"""How long an answer may be queued: an event for a function is given up after 120 s, as the template says."""
LOOK_S = 0.5
"""Between two looks whether more has come."""
CANCEL_S = 10.0
"""How long a cancelled answer is waited for."""
SILENCE_S = 15.0


def current(services: "Services", request_id: str, started_s: float, stored: StoredResponse) -> JSON:
    """A response as it is now. One whose worker is dead has failed, and is charged. Raises APIError, StoreUnavailable."""
    if stored.response["status"] not in ACTIVE:
        return stored.response
    pending, store, now = load(services.store, request_id), services.content.responses(), None
    assert store
    if pending is None:  # it ended just now
        now = read(store, started_s, request_id)
        if now is None:
            raise NotFoundError("The response was deleted.", param="id", code="response_not_found")
        if now.response["status"] not in ACTIVE:
            return now.response
    elif not is_dead(services, pending):
        return {**stored.response, "status": pending.state["status"]}
    elif seems_lost(services.store.record(request_id)):
        pending.charge_as_lost()
    response = failed(now.response if now else stored.response, gone())
    store.put(request_id, started_s, StoredResponse(response, stored.input))
    if pending:
        pending.forget()
    return response


def is_dead(services: "Services", pending: PendingRequest) -> bool:
    """Whether nobody answers a request any more: its process is silent, or was started anew, which charges what it had reserved."""
    record, is_queued = services.store.record(pending.request_id), pending.state["status"] == "queued"
    if record is not None and record.status == "lost":
        return True
    silent_s: float = time.time() - pending.state["beat_s"]
    return silent_s > (WAITING_S if is_queued else SILENT_S)


def cancel(services: "Services", request_id: str, started_s: float, stored: StoredResponse) -> JSON:
    """The response as it is once nobody makes it any more. Raises BadRequestError where it was not made in the background."""
    if not stored.response.get("background"):
        message = "Only responses that are made in the background can be cancelled."
        raise BadRequestError(message, code="invalid_request_error")
    store = services.content.responses()
    assert store
    response, give_up_s = current(services, request_id, started_s, stored), time.monotonic() + CANCEL_S
    if response["status"] in ACTIVE and (pending := load(services.store, request_id)):
        pending.change(cancelled=True)
    while response["status"] in ACTIVE and time.monotonic() < give_up_s:
        time.sleep(LOOK_S / 2)
        stored = read(store, started_s, request_id) or stored
        response = current(services, request_id, started_s, stored)
    return response


def stream(services: "Services", request_id: str, started_s: float, request: Request) -> Response:
    """The events of a response, after the one that `starting_after` names. Raises APIError."""
    said = request.query.get("starting_after", "-1")
    after = -1 if said.startswith("-") and to_whole_number(said[1:]) is not None else to_whole_number(said)
    if after is None:
        raise BadRequestError("Invalid value for 'starting_after': it is a number.", param="starting_after", code="invalid_value")
    store, pending = services.content.responses(), load(services.store, request_id)
    assert store
    streams = pending.state.get("streams") if pending else store.get_events(started_s, request_id, 0) is not None
    if not streams:
        message = "Only a response that was created with `background` and `stream` can be streamed."
        raise BadRequestError(message, param="stream", code="invalid_value")
    headers = {"content-type": "text/event-stream; charset=utf-8", **STREAM}
    return Response(200, headers, _follow(services, store, request_id, started_s, after, request))


def _follow(
    services: "Services", store: ResponseStore, request_id: str, started_s: float, after: int, request: Request
) -> Iterator[bytes]:
    part, number, said_s = 0, -1, time.monotonic()
    try:
        while not request.client_left() and request.seconds_left() > deadlines.MARGIN_S:
            stored = read(store, started_s, request_id)
            response = current(services, request_id, started_s, stored) if stored else None
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
        if response and response["status"] == "failed" and response["error"]["message"] == gone().message:
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


def gone() -> APIError:
    return InternalServerError("The process that made the answer ended before it was complete.", code="server_error")
