"""How many tokens a prompt has, in the client's format: as its provider counts where that has a way to say so, else an estimate.

https://platform.claude.com/docs/en/api/messages-count-tokens, https://ai.google.dev/api/tokens. Free, also at the provider, and
never refused for a budget or for a provider that fails.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from haimaker import adapters
from haimaker.api.formats import account_ids
from haimaker.http.errors import APIError
from haimaker.http.json import read_or_none
from haimaker.http.values import Request, UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import OperationRequest
from haimaker.routing.routing_request import RoutingRequest, read_routing_request
from haimaker.upstream.single_call import call_once

if TYPE_CHECKING:
    from haimaker.services import Services

TIMEOUT_S = 10.0
TOTALS = ("input_tokens", "totalTokens")
"""Anthropic's and OpenAI's word, and Google's."""


def count_tokens(services: "Services", request: Request, parse: Callable[[Request], OperationRequest]) -> int:
    """Raises BadRequestError, AuthenticationError."""
    account = services.accounts.authenticate(request.headers, fresh=True)
    request = replace(request, allowed_ids=services.settings.config.allowed_ids)
    asked = read_routing_request(parse(request), request, time.time())
    account_ids.refuse_in_chat(asked.asked.body, request.allowed_ids)
    try:
        plan = services.runtime().planner.plan(asked, services.accounts.billed_accounts(account)).plan
        counted = _ask(services, request, asked, plan.attempts[0])
    except APIError:
        counted = None
    return counted or max(1, asked.asked.estimate_prompt_tokens())


def _ask(services: "Services", request: Request, asked: RoutingRequest, attempt: Attempt) -> int | None:
    """What the provider counts; None where it has no way to say so, or does not. Raises APIError."""
    to_count = getattr(adapters.find(asked.asked, attempt), "to_count", None)
    if to_count is None:
        return None
    call: UpstreamRequest = to_count(asked.asked, attempt)
    if betas := request.headers.get("anthropic-beta"):
        call = replace(call, headers={**call.headers, "anthropic-beta": betas})
    status, raw = call_once(services.runtime().clients, attempt.provider, call, request, TIMEOUT_S)
    told = read_or_none(raw) if status == 200 else None
    found = next((told[name] for name in TOTALS if name in told), None) if isinstance(told, dict) else None
    return found if type(found) is int and found > 0 else None
