"""Embeddings of Google AI Studio, as many as it takes in one call.

https://ai.google.dev/api/embeddings
"""

from typing import Any
from urllib.parse import quote

from haimaker.adapters.gemini.failures import read_error
from haimaker.adapters.gemini.inline import inline_data
from haimaker.adapters.vectors import vectors_of
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.embeddings import Content, EmbeddingRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing.usage import Usage, to_count

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

MAX_AT_ONCE = 100
NAMES = {"task_type": "taskType", "input_type": "taskType"}


def most_at_once(attempt: Attempt) -> int:
    return MAX_AT_ONCE


def to_upstream(request: EmbeddingRequest, attempt: Attempt) -> UpstreamRequest:
    options, dropped = request.options("outputDimensionality")
    options = {NAMES.get(name, name): value for name, value in options.items()}
    model = f"models/{attempt.model}"
    requests = [{"model": model, "content": {"parts": [part(content)]}, **options} for content in request.contents()]
    path = f"/models/{quote(attempt.model, safe='@')}:batchEmbedContents"
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    return UpstreamRequest(path, dumps({"requests": requests}), headers, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: EmbeddingRequest, attempt: Attempt) -> Result:
    body = answer.object()
    found = body.get("embeddings", [body["embedding"]] if "embedding" in body else None)
    return request.build_result(attempt.model, vectors_of(found), tokens_of(body))


def part(content: Content) -> JSON:
    return {"inlineData": inline_data(content.image)} if content.image else {"text": content.text}


def tokens_of(body: JSON) -> Usage | None:
    """The tokens that the answer tells, by kind where there are several; None where it tells none."""
    said: Any = body.get("usageMetadata")
    if not isinstance(said, dict) or not to_count(said, "promptTokenCount"):
        return None
    kinds: dict[str, int] = {}
    details = said.get("promptTokensDetails") or said.get("promptTokenDetails")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            kinds[str(detail.get("modality"))] = to_count(detail, "tokenCount")
    total = to_count(said, "promptTokenCount")
    audio, image = min(kinds.get("AUDIO", 0), total), min(kinds.get("IMAGE", 0), total - min(kinds.get("AUDIO", 0), total))
    return Usage(input=total - audio - image, input_audio=audio, input_image=image)
