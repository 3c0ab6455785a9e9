"""Embeddings of Cohere, texts and images.

https://docs.cohere.com/reference/embed
"""

from typing import Any

from haimaker.adapters.cohere.chat import read_error
from haimaker.adapters.vectors import vectors_of
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.embeddings import EmbeddingRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing.usage import Usage, to_count

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

PATH = "/embed"
MAX_AT_ONCE = 96
DEFAULTS: JSON = {"input_type": "search_document", "embedding_types": ["float"]}


def most_at_once(attempt: Attempt) -> int:
    return MAX_AT_ONCE


def to_upstream(request: EmbeddingRequest, attempt: Attempt) -> UpstreamRequest:
    options, dropped = request.options("output_dimension")
    body = {**DEFAULTS, **options, **inputs(request), "embedding_types": ["float"], "model": attempt.model}
    return UpstreamRequest(
        PATH, dumps(body), {"content-type": "application/json", **attempt.provider.dialect.headers}, dropped=dropped
    )


def from_upstream(answer: UpstreamBody, request: EmbeddingRequest, attempt: Attempt) -> Result:
    body = answer.object()
    return request.build_result(attempt.model, vectors_of(body.get("embeddings")), tokens_of(body))


def inputs(request: EmbeddingRequest) -> JSON:
    """Texts alone by themselves; with images each input is a list of parts, which models from v4 on take."""
    contents = request.contents()
    if not any(content.image for content in contents):
        return {"texts": [content.text for content in contents]}
    return {"inputs": [{"content": [_part(content)]} for content in contents]}


def tokens_of(body: JSON) -> Usage | None:
    """What is invoiced: https://docs.cohere.com/reference/embed#response.body.meta"""
    meta = body.get("meta")
    billed: Any = meta.get("billed_units") if isinstance(meta, dict) else None
    if not isinstance(billed, dict):
        return None
    return Usage(
        input=to_count(billed, "input_tokens"),
        input_image=to_count(billed, "image_tokens"),
        input_images=to_count(billed, "images"),
    )


def _part(content: Any) -> JSON:
    if content.image:
        return {"type": "image_url", "image_url": {"url": content.image}}
    return {"type": "text", "text": content.text}
