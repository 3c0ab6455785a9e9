"""`/v1/files`: files that a client keeps here and names by their ids. https://platform.openai.com/docs/api-reference/files; in
Anthropic's shape `anthropic_files.py`.

A file belongs to the team of the key that sent it, else to the key, and always has an end: the one that was asked for,
else 30 days. It goes to its place as it comes, and from there to the client in pieces: no file is ever held as a whole.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from haimaker.api import anthropic_files
from haimaker.api.paging import read_page, to_list
from haimaker.blobs import BlobError, BlobNotFound
from haimaker.http.client import Timeouts
from haimaker.http.errors import (
    BadRequestError,
    NotFoundError,
    RequestTooLargeError,
    ServiceUnavailableError,
    missing_parameter,
    unknown_parameter,
)
from haimaker.http.json import to_whole_number
from haimaker.http.multipart import UploadReader
from haimaker.http.responses import json_response
from haimaker.http.values import ANTHROPIC, JSON, Request, Response
from haimaker.settings.settings import Settings
from haimaker.store import Account, Store
from haimaker.stored_files import (
    DEFAULT_LASTS_S,
    MAX_BATCH_BYTES,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_KEPT_BYTES,
    MAX_LASTS_S,
    MIN_LASTS_S,
    UPLOAD_PURPOSES,
    FileDescription,
    StoredFile,
    StoredFiles,
    file_name,
    owner_of,
)

if TYPE_CHECKING:
    from haimaker.services import Services

DEFAULT_LISTED = MOST_LISTED = 10_000
FORM_FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")
MAX_ANSWER_BYTES = 5_000_000
"""Of a function, which is slow beyond: https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html"""
TIMEOUTS = Timeouts(connect_s=5, first_byte_s=30, between_s=30)
CONTENT_HEADERS = {
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "content-disposition": "attachment",
}
"""What a client sent may be a page with scripts."""


def stored_files(settings: Settings, store: Store) -> StoredFiles:
    """The place where this gateway has its clients' files. Raises ServiceUnavailableError where it has none."""
    if settings.stored_folder:
        from haimaker.blobs.folder import FolderBlobs

        return StoredFiles(store.documents, FolderBlobs(settings.stored_folder, float("inf")))
    if settings.files_bucket and settings.aws:
        from haimaker.blobs.s3 import S3Blobs

        return StoredFiles(store.documents, S3Blobs(settings.files_bucket, settings.aws, TIMEOUTS))
    message = "This gateway has no place for files. Its deployer gives it one with the parameter FilesBucket."
    raise ServiceUnavailableError(message, code="no_files", headers={"x-should-retry": "false"})


def create(services: "Services", request: Request) -> Response:
    """POST /v1/files. Raises APIError."""
    account, files, now_s = authenticate(services, request), stored_files(services.settings, services.store), time.time()
    check_room(files, owner_of(account))
    form = UploadReader(request.headers.get("content-type", ""), (request.body,) if request.pieces is None else request.pieces)
    with place_failures():
        form.open("file")
        file_id, size = files.receive(
            bounded(form, MAX_BATCH_BYTES if form.fields.get("purpose") == "batch" else MAX_FILE_BYTES), form.content_type, now_s
        )
        try:
            form.finish()
            check_room(files, owner_of(account), size)
            said = anthropic_files.describe(form) if _is_of_anthropic(request) else _describe(form, size)
            file = files.add(file_id, size, owner_of(account), said, now_s)
        except Exception:
            files.forget(file_id)
            raise
    return json_response(_show(file, request))


def list_files(services: "Services", request: Request) -> Response:
    """GET /v1/files. Raises APIError."""
    account, files = authenticate(services, request), stored_files(services.settings, services.store)
    if _is_of_anthropic(request):
        page = anthropic_files.read_list(request)
        found, more = files.page(owner_of(account), page.after, page.limit)
        return json_response(anthropic_files.to_list(found, has_more=more))
    page = read_page(request, DEFAULT_LISTED, MOST_LISTED)
    found, more = files.page(
        owner_of(account), page.after, page.limit, request.query.get("purpose") or None, newest_first=page.newest_first
    )
    return json_response(to_list([to_json(file) for file in found], has_more=more))


def retrieve(services: "Services", request: Request) -> Response:
    """GET /v1/files/{id}; at the local gateway also what was a link's address until they had one of their own. Raises APIError."""
    from haimaker.links import is_link_id

    if is_link_id(request.path["id"]) and services.settings.files_folder:
        from haimaker.links.local import LocalLinkStore

        return LocalLinkStore.from_settings(services.settings).serve(request)
    account = authenticate(services, request)
    return json_response(_show(find(stored_files(services.settings, services.store), account, request.path["id"]), request))


def content(services: "Services", request: Request) -> Response:
    """GET /v1/files/{id}/content; of a function, a large one is where it is led to. Raises APIError."""
    account, files = authenticate(services, request), stored_files(services.settings, services.store)
    file = find(files, account, request.path["id"])
    with place_failures():
        if services.is_function and file.size > MAX_ANSWER_BYTES:
            return Response(302, {"location": files.link(file), "cache-control": "no-store"}, b"")
        pieces = files.pieces(file)
    return Response(200, {"content-type": "application/octet-stream", **CONTENT_HEADERS}, pieces if file.size else b"")


def delete(services: "Services", request: Request) -> Response:
    """DELETE /v1/files/{id}. Raises APIError."""
    account, files = authenticate(services, request), stored_files(services.settings, services.store)
    file = find(files, account, request.path["id"])
    with place_failures():
        files.delete(file)
    if _is_of_anthropic(request):
        return json_response({"id": file.id, "type": "file_deleted"})
    return json_response({"id": file.id, "object": "file", "deleted": True})


def find(files: StoredFiles, account: Account, file_id: str, param: str = "id") -> StoredFile:
    """A file of a key's. Raises NotFoundError where it has none of this id, whoever else has one."""
    file = files.get(owner_of(account), file_id)
    if file is None:
        raise NotFoundError(f"No such File object: {file_id[:64]}", param=param, code="file_not_found")
    return file


def to_json(file: StoredFile) -> JSON:
    """https://platform.openai.com/docs/api-reference/files/object"""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": file.created_s,
        "expires_at": file.expires_s,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def _is_of_anthropic(request: Request) -> bool:
    return ANTHROPIC in request.headers


def _show(file: StoredFile, request: Request) -> JSON:
    """A file as the client that asks for it has files."""
    return anthropic_files.to_json(file) if _is_of_anthropic(request) else to_json(file)


@contextmanager
def place_failures() -> Iterator[None]:
    """Raises APIError where the place for files failed, or has not what a document names."""
    try:
        yield
    except BlobNotFound:
        raise NotFoundError("The content of the file is not there any more.", param="id", code="file_not_found") from None
    except BlobError as error:
        message = f"The place for files failed: {error}."
        raise ServiceUnavailableError(message, code="files_unavailable", headers={"retry-after": "2"}) from error


def authenticate(services: "Services", request: Request) -> Account:
    """The account of a request's key as it is now. Raises AuthenticationError."""
    return services.accounts.authenticate(request.headers, fresh=True)


def check_room(files: StoredFiles, owner: str, size: int = 0) -> None:
    """Raises BadRequestError where an owner has as many files, or as large ones, as it may keep."""
    if files.is_full(owner, size):
        message = f"There are {MAX_FILES} files, or {MAX_KEPT_BYTES >> 30} GB of them, which is all that may be kept. Delete some."
        raise BadRequestError(message, param="file", code="file_storage_full")


def bounded(form: UploadReader, most: int, param: str = "file") -> Iterator[bytes]:
    """The bytes of a form's file, up to the most that it may have. Raises RequestTooLargeError."""
    size = 0
    for piece in form.pieces():
        size += len(piece)
        if size > most:
            raise RequestTooLargeError(f"The file is over {most} bytes, the most that it may have here.", param=param)
        yield piece


def check_purpose(purpose: object) -> str:
    """Raises BadRequestError."""
    if not isinstance(purpose, str) or purpose not in UPLOAD_PURPOSES:
        known = ", ".join(f"'{name}'" for name in UPLOAD_PURPOSES)
        raise BadRequestError(f"'{str(purpose)[:64]}' is not one of [{known}] - 'purpose'", param="purpose", code="invalid_value")
    return purpose


def check_size(purpose: str, size: int, param: str = "file") -> None:
    """Raises RequestTooLargeError."""
    most = MAX_BATCH_BYTES if purpose == "batch" else MAX_FILE_BYTES
    if size > most:
        raise RequestTooLargeError(f"The file is over {most} bytes, the most that a file of this purpose may have.", param=param)


def _describe(form: UploadReader, size: int) -> FileDescription:
    """What the form says of its file. Raises BadRequestError, RequestTooLargeError."""
    purpose = form.fields.get("purpose")
    if not purpose:
        raise missing_parameter("purpose")
    check_purpose(purpose)
    for name in form.fields.keys() - {*FORM_FIELDS}:
        raise unknown_parameter(name[:64])
    check_size(purpose, size)
    name = file_name(form.name)
    return FileDescription(name, purpose, form.content_type[:128], read_lasts_s(_expires_after(form.fields), "expires_after"))


def _expires_after(fields: Mapping[str, str]) -> JSON | None:
    given: JSON = {name: fields[f"expires_after[{name}]"] for name in ("anchor", "seconds") if f"expires_after[{name}]" in fields}
    if (seconds := to_whole_number(given.get("seconds", ""))) is not None:
        given["seconds"] = seconds
    return given or None


def read_lasts_s(given: object, param: str) -> int:
    """How long a file lasts, in seconds, by an `expires_after`. Raises BadRequestError."""
    if given is None:
        return DEFAULT_LASTS_S
    if not isinstance(given, dict) or given.get("anchor") != "created_at":
        raise BadRequestError(f"'{param}.anchor' has to be 'created_at'.", param=f"{param}.anchor", code="invalid_value")
    lasts_s = given.get("seconds")
    if type(lasts_s) is not int or not MIN_LASTS_S <= lasts_s <= MAX_LASTS_S:
        message = f"'{param}.seconds' has to be a whole number from {MIN_LASTS_S} to {MAX_LASTS_S}."
        raise BadRequestError(message, param=f"{param}.seconds", code="invalid_value")
    return lasts_s
