"""`POST /v1/embeddings`: what is asked, the most that it may cost, and OpenAI's shape of an answer. Pure.

https://platform.openai.com/docs/api-reference/embeddings
"""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, StrictStr, ValidationError

from haimaker import choices, usage
from haimaker.errors import BadRequestError
from haimaker.schema import CommonFields, ManyTokenIds, TokenIds, parse_json, refuse, with_model
from haimaker.task import Made, Task
from haimaker.usage import Tokens
from haimaker.wire import JSON, Attempt, Request

MOST_INPUTS = 2_048
INPUT_TOKENS = 8
"""What a provider may add to each text."""

Text = Annotated[StrictStr, Field(min_length=1)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MOST_INPUTS)]


class EmbeddingFields(CommonFields):
    """The fields that are read here."""

    input: Text | Texts | TokenIds | ManyTokenIds
    dimensions: Annotated[StrictInt, Field(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingRequest(Task):
    """Texts, each as a string or as the ids of its tokens."""

    fields: EmbeddingFields

    @property
    def endpoint(self) -> str:
        return "embeddings"

    @property
    def streams(self) -> bool:
        return False

    @property
    def inputs(self) -> list[str] | list[list[int]]:
        given: Any = self.fields.input
        one = isinstance(given, str) or isinstance(given[0], int)
        return [given] if one else given

    def texts(self) -> list[str]:
        """For a provider that has no use for the ids of OpenAI's tokens. Raises BadRequestError."""
        inputs = self.inputs
        if any(not isinstance(each, str) for each in inputs):
            message = "This model takes texts, not the ids of tokens. Send `input` as a string or a list of strings."
            raise BadRequestError(message, param="input", code="unsupported_parameter")
        return [str(each) for each in inputs]

    def most(self, attempt: Attempt) -> Tokens:
        """A token is at least one byte of its text."""
        longest = attempt.facts.max_input_tokens
        bounds = (_bytes(each) + INPUT_TOKENS for each in self.inputs)
        return Tokens(input=sum(min(bound, longest) if longest else bound for bound in bounds))

    def estimate(self, attempt: Attempt, answer_bytes: int = 0) -> Tokens:
        return Tokens(input=sum(_estimate(each) for each in self.inputs))

    def usage(self, tokens: Tokens) -> JSON:
        return {"prompt_tokens": tokens.prompt, "total_tokens": tokens.prompt}

    def parts(self, most: int) -> "Sequence[EmbeddingRequest]":
        inputs = self.inputs
        return [self._of(inputs[start : start + most]) for start in range(0, len(inputs), most)]

    def joined(self, mades: Sequence[Made]) -> Made:
        bodies: list[JSON] = [made.body for made in mades if isinstance(made.body, dict)]
        items = [item for body in bodies for item in sorted(body["data"], key=_index)]
        data = [{**item, "index": index} for index, item in enumerate(items)]
        tokens = choices.total([self.tokens(body["usage"]) for body in bodies])
        return Made({**bodies[0], "data": data, "usage": self.usage(tokens)})

    def made(self, model: str, vectors: Sequence[Sequence[float]], tokens: Tokens | None) -> Made:
        """OpenAI's answer of the vectors of all inputs, in their order."""
        data = [{"object": "embedding", "index": index, "embedding": self.encoded(vector)} for index, vector in enumerate(vectors)]
        body: JSON = {"object": "list", "data": data, "model": model}
        return Made({**body, "usage": self.usage(tokens)} if tokens else body, tokens)

    def encoded(self, vector: Any) -> Any:
        """A vector in the encoding that was asked for: numbers, or 32-bit floats, lowest byte first, as base64."""
        wanted = self.fields.encoding_format or "float"
        if wanted == "base64" and isinstance(vector, list):
            return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        if wanted == "float" and isinstance(vector, str):
            raw = base64.b64decode(vector)
            return list(struct.unpack(f"<{len(raw) // 4}f", raw))
        return vector

    def _of(self, inputs: Any) -> "EmbeddingRequest":
        return replace(self, fields=self.fields.model_copy(update={"input": inputs}), body={**self.body, "input": inputs})


def parse(request: Request) -> EmbeddingRequest:
    """Raises BadRequestError."""
    body = with_model(parse_json(request.body), request.path.get("model"))
    try:
        return EmbeddingRequest(EmbeddingFields.model_validate(body), body, len(request.body))
    except ValidationError as error:
        refuse(error)


def _bytes(text: str | list[int]) -> int:
    return len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else len(text)


def _estimate(text: str | list[int]) -> int:
    return usage.estimate_tokens(_bytes(text)) if isinstance(text, str) else len(text)


def _index(item: JSON) -> int:
    return int(item.get("index") or 0)
