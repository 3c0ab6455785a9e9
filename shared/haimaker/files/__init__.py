"""Files that outlive a request: images that were made, for whoever has the link, and uploads too large for a request.

Two places: a bucket of S3 where the deployer has one, and a folder of the local gateway. Names can't be guessed, and after
`LASTS_S` a file is gone. A gateway with neither place has none, and says so.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from haimaker.http.errors import BadRequestError, ServiceUnavailableError

if TYPE_CHECKING:
    from haimaker.settings.settings import Settings

LINK_LIFETIME_S = 3_600
"""How long a link works, to read as to write."""
MAX_UPLOAD_BYTES = 100_000_000
"""Of an upload: what a function of 512 MB can hold and pass on."""
EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif", "image/svg+xml": ".svg"}
"""By content type, so that a link shows what it leads to."""
MAX_UPLOADS = 20
"""Of one key at a time."""
CHANCE_BYTES, CHANCE_LETTERS, MARK_BYTES = 15, 20, 9
_ID = re.compile(r"[A-Za-z0-9_-]{32}(\.[a-z]{3,4})?")


class Upload(NamedTuple):
    """Where a client may put a file: `url`, with exactly these headers, until `expires_s` of the epoch."""

    id: str
    url: str
    headers: Mapping[str, str]
    expires_s: int


class FilesUnavailable(Exception):
    """The file store failed. The message names no address."""


class FileStore(Protocol):
    def put(self, data: bytes, content_type: str) -> str:
        """Stores a file and returns a link to it. Raises FilesUnavailable."""

    def presign_upload(self, owner: str = "") -> Upload:
        """A link with which a client can upload one file. Raises FilesUnavailable."""

    def read(self, upload_id: str, owner: str = "") -> bytes:
        """What a client uploaded, for the upload's owner. Raises BadRequestError where there is nothing, or too much, and
        FilesUnavailable."""


def file_store_for(settings: "Settings", headers: Mapping[str, str]) -> FileStore | None:
    """The gateway's file store, or None. `headers` are the request's: a local gateway's links go to the host that they name."""
    if settings.files_bucket and settings.aws:
        from haimaker.aws.s3 import S3Bucket
        from haimaker.files.s3 import TIMEOUTS, S3FileStore

        return S3FileStore(S3Bucket(settings.files_bucket, settings.aws, TIMEOUTS))
    if settings.files_folder:
        from haimaker.files.folder import LocalFileStore

        return LocalFileStore(settings.files_folder, _origin(headers, settings.port))
    return None


def require_file_store(files: FileStore | None) -> FileStore:
    """Returns the file store. Raises ServiceUnavailableError where there is none."""
    if files is None:
        message = "This gateway has no place for files. Its deployer gives it one with the parameter FilesBucket."
        raise ServiceUnavailableError(message, code="no_files", headers={"x-should-retry": "false"})
    return files


def new_id(content_type: str = "") -> str:
    return secrets.token_urlsafe(24) + EXTENSIONS.get(content_type, "")


def new_upload_id(owner: str) -> str:
    """Half of it is chosen by chance, and the rest says whose it is: no other owner has the same id."""
    chance = secrets.token_urlsafe(CHANCE_BYTES)
    return chance + _mark(chance, owner)


def belongs_to(upload_id: str, owner: str) -> bool:
    chance, mark = upload_id[:CHANCE_LETTERS], upload_id[CHANCE_LETTERS:]
    return secrets.compare_digest(mark.encode(), _mark(chance, owner).encode())


def check_owner(upload_id: str, owner: str) -> None:
    """Raises the error of an upload that does not exist, unless the id is of this owner's."""
    if not belongs_to(validate_id(upload_id), owner):
        raise upload_not_found(upload_id)


def _mark(chance: str, owner: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(f"{chance} {owner}".encode()).digest()[:MARK_BYTES]).decode()


def validate_id(upload_id: str) -> str:
    """Returns an id that is safe as a part of a path. Raises BadRequestError for any other."""
    if not _ID.fullmatch(upload_id):
        raise upload_not_found(upload_id)
    return upload_id


def upload_not_found(upload_id: str) -> BadRequestError:
    message = f"There is no upload {upload_id[:64]!r}: nothing was put there, or it has expired."
    return BadRequestError(message, code="upload_not_found")


def upload_too_large() -> BadRequestError:
    return BadRequestError(f"An upload may have at most {MAX_UPLOAD_BYTES} bytes.", code="upload_too_large")


def _origin(headers: Mapping[str, str], port: int) -> str:
    scheme = headers.get("x-forwarded-proto", "http").partition(",")[0].strip().lower()
    return f"{scheme if scheme in ('http', 'https') else 'http'}://{headers.get('host') or f'127.0.0.1:{port}'}"
