"""Rerank of those who speak Cohere's format, or nearly: Jina, Together, Fireworks, Voyage, vLLM, Infinity, and any other server.

https://jina.ai/reranker/, https://docs.together.ai/reference/rerank, https://docs.fireworks.ai/api-reference/rerank-documents,
https://docs.voyageai.com/reference/reranker-api, https://docs.vllm.ai/en/latest/serving/openai_compatible_server/#re-rank-api
"""

from collections.abc import Mapping
from typing import Any

from haimaker.adapters import ranking
from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.openai.requests import drop_unsupported, rename_fields
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.rerank import RerankRequest
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

PATH = "/rerank"
CONSUMED = OURS | {"rank_fields"}


def most_at_once(attempt: Attempt) -> int:
    return attempt.provider.limits.max_inputs or 10**9


def to_upstream(request: RerankRequest, attempt: Attempt) -> UpstreamRequest:
    dialect = attempt.provider.dialect
    body: JSON = {name: value for name, value in request.body.items() if name not in CONSUMED}
    body["documents"] = [
        document if isinstance(document, dict) and any(document.get(name) for name in dialect.document_fields) else text
        for document, text in zip(request.fields.documents, request.texts, strict=True)
    ]
    if request.top_n is not None:
        body["top_n"] = request.top_n
    body, dropped = drop_unsupported(rename_fields(body, dialect.rename), dialect, forced=bool(request.body.get("drop_params")))
    headers = {"content-type": "application/json", **dialect.headers}
    return UpstreamRequest(PATH, dumps({**dialect.add, **body, "model": attempt.model}), headers, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: RerankRequest, attempt: Attempt) -> Result:
    body = answer.json()
    found = ranking.find_results(body)
    if found is None:
        if isinstance(body, dict) and is_failure(body):
            raise from_body(body)
        raise ranking.unusable_ranking()
    head = {name: value for name, value in body.items() if name not in ranking.LISTS} if isinstance(body, dict) else {}
    tokens = tokens_of(head, request)
    if not tokens:
        head.pop("usage", None)
    given = head.get("id")
    named = given if isinstance(given, str) and given else attempt.request_id
    return request.build_result({**head, "id": named}, ranking.to_results(found, request), tokens)


def tokens_of(body: JSON, request: RerankRequest) -> Usage | None:
    """What was used, by a usage in OpenAI's shape or by Cohere's `meta`."""
    said = request.usage_from(body["usage"]) if isinstance(body.get("usage"), Mapping) else None
    if said and said.prompt:
        return said
    meta: Any = body.get("meta")
    counted: Any = [meta.get("billed_units"), meta.get("tokens")] if isinstance(meta, Mapping) else []
    units, tokens = (
        max((usage.to_count(each, name) for each in counted if isinstance(each, dict)), default=0)
        for name in ("search_units", "input_tokens")
    )
    return Usage(input=tokens, queries=units or request.units()) if units or tokens else None
