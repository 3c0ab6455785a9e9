"""Refuses a large request before it is read, or before its JSON is, where its key could not even pay for the smallest one.

Reading megabytes of JSON costs tens of milliseconds, which a key that is out of money or over its rate could make the gateway spend
again and again. What is asked here is what the request itself would be asked later, of the smallest request with its model: whether
there is such a model, whether the key may use it, and whether its limits allow it. It writes nothing, and lets through what it is
not sure of.
"""

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from haimaker.accounts.errors import denied_error, store_error
from haimaker.api import formats
from haimaker.billing import admission, estimates, model_limits
from haimaker.billing.reservations import reservations_for
from haimaker.http.errors import APIError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import replace
from haimaker.models.names import AUTO
from haimaker.routing.preferences import ROUTING_FIELDS
from haimaker.routing.routing_request import RoutingRequest, read_routing_request
from haimaker.store import Account, Denied, Reservation, StoreUnavailable

if TYPE_CHECKING:
    from haimaker.services import Services

MOST_NAMES = 8
"""Of models in one body, those that its other objects have included."""
MESSAGES: JSON = {"messages": [{"role": "user", "content": "a"}], "max_tokens": 1}
CONTENT: JSON = {"parts": [{"text": "a"}]}
GOOGLE: JSON = {"contents": [CONTENT], "generationConfig": {"maxOutputTokens": 1}}
SMALLEST: Mapping[str, JSON] = {
    "chat_completions": MESSAGES,
    "completions": {"prompt": "a", "max_tokens": 1},
    "messages": MESSAGES,
    "responses": {"input": "a", "max_output_tokens": 16},
    "responses_compact": {"input": "a"},
    "gemini_generate": GOOGLE,
    "gemini_stream": GOOGLE,
    "gemini_embed": {"content": CONTENT},
    "gemini_batch_embed": {"requests": [{"content": CONTENT}]},
    "embeddings": {"input": "a"},
    "moderations": {"input": "a"},
    "rerank": {"query": "a", "documents": ["a"]},
}
"""Requests that cost as little as one of their operation can. Others have no large bodies that are read as JSON."""

_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,512})"')


def check_rates(services: "Services", account: Account) -> None:
    """Raises the error of a key, or a team, that may send no request at all now, whatever is in it."""
    now_s, payers = time.time(), services.accounts.billed_accounts(account).all()
    if denied := _foresee(services, [Reservation("", payer.id, payer.version, 0, 0, now_s, int(now_s)) for payer in payers]):
        raise denied_error(denied, 0, 0)


def check_body(services: "Services", operation: str, request: Request, account: Account) -> None:
    """Raises the error that a large body of JSON would meet whatever else is in it."""
    smallest = SMALLEST.get(operation)
    if smallest is None or request.batch:
        return
    refused: APIError | None = None
    for body in _with_models(smallest, request):
        refused = _refusal(services, operation, replace(request, body=dumps(body)), account)
        if refused is None:
            return
    if refused and not any(b'"%b"' % name.encode() in request.body for name in ROUTING_FIELDS):
        raise refused


def _with_models(smallest: JSON, request: Request) -> list[JSON]:
    """The smallest request with each model that may be the one that a body names; none where there are too many of them."""
    if not request.path.keys().isdisjoint({"id", "model"}):
        return [smallest]
    names = set[str]()
    for number, found in enumerate(_MODEL.finditer(request.body)):
        names.add(found[1].decode("utf-8", "replace"))
        if number >= MOST_NAMES:
            return []
    return [{**smallest, "model": name} for name in names]


def _refusal(services: "Services", operation: str, request: Request, account: Account) -> APIError | None:
    """Why a small request is refused; None where it is not, or where what is refused may be the smallness."""
    try:
        asked = read_routing_request(formats.find(operation, request).parse(request), request, time.time())
    except APIError:
        return None
    if AUTO in (asked.asked.model, (account.routing.get("aliases") or {}).get(asked.asked.model)):
        return None
    try:
        return _denial(services, asked, account, fresh=False)
    except APIError:
        pass
    try:
        return _denial(services, asked, account, fresh=True)
    except APIError as error:
        return error


def _denial(services: "Services", routing_request: RoutingRequest, account: Account, *, fresh: bool) -> APIError | None:
    """The error of the first limit that a request meets. Raises APIError where there is no plan for it."""
    asked, planner, default = routing_request.asked, services.runtime().planner, services.settings.default_max_output_tokens
    billed = services.accounts.billed_accounts(account, fresh=fresh)
    decision = planner.plan(routing_request, billed)
    attempts, full_name = decision.plan.all(), planner.router.full_name
    names, now_s = {asked.model, decision.name, full_name(decision.name)}, routing_request.now_s
    reservations = reservations_for(asked, attempts, names, full_name, billed, "", now_s, int(now_s), default)
    denied = _foresee(services, reservations)
    if denied is None:
        return None
    if denied.reason == "budget" and estimates.find_affordable(asked, attempts, denied.remaining_nanousd, default):
        return None
    return denied_error(denied, *model_limits.denied_amounts(denied, reservations), at_least=True)


def _foresee(services: "Services", reservations: Sequence[Reservation]) -> Denied | None:
    try:
        return admission.foresee_denial(services.store, reservations)
    except StoreUnavailable as error:
        raise store_error(error) from error
