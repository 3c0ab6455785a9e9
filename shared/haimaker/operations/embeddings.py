"""`POST /v1/embeddings`: what is asked, the most that it may cost, and OpenAI's shape of an answer. Pure.

https://platform.openai.com/docs/api-reference/embeddings
"""

import base64
import struct
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

from haimaker.http.errors import BadGatewayError, BadRequestError, invalid_parameter
from haimaker.http.json import MAX_TOKEN_IDS, parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.lean_pydantic import Field, StrictInt, ValidationError
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS, CommonFields, ManyTokenIds, raise_validation_error, with_model
from haimaker.operations.operation import OperationRequest, Original, Result
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage
from haimaker.validation.bounds import SomeText, TokenIds
from haimaker.validation.links import check_parts

MAX_INPUTS = 2_048
OPENAI = frozenset({"dimensions", "encoding_format", "input", "model", "user"})
INPUT_TOKENS = 8
"""What a provider may add to each text."""

IMAGE_TOKENS = 50_000
"""No provider counts more for one image: Voyage's, 560 pixels a token up to 16 million pixels, come to 28,600.
https://docs.voyageai.com/docs/multimodal-embeddings"""
IMAGE_PREFIX = "data:image/"
IMAGE_FIELDS = ("image", "image_url")

Texts = Annotated[list[SomeText | dict[str, Any]], Field(min_length=1, max_length=MAX_INPUTS, fail_fast=True)]


class Content(NamedTuple):
    """One input: a text, or an image as a data URL or a link."""

    text: str = ""
    image: str = ""


class EmbeddingFields(CommonFields):
    """The fields that are read here."""

    input: SomeText | Texts | TokenIds | ManyTokenIds
    dimensions: Annotated[StrictInt, Field(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingRequest(OperationRequest):
    """Texts, each as a string or as the ids of its tokens."""

    fields: EmbeddingFields

    @property
    def operation(self) -> str:
        return "embeddings"

    @property
    def streams(self) -> bool:
        return False

    @property
    def inputs(self) -> list[str | JSON] | list[list[int]]:
        given: Any = self.fields.input
        one = isinstance(given, str) or isinstance(given[0], int)
        return [given] if one else given

    def contents(self) -> list[Content]:
        """The inputs as texts and images, for a provider that takes no ids of tokens. Raises BadRequestError."""
        return [_content(each, index) for index, each in enumerate(self.inputs)]

    def texts(self) -> list[str]:
        """The inputs, for a provider that takes texts alone. Raises BadRequestError."""
        contents = self.contents()
        if any(content.image for content in contents):
            raise BadRequestError("This model takes texts, not images.", param="input", code="unsupported_parameter")
        return [content.text for content in contents]

    def options(self, dimensions: str | None) -> tuple[JSON, tuple[str, ...]]:
        """The other fields for a vendor's body, the size of the vectors under its name there, and what is dropped of them.

        Raises BadRequestError where there is no such name.
        """
        body = {name: value for name, value in self.body.items() if name not in OPENAI and name not in OURS and value is not None}
        dropped = ["user"] if self.body.get("user") else []
        size = self.fields.dimensions
        if size is not None and dimensions:
            body[dimensions] = size
        elif size is not None:
            if not self.body.get("drop_params"):
                message = "The model's vectors have one size. Leave 'dimensions' out, or send \"drop_params\": true."
                raise BadRequestError(message, param="dimensions", code="unsupported_parameter")
            dropped.append("dimensions")
        return body, tuple(dropped)

    def max_usage(self, attempt: Attempt, default_output_tokens: int = 0) -> Usage:
        return self._most

    def estimate_usage(self, attempt: Attempt, sent_bytes: int = 0) -> Usage:
        return self._estimated

    @cached_property
    def _most(self) -> Usage:
        """A token is at least one byte of its text."""
        texts = sum(_bytes(_without_image(each)) + INPUT_TOKENS for each in self.inputs)
        images = sum(1 for each in self.inputs if _image(each))
        return Usage(input=texts, input_image=images * IMAGE_TOKENS, input_images=images, queries=len(self.inputs) - images)

    @cached_property
    def _estimated(self) -> Usage:
        images = sum(1 for each in self.inputs if _image(each))
        return Usage(input=sum(_estimate(each) for each in self.inputs if not _image(each)), input_images=images)

    def usage_object(self, tokens: Usage) -> JSON:
        return {"prompt_tokens": tokens.prompt, "total_tokens": tokens.prompt}

    def split(self, attempt: Attempt, at_once: int | None = None) -> Sequence[Self]:
        if at_once is None:
            return [self]
        inputs = self.inputs
        return [self._of(inputs[start : start + at_once]) for start in range(0, len(inputs), at_once)]

    def merge(self, results: Sequence[Result]) -> Result:
        bodies: list[JSON] = [result.body for result in results if isinstance(result.body, dict)]
        items = [item for body in bodies for item in sorted(body["data"], key=_index)]
        data = [{**item, "index": index} for index, item in enumerate(items)]
        return Result({**bodies[0], "data": data, "usage": self.usage_object(self.sum_usage(results))})

    def build_result(self, model: str, vectors: Sequence[Sequence[float]], tokens: Usage | None) -> Result:
        """OpenAI's answer of the vectors of all inputs, in their order."""
        data = [
            {"object": "embedding", "index": index, "embedding": self.encode_vector(vector)} for index, vector in enumerate(vectors)
        ]
        body: JSON = {"object": "list", "data": data, "model": model}
        return Result({**body, "usage": self.usage_object(tokens)} if tokens else body, tokens)

    def encode_vector(self, vector: Any) -> Any:
        """A vector in the encoding that was asked for: numbers, or 32-bit floats, lowest byte first, as base64."""
        wanted = self.fields.encoding_format or "float"
        try:
            if wanted == "base64" and isinstance(vector, list):
                return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
            if wanted == "float" and isinstance(vector, str):
                raw = base64.b64decode(vector)
                return list(struct.unpack(f"<{len(raw) // 4}f", raw))
        except (struct.error, ValueError, OverflowError):
            raise BadGatewayError("The provider's answer has no embeddings.", code="invalid_provider_response") from None
        return vector

    def _of(self, inputs: Any) -> Self:
        return replace(self, fields=self.fields.model_copy(update={"input": inputs}), body={**self.body, "input": inputs})


def parse(request: Request) -> EmbeddingRequest:
    """Raises BadRequestError."""
    body = with_model(parse_json(request.body, values=MAX_TOKEN_IDS), request.path.get("model"))
    if "output_dimension" in body and body.get("dimensions") is None:  # as Voyage, Mistral and Cohere call them
        body = {
            **{name: value for name, value in body.items() if name != "output_dimension"},
            "dimensions": body["output_dimension"],
        }
    return _validate(body, len(request.body))


def translated_embeddings(body: JSON, raw: bytes, original: Original) -> EmbeddingRequest:
    """What is the translation of `raw`, which is in another format. Raises BadRequestError."""
    return replace(_validate(body, len(raw)), original=original)


def _validate(body: JSON, size: int) -> EmbeddingRequest:
    check_parts(body.get("input"), "input")
    try:
        return EmbeddingRequest(EmbeddingFields.model_validate(body), body, size)
    except ValidationError as error:
        raise_validation_error(error)


def _content(given: Any, index: int) -> Content:
    """A string, one that is an image, or an object as a message's part, or as Jina has it."""
    if isinstance(given, str):
        return Content(image=given) if given.startswith(IMAGE_PREFIX) else Content(given)
    param = f"input[{index}]"
    if not isinstance(given, dict):
        message = "This model takes texts, not the ids of tokens. Send `input` as a string or a list of strings."
        raise BadRequestError(message, param="input", code="unsupported_parameter")
    image = _image(given)
    text = given.get("text")
    if image or (isinstance(text, str) and text):
        return Content(image=image) if image else Content(str(text))
    raise invalid_parameter(param, "it is neither a text nor an image")


def _image(given: Any) -> str:
    """The image that an input is; empty where it is none."""
    if isinstance(given, dict):
        held = given.get("image_url", given.get("image"))
        given = held.get("url") if isinstance(held, dict) else held
        return given if isinstance(given, str) else ""
    return given if isinstance(given, str) and given.startswith(IMAGE_PREFIX) else ""


def _without_image(given: Any) -> Any:
    """What is said beside an image, which is bounded by itself."""
    if not _image(given):
        return given
    return {name: value for name, value in given.items() if name not in IMAGE_FIELDS} if isinstance(given, dict) else ""


def _bytes(given: Any) -> int:
    """The bytes of a text, or of an object as JSON; of a list of ids their number."""
    if isinstance(given, dict):
        return len(dumps(given))
    return usage.utf8_length(given) if isinstance(given, str) else len(given)


def _estimate(given: Any) -> int:
    return len(given) if isinstance(given, list) else usage.estimate_tokens(_bytes(given))


def _index(item: JSON) -> int:
    return int(item.get("index") or 0)
