"""Rerank of DeepInfra, in its own format: a score for each document in their order. https://deepinfra.com/Qwen/Qwen3-Reranker-8B/api"""

from urllib.parse import quote

from haimaker.adapters import ranking
from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.openai.rerank import most_at_once
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.rerank import RerankRequest

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]


def to_upstream(request: RerankRequest, attempt: Attempt) -> UpstreamRequest:
    options, dropped = request.options()
    body = {**options, "queries": [request.query] * len(request.texts), "documents": request.texts}
    path = f"/inference/{quote(attempt.model, safe='/:')}"
    return UpstreamRequest(path, dumps(body), {"content-type": "application/json"}, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: RerankRequest, attempt: Attempt) -> Result:
    body = answer.object()
    scores = body.get("scores")
    if not isinstance(scores, list) or len(scores) != len(request.texts):
        raise from_body(body) if is_failure(body) else ranking.unusable_ranking()
    found = [{"index": index, "score": score} for index, score in enumerate(scores)]
    given = body.get("request_id")
    head: JSON = {"id": given if isinstance(given, str) and given else attempt.request_id}
    tokens = request.usage_from(_usage(body))
    if not tokens.prompt:
        return request.build_result(head, ranking.to_results(found, request), None)
    return request.build_result({**head, "usage": _usage(body)}, ranking.to_results(found, request), tokens)


def _usage(body: JSON) -> JSON:
    """The tokens, and what it charges for them."""
    status = body.get("inference_status")
    known = status if isinstance(status, dict) else {}
    tokens = body.get("input_tokens") or known.get("tokens_input")
    cost = {"cost": known["cost"]} if known.get("cost") else {}
    return {"input_tokens": tokens, "total_tokens": tokens, **cost}
