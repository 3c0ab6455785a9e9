"""Embeddings in the format of Google's Gemini API. Pure.

https://ai.google.dev/api/embeddings
"""

from typing import Any

from haimaker.api.formats.gemini_contents import parts_of, with_camel_names
from haimaker.api.formats.gemini_requests import GATEWAYS, OF_CHAT
from haimaker.http.errors import BadGatewayError, BadRequestError, invalid_parameter
from haimaker.http.values import JSON

READ = frozenset({"content", "outputDimensionality", "model"})


def to_embeddings(body: JSON, model: str, *, several: bool) -> tuple[JSON, tuple[str, ...], BadRequestError | None]:
    """OpenAI's request, the names of what was left out, and why a target that does not speak this format can't serve it.

    Raises BadRequestError."""
    ours = {name: value for name, value in body.items() if name in OF_CHAT}
    asked = with_camel_names(body)
    requests = asked.get("requests") if several else [body]
    if not isinstance(requests, list) or not requests:
        raise invalid_parameter("requests", "it must be a list with at least one request")
    inputs: list[Any] = []
    sizes: set[Any] = set()
    dropped: dict[str, bool] = {}
    refusal: BadRequestError | None = None
    for index, each in enumerate(requests):
        param = f"requests[{index}]." if several else ""
        if not isinstance(each, dict):
            raise invalid_parameter(f"requests[{index}]", "it must be an object")
        request = with_camel_names({name: value for name, value in each.items() if value is not None and name not in GATEWAYS})
        found, problem = _inputs(request.get("content"), f"{param}content")
        inputs += found
        refusal = refusal or problem
        size = request.get("outputDimensionality")
        if size is not None and (type(size) is not int or size < 1):
            raise invalid_parameter(f"{param}outputDimensionality", "it must be a whole number")
        sizes.add(size)
        dropped |= {name: True for name in request if name not in READ}
    if len(sizes) > 1:
        refusal = invalid_parameter("requests", "all must ask for one outputDimensionality")
    size = next(iter(sizes)) if len(sizes) == 1 else None
    made = {**ours, "model": model, "input": inputs, **({"dimensions": size} if size is not None else {})}
    return made, tuple(dropped), refusal


def from_embeddings(answer: JSON, *, several: bool) -> JSON:
    """Raises BadGatewayError."""
    vectors = [{"values": item["embedding"]} for item in answer["data"]]
    if not vectors or not all(isinstance(vector["values"], list) for vector in vectors):
        raise BadGatewayError("The provider's answer has no numbers of a vector.", code="invalid_provider_response")
    used = answer.get("usage") or {}
    metadata = {"usageMetadata": {"promptTokenCount": used["prompt_tokens"]}} if "prompt_tokens" in used else {}
    return {**({"embeddings": vectors} if several else {"embedding": vectors[0]}), **metadata}


def _inputs(content: Any, param: str) -> tuple[list[Any], BadRequestError | None]:
    """A text, or an image; of other contents, of which only Google makes one vector, each part that weighs something."""
    parts = parts_of(content, param)
    texts = [part["text"] for part, _ in parts if isinstance(part.get("text"), str) and part["text"]]
    if texts and len(texts) == len(parts):
        return ["\n".join(texts)], None
    images = [{"image_url": {"url": url}} for part, _ in parts if (url := _image(part.get("inlineData")))]
    if not texts and not images:
        raise invalid_parameter(param, "it must have a text or an image")
    refusal = invalid_parameter(param, "the model makes a vector of one text or of one image") if len(parts) > 1 else None
    return [*texts, *images], refusal


def _image(given: Any) -> str:
    blob = with_camel_names(given) if isinstance(given, dict) else {}
    kind, data = blob.get("mimeType"), blob.get("data")
    return f"data:{kind};base64,{data}" if isinstance(kind, str) and kind.startswith("image/") and isinstance(data, str) else ""
