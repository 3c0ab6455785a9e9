"""Embeddings on Vertex AI: texts, and the models that take images as well.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/multimodal-embeddings-api
"""

from typing import Any
from urllib.parse import quote

from haimaker.adapters.gemini import embeddings
from haimaker.adapters.gemini.failures import read_error
from haimaker.adapters.gemini.inline import inline_data
from haimaker.adapters.vectors import vector_of
from haimaker.http.errors import BadGatewayError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.embeddings import Content, EmbeddingRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing.usage import Usage, to_count

__all__ = ["from_upstream", "most_at_once", "read_error", "to_upstream"]

MAX_AT_ONCE = 250
MULTIMODAL = "multimodalembedding"
"""The family that takes images as well."""
BY_CHARACTER = "input_cost_per_character"
OF_AN_INSTANCE = {"task_type": "task_type", "taskType": "task_type", "input_type": "task_type", "title": "title"}


def most_at_once(attempt: Attempt) -> int:
    return 1 if attempt.traits.one_input else MAX_AT_ONCE


def to_upstream(request: EmbeddingRequest, attempt: Attempt) -> UpstreamRequest:
    path = f"/publishers/google/models/{quote(attempt.model, safe='@')}"
    headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
    multimodal = MULTIMODAL in attempt.traits.families
    options, dropped = request.options("dimension" if multimodal else "outputDimensionality")
    if attempt.traits.embeds_content:
        options = {embeddings.NAMES.get(name, name): value for name, value in options.items()}
        (content,) = request.contents()
        body: JSON = {"content": {"parts": [embeddings.part(content)]}, **options}
        return UpstreamRequest(f"{path}:embedContent", dumps(body), headers, dropped=dropped)
    of_instance = {OF_AN_INSTANCE[name]: options.pop(name) for name in list(options) if name in OF_AN_INSTANCE}
    contents = request.contents() if multimodal else [Content(text) for text in request.texts()]
    instances = [{**_instance(content, multimodal=multimodal), **of_instance} for content in contents]
    body = {"instances": instances, **({"parameters": options} if options else {})}
    return UpstreamRequest(f"{path}:predict", dumps(body), headers, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: EmbeddingRequest, attempt: Attempt) -> Result:
    body = answer.object()
    if "predictions" not in body and ("embedding" in body or "embeddings" in body):
        return embeddings.from_upstream(answer, request, attempt)
    predictions: Any = body.get("predictions")
    if not isinstance(predictions, list):
        raise BadGatewayError("The provider's answer has no embeddings.", code="invalid_provider_response")
    found = [prediction if isinstance(prediction, dict) else {} for prediction in predictions]
    vectors = [_vector(each) for each in found]
    return request.build_result(attempt.model, vectors, _tokens(body, found, request, attempt))


def _instance(content: Content, *, multimodal: bool) -> JSON:
    if content.image:
        inline = inline_data(content.image)
        return {"image": {"bytesBase64Encoded": inline["data"], "mimeType": inline["mimeType"]}}
    return {"text" if multimodal else "content": content.text}


def _vector(prediction: JSON) -> list[float]:
    named = (prediction[name] for name in ("embeddings", "textEmbedding", "imageEmbedding") if name in prediction)
    return vector_of(next(named, None))


def _tokens(body: JSON, predictions: list[JSON], request: EmbeddingRequest, attempt: Attempt) -> Usage | None:
    """What was used, by the count of each text. Older models are billed by the character, those for images by the image as well.

    https://cloud.google.com/vertex-ai/generative-ai/pricing
    """
    if MULTIMODAL in attempt.traits.families:
        contents = request.contents()
        characters = sum(len(content.text) for content in contents)
        return Usage(characters=characters, input_images=sum(bool(content.image) for content in contents))
    metadata = body.get("metadata")
    characters = to_count(metadata, "billableCharacterCount") if isinstance(metadata, dict) else 0
    if characters and BY_CHARACTER in attempt.model_info.rates:
        return Usage(characters=characters)
    embedded = [each["embeddings"] for each in predictions if isinstance(each.get("embeddings"), dict)]
    statistics = [each["statistics"] for each in embedded if isinstance(each.get("statistics"), dict)]
    counted = len(statistics) == len(predictions) > 0
    return Usage(input=sum(to_count(each, "token_count", "tokenCount") for each in statistics)) if counted else None
