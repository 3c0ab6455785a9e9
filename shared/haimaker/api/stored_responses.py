"""Stored responses: `GET` and `DELETE /v1/responses/{id}`, their parts, and conversations that go on from one.

https://platform.openai.com/docs/api-reference/responses/get. An id that a client has seen is that of our request, whose record says
which provider answered, and under which id that stores it. What no provider stores is stored here, where content may be kept
(`content/responses.py`). All keys share an account at the provider: of another key's or team's response there is none.
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.openai_types import STORED_ITEMS, STORED_RESPONSE, conform
from haimaker.api.formats.responses_answers import ACTIVE
from haimaker.billing.pending import PendingRequest, load, seems_lost
from haimaker.blobs import BlobError
from haimaker.content.content import ContentLogging
from haimaker.http import errors
from haimaker.http.errors import APIError, BadRequestError, NotFoundError, ServiceUnavailableError
from haimaker.http.json import read_or_none, to_whole_number
from haimaker.http.responses import json_response
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request, Response, UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.operations.client_format import ClientFormat
from haimaker.operations.operation import RESPONSE_PREFIX
from haimaker.providers.provider import Provider
from haimaker.routing import deadlines
from haimaker.routing.context import RoutingContext
from haimaker.routing.routing_request import RoutingRequest
from haimaker.store import Account, Record, Store
from haimaker.upstream.call import read_beginning
from haimaker.upstream.exchange import STREAM
from haimaker.upstream.single_call import call_once, open_once

if TYPE_CHECKING:
    from haimaker.content.responses import StoredResponse
    from haimaker.services import Services

KEPT_S = 30 * 86_400
"""As OpenAI keeps them: https://platform.openai.com/docs/guides/your-data"""
LOOKED_THROUGH = 100
"""Of a key's requests, where items are named by their ids."""
MOST_READ = 20
"""Stored responses that are read for one request."""
QUERIES = ("after", "before", "include", "include[]", "include_obfuscation", "limit", "order", "starting_after", "stream")
STREAM_S = 3_600.0
MAX_ID = 200
MOST_LISTED, LISTED = 100, 20
"""Items on a page: https://platform.openai.com/docs/api-reference/responses/input-items"""


def resume(
    services: "Services", account: Account, asked: RoutingRequest, request: Request, client_format: ClientFormat
) -> RoutingRequest:
    """A request with what it names of earlier responses: put into it where we stored them, else bound to the provider that did; and
    with what stores its answer. Raises NotFoundError, BadRequestError, ServiceUnavailableError."""
    original = asked.asked.original
    assert original
    body, previous, provider = original.body, original.body.get("previous_response_id"), None
    if previous is not None:
        record = _find(services.store, account, previous if isinstance(previous, str) else "", "previous_response_id")
        if "response_id" in record.detail:
            provider, body = record.detail["provider"], {**body, "previous_response_id": record.detail["response_id"]}
        elif stored := _stored(services.content, record):
            if stored.response["status"] in ACTIVE:
                message = "The response has not ended: ask for it until it has."
                raise BadRequestError(message, param="previous_response_id", code="response_not_ended")
            items = [*stored.input, *stored.response["output"], *_items(body)]
            body = {**{name: body[name] for name in body if name != "previous_response_id"}, "input": items}
        else:
            message = "The response was not stored: send the whole conversation as `input`, with `store` false."
            raise BadRequestError(message, param="previous_response_id", code="response_not_stored")
    body = _with_comparison(services.store, account, _with_items(services, account, body))
    if references := [item.get("id") for item in _items(body) if _is_reference(item)]:
        provider = _owner_of_items(services.store, account, references, provider)
    if body is not original.body and "previous_response_id" not in body:
        parsed = client_format.parse(replace(request, body=dumps(body)))
        asked, original = asked._replace(asked=parsed), parsed.original or original
    keeps = None if original.compacts else _keeper(services.content, account, body, request.id, asked.now_s)
    bound = replace(asked.asked, original=original._replace(body=body, previous=previous, keep=keeps))
    asked = asked._replace(asked=bound)
    if provider is None:
        return asked
    return asked._replace(preferences=replace(asked.preferences, only=(provider,), fallbacks=None))


def _with_comparison(store: Store, account: Account, body: JSON) -> JSON:
    """The body with the provider's id of the response whose use of the cache is compared. Raises NotFoundError.
    https://platform.openai.com/docs/guides/prompt-caching"""
    options = body.get("prompt_cache_options")
    if not isinstance(options, dict) or options.get("comparison_response_id") is None:
        return body
    record = _find(store, account, str(options["comparison_response_id"]), "prompt_cache_options.comparison_response_id")
    return {**body, "prompt_cache_options": {**options, "comparison_response_id": record.detail.get("response_id")}}


def _keeper(content: ContentLogging, account: Account, body: JSON, request_id: str, now_s: float) -> Callable[[JSON], bool] | None:
    """What stores the answer to a request, if that is wanted: by the key for all that it asks, or by the request itself."""
    wanted = body.get("store") is True or (body.get("store") is None and (body.get("background") or content.is_wanted(account)))
    store = content.responses() if wanted else None
    if store is None:
        return None
    from haimaker.content.responses import StoredResponse

    def keep(response: JSON) -> bool:
        return store.put(request_id, now_s, StoredResponse(response, _items(body)))

    return keep


def _stored(content: ContentLogging, record: Record) -> "StoredResponse | None":
    """Raises ServiceUnavailableError."""
    store = content.responses()
    try:
        return store.get(record) if store else None
    except BlobError:
        raise ServiceUnavailableError("Stored responses can't be read at the moment.", code="store_unavailable") from None


def _with_items(services: "Services", account: Account, body: JSON) -> JSON:
    """A request with the items that it names by their ids, of responses stored here. An item's id has its request's in it, and the
    last of them knows those before it."""
    given, known, tried = _items(body), dict[object, Any](), set[str]()
    for item in reversed(given):
        request_id = str(item.get("id")).partition("_")[2].rpartition("_")[0] if _is_reference(item) else ""
        if not request_id or item.get("id") in known or request_id in tried or len(tried) == MOST_READ:
            continue
        tried.add(request_id)
        record = services.store.record(request_id) if len(request_id) <= MAX_ID and request_id.isascii() else None
        if record is None or not may_see(account, record):
            continue
        stored = _stored(services.content, record)
        if stored is None and "response_id" not in record.detail:
            message = f"Item {item['id']!r} was not stored: send the items themselves, with `store` false."
            raise BadRequestError(message, param="input", code="item_not_stored")
        for each in (*stored.input, *stored.response["output"]) if stored else ():
            known.setdefault(each.get("id") if isinstance(each, dict) else None, each)
    if not known:
        return body
    return {**body, "input": [known.get(item.get("id"), item) if _is_reference(item) else item for item in given]}


def retrieve(services: "Services", request: Request) -> Response:
    return _answer(services, request, "GET")


def delete(services: "Services", request: Request) -> Response:
    return _answer(services, request, "DELETE")


def cancel(services: "Services", request: Request) -> Response:
    return _answer(services, request, "POST", "/cancel")


def input_items(services: "Services", request: Request) -> Response:
    return _answer(services, request, "GET", "/input_items")


def _answer(services: "Services", request: Request, method: str, rest: str = "") -> Response:
    account = services.accounts.authenticate(request.headers, fresh=True)
    record = _find(services.store, account, request.path["id"], "id")
    if "response_id" in record.detail:
        if method == "DELETE" and "pending" in record.detail:  # deleted, nobody could say what it cost
            _ask(services, request, record, "POST", "/cancel")
        return _ask(services, request, record, method, rest)
    stored = _stored(services.content, record)
    if stored is None:
        raise NotFoundError("The response was not stored.", param="id", code="response_not_found")
    if rest == "/input_items":
        return json_response(_page(stored, record.request_id, request.query))
    from haimaker.api import background_reading  # not before responses are stored

    which = (services, record.request_id, record.started_s)
    if rest == "/cancel":
        return json_response(background_reading.cancel(*which, stored))
    if method == "GET":
        if _wants_stream(request):
            return background_reading.stream(*which, request)
        return json_response(background_reading.current(*which, stored))
    if stored.response["status"] in ACTIVE:
        background_reading.cancel(*which, stored)
    store = services.content.responses()
    try:
        if store:
            store.delete(record)
    except BlobError:
        raise ServiceUnavailableError("Stored responses can't be deleted at the moment.", code="store_unavailable") from None
    return json_response({"id": stored.response["id"], "object": "response", "deleted": True})


def _page(stored: "StoredResponse", request_id: str, query: Mapping[str, str]) -> JSON:
    """Raises BadRequestError."""
    items = [_with_id(item, request_id, place) for place, item in enumerate(stored.input)]
    limit = to_whole_number(query.get("limit", str(LISTED)), 1, MOST_LISTED)
    if limit is None:
        raise BadRequestError(f"Invalid value for 'limit': it is 1 to {MOST_LISTED}.", param="limit", code="invalid_value")
    if query.get("order", "desc") != "asc":
        items.reverse()
    ids = [item["id"] for item in items]
    if (after := query.get("after")) is not None:
        if after not in ids:
            raise NotFoundError(f"There is no item {after[:MAX_ID]!r}.", param="after", code="item_not_found")
        items = items[ids.index(after) + 1 :]
    page = items[:limit]
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return {"object": "list", "data": page, "first_id": first, "last_id": last, "has_more": len(items) > len(page)}


def _with_id(item: JSON, request_id: str, place: int) -> JSON:
    """An item of a conversation as it is listed: with an id, and a message with its parts."""
    kind, content = item.get("type") or "message", item.get("content")
    told = {"id": f"{'msg' if kind == 'message' else 'item'}_{request_id}_in{place}", "status": "completed", **item, "type": kind}
    if kind == "message" and isinstance(content, str):
        of_model = item.get("role") == "assistant"
        part = {"type": "output_text", "text": content, "annotations": []} if of_model else {"type": "input_text", "text": content}
        told["content"] = [part]
    return told


def _ask(services: "Services", request: Request, record: Record, method: str, rest: str) -> Response:
    """What the provider says of a response, with our id of it."""
    upstream_id, runtime = record.detail["response_id"], services.runtime()
    context = RoutingContext(request.id, int(time.time()), "responses")
    definition = runtime.router.serving(f"{record.detail['provider']}/{record.detail['model']}", context)
    if definition is None or definition.name not in runtime.clients.access:
        raise NotFoundError("The provider that has the response is not configured any more.", code="provider_not_configured")
    query = urlencode([(name, request.query[name]) for name in QUERIES if name in request.query])
    path = f"/responses/{quote(upstream_id, safe='')}{rest}{'?' if query else ''}{query}"
    call = UpstreamRequest(path, b"", method=method)
    pending = load(services.store, record.request_id) if "pending" in record.detail else None
    if method == "GET" and _wants_stream(request):
        return _stream(services, request, call, definition, upstream_id, pending)
    status, raw = call_once(runtime.clients, definition, call, request)
    body = read_or_none(raw)
    if method == "DELETE" and status < 300 and not raw.strip():  # as OpenAI's own document has it
        body = {"id": upstream_id, "object": "response.deleted", "deleted": True}
    if status >= 300 or not isinstance(body, dict):
        raise _failure(status, body)
    if method != "DELETE":
        body = conform(body, STORED_ITEMS if rest == "/input_items" else STORED_RESPONSE)
    if pending and body.get("id") == upstream_id:
        from haimaker.api.background_polls import settle_if_ended

        body = settle_if_ended(services, pending, body)
    return json_response({**body, "id": request.path["id"]} if body.get("id") == upstream_id else body)


def _wants_stream(request: Request) -> bool:
    return request.query.get("stream", "").lower() == "true"


def _stream(
    services: "Services",
    request: Request,
    call: UpstreamRequest,
    definition: Provider,
    upstream_id: str,
    pending: PendingRequest | None,
) -> Response:
    """The events of a response, as its provider tells them once more."""
    from haimaker.api.background_polls import write_events

    answer = open_once(services.runtime().clients, definition, call, request, deadlines.request_timeout_s(request, STREAM_S))
    if answer.status >= 300:
        raise _failure(answer.status, read_or_none(read_beginning(answer.pieces)))
    headers = {"content-type": "text/event-stream; charset=utf-8", **STREAM}
    return Response(200, headers, write_events(services, pending, answer.pieces, upstream_id, request))


def _failure(status: int, body: object) -> APIError:
    if status == 404:
        return NotFoundError("The provider does not have the response any more.", param="id", code="response_not_found")
    return errors.from_upstream(status if status >= 300 else 502, read_error(body), {})


def _find(store: Store, account: Account, identifier: str, param: str) -> Record:
    """The record of the request that a response answers. Raises NotFoundError."""
    request_id = identifier.removeprefix(RESPONSE_PREFIX)
    record = store.record(request_id) if 0 < len(request_id) <= MAX_ID and request_id.isascii() else None
    if seems_lost(record) and 0 < len(request_id) <= MAX_ID and request_id.isascii():
        record = _pending_record(store, request_id) or record
    if record is None or not may_see(account, record) or record.started_s < time.time() - KEPT_S:
        raise NotFoundError(f"There is no response {identifier[:MAX_ID]!r} of this key.", param=param, code="response_not_found")
    return record


def _pending_record(store: Store, request_id: str) -> Record | None:
    """What the record will be of a request that is answered in the background, as far as it is known."""
    pending = load(store, request_id)
    if pending is None:
        return None
    known: JSON = {name: pending.state[name] for name in ("provider", "model", "response_id") if name in pending.state}
    detail: JSON = {"team_id": pending.state["team_id"], "pending": True, **known}
    return Record(request_id, pending.state["account_id"], pending.started_s, "ok", 0, detail)


def may_see(account: Account, record: Record) -> bool:
    return account.has_been(record.account_id) or (account.team_id is not None and record.detail.get("team_id") == account.team_id)


def _owner_of_items(store: Store, account: Account, wanted: list[object], provider: str | None) -> str:
    """The provider that has items, which this key was told. Raises NotFoundError."""
    since_s = time.time() - KEPT_S
    owners: dict[str, str] = {}
    for account_id in (account.id, *reversed(account.replaces)):
        if not all(identifier in owners for identifier in wanted):
            records, _ = store.records(account_id, since_s=since_s, limit=LOOKED_THROUGH, newest_first=True)
            owners |= {item: record.detail["provider"] for record in records for item in record.detail.get("response_items", ())}
    for identifier in wanted:
        if identifier not in owners or provider not in (None, owners[identifier]):
            raise NotFoundError(f"Item {identifier!r} of this key was not found.", param="input", code="item_not_found")
        provider = owners[identifier]
    assert provider
    return provider


def _is_reference(item: JSON) -> bool:
    return item.get("type") == "item_reference"


def _items(body: JSON) -> list[JSON]:
    """A request's input as items."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
