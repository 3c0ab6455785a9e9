"""`/v1/uploads`: files that come in parts, and, where a bucket keeps them, by one PUT to an address of the bucket.

https://platform.openai.com/docs/api-reference/uploads. A function of AWS takes a request of some megabytes only, so this is how
large files reach the stack: `upload_url` is in the answer where there is a bucket. It takes exactly as many bytes as were told, and
what was put there is made a file by `complete` without parts.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from haimaker.api.files import (
    authenticate,
    bounded,
    check_purpose,
    check_room,
    check_size,
    place_failures,
    read_lasts_s,
    stored_files,
    to_json,
)
from haimaker.blobs import BlobStore
from haimaker.http.errors import BadRequestError, NotFoundError, missing_parameter, unknown_parameter
from haimaker.http.json import parse_json
from haimaker.http.multipart import UploadReader
from haimaker.http.responses import json_response
from haimaker.http.values import JSON, Request, Response
from haimaker.settings.settings import Settings
from haimaker.store import Store
from haimaker.stored_files import LONGEST_NAME, FileDescription, StoredFile, file_name, owner_of
from haimaker.stored_files.uploads import LASTS_S, MAX_PART_BYTES, PENDING, Upload, UploadError, Uploads, expires_s, require_pending

if TYPE_CHECKING:
    from haimaker.services import Services

FIELDS = ("filename", "purpose", "bytes", "mime_type", "expires_after")
COMPLETING = ("part_ids", "md5")


def _uploads(settings: Settings, store: Store) -> Uploads:
    """Raises ServiceUnavailableError where there is no place for files."""
    from haimaker.blobs.s3 import S3Blobs

    files = stored_files(settings, store)
    bucket = files.blobs if isinstance(files.blobs, S3Blobs) else None
    return Uploads(files, bucket or _folder(settings), bucket)


def _folder(settings: Settings) -> BlobStore:
    from haimaker.blobs.folder import FolderBlobs

    assert settings.stored_folder
    return FolderBlobs(settings.stored_folder / "uploads", LASTS_S)


def create(services: "Services", request: Request) -> Response:
    """POST /v1/uploads. Raises APIError."""
    account, uploads, body = authenticate(services, request), _uploads(services.settings, services.store), parse_json(request.body)
    for name in FIELDS[:4]:
        if body.get(name) is None:
            raise missing_parameter(name)
    for name in body.keys() - {*FIELDS}:
        raise unknown_parameter(name[:64])
    for name in ("filename", "mime_type"):
        if not isinstance(body[name], str) or not 0 < len(body[name]) <= LONGEST_NAME:
            raise _invalid(name, f"a text of 1 to {LONGEST_NAME} characters")
    purpose, size = check_purpose(body["purpose"]), body["bytes"]
    if type(size) is not int or size < 1:
        raise _invalid("bytes", "a whole number from 1")
    check_size(purpose, size, "bytes")
    lasts_s = read_lasts_s(body.get("expires_after"), "expires_after")
    name = file_name(body["filename"])
    with _failures():
        upload = uploads.create(
            owner_of(account), FileDescription(name, purpose, body["mime_type"][:128], lasts_s), size, time.time()
        )
        link = uploads.link(upload)
    return json_response({**_to_json(upload, None), **({"upload_url": link} if link else {})})


def add_part(services: "Services", request: Request) -> Response:
    """POST /v1/uploads/{id}/parts. Raises APIError."""
    uploads, upload = _find(services, request)
    now_s = time.time()
    form = UploadReader(request.headers.get("content-type", ""), (request.body,) if request.pieces is None else request.pieces)
    with _failures():
        require_pending(upload, now_s)
        form.open("data")
        part_id = uploads.add_part(upload, bounded(form, MAX_PART_BYTES, "data"), now_s)
    form.finish()
    return json_response({"id": part_id, "object": "upload.part", "created_at": int(now_s), "upload_id": upload.id})


def complete(services: "Services", request: Request) -> Response:
    """POST /v1/uploads/{id}/complete. Raises APIError."""
    uploads, upload = _find(services, request)
    body = parse_json(request.body)
    parts, md5 = body.get("part_ids"), body.get("md5")
    for name in body.keys() - {*COMPLETING}:
        raise unknown_parameter(name[:64])
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts) or len(set(parts)) < len(parts):
        raise _invalid("part_ids", "a list of ids of parts, each once")
    if md5 is not None and not isinstance(md5, str):
        raise _invalid("md5", "a text")
    now_s = time.time()
    if upload.status(now_s) == PENDING:
        check_room(uploads.files, upload.owner, upload.body["size"])
    with _failures():
        file = uploads.complete(upload, parts, md5 or None, now_s)
    return json_response({**_to_json(upload, file), "status": "completed"})


def cancel(services: "Services", request: Request) -> Response:
    """POST /v1/uploads/{id}/cancel. Raises APIError."""
    uploads, upload = _find(services, request)
    with _failures():
        return json_response(_to_json(uploads.cancel(upload, time.time()), None))


def _find(services: "Services", request: Request) -> tuple[Uploads, Upload]:
    """An upload of a request's key. Raises NotFoundError."""
    account, upload_id = authenticate(services, request), request.path["id"]
    uploads = _uploads(services.settings, services.store)
    upload = uploads.get(owner_of(account), upload_id)
    if upload is None:
        raise NotFoundError(f"No such Upload object: {upload_id[:64]}", param="id", code="upload_not_found")
    return uploads, upload


def _to_json(upload: Upload, file: StoredFile | None) -> JSON:
    """https://platform.openai.com/docs/api-reference/uploads/object"""
    return {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.body["size"],
        "created_at": upload.body["created_s"],
        "expires_at": expires_s(upload),
        "filename": upload.body["name"],
        "purpose": upload.body["purpose"],
        "status": upload.status(time.time()),
        "file": file and to_json(file),
    }


@contextmanager
def _failures() -> Iterator[None]:
    """Raises APIError where an upload, or the place for files, says no."""
    try:
        with place_failures():
            yield
    except UploadError as error:
        raise BadRequestError(str(error), param="id", code=error.code) from None


def _invalid(param: str, wanted: str) -> BadRequestError:
    return BadRequestError(f"Invalid value for '{param}': it has to be {wanted}.", param=param, code="invalid_value")
