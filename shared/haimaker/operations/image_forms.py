"""Edits and variations as they are sent: a form with files, or JSON with data URLs, links and ids of files. Pure.

https://platform.openai.com/docs/api-reference/images/createEdit
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from haimaker.http import multipart
from haimaker.http.errors import BadRequestError, missing_parameter
from haimaker.http.json import parse_json
from haimaker.http.multipart import UploadedFile
from haimaker.http.values import JSON, Request
from haimaker.media import images as media_images
from haimaker.operations.fields import with_model
from haimaker.validation.links import check_link

MAX_FILES = 16
READ = ("image/png", "image/jpeg", "image/webp")
IMAGES = ("image", "image[]", "images", "images[]")
"""Under these names files are images to work on; `mask` says where."""
MASK = "mask"
DRAWN = (MASK, "markup")
"""What is laid over the first image."""
KNOWN = (*IMAGES, *DRAWN)
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


Files = tuple[tuple[str, UploadedFile], ...]
"""Each with what it is to be."""


class Reference(NamedTuple):
    """An image that JSON names."""

    name: str
    """What it is to be: one of `KNOWN`."""
    param: str
    """The parameter in which it stands."""
    content: UploadedFile | JSON
    """Its data, or OpenAI's `{image_url}` of a link, or `{file_id}`."""


class Parsed(NamedTuple):
    body: JSON
    files: Files = ()
    references: tuple[Reference, ...] = ()
    """All images in place of files, where there is a link or the id of a file among them."""


def from_request(request: Request, default_model: str) -> Parsed:
    """All images among the files, or among the references, the mask after them. Raises BadRequestError, naming what is wrong."""
    content_type = request.headers.get("content-type", "")
    references: tuple[Reference, ...] = ()
    if content_type.startswith("application/json"):
        sent = parse_json(request.body)
        body = {name: value for name, value in sent.items() if name not in KNOWN}
        references = tuple(_from_json(sent))
        _check_number([reference for reference in references if reference.name in IMAGES])
        files = _files(references)
    else:
        form = multipart.decode(content_type, request.body)
        body = {name.removesuffix("[]"): _read_text(name, value) for name, value in form.fields}
        files = form.files
    body = {"model": default_model, **{name: value for name, value in body.items() if value is not None}}
    body = with_model(body, request.path.get("model"))
    return Parsed(body, (), references) if len(files) < len(references) else Parsed(body, _check_files(files))


def fetch_references(references: Sequence[Reference], data_url: Callable[[str, str], str]) -> Files:
    """The files of references, for a target that takes no others; `data_url` is given each link and where it stands. Raises
    BadRequestError, also for the id of a file, which only the provider that keeps it can read."""
    return _check_files(_files([each._replace(content=_fetch(each, data_url)) for each in references]))


def _fetch(reference: Reference, data_url: Callable[[str, str], str]) -> UploadedFile:
    if isinstance(reference.content, UploadedFile):
        return reference.content
    if "image_url" not in reference.content:
        message = "The model can't read files of OpenAI's. Send a link, a data URL, or a file of a form."
        raise BadRequestError(message, param=f"{reference.param}.file_id", code="unsupported_parameter")
    return UploadedFile("", "", media_images.from_base64(data_url(reference.content["image_url"], reference.param)) or b"")


def _files(references: Sequence[Reference]) -> Files:
    """The files of references whose data is at hand."""
    return tuple((each.name, each.content) for each in references if isinstance(each.content, UploadedFile))


def images_of(files: Files) -> list[UploadedFile]:
    return [file for name, file in files if name in IMAGES]


def mask_of(files: Files) -> UploadedFile | None:
    return next((file for name, file in files if name == MASK), None)


def _read_text(name: str, text: str) -> Any:
    """Fields of a form are texts, whatever they are in JSON."""
    if name in TEXTS:
        return text
    if found := NUMBER.fullmatch(text):
        return float(text) if found[1] else int(text)
    return {"true": True, "false": False}.get(text.lower(), text)


def _check_files(files: Files) -> Files:
    images, mask = images_of(files), mask_of(files)
    _check_number(images)
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


def _check_number(images: Sequence[object]) -> None:
    if not images:
        raise missing_parameter("image")
    if len(images) > MAX_FILES:
        raise BadRequestError(f"At most {MAX_FILES} images can be sent.", param="image", code="too_many_images")


def _name_by_content(file: UploadedFile) -> UploadedFile:
    """The file with the type that its bytes have, whatever the client says."""
    kind = media_images.sniff_type(file.data) or file.content_type
    return UploadedFile(file.name or f"image.{kind.partition('/')[2]}", kind, file.data)


def _from_json(body: JSON) -> Iterator[Reference]:
    """OpenAI's `images` and `mask`; also an image as a text, and as chats have it."""
    listed = body.get("images") if isinstance(body.get("images"), list) else [body.get("image")]
    for index, given in enumerate(listed or ()):
        if given is not None:
            yield Reference("image[]", f"images[{index}]", _read_reference(given, f"images[{index}]"))
    for name in DRAWN:
        if body.get(name) is not None:
            yield Reference(name, name, _read_reference(body[name], name))


def _read_reference(given: Any, param: str) -> UploadedFile | JSON:
    """What `{"image_url": …}` or `{"file_id": …}` refers to. Raises BadRequestError."""
    if isinstance(given, dict) and isinstance(given.get("file_id"), str):
        return {"file_id": given["file_id"]}
    url = given.get("image_url") or given.get("url") if isinstance(given, dict) else given
    if isinstance(url, dict):
        url = url.get("url")
    if isinstance(url, str) and url.lower().startswith(("http:", "https:")):
        check_link(url, param)
        return {"image_url": url}
    data = media_images.from_base64(url) if isinstance(url, str) else None
    if data is None:
        message = f"Send {param} as a link, a data URL, the id of a file at OpenAI, or as a file of a form."
        raise BadRequestError(message, param=param, code="unsupported_parameter")
    return UploadedFile("", "", data)
