"""OpenAI's Responses: what a request is, and what is written of its answer, in the format that the provider speaks or made of a
chat (`responses_requests.py`, `responses_answers.py`). Pure.

https://platform.openai.com/docs/api-reference/responses
"""

import json
from collections.abc import Iterator
from itertools import chain

from haimaker.adapters import ADAPTERS
from haimaker.api.formats import openai_chat
from haimaker.api.formats.responses_answers import ACTIVE, events, from_chat, from_error, to_usage
from haimaker.api.formats.responses_requests import find_refusal, to_chat
from haimaker.http.errors import APIError
from haimaker.http.json import parse_json
from haimaker.http.sse import KEEP_ALIVE, dumps, encode_named
from haimaker.http.values import JSON, Event, Request, StreamEvent
from haimaker.operations.chat import translated_chat
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.operation import RESPONSE_PREFIX, OperationRequest, Original, Result

BEGINS = ("response.created", "response.in_progress", "response.queued")
ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


def parse(request: Request) -> OperationRequest:
    """Raises BadRequestError."""
    body = parse_json(request.body)
    chat, dropped = to_chat(body, request.allowed_ids)
    background = body.get("background") is True
    original = Original("responses", body, ADAPTERS["responses"], dropped, refusal=find_refusal(body), background=background)
    return translated_chat(chat, request.body, original)


def render(request: OperationRequest, result: Result, request_id: str) -> tuple[str, bytes]:
    if result.native is None:
        return "application/json", dumps(_stored(from_chat(result.body, _repeated(request), request_id), request))
    is_made = result.native.get("status") not in ACTIVE  # else it has cost nothing yet
    told = with_cost(result.native, result.body["usage"]) if is_made else result.native
    return "application/json", dumps(_with_our_ids(told, request, request_id))


def write_events(request: OperationRequest, chunks: Iterator[StreamEvent], request_id: str) -> Iterator[bytes]:
    """Events of a provider that speaks this format pass as they are, with the cost in the last."""
    first = next(chunks, None)
    if first is None:
        return
    chunks = chain((first,), chunks)
    if not first.native:
        for data in events((chunk.body for chunk in chunks), _repeated(request), request_id):
            if data["type"] in ENDS:
                data = {**data, "response": _stored(data["response"], request)}
            yield encode_named(Event(dumps(data), data["type"]))
        return
    for chunk in chunks:
        for event in chunk.native:
            yield encode_named(_edited(event, chunk.body, request, request_id))


def error_event(error: APIError, number: int) -> JSON:
    """https://platform.openai.com/docs/api-reference/responses-streaming/error"""
    return {"type": "error", "code": error.code, "message": error.message, "param": error.param, "sequence_number": number}


def _repeated(request: OperationRequest) -> JSON:
    """The request as its response repeats it: with what is stored of it, and with the client's name of an earlier response."""
    original = request.original
    assert original
    store = False if original.body.get("store") is False else True if original.keep else None
    return {**original.body, "store": store, "previous_response_id": original.previous}


def _stored(response: JSON, request: OperationRequest) -> JSON:
    assert request.original
    keep = request.original.keep
    return response if keep is None or keep(response) else {**response, "store": False}


def _edited(event: Event, body: JSON, request: OperationRequest, request_id: str) -> Event:
    """An event with our id of the response, and with the cost, where it ends the answer and that is known."""
    if event.name not in (*BEGINS, *ENDS):
        return event
    told = json.loads(event.data)
    response = told.get("response")
    if not isinstance(response, dict):
        return event
    if event.name in ENDS and "cost" in (body.get("usage") or {}):
        response = with_cost(response, body["usage"])
    edited = _with_our_ids(response, request, request_id)
    return event if edited is told["response"] else Event(dumps({**told, "response": edited}), event.name)


def _with_our_ids(response: JSON, request: OperationRequest, request_id: str) -> JSON:
    """A response that the provider keeps, with an id of our request, by whose record it is found again; else the same object."""
    assert request.original
    if request.original.body.get("store") is False and request.original.previous is None:
        return response
    stored = {} if request.original.body.get("store") is False else {"id": f"{RESPONSE_PREFIX}{request_id}"}
    previous = {"previous_response_id": request.original.previous} if request.original.previous else {}
    return {**response, **stored, **previous}


def with_cost(response: JSON, used: JSON) -> JSON:
    cost = {name: used[name] for name in ("cost", "cost_estimated") if name in used}
    told = response.get("usage")
    return {**response, "usage": {**(told if told and isinstance(told, dict) else to_usage(used) or {}), **cost}}


def write_failure(error: APIError, request_id: str, sent: int) -> bytes:
    """Some clients heed the error, others the response that failed."""
    response = from_error(error, request_id)
    failed: JSON = {"type": "response.failed", "response": response, "sequence_number": sent + 1}
    told = (error_event(error, sent), failed)
    return b"".join(encode_named(Event(dumps(event), event["type"])) for event in told)


FORMAT = ClientFormat(
    parse,
    render,
    write_events,
    openai_chat.render_error,
    write_failure,
    KEEP_ALIVE,
    resumes=True,
)
