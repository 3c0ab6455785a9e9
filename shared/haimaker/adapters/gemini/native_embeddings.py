"""Embeddings asked for in Google's own format at AI Studio: the client's body goes on, and the answer comes back as it is.

https://ai.google.dev/api/embeddings
"""

from urllib.parse import quote

from haimaker.adapters.gemini.answer_types import EMBEDDINGS
from haimaker.adapters.gemini.embeddings import tokens_of
from haimaker.adapters.gemini.failures import read_error
from haimaker.adapters.openai_types import conform
from haimaker.adapters.vectors import vectors_of
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.embeddings import EmbeddingRequest
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_upstream", "read_error", "to_upstream"]


def to_upstream(request: EmbeddingRequest, attempt: Attempt) -> UpstreamRequest:
    assert request.original
    model = {"model": f"models/{attempt.model}"}
    body, action = {**request.original.body, **model}, "embedContent"
    if "requests" in request.original.body:
        body, action = {"requests": [{**each, **model} for each in request.original.body["requests"]]}, "batchEmbedContents"
    path = f"/models/{quote(attempt.model, safe='@')}:{action}"
    return UpstreamRequest(path, dumps(body), {"content-type": "application/json", **attempt.provider.dialect.headers})


def from_upstream(answer: UpstreamBody, request: EmbeddingRequest, attempt: Attempt) -> Result:
    body = conform(answer.object(), EMBEDDINGS)
    found = body.get("embeddings", [body["embedding"]] if "embedding" in body else None)
    return request.build_result(attempt.model, vectors_of(found), tokens_of(body))._replace(native=body)
