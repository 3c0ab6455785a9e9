"""Containers in which Anthropic runs code, and in which a later request goes on.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool#container-reuse. All keys share an account at the
provider: the id that a client is told has that of its request in it, whose record says which container that was, and whose.
"""

import time
from typing import TYPE_CHECKING

from haimaker.api.formats.account_ids import BETWEEN
from haimaker.api.stored_responses import KEPT_S, MAX_ID, may_see
from haimaker.http.errors import NotFoundError
from haimaker.http.values import Request
from haimaker.lean_dataclasses import replace
from haimaker.routing.routing_request import RoutingRequest
from haimaker.store import Account, Record

if TYPE_CHECKING:
    from haimaker.services import Services


def resume(services: "Services", account: Account, asked: RoutingRequest, request: Request) -> RoutingRequest:
    """A request with the provider's id of the container that it names, for the provider that has it where it may be asked first.
    Raises NotFoundError."""
    original = asked.asked.original
    if original and original.format != "messages":
        return asked
    body = original.body if original else asked.asked.body
    given = body["container"]
    identifier = given.get("id") if isinstance(given, dict) else given
    if identifier is None or identifier in request.allowed_ids:
        return asked
    record = _find(services, account, identifier)
    container = record.detail["container"]
    body = {**body, "container": {**given, "id": container} if isinstance(given, dict) else container}
    bound = replace(asked.asked, original=original._replace(body=body)) if original else replace(asked.asked, body=body)
    preferences = asked.preferences
    if preferences.falls_back and not preferences.names_providers:
        preferences = replace(preferences, order=(record.detail["provider"],))
    return asked._replace(asked=bound, preferences=preferences)


def _find(services: "Services", account: Account, identifier: object) -> Record:
    """The record of the request whose answer told a client of a container. Raises NotFoundError."""
    container, _, request_id = identifier.partition(BETWEEN) if isinstance(identifier, str) else ("", "", "")
    record = services.store.record(request_id) if 0 < len(request_id) <= MAX_ID and request_id.isascii() else None
    if (
        record is None
        or record.detail.get("container") != container
        or record.started_s < time.time() - KEPT_S
        or not may_see(account, record)
    ):
        raise NotFoundError("container: it was not found.", param="container", code="container_not_found")
    return record
