"""`POST /v1/images/generations`, `…/edits` and `…/variations`: what is asked, the most that it may cost, OpenAI's shape. Pure.

https://platform.openai.com/docs/api-reference/images
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Literal, Self

from haimaker.http.errors import BadGatewayError
from haimaker.http.json import parse_json
from haimaker.http.values import JSON, Request, StreamEvent
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.lean_pydantic import Field, StrictInt, StrictStr, ValidationError
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import CommonFields, raise_validation_error, with_model
from haimaker.operations.image_forms import Parsed, Reference, fetch_references, from_request
from haimaker.operations.operation import OperationRequest, Result
from haimaker.pricing import image_usage, usage
from haimaker.pricing.image_variants import Size, parse_size
from haimaker.pricing.usage import Usage
from haimaker.validation.bounds import Text

MAX_IMAGES = 10
DEFAULT_MODEL = "openai/gpt-image-2.5-sunburst"
"""Of OpenAI's document: https://platform.openai.com/docs/api-reference/images/createEdit. What it was before has been retired."""
DEFAULT_VARIATION_MODEL = "openai/dall-e-2"
"""The only one that OpenAI ever had for variations, and it is no more; a route of its name can lead to another's."""
ImageResponseFormat = Literal["url", "b64_json"]


class ImageFields(CommonFields):
    """The fields that are read here; models differ in which sizes and qualities they take."""

    n: Annotated[StrictInt, Field(ge=1, le=MAX_IMAGES)] | None = None
    size: Annotated[StrictStr, Field(min_length=1, max_length=32)] | None = None
    quality: Annotated[StrictStr, Field(min_length=1, max_length=32)] | None = None
    response_format: ImageResponseFormat | None = None
    output_format: Annotated[StrictStr, Field(min_length=1, max_length=32)] | None = None
    partial_images: Annotated[StrictInt, Field(ge=0, le=3)] | None = None
    prompt: Text | None = None


class PromptFields(ImageFields):
    prompt: Annotated[StrictStr, Field(min_length=1, max_length=100_000)]


@dataclass(frozen=True, slots=True)
class ImageRequest(OperationRequest):
    """Images to be made of a prompt, of images, or of both."""

    fields: ImageFields
    kind: str = "images_generations"
    references: tuple[Reference, ...] = ()
    """The images to be edited, in place of `files`, where one of them is a link or the id of a file."""

    @property
    def operation(self) -> str:
        return self.kind

    @property
    def prompt(self) -> str:
        return self.fields.prompt or ""

    @property
    def n(self) -> int:
        return self.fields.n or 1

    @property
    def size_asked(self) -> Size | None:
        return parse_size(self.fields.size)

    @property
    def response_format(self) -> ImageResponseFormat | None:
        """How the client wants the images; None is whatever the provider gives, and both where both are at hand."""
        return "b64_json" if self.streams else self.fields.response_format

    @property
    def delivers(self) -> bool:
        return True

    def max_usage(self, attempt: Attempt, default_output_tokens: int = 0) -> Usage:
        fields = self.fields
        partial = (fields.partial_images or 0) if self.streams else 0
        text_bytes = usage.utf8_length(self.prompt)
        found = image_usage.max_usage(
            attempt.model_info,
            self.n,
            fields.quality,
            self.size_asked,
            text_bytes,
            len(self.files) + len(self.references),
            partial,
        )
        # What a vendor makes of a size that its model lacks may be the dearest.
        return replace(found, variant=None)

    def estimate_usage(self, attempt: Attempt, sent_bytes: int = 0) -> Usage:
        return image_usage.estimate_usage(
            attempt.model_info, self.n, self.fields.quality, self.size_asked, usage.utf8_length(self.prompt)
        )

    def inlines_images(self, attempt: Attempt) -> bool:
        return bool(self.references) and not attempt.provider.limits.edits_by_reference

    def with_inline_images(self, data_url: Callable[[str, str], str]) -> Self:
        return replace(self, files=fetch_references(self.references, data_url), references=())

    def usage_from(self, used: JSON) -> Usage:
        """What is made is images, unless it is said to be text."""
        found = usage.from_openai(used)
        details = used.get("output_tokens_details") or used.get("completion_tokens_details")
        text = details.get("text_tokens") if isinstance(details, dict) else 0
        text = min(text, found.output) if type(text) is int and text > 0 else 0
        return replace(found, output=text, output_image=found.output_image + found.output - text)

    def split(self, attempt: Attempt, at_once: int | None = None) -> Sequence[Self]:
        if at_once is None or self.n <= at_once:
            return [self]
        full, rest = divmod(self.n, at_once)
        return [
            replace(self, fields=self.fields.model_copy(update={"n": count}), body={**self.body, "n": count})
            for count in [at_once] * full + [rest] * bool(rest)
        ]

    def merge(self, results: Sequence[Result]) -> Result:
        bodies: list[JSON] = [result.body for result in results if isinstance(result.body, dict)]
        data = [item for body in bodies for item in body["data"]]
        return Result({**bodies[0], "data": data, "usage": self.usage_object(self.sum_usage(results))})

    def usage_object(self, tokens: Usage) -> JSON:
        """The usage under the names of OpenAI's images, and under those of its chat."""
        return {
            "input_tokens": tokens.prompt,
            "input_tokens_details": {
                "text_tokens": tokens.prompt - tokens.input_image - tokens.cached_image,
                "image_tokens": tokens.input_image + tokens.cached_image,
            },
            "output_tokens": tokens.completion,
            "total_tokens": tokens.prompt + tokens.completion,
            "prompt_tokens": tokens.prompt,
            "completion_tokens": tokens.completion,
        }

    def build_result(
        self, attempt: Attempt, images: Sequence[JSON], tokens: Usage | None = None, more: JSON | None = None
    ) -> Result:
        """OpenAI's answer, with `more` beside the images. Without `tokens`, what is billed by the image made as many as these."""
        if not images:
            raise BadGatewayError("The provider's answer has no images.", code="invalid_provider_response")
        if tokens is None and not image_usage.is_billed_by_token(attempt.model_info):
            tokens = self.usage_of_images(attempt, len(images))
        data = [{name: value for name, value in image.items() if value is not None} for image in images]
        body: JSON = {"created": attempt.created_s, **(more or {}), "data": data}
        return Result({**body, "usage": self.usage_object(tokens)} if tokens else body, tokens)

    def usage_of_images(
        self, attempt: Attempt, images: int, quality: str | None = None, size: Size | None = None, steps: int | None = None
    ) -> Usage:
        """The usage of a model that is billed by the image. The quality and the size of the answer count, else those that were
        asked for."""
        return image_usage.usage_of(attempt.model_info, images, quality or self.fields.quality, size or self.size_asked, steps)

    def as_events(self, result: Result) -> Iterator[StreamEvent]:
        assert isinstance(result.body, dict)
        body = result.body
        kind = "image_edit.completed" if self.kind == "images_edits" else "image_generation.completed"
        about = {
            "created_at": body["created"],
            "size": body.get("size") or self.fields.size or "auto",
            "quality": body.get("quality") or self.fields.quality or "auto",
            "background": body.get("background") or "auto",
            "output_format": body.get("output_format") or self.fields.output_format or "png",
        }
        for index, image in enumerate(body["data"]):
            last = index == len(body["data"]) - 1
            yield StreamEvent({"type": kind, **image, **about, **({"usage": body["usage"]} if last and body.get("usage") else {})})


def parse_generation(request: Request) -> ImageRequest:
    """Raises BadRequestError."""
    body = {name: value for name, value in parse_json(request.body).items() if value is not None}
    body = with_model({"model": DEFAULT_MODEL, **body}, request.path.get("model"))
    return _validate(PromptFields, Parsed(body), len(request.body), "images_generations")


def parse_edit(request: Request) -> ImageRequest:
    """Raises BadRequestError."""
    parsed = from_request(request, DEFAULT_MODEL)
    return _validate(PromptFields, parsed, len(request.body), "images_edits")


def parse_variation(request: Request) -> ImageRequest:
    """Raises BadRequestError."""
    parsed = from_request(request, DEFAULT_VARIATION_MODEL)
    return _validate(ImageFields, parsed, len(request.body), "images_variations")


def _validate(fields: type[ImageFields], parsed: Parsed, size: int, kind: str) -> ImageRequest:
    try:
        checked = fields.model_validate(parsed.body)
        return ImageRequest(checked, parsed.body, size, parsed.files, kind=kind, references=parsed.references)
    except ValidationError as error:
        raise_validation_error(error)
