"""Rerank of Hugging Face's Text Embeddings Inference, which counts tokens in a header.

https://huggingface.github.io/text-embeddings-inference/#/Text%20Embeddings%20Inference/rerank
"""

from haimaker.adapters import ranking
from haimaker.adapters.openai import rerank as plain
from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.openai.rerank import most_at_once
from haimaker.http.json import to_whole_number
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.rerank import RerankRequest
from haimaker.pricing.usage import Usage

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

COUNTED = "x-compute-tokens"


def to_upstream(request: RerankRequest, attempt: Attempt) -> UpstreamRequest:
    options, dropped = request.options()
    body = {**attempt.provider.dialect.add, **options, "query": request.query, "texts": request.texts}
    return UpstreamRequest(plain.PATH, dumps(body), {"content-type": "application/json"}, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: RerankRequest, attempt: Attempt) -> Result:
    body = answer.json()
    if not isinstance(body, list):
        return plain.from_upstream(answer, request, attempt)
    counted = to_whole_number(answer.headers.get(COUNTED, ""))
    tokens = None if counted is None else Usage(input=counted, queries=request.units())
    return request.build_result({"id": attempt.request_id}, ranking.to_results(body, request), tokens)
