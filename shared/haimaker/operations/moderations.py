"""`POST /v1/moderations`: what is asked, the most that it may cost, and OpenAI's shape of an answer. Pure.

https://platform.openai.com/docs/api-reference/moderations
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Self

from haimaker.http.errors import BadRequestError, invalid_parameter
from haimaker.http.json import parse_json
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.lean_pydantic import Field, StrictStr, ValidationError
from haimaker.media import images as media_images
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS, CommonFields, raise_validation_error, with_model
from haimaker.operations.moderation_results import IMAGE, TEXT, merge_moderations
from haimaker.operations.operation import OperationRequest, Result, sum_said_usage
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage
from haimaker.validation.bounds import SomeText
from haimaker.validation.links import check_parts

DEFAULT_MODEL = "omni-moderation-latest"
MAX_INPUTS = 2_048
INPUT_TOKENS = 64
"""What a provider may add to each input."""
IMAGE_TOKENS = 50_000
"""No provider counts more for one image."""
PIECE_CHARACTERS = 10_000
"""The longest text that is judged in one call by who judges one text a call."""
UNIT_CHARACTERS = 1_000
"""Of a text, where they are billed by the thousand that is begun."""
OPENAI = frozenset({"input", "model", "user", "stream"})

Inputs = Annotated[list[SomeText | dict[str, Any]], Field(min_length=1, max_length=MAX_INPUTS, fail_fast=True)]


class ModerationFields(CommonFields):
    """The fields that are read here."""

    model: Annotated[StrictStr, Field(min_length=1, max_length=512)] = DEFAULT_MODEL
    input: SomeText | Inputs


class Piece(NamedTuple):
    """A text, or an image as a data URL or a link, and which of the results it belongs to."""

    result: int
    text: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class ModerationRequest(OperationRequest):
    """Texts, each of which gets a result, or the parts of one message, which get one together."""

    fields: ModerationFields
    only: Piece | None = None
    """What of it is to be judged in a call of its own."""

    @property
    def operation(self) -> str:
        return "moderations"

    @property
    def streams(self) -> bool:
        return False

    @property
    def pieces(self) -> list[Piece]:
        """The texts and images to be judged, in order."""
        given = self.fields.input
        if self.only:
            return [self.only]
        if isinstance(given, str):
            return [Piece(0, given)]
        return [Piece(index, each) if isinstance(each, str) else _part(each, index) for index, each in enumerate(given)]

    def check(self) -> None:
        """Raises BadRequestError for parts that are neither text nor image, or that stand between texts."""
        given = self.fields.input
        if isinstance(given, list) and len({type(each) for each in given}) > 1:
            raise invalid_parameter("input", "texts or parts, not both")
        for index, piece in enumerate(self.pieces):
            if not piece.text and not piece.image:
                param = f"input[{index}]"
                message = f"Invalid value for '{param}': it is neither a text nor an image_url with one in it."
                raise BadRequestError(message, param=param, code="invalid_value")

    def texts(self) -> list[str]:
        """One text for each result, for a model that reads texts alone. Raises BadRequestError, unless what is no text may be
        dropped."""
        joined = [_join_texts(pieces) for pieces in self._by_result()]
        if not all(joined) or (any(piece.image for piece in self.pieces) and not self.body.get("drop_params")):
            raise BadRequestError("This model judges texts, not images.", param="input", code="unsupported_parameter")
        return joined

    def options(self) -> JSON:
        """The client's other fields, for a body of another shape."""
        return {name: value for name, value in self.body.items() if name not in OPENAI | OURS and value is not None}

    def image_kind(self) -> str:
        """The type of the one image that is asked about, by its bytes, else by its data URL."""
        said = self.pieces[0].image.removeprefix("data:").partition(",")[0].partition(";")[0]
        return media_images.sniff_type(base64.b64decode(self.image_bytes()[:64] + "==")) or said

    def image_bytes(self) -> str:
        """The one image that is asked about, in base64. Raises BadRequestError."""
        data = media_images.from_base64(self.pieces[0].image)
        if not data:
            raise BadRequestError("The image is no data URL in base64.", param="input", code="invalid_image")
        return base64.b64encode(data).decode()

    def max_usage(self, attempt: Attempt, default_output_tokens: int = 0) -> Usage:
        return self._most

    def estimate_usage(self, attempt: Attempt, sent_bytes: int = 0) -> Usage:
        return self._estimated

    @cached_property
    def _most(self) -> Usage:
        """A token is at least one byte of its text."""
        pieces = self.pieces
        images = sum(bool(piece.image) for piece in pieces)
        tokens = sum(usage.utf8_length(piece.text) + INPUT_TOKENS for piece in pieces)
        return Usage(input=tokens, input_image=images * IMAGE_TOKENS, input_images=images, queries=self.units())

    @cached_property
    def _estimated(self) -> Usage:
        tokens = sum(usage.estimate_tokens(usage.utf8_length(piece.text)) for piece in self.pieces)
        return Usage(input=tokens, input_images=sum(bool(piece.image) for piece in self.pieces), queries=self.units())

    def units(self) -> int:
        """Units of text, as providers count them that bill by the thousand characters."""
        return sum(-(-len(piece.text) // UNIT_CHARACTERS) for piece in self.pieces)

    def usage_from(self, used: JSON) -> Usage:
        images = sum(bool(piece.image) for piece in self.pieces)
        return replace(usage.from_openai(used), queries=self.units(), input_images=images)

    def split(self, attempt: Attempt, at_once: int | None = None) -> Sequence[Self]:
        """Each text of no more than can be judged at once, and each image, by itself."""
        return [self] if at_once is None else [replace(self, only=piece) for piece in self._small()]

    def merge(self, results: Sequence[Result]) -> Result:
        bodies: list[JSON] = [result.body for result in results if isinstance(result.body, dict)]
        found: dict[int, JSON] = {}
        for piece, body in zip(self._small(), bodies, strict=True):
            (result,) = body["results"]
            found[piece.result] = merge_moderations(found[piece.result], result) if piece.result in found else result
        return Result({**bodies[0], "results": list(found.values())}, sum_said_usage(results))

    def build_result(self, attempt: Attempt, results: Sequence[JSON], body: JSON, tokens: Usage | None) -> Result:
        """OpenAI's answer; `body` is what else there is to say."""
        ours = {"id": f"modr-{attempt.request_id}", "model": attempt.model}
        head = {name: body[name] if isinstance(body.get(name), str) and body[name] else own for name, own in ours.items()}
        return Result({**body, **head, "results": list(results)}, tokens)

    @property
    def kinds(self) -> list[str]:
        """The kinds of input that there are: text, image."""
        pieces = self.pieces
        return [kind for kind, there in ((TEXT, any(p.text for p in pieces)), (IMAGE, any(p.image for p in pieces))) if there]

    def with_inline_images(self, data_url: Callable[[str, str], str]) -> Self:
        given = self.fields.input
        if isinstance(given, str) or not any(piece.image.startswith("http") for piece in self.pieces):
            return self
        held = [
            {"type": "image_url", "image_url": {"url": data_url(piece.image, f"input[{index}].image_url.url")}}
            if piece.image.startswith("http")
            else each
            for index, (each, piece) in enumerate(zip(given, self.pieces, strict=True))
        ]
        return replace(self, fields=self.fields.model_copy(update={"input": held}), body={**self.body, "input": held})

    def _by_result(self) -> list[list[Piece]]:
        found: dict[int, list[Piece]] = {}
        for piece in self.pieces:
            found.setdefault(piece.result, []).append(piece)
        return list(found.values())

    def _small(self) -> Iterator[Piece]:
        """The texts of one result as one, no longer than can be judged at once, and its images."""
        for pieces in self._by_result():
            text = _join_texts(pieces)
            for start in range(0, len(text), PIECE_CHARACTERS):
                yield Piece(pieces[0].result, text[start : start + PIECE_CHARACTERS])
            yield from (piece for piece in pieces if piece.image)


def parse(request: Request) -> ModerationRequest:
    """Raises BadRequestError."""
    body = with_model(parse_json(request.body), request.path.get("model"))
    body = {**body, "model": DEFAULT_MODEL} if body.get("model") is None else body
    check_parts(body.get("input"), "input")
    try:
        asked = ModerationRequest(ModerationFields.model_validate(body), body, len(request.body))
    except ValidationError as error:
        raise_validation_error(error)
    asked.check()
    return asked


def _part(part: JSON, index: int) -> Piece:
    """A part of the one message whose parts have one result together."""
    image, text = part.get("image_url"), part.get("text")
    if part.get("type") == "image_url":
        url = image.get("url") if isinstance(image, dict) else image
        return Piece(0, image=url if isinstance(url, str) else "")
    return Piece(0, text=text if isinstance(text, str) else "")


def _join_texts(pieces: Sequence[Piece]) -> str:
    return "\n".join(piece.text for piece in pieces if piece.text)
