"""A request with what it says about where it should go."""

from typing import NamedTuple

from haimaker.http.values import Request
from haimaker.operations.operation import OperationRequest
from haimaker.routing.preferences import NO_PREFERENCES, ROUTING_FIELDS, ROUTING_HEADERS, SEED_HEADER, RoutingPreferences


class RoutingRequest(NamedTuple):
    """A parsed request with what it says about its routing."""

    asked: OperationRequest
    preferences: RoutingPreferences
    request_id: str
    seed: str
    now_s: float
    tags: frozenset[str] = frozenset()
    any_model_allowed: bool = False
    """Whether the deployer asks for it, so that no key's list of models counts."""


def read_routing_request(asked: OperationRequest, request: Request, now_s: float) -> RoutingRequest:
    """Splits a request into what is asked of the model and what it says about its routing. Raises BadRequestError."""
    said, seed = NO_PREFERENCES, request.headers.get(SEED_HEADER, "")[:200]
    sent = asked.original.body if asked.original else asked.body
    fields = sent.keys() & ROUTING_FIELDS
    if fields or not ROUTING_HEADERS.isdisjoint(request.headers):
        from haimaker.routing import request_options  # few requests say anything

        said = request_options.preferences_from_request({**asked.body, **{name: sent[name] for name in fields}}, request.headers)
    if fields:
        asked = asked.without(fields)
    tags = request.headers.get("x-haimaker-tags") or request.headers.get("x-litellm-tags") or ""
    return RoutingRequest(asked, said, request.id, seed, now_s, frozenset(filter(None, (tag.strip() for tag in tags.split(",")))))
