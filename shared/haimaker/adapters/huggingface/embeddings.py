"""Embeddings of Hugging Face's own inference: the vectors come as they are, without a word on tokens.

https://huggingface.co/docs/inference-providers/tasks/feature-extraction
"""

from urllib.parse import quote

from haimaker.adapters.openai import embeddings as openai
from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.vectors import vectors_of
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.embeddings import EmbeddingRequest
from haimaker.operations.operation import Result, UpstreamBody

__all__ = ["from_upstream", "read_error", "to_upstream"]


def to_upstream(request: EmbeddingRequest, attempt: Attempt) -> UpstreamRequest:
    options, dropped = request.options("dimensions")
    path = f"/models/{quote(attempt.model, safe='/')}/pipeline/feature-extraction"
    body = dumps({"inputs": request.texts(), **options})
    return UpstreamRequest(path, body, {"content-type": "application/json", **attempt.provider.dialect.headers}, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: EmbeddingRequest, attempt: Attempt) -> Result:
    found = answer.json()
    if isinstance(found, dict):  # a server of one's own may speak OpenAI's format
        return openai.from_upstream(answer, request, attempt)
    if isinstance(found, list) and found and type(found[0]) in (int, float):
        found = [found]
    return request.build_result(attempt.model, vectors_of(found), None)
