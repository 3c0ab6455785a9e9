"""Embeddings on Amazon Bedrock, each family of models in a format of its own.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html
https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from haimaker.adapters.bedrock.failures import read_error
from haimaker.adapters.cohere import embeddings as cohere
from haimaker.adapters.gemini.inline import inline_data
from haimaker.adapters.vectors import vector_of, vectors_of
from haimaker.http.json import to_whole_number
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.embeddings import EmbeddingRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing.usage import Usage, to_count

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

COUNTED = "x-amzn-bedrock-input-token-count"
"""https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html"""


class Family(NamedTuple):
    """How a family of models is asked."""

    body: Callable[[EmbeddingRequest, JSON], JSON]
    """From the request, whose inputs are no more than it takes at once, and the client's other fields."""
    dimensions: str | None
    most_at_once: int = 1
    billed_by_text: bool = False


def _titan(request: EmbeddingRequest, options: JSON) -> JSON:
    (text,) = request.texts()
    return {"inputText": text, **options}


def _titan_image(request: EmbeddingRequest, options: JSON) -> JSON:
    (content,) = request.contents()
    size = options.pop("outputEmbeddingLength", None)
    given = {"inputImage": inline_data(content.image)["data"]} if content.image else {"inputText": content.text}
    return {**given, **({"embeddingConfig": {"outputEmbeddingLength": size}} if size else {}), **options}


def _cohere(request: EmbeddingRequest, options: JSON) -> JSON:
    return {**cohere.DEFAULTS, **options, **cohere.inputs(request)}


def _nova(request: EmbeddingRequest, options: JSON) -> JSON:
    (content,) = request.contents()
    given: JSON = {"text": {"truncationMode": options.pop("truncationMode", "END"), "value": content.text}}
    if content.image:
        inline = inline_data(content.image)
        kind = inline["mimeType"].partition("/")[2]
        given = {"image": {"format": kind, "source": {"bytes": inline["data"]}}}
    return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": {"embeddingPurpose": "GENERIC_INDEX", **options, **given}}


def _marengo(request: EmbeddingRequest, options: JSON) -> JSON:
    (content,) = request.contents()
    if content.image:
        return {"inputType": "image", "mediaSource": {"base64String": inline_data(content.image)["data"]}, **options}
    return {"inputType": "text", "inputText": content.text, **options}


FAMILIES = {
    "titan-embed-v2": Family(_titan, "dimensions"),
    "titan-embed-image": Family(_titan_image, "outputEmbeddingLength"),
    "titan-embed": Family(_titan, None),
    "embed-v4": Family(_cohere, "output_dimension", cohere.MAX_AT_ONCE),
    "embed": Family(_cohere, None, cohere.MAX_AT_ONCE),
    "nova-embed": Family(_nova, "embeddingDimension"),
    "marengo": Family(_marengo, None, billed_by_text=True),
}
OTHER = FAMILIES["titan-embed-v2"]


def family(attempt: Attempt) -> Family:
    return attempt.traits.look_up(FAMILIES) or OTHER


def most_at_once(attempt: Attempt) -> int:
    return family(attempt).most_at_once


def to_upstream(request: EmbeddingRequest, attempt: Attempt) -> UpstreamRequest:
    how = family(attempt)
    options, dropped = request.options(how.dimensions)
    headers = {"content-type": "application/json", "accept": "application/json"}
    body = dumps(how.body(request, options))
    return UpstreamRequest(f"/model/{quote(attempt.model, safe='')}/invoke", body, headers, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: EmbeddingRequest, attempt: Attempt) -> Result:
    body = answer.object()
    vectors = [vector_of(body["embedding"])] if isinstance(body.get("embedding"), list) else vectors_of(_find_vectors(body))
    contents = request.contents()
    images = sum(bool(content.image) for content in contents)
    if family(attempt).billed_by_text:
        return request.build_result(attempt.model, vectors, Usage(queries=len(contents) - images, input_images=images))
    return request.build_result(attempt.model, vectors, _tokens(answer, body, images))


def _find_vectors(body: JSON) -> Any:
    by_type = body.get("embeddingsByType")
    found = body.get("embeddings", body.get("data"))
    return [by_type["float"]] if found is None and isinstance(by_type, dict) and "float" in by_type else found


def _tokens(answer: UpstreamBody, body: JSON, images: int) -> Usage | None:
    """What was used: tokens from the body, else from the header; images are billed one by one."""
    tokens = to_count(body, "inputTextTokenCount") or to_whole_number(answer.headers.get(COUNTED, "")) or 0
    return Usage(input=tokens, input_images=images) if tokens or images else None
