"""Moderation of OpenAI and of who speaks its format. https://platform.openai.com/docs/api-reference/moderations"""

from collections.abc import Mapping

from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.openai.requests import drop_unsupported, rename_fields
from haimaker.http.errors import BadGatewayError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS
from haimaker.operations.moderation_results import complete_result
from haimaker.operations.moderations import ModerationRequest
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_upstream", "read_error", "to_upstream"]

PATH = "/moderations"
SAME: Mapping[str, str] = {}


def to_upstream(request: ModerationRequest, attempt: Attempt) -> UpstreamRequest:
    dialect = attempt.provider.dialect
    body: JSON = {name: value for name, value in request.body.items() if name not in OURS}
    body, dropped = drop_unsupported(rename_fields(body, dialect.rename), dialect, forced=bool(request.body.get("drop_params")))
    headers = {"content-type": "application/json", **dialect.headers}
    return UpstreamRequest(PATH, dumps({**dialect.add, **body, "model": attempt.model}), headers, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: ModerationRequest, attempt: Attempt) -> Result:
    return rename_categories(answer, request, attempt, SAME)


def rename_categories(answer: UpstreamBody, request: ModerationRequest, attempt: Attempt, names: Mapping[str, str]) -> Result:
    """The result with the provider's categories under OpenAI's names; `names` has those that differ."""
    body = answer.object()
    found = body.get("results")
    results = [complete_result(result, names, request.kinds) for result in found] if isinstance(found, list) else [None]
    if None in results or not results:
        raise from_body(body) if is_failure(body) else unusable_moderation()
    said = body.get("usage")
    tokens = request.usage_from(said) if isinstance(said, dict) and said else None
    if tokens is None and attempt.model_info.is_free:  # an estimate of what costs nothing is none of a cost
        tokens = request.estimate_usage(attempt)
    kept = body if tokens is None or tokens.prompt else {name: value for name, value in body.items() if name != "usage"}
    return request.build_result(attempt, [result for result in results if result], kept, tokens)


def unusable_moderation() -> BadGatewayError:
    return BadGatewayError("The provider's answer has no results.", code="invalid_provider_response")
