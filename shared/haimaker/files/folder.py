"""Files in a folder of the local gateway, which serves them itself: `GET /files/{id}` and `PUT /files/{id}`.

What was made can be read by its link, what was uploaded only by the gateway. A place for an upload is an empty file.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from haimaker.files import (
    EXTENSIONS,
    LINK_LIFETIME_S,
    MAX_UPLOAD_BYTES,
    FilesUnavailable,
    Upload,
    check_owner,
    new_id,
    new_upload_id,
    upload_not_found,
    upload_too_large,
    validate_id,
)
from haimaker.http.errors import BadRequestError, NotFoundError
from haimaker.http.values import Request, Response
from haimaker.lean_dataclasses import dataclass
from haimaker.settings.settings import Settings

MADE, UPLOADS = "made", "uploads"
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""A drawing may hold scripts, and a file comes from where the console does. https://www.w3.org/TR/CSP3/#directive-sandbox"""
CONTENT_TYPES = {ending: content_type for content_type, ending in EXTENSIONS.items()}


@dataclass(frozen=True, slots=True)
class LocalFileStore:
    """Files in a folder of this machine. `origin` is where clients reach this gateway, such as `http://127.0.0.1:8000`."""

    folder: Path
    origin: str = ""

    @classmethod
    def from_settings(cls, settings: Settings) -> "LocalFileStore":
        """Raises NotFoundError where the files of a gateway are elsewhere, or nowhere."""
        if settings.files_folder is None:
            raise NotFoundError("This gateway keeps no files itself.", code="unknown_url")
        return cls(settings.files_folder)

    def put(self, data: bytes, content_type: str) -> str:
        file_id = new_id(content_type)
        self._write(MADE, file_id, data)
        return f"{self.origin}/files/{file_id}"

    def presign_upload(self, owner: str = "") -> Upload:
        upload_id = new_upload_id(owner)
        self._write(UPLOADS, upload_id, b"")
        return Upload(upload_id, f"{self.origin}/files/{upload_id}", {}, int(time.time()) + LINK_LIFETIME_S)

    def read(self, upload_id: str, owner: str = "") -> bytes:
        check_owner(upload_id, owner)
        file = self.folder / UPLOADS / validate_id(upload_id)
        data = _read_unexpired(file)
        if not data:
            raise upload_not_found(upload_id)
        if len(data) > MAX_UPLOAD_BYTES:
            raise upload_too_large()
        return data

    def serve(self, request: Request) -> Response:
        """GET /files/{id}: a generated file, for whoever has its link. Raises NotFoundError."""
        file = self._place(MADE, request)
        data = _read_unexpired(file)
        if data is None:
            raise _file_not_found()
        content_type = CONTENT_TYPES.get(file.suffix, "application/octet-stream")
        headers = {"content-type": content_type, "content-security-policy": POLICY, "x-content-type-options": "nosniff"}
        return Response(200, headers, data)

    def receive(self, request: Request) -> Response:
        """PUT /files/{id}: fills an upload. Raises NotFoundError where there is none of this id."""
        file = self._place(UPLOADS, request)
        if _is_gone(file):
            raise _file_not_found()
        opened_s = file.stat().st_mtime
        coming = file.with_name(f".{file.name}")  # no id begins with a dot
        try:
            with open(os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as whole:
                for piece in (request.body,) if request.pieces is None else request.pieces:
                    whole.write(piece)
            os.utime(coming, (opened_s, opened_s))  # it ends when its link does
            coming.replace(file)
        finally:
            coming.unlink(missing_ok=True)
        return Response(200, {"content-type": "text/plain"}, b"")

    def _place(self, kind: str, request: Request) -> Path:
        try:
            return self.folder / kind / validate_id(request.path.get("id", ""))
        except BadRequestError:
            raise _file_not_found() from None

    def _write(self, kind: str, file_id: str, data: bytes) -> None:
        folder = self.folder / kind
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for old in _expired(folder):
                old.unlink(missing_ok=True)
            with open(os.open(folder / file_id, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
        except OSError as error:
            raise FilesUnavailable(f"The folder for files can't be written: {error.strerror}.") from None


def _read_unexpired(file: Path) -> bytes | None:
    """The content of a file; None if there is none or it has expired."""
    try:
        return None if _is_expired(file) else file.read_bytes()
    except OSError:
        return None


def _is_gone(file: Path) -> bool:
    try:
        return _is_expired(file)
    except OSError:
        return True


def _expired(folder: Path) -> Iterator[Path]:
    for file in list(folder.iterdir()):
        with suppress(OSError):
            if _is_expired(file):
                yield file


def _is_expired(file: Path) -> bool:
    return file.stat().st_mtime + LINK_LIFETIME_S < time.time()


def _file_not_found() -> NotFoundError:
    return NotFoundError("There is no such file, or its link has expired.", code="file_not_found")
