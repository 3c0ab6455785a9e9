"""POST /spend/calculate: what a request would cost, or an answer did, without sending anything.

The body has `model` with `messages` or `prompt`, or `completion_response` (https://docs.litellm.ai/docs/proxy/cost_tracking), or
`model` with a `usage` object. Prices are those of all providers, whether they are on here or not.
"""

import json
import time
from collections.abc import Collection

from haimaker.adapters.openai.counts import normalize_usage
from haimaker.billing import estimates
from haimaker.http.errors import BadRequestError, missing_parameter
from haimaker.http.json import parse_json
from haimaker.http.values import JSON, Request
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import parse_chat
from haimaker.operations.completions import parse_completion
from haimaker.pricing import costs, usage
from haimaker.pricing.amounts import to_usd
from haimaker.pricing.usage import Usage
from haimaker.routing.context import RoutingContext
from haimaker.routing.router import Router


def calculate_cost(router: Router, allowed: Collection[str], request: Request, default_max_output_tokens: int) -> JSON:
    """The cost of a usage object, or a bound for a request. Raises BadRequestError, NotFoundError, PermissionDeniedError."""
    body = parse_json(request.body)
    answer = body.get("completion_response")
    if answer is not None and not isinstance(answer, dict):
        raise BadRequestError("'completion_response' must be an object.", param="completion_response", code="invalid_value")
    said = answer.get("usage") if answer else body.get("usage")
    model = body.get("model") or (answer or {}).get("model")
    if not isinstance(model, str) or not model:
        raise missing_parameter("model")
    body = {**body, "model": model}
    if answer is None and said is None:
        return _cost_of_request(router, allowed, body, request.id, default_max_output_tokens)
    if not usage.is_plausible(said):
        param = "completion_response.usage" if answer else "usage"
        raise BadRequestError(f"'{param}' must be a usage object with counts of tokens.", param=param, code="invalid_value")
    attempt = _plan(router, allowed, model, "chat_completions", request.id)[0]
    tier = (answer or body).get("service_tier")
    return _to_json(attempt, usage.from_openai(normalize_usage(said or {}, attempt.model), tier), estimated=False)


def _cost_of_request(router: Router, allowed: Collection[str], body: JSON, request_id: str, default: int) -> JSON:
    """The estimated cost of the prompt, and the most that the request may cost: what would be reserved of a budget."""
    asked = parse_completion(json.dumps(body).encode()) if "prompt" in body else parse_chat(json.dumps(body).encode())
    attempts = estimates.with_limits(_plan(router, allowed, asked.model, asked.operation, request_id), asked, default)
    most = estimates.bound_cost(asked, [attempt for attempt in attempts if asked.is_priced(attempt)] or attempts, default)
    estimate = _to_json(attempts[0], Usage(input=asked.estimate_prompt_tokens()), estimated=True)
    return {
        **estimate,
        "max_cost": to_usd(most.amount_nanousd),
        "max_tokens": asked.max_output_tokens or attempts[0].max_output_tokens,
    }


def _plan(router: Router, allowed: Collection[str], model: str, operation: str, request_id: str) -> list[Attempt]:
    """All attempts that a request may lead to, best first. Raises NotFoundError, PermissionDeniedError."""
    return list(router.plan(model, RoutingContext(request_id, int(time.time()), operation, allowed=allowed)).all())


def _to_json(attempt: Attempt, tokens: Usage, *, estimated: bool) -> JSON:
    cost = costs.cost_nanousd(tokens, attempt.model_info, now_s=time.time())
    return {
        "cost": to_usd(cost),
        "cost_estimated": estimated,
        "model": attempt.target,
        "input_tokens": tokens.prompt,
        "output_tokens": tokens.completion,
    }
