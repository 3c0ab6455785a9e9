"""Puts files that a client keeps here into the requests that name them, so that every provider can be asked with them.

    chat       {"type": "file", "file": {"file_id"}}                   https://platform.openai.com/docs/guides/pdf-files
    Responses  {"type": "input_file", "file_id"}, input_image          the same page
    Messages   {"source": {"type": "file", "file_id"}}                 https://docs.anthropic.com/en/docs/build-with-claude/files

Ids that are not ours are left as they are: they are the provider's.
"""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from haimaker.http.errors import APIError, RequestTooLargeError
from haimaker.http.json import parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Request
from haimaker.lean_dataclasses import replace
from haimaker.media import images
from haimaker.store import Account

if TYPE_CHECKING:
    from haimaker.services import Services

MARK = b'"file-hm'
"""How the id of a file of ours begins in a body."""
MAX_BYTES = 32 * 1024 * 1024
"""Of all files of a request together. Anthropic's requests may have as many:
https://docs.anthropic.com/en/api/overview#request-size-limits"""
PDF = "application/pdf"
UNKNOWN = "application/octet-stream"

Read = Callable[[str], tuple[str, str, bytes]]
"""The name, the type and the content of a file by its id."""


def with_files(services: "Services", account: Account, request: Request) -> Request:
    """The request with the content of the files that it names. Raises NotFoundError, RequestTooLargeError."""
    if MARK not in request.body:
        return request
    try:
        body = parse_json(request.body)
    except (APIError, ValueError):
        return request  # its format says what is wrong with it
    resolved = _resolve(body, _reader(services, account))
    return request if resolved is body else replace(request, body=dumps(resolved))


def _reader(services: "Services", account: Account) -> Read:
    from haimaker.api.files import find, place_failures, stored_files

    files, left = stored_files(services.settings, services.store), MAX_BYTES

    def read(file_id: str) -> tuple[str, str, bytes]:
        nonlocal left
        file = find(files, account, file_id, "file_id")
        left -= file.size
        if left < 0:
            message = f"The files of a request may have {MAX_BYTES} bytes together."
            raise RequestTooLargeError(message, param="file_id", code="files_too_large")
        with place_failures():
            data = files.read(file, MAX_BYTES)
        return file.name, _type_of(file.name, file.content_type, data), data

    return read


def _type_of(name: str, said: str, data: bytes) -> str:
    if data.startswith(b"%PDF-"):
        return PDF
    from mimetypes import guess_type  # few requests name a file

    if said != UNKNOWN:
        return said.partition(";")[0].strip()
    return guess_type(name)[0] or UNKNOWN


def _resolve(value: Any, read: Read) -> Any:
    """The same value where it names none of our files, else a copy."""
    if isinstance(value, list):
        items = [_resolve(item, read) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if not isinstance(value, dict):
        return value
    part = _resolve_part(value, read)
    if part is not value:
        return part
    fields = {name: _resolve(item, read) for name, item in value.items()}
    return fields if any(fields[name] is not value[name] for name in value) else value


def _resolve_part(part: JSON, read: Read) -> JSON:
    kind, file, source = part.get("type"), part.get("file"), part.get("source")
    if kind == "file" and isinstance(file, dict) and _is_ours(file.get("file_id")):
        name, media_type, data = read(file["file_id"])
        return {**part, "file": {"filename": name, "file_data": _data_url(media_type, data)}}
    if kind in ("input_file", "input_image") and _is_ours(part.get("file_id")):
        name, media_type, data = read(part["file_id"])
        rest = {field: value for field, value in part.items() if field != "file_id"}
        if kind == "input_image":
            return {**rest, "image_url": images.to_data_url(data)}
        return {**rest, "filename": name, "file_data": _data_url(media_type, data)}
    if isinstance(source, dict) and source.get("type") == "file" and _is_ours(source.get("file_id")):
        _, media_type, data = read(source["file_id"])
        if kind == "image":
            media_type = images.sniff_type(data) or media_type
        elif media_type.startswith("text/"):
            return {**part, "source": {"type": "text", "media_type": "text/plain", "data": data.decode("utf-8", "replace")}}
        return {**part, "source": {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}}
    return part


def _is_ours(file_id: object) -> bool:
    return isinstance(file_id, str) and file_id.startswith(MARK[1:].decode())


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
