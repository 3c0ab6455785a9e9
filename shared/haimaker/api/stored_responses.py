"""Responses that a provider keeps: `GET` and `DELETE /v1/responses/{id}`, their parts, and conversations that go on from one.

https://platform.openai.com/docs/api-reference/responses/get. An id that a client has seen is that of our request, whose record says
which provider answered, and under which id. All keys share an account there: of another key's or team's response there is none.
"""

import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from haimaker.accounts.errors import check_usable
from haimaker.adapters.openai.failures import read_error
from haimaker.http import errors
from haimaker.http.errors import APIError, BadRequestError, NotFoundError
from haimaker.http.json import read_or_none
from haimaker.http.responses import json_response
from haimaker.http.values import JSON, Request, Response, UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.operations.operation import RESPONSE_PREFIX
from haimaker.routing.context import RoutingContext
from haimaker.routing.planner import RoutingRequest
from haimaker.store import Account, Record, Store
from haimaker.upstream.lookup import look_up

if TYPE_CHECKING:
    from haimaker.gateway import Gateway

KEPT_S = 30 * 86_400
"""As OpenAI keeps them: https://platform.openai.com/docs/guides/your-data"""
LOOKED_THROUGH = 100
"""Of a key's requests, where items are named by their ids."""
QUERIES = ("after", "before", "include", "include[]", "limit", "order")
MAX_ID = 200


def resume(store: Store, account: Account, asked: RoutingRequest) -> RoutingRequest:
    """A request that names an earlier response, or items of one, bound to the provider that has it. Raises NotFoundError,
    BadRequestError."""
    original = asked.asked.original
    assert original
    body, previous = original.body, original.body.get("previous_response_id")
    provider = None
    if previous is not None:
        record = _find(store, account, previous if isinstance(previous, str) else "", "previous_response_id")
        provider, body = record.detail["provider"], {**body, "previous_response_id": record.detail["response_id"]}
    if references := [item.get("id") for item in _items(body) if item.get("type") == "item_reference"]:
        provider = _owner_of_items(store, account, references, provider)
    if provider is None:
        return asked
    bound = replace(asked.asked, original=original._replace(body=body, previous=previous))
    return asked._replace(asked=bound, preferences=replace(asked.preferences, only=(provider,), fallbacks=None))


def retrieve(gateway: "Gateway", request: Request) -> Response:
    return _ask(gateway, request, "GET")


def delete(gateway: "Gateway", request: Request) -> Response:
    return _ask(gateway, request, "DELETE")


def cancel(gateway: "Gateway", request: Request) -> Response:
    return _ask(gateway, request, "POST", "/cancel")


def input_items(gateway: "Gateway", request: Request) -> Response:
    return _ask(gateway, request, "GET", "/input_items")


def _ask(gateway: "Gateway", request: Request, method: str, rest: str = "") -> Response:
    """What the provider says of a response, with our id of it."""
    account = gateway.accounts.authenticate(request.headers)
    check_usable(account, time.time())
    record = _find(gateway.store, account, request.path["id"], "id")
    upstream_id, runtime = record.detail["response_id"], gateway.runtime()
    context = RoutingContext(request.id, int(time.time()), "responses")
    definition = runtime.router.serving(f"{record.detail['provider']}/{record.detail['model']}", context)
    if definition is None or definition.name not in runtime.clients.access:
        raise NotFoundError("The provider that has the response is not configured any more.", code="provider_not_configured")
    query = urlencode([(name, request.query[name]) for name in QUERIES if name in request.query])
    path = f"/responses/{quote(upstream_id, safe='')}{rest}{'?' if query else ''}{query}"
    status, raw = look_up(runtime.clients, definition, UpstreamRequest(path, b"", method=method), request)
    body = read_or_none(raw)
    if status >= 300 or not isinstance(body, dict):
        raise _failure(status, body)
    return json_response(with_id(body, upstream_id, request.path["id"]))


def with_id(body: JSON, theirs: str, ours: str) -> JSON:
    return {name: ours if name == "id" and value == theirs else value for name, value in body.items()}


def _failure(status: int, body: object) -> APIError:
    if status == 404:
        return NotFoundError("The provider does not have the response any more.", param="id", code="response_not_found")
    return errors.from_upstream(status if status >= 300 else 502, read_error(body), {})


def _find(store: Store, account: Account, identifier: str, param: str) -> Record:
    """The record of the request that a response answers. Raises NotFoundError, and BadRequestError for one that nobody keeps."""
    request_id = identifier.removeprefix(RESPONSE_PREFIX)
    record = store.record(request_id) if 0 < len(request_id) <= MAX_ID and request_id.isascii() else None
    if record is None or not _may_see(account, record) or record.started_s < time.time() - KEPT_S:
        raise NotFoundError(f"There is no response {identifier[:MAX_ID]!r} of this key.", param=param, code="response_not_found")
    if "response_id" in record.detail:
        return record
    if param == "id":
        raise NotFoundError("The response was not stored.", param=param, code="response_not_found")
    message = "The response was not stored: send the whole conversation as `input`, with `store` false."
    raise BadRequestError(message, param=param, code="response_not_stored")


def _may_see(account: Account, record: Record) -> bool:
    return record.account_id == account.id or (account.team_id is not None and record.detail.get("team_id") == account.team_id)


def _owner_of_items(store: Store, account: Account, wanted: list[object], provider: str | None) -> str:
    """The provider that has items, which this key was told. Raises NotFoundError."""
    records, _ = store.records(account.id, since_s=time.time() - KEPT_S, limit=LOOKED_THROUGH, newest_first=True)
    owners = {item: record.detail["provider"] for record in records for item in record.detail.get("response_items", ())}
    for identifier in wanted:
        if identifier not in owners or provider not in (None, owners[identifier]):
            raise NotFoundError(f"Item {identifier!r} of this key was not found.", param="input", code="item_not_found")
        provider = owners[identifier]
    assert provider
    return provider


def _items(body: JSON) -> list[JSON]:
    given = body.get("input")
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
