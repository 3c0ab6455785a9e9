"""Rerank of Cohere, also on Azure: the second version of its API, and the first for what only that has.

https://docs.cohere.com/reference/rerank, https://docs.cohere.com/v1/reference/rerank
"""

from haimaker.adapters import ranking
from haimaker.adapters.cohere.chat import read_error
from haimaker.adapters.openai import rerank as plain
from haimaker.adapters.openai.requests import drop_unsupported
from haimaker.http.errors import from_upstream as error_from_upstream
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.rerank import RerankRequest

__all__ = ["from_upstream", "read_error", "to_upstream"]

FIRST_VERSION_ONLY = "max_chunks_per_doc"


def to_upstream(request: RerankRequest, attempt: Attempt) -> UpstreamRequest:
    options, lost = request.options("max_tokens_per_doc", FIRST_VERSION_ONLY)
    options, dropped = drop_unsupported(options, attempt.provider.dialect, forced=True)
    body: JSON = {"model": attempt.model, "query": request.query, "documents": request.texts, **options}
    if request.top_n is not None:
        body["top_n"] = request.top_n
    version = "v1" if FIRST_VERSION_ONLY in body else ""
    if version and body.pop("max_tokens_per_doc", None) is not None:
        dropped = (*dropped, "max_tokens_per_doc")
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return UpstreamRequest(plain.PATH, dumps(body), headers, dropped=(*lost, *dropped), version=version)


def from_upstream(answer: UpstreamBody, request: RerankRequest, attempt: Attempt) -> Result:
    body = answer.object()
    if ranking.find_results(body) is None and isinstance(body.get("message"), str):
        raise error_from_upstream(502, read_error(body), {})
    return plain.from_upstream(answer, request, attempt)
