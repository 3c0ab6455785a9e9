"""Edits and variations as they are sent: a form with files, or JSON with data URLs. Pure.

https://platform.openai.com/docs/api-reference/images/createEdit
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from haimaker.http import multipart
from haimaker.http.errors import BadRequestError, missing_parameter
from haimaker.http.json import parse_json
from haimaker.http.multipart import UploadedFile
from haimaker.http.values import JSON, Request
from haimaker.media import images as media_images
from haimaker.operations.fields import with_model

MAX_FILES = 16
READ = ("image/png", "image/jpeg", "image/webp")
IMAGES = ("image", "image[]", "images", "images[]")
"""Under these names files are images to work on; `mask` says where."""
MASK = "mask"
KNOWN = (*IMAGES, MASK, "markup")
TEXTS = frozenset(
    {
        "background",
        "input_fidelity",
        "model",
        "moderation",
        "negative_prompt",
        "output_format",
        "prompt",
        "quality",
        "response_format",
        "safety_identifier",
        "size",
        "style",
        "user",
    }
)
"""Fields that are texts also where they look like a number."""
NUMBER = re.compile(r"-?\d{1,9}(\.\d{1,9})?")


class Parsed(NamedTuple):
    body: JSON
    files: tuple[tuple[str, UploadedFile], ...] = ()


def from_request(request: Request, default_model: str) -> Parsed:
    """All images among the files, the mask after them. Raises BadRequestError, naming what is wrong."""
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("application/json"):
        sent = parse_json(request.body)
        body = {name: value for name, value in sent.items() if name not in KNOWN}
        files = tuple(_from_json(sent))
    else:
        form = multipart.decode(content_type, request.body)
        body = {name.removesuffix("[]"): _read_text(name, value) for name, value in form.fields}
        files = form.files
    return Parsed(with_model({"model": default_model, **body}, request.path.get("model")), _check_files(files))


def images_of(files: tuple[tuple[str, UploadedFile], ...]) -> list[UploadedFile]:
    return [file for name, file in files if name in IMAGES]


def mask_of(files: tuple[tuple[str, UploadedFile], ...]) -> UploadedFile | None:
    return next((file for name, file in files if name == MASK), None)


def _read_text(name: str, text: str) -> Any:
    """Fields of a form are texts, whatever they are in JSON."""
    if name in TEXTS:
        return text
    if found := NUMBER.fullmatch(text):
        return float(text) if found[1] else int(text)
    return {"true": True, "false": False}.get(text.lower(), text)


def _check_files(files: tuple[tuple[str, UploadedFile], ...]) -> tuple[tuple[str, UploadedFile], ...]:
    images, mask = images_of(files), mask_of(files)
    if not images:
        raise missing_parameter("image")
    if len(images) > MAX_FILES:
        raise BadRequestError(f"At most {MAX_FILES} images can be sent.", param="image", code="too_many_images")
    for name, file in files:
        if name not in KNOWN:
            raise BadRequestError(f"There is no file called {name[:64]!r} here.", param=name[:64], code="unknown_parameter")
        if media_images.sniff_type(file.data) not in READ:
            param = "image" if name in IMAGES else name
            raise BadRequestError(f"The {param} must be a PNG, JPEG or WebP image.", param=param, code="invalid_image")
    first = media_images.png_size(images[0].data)
    if mask and first and (size := media_images.png_size(mask.data)) and size != first:
        message = f"The mask is {size[0]}x{size[1]} pixels, the image {first[0]}x{first[1]}; they must be the same."
        raise BadRequestError(message, param=MASK, code="invalid_mask")
    return tuple((name, _name_by_content(file)) for name, file in files)


def _name_by_content(file: UploadedFile) -> UploadedFile:
    """As what it is, whatever the client calls it."""
    kind = media_images.sniff_type(file.data) or file.content_type
    return UploadedFile(file.name or f"image.{kind.partition('/')[2]}", kind, file.data)


def _from_json(body: JSON) -> Iterator[tuple[str, UploadedFile]]:
    listed = body.get("images") if isinstance(body.get("images"), list) else [body.get("image")]
    for index, given in enumerate(listed or ()):
        if given is not None:
            yield "image[]", _read_data_url(given, f"images[{index}]")
    if body.get(MASK) is not None:
        yield MASK, _read_data_url(body[MASK], MASK)


def _read_data_url(given: Any, param: str) -> UploadedFile:
    """Of `{"image_url": …}`, where that is a data URL."""
    url = given.get("image_url") or given.get("url") if isinstance(given, dict) else given
    if isinstance(url, dict):
        url = url.get("url")
    data = media_images.from_base64(url) if isinstance(url, str) and not url.startswith("http") else None
    if data is None:
        message = f"Send {param} as a data URL or as a file of a form; links and file ids are not fetched here."
        raise BadRequestError(message, param=param, code="unsupported_parameter")
    return UploadedFile("", "", data)
