"""`POST /route/simulate`: where a request would go, and why, without sending it. It asks the same planner as sending does.

The body is a request as it would be sent, with `key` (an administrator may ask for any key), `operation`, `headers` and `draw`
among its fields; or these, and the request in `request`. Nothing is charged and no provider is called, unless a rule of
`haimaker/auto` has examples: then the message's embedding is asked for and charged to the key.
"""

import time
from collections.abc import Mapping

from haimaker.accounts.cache import AccountCache
from haimaker.accounts.errors import check_usable, require_reader
from haimaker.api import formats
from haimaker.api.account_admin import get_account
from haimaker.api.keys import account_id_for
from haimaker.api.paths import MODEL_OPERATIONS
from haimaker.http.errors import APIError, invalid_value
from haimaker.http.json import parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import replace
from haimaker.operations.attempt import Attempt
from haimaker.routing.auto_rules import AutoRouterDefinition
from haimaker.routing.plan import Plan
from haimaker.routing.planner import Decision, Planner
from haimaker.routing.preferences import SEED_HEADER
from haimaker.routing.routing_request import RoutingRequest, read_routing_request
from haimaker.store import Account

OWN_FIELDS = ("request", "key", "operation", "headers", "draw")
OPERATION_OF: Mapping[str, str] = {
    "messages": "chat_completions",
    "documents": "rerank",
    "prompt": "completions",
    "input": "embeddings",
}
"""By a field of the request, its operation, where the body does not name one."""


def simulate_request(
    planner: Planner,
    accounts: AccountCache,
    caller: Account,
    request: Request,
    definition: AutoRouterDefinition | None = None,
) -> JSON:
    """The plan for a request, by `definition` or the key's own router. Raises BadRequestError, NotFoundError,
    PermissionDeniedError."""
    check_usable(caller, time.time())
    body = parse_json(request.body)
    routing_request = _read_routing_request(body, request)
    key = _read_key(accounts, caller, body)
    shown: JSON = {"model": routing_request.asked.model, "draw": routing_request.seed}
    try:
        billed = accounts.billed_accounts(key, routing_request.asked.fields.user)
        decision = planner.plan(routing_request, billed, definition=definition)
    except APIError as error:
        return {**shown, "attempts": [], "left_out": [], "error": {"status": error.status, **error.body()["error"]}}
    return {**shown, **_to_json(decision), "error": None}


def _read_routing_request(body: JSON, request: Request) -> RoutingRequest:
    """The request that the body describes, parsed by its operation's format. Raises BadRequestError."""
    inner = body.get("request")
    sent: JSON = inner if isinstance(inner, dict) else {name: value for name, value in body.items() if name not in OWN_FIELDS}
    operation = body.get("operation") or next((found for field, found in OPERATION_OF.items() if field in sent), "chat_completions")
    if not isinstance(operation, str) or operation not in MODEL_OPERATIONS:
        raise invalid_value("operation", f"one of {', '.join(MODEL_OPERATIONS)}")
    headers = body.get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise invalid_value("headers", "an object of texts")
    headers = {name.lower(): value for name, value in headers.items()}
    if seed := body.get("draw"):
        headers[SEED_HEADER] = str(seed)
    raw = request.body if sent == body else dumps(sent)
    given = replace(request, headers=headers, body=raw)
    routing_request = read_routing_request(formats.find(operation).parse(given), given, time.time())
    return routing_request._replace(seed=routing_request.seed or request.id)


def _read_key(accounts: AccountCache, caller: Account, body: JSON) -> Account:
    """The account of the key that the body names, else the caller's. Raises BadRequestError, NotFoundError,
    PermissionDeniedError."""
    key = body.get("key")
    if key is None:
        return caller
    if not isinstance(key, str):
        raise invalid_value("key", "a key or its token_id")
    if account_id_for(key) != caller.id:
        require_reader(caller)
    return get_account(accounts.store, account_id_for(key)).account


def _to_json(decision: Decision) -> JSON:
    plan, choice = decision.plan, decision.choice
    shown: JSON = {
        "resolved_model": decision.name,
        "attempts": _attempts_to_json(plan, plan.attempts),
        "context_window_fallbacks": _attempts_to_json(plan, plan.context_window),
        "content_policy_fallbacks": _attempts_to_json(plan, plan.content_policy),
        "left_out": [{"target": each.target, "code": each.code, "why": each.reason} for each in plan.exclusions],
        "retries": plan.retries,
        "timeout_s": plan.timeout_s,
        "auto": None,
    }
    if choice:
        rules = [
            {"rule": each.rule.name, "model": each.rule.model, "outcome": each.outcome, "similarity": each.similarity}
            for each in choice.considered
        ]
        shown["auto"] = {**choice.to_record(), "rules": rules}
    return shown


def _attempts_to_json(plan: Plan, attempts: tuple[Attempt, ...]) -> list[JSON]:
    return [
        {
            "target": attempt.target,
            "provider": attempt.provider.name,
            "model": attempt.model,
            "why": plan.reasons.get(attempt.target, ""),
        }
        for attempt in attempts
    ]
