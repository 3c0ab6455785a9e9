"""Rerank of Vertex AI: the ranking of its Agent Builder, billed by the hundred of documents.

https://docs.cloud.google.com/generative-ai-app-builder/docs/ranking
https://docs.cloud.google.com/generative-ai-app-builder/docs/reference/rest/v1/projects.locations.rankingConfigs/rank
"""

from typing import Any

from haimaker.adapters import ranking
from haimaker.adapters.gemini.failures import from_body, read_error
from haimaker.adapters.openai.rerank import most_at_once
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.rerank import UNIT_DOCUMENTS, RerankRequest
from haimaker.pricing.usage import Usage

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

PATH = "/rankingConfigs/default_ranking_config:rank"
UNSCORED = 1.0
"""Where an answer has only the order, which stays."""


def to_upstream(request: RerankRequest, attempt: Attempt) -> UpstreamRequest:
    options, dropped = request.options()
    records = [
        _record(index, document, text)
        for index, (document, text) in enumerate(zip(request.fields.documents, request.texts, strict=True))
    ]
    body: JSON = {**options, "model": attempt.model, "query": request.query, "records": records}
    if request.top_n is not None:
        body["topN"] = request.top_n
    return UpstreamRequest(PATH, dumps(body), {"content-type": "application/json"}, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: RerankRequest, attempt: Attempt) -> Result:
    body = answer.object()
    found = ranking.find_results(body)
    if found is None:
        raise from_body(body) if body.get("error") else ranking.unusable_ranking()
    scored = [{"score": UNSCORED, **item} if isinstance(item, dict) else item for item in found]
    units = -(-len(request.texts) // UNIT_DOCUMENTS)
    return request.build_result({"id": attempt.request_id}, ranking.to_results(scored, request), Usage(queries=units))


def _record(index: int, document: Any, text: str) -> JSON:
    title = document.get("title") if isinstance(document, dict) and document.get("text") == text else None
    return {"id": str(index), **({"title": title} if isinstance(title, str) and title else {}), "content": text}
