"""Images of OpenAI and of every provider that speaks its format. Edits what must change, passes the rest.

https://platform.openai.com/docs/api-reference/images
"""

from collections.abc import Iterable, Iterator
from typing import Any

from haimaker.adapters.events import json_object
from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.openai.image_rules import apply_image_rules, quality_of
from haimaker.adapters.openai.requests import drop_unsupported, rename_fields
from haimaker.http import multipart
from haimaker.http.errors import BadGatewayError
from haimaker.http.multipart import UploadedFile
from haimaker.http.sse import DONE, dumps
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.media import images as media_images
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS
from haimaker.operations.image_forms import IMAGES, Reference
from haimaker.operations.images import ImageRequest
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.pricing import image_usage
from haimaker.pricing.image_variants import parse_size

__all__ = ["from_stream", "from_upstream", "most_at_once", "read_error", "to_upstream"]

PATHS = {"images_generations": "/images/generations", "images_edits": "/images/edits", "images_variations": "/images/variations"}
OF_STREAMS = ("stream", "partial_images")
"""Where a model has no streams one is made, so that nothing is lost."""
ENDS = DONE.strip().removeprefix(b"data: ")


def most_at_once(attempt: Attempt) -> int:
    return attempt.provider.limits.max_images


def to_upstream(request: ImageRequest, attempt: Attempt) -> UpstreamRequest:
    body, dropped = body_for(request, attempt)
    return call(PATHS[request.kind], body, request, attempt, dropped)


def body_for(request: ImageRequest, attempt: Attempt) -> tuple[JSON, tuple[str, ...]]:
    """The fields to send, and the names of what the client loses by it. Raises BadRequestError."""
    dialect = attempt.provider.dialect
    body: JSON = {name: value for name, value in request.body.items() if name not in OURS}
    if request.response_format:
        body["response_format"] = request.response_format
    body, lost = apply_image_rules(body, request, attempt)
    body, dropped = drop_unsupported(rename_fields(body, dialect.rename), dialect, forced=bool(request.fields.drop_params))
    for name, spellings in dialect.values.items():
        if isinstance(body.get(name), str) and body[name] in spellings:
            lost += () if spellings[body[name]] or body[name] == "auto" else (name,)
            body[name] = spellings[body[name]]
    body = {name: value for name, value in body.items() if value != "" or name == "prompt"}
    return {**dialect.add, **body, "model": attempt.model}, tuple(name for name in (*lost, *dropped) if name not in OF_STREAMS)


def call(path: str, body: JSON, request: ImageRequest, attempt: Attempt, dropped: tuple[str, ...]) -> UpstreamRequest:
    """The call: JSON, or a form where there are files."""
    if request.references:
        drawn = {each.name: _reference(each) for each in request.references if each.name not in IMAGES}
        body |= {"images": [_reference(each) for each in request.references if each.name in IMAGES], **drawn}
    if not request.files:
        headers = {"content-type": "application/json", **attempt.provider.dialect.headers}
        return UpstreamRequest(path, dumps(body), headers, dropped=dropped)
    content_type, raw = multipart.encode([(name, _text(value)) for name, value in body.items()], request.files)
    return UpstreamRequest(path, raw, {"content-type": content_type, **attempt.provider.dialect.headers}, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: ImageRequest, attempt: Attempt) -> Result:
    body = answer.object()
    data = body.get("data")
    if not data and is_failure(body):
        raise from_body(body)
    if not isinstance(data, list):
        raise BadGatewayError("The provider's answer has no images.", code="invalid_provider_response")
    images = [_read(item) for item in data if isinstance(item, dict)]
    images = [image for image in images if image.get("b64_json") or image.get("url")]
    kept = {name: value for name, value in body.items() if name not in ("data", "usage")}
    if type(body.get("created")) is not int:
        kept["created"] = attempt.created_s
    said = body.get("usage")
    made = request.build_result(attempt, images, _used(said, len(images), body, request, attempt), kept)
    if isinstance(said, dict) and isinstance(made.body, dict) and made.usage:
        made.body["usage"] = {**made.body["usage"], **{name: value for name, value in said.items() if value is not None}}
    return made


def from_stream(events: Iterable[Event], request: ImageRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    for event in events:
        if event.data == ENDS:
            continue
        body = json_object(event)
        if is_failure(body) or body.get("type") == "error":
            raise from_body(body)
        if isinstance(body.get("type"), str):
            yield StreamEvent(body, event.data)
        elif event.name:
            yield StreamEvent({"type": event.name, **body})


def _read(item: JSON) -> JSON:
    """What is no text is no image."""
    return {name: value for name, value in item.items() if name not in ("b64_json", "url") or isinstance(value, str)}


def _reference(reference: Reference) -> JSON:
    content = reference.content
    return {"image_url": media_images.to_data_url(content.data)} if isinstance(content, UploadedFile) else content


def _used(said: Any, count: int, body: JSON, request: ImageRequest, attempt: Attempt) -> Any:
    """What the provider says it counted; else what is known of models billed by the image."""
    tokens = request.usage_from(said) if isinstance(said, dict) else None
    if image_usage.is_billed_by_token(attempt.model_info):
        return tokens if tokens and tokens.completion else None
    quality = body.get("quality")
    sent = quality if isinstance(quality, str) else quality_of(request, attempt)
    counted = request.usage_of_images(attempt, count, sent, parse_size(body.get("size")))
    return replace(counted, reported_units=tokens.reported_units if tokens else None)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else dumps(value).decode()
