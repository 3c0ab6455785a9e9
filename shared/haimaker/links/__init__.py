"""Files that outlive a request: images that were made, for whoever has the link, and uploads too large for a request.

They are in a bucket of S3 where the deployer has one, else in a folder of the local gateway (`local.py`). Their names can't be
guessed, and after `LINK_LIFETIME_S` a file is gone. A gateway with neither place has none, and says so.
"""

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from haimaker.blobs import BlobNotFound, BlobStore, BlobTooLarge
from haimaker.http.client import Timeouts
from haimaker.http.errors import BadRequestError, ServiceUnavailableError
from haimaker.lean_dataclasses import dataclass

if TYPE_CHECKING:
    from haimaker.settings.settings import Settings

MADE, UPLOADS = "made", "uploads"
"""The first names of the keys of images and of uploads."""
LINK_LIFETIME_S = 3_600
"""How long a link works, to read as to write."""
MAX_UPLOAD_BYTES = 100_000_000
"""The size of an upload: what a function of 512 MB can hold and pass on."""
EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif", "image/svg+xml": ".svg"}
"""By content type, the end of a file's name, so that a link shows what it leads to."""
MAX_UPLOADS = 20
"""The most uploads of one key at a time."""
RANDOM_BYTES, RANDOM_LENGTH, OWNER_BYTES = 15, 20, 9
"""Of the id of an upload: random bytes, their length in base64, and the bytes of a hash that say whose it is."""
ID = re.compile(r"[A-Za-z0-9_-]{32}(\.[a-z]{3,4})?")
TIMEOUTS = Timeouts(connect_s=5, first_byte_s=30, between_s=30)


class Upload(NamedTuple):
    """Where a client may put a file: `url`, until `expires_s` of the epoch."""

    id: str
    url: str
    expires_s: int


@dataclass(frozen=True, slots=True)
class LinkStore:
    blobs: BlobStore

    def put(self, data: bytes, content_type: str) -> str:
        """Stores a file and returns a link to it. Raises BlobError."""
        self.blobs.delete_expired()
        key = f"{MADE}/{secrets.token_urlsafe(24)}{EXTENSIONS.get(content_type, '')}"
        self.blobs.put(key, data, content_type)
        return self.blobs.link("GET", key, LINK_LIFETIME_S)

    def presign_upload(self, owner: str = "") -> Upload:
        """A link with which a client can upload one file, which only its owner's requests can name. Raises BlobError."""
        random = secrets.token_urlsafe(RANDOM_BYTES)
        upload_id = random + _owner_hash(random, owner)
        link = self.blobs.link("PUT", f"{UPLOADS}/{upload_id}", LINK_LIFETIME_S)
        return Upload(upload_id, link, int(time.time()) + LINK_LIFETIME_S)

    def read(self, upload_id: str, owner: str = "") -> bytes:
        """What a client uploaded, for its owner. Raises BadRequestError where there is nothing, or too much, and BlobError."""
        data = b""
        if ID.fullmatch(upload_id) and belongs_to(upload_id, owner):
            try:
                data = self.blobs.get(f"{UPLOADS}/{upload_id}", MAX_UPLOAD_BYTES)
            except BlobTooLarge:
                message = f"An upload may have at most {MAX_UPLOAD_BYTES} bytes."
                raise BadRequestError(message, code="upload_too_large") from None
            except BlobNotFound:
                pass
        if not data:
            message = f"There is no upload {upload_id[:64]!r}: nothing was put there, or it has expired."
            raise BadRequestError(message, code="upload_not_found")
        return data


def link_store_for(settings: "Settings", headers: Mapping[str, str]) -> LinkStore | None:
    """The gateway's file store, or None. `headers` are the request's: a local gateway's links go to the host that they name."""
    if settings.files_bucket and settings.aws:
        from haimaker.blobs.s3 import S3Blobs

        return LinkStore(S3Blobs(settings.files_bucket, settings.aws, TIMEOUTS))
    if settings.files_folder:
        from haimaker.links.local import LocalLinkStore

        scheme = headers.get("x-forwarded-proto", "http").partition(",")[0].strip().lower()
        host = headers.get("host") or f"127.0.0.1:{settings.port}"
        return LocalLinkStore.in_folder(settings.files_folder, f"{scheme if scheme in ('http', 'https') else 'http'}://{host}")
    return None


def require_link_store(files: LinkStore | None) -> LinkStore:
    """Returns the file store. Raises ServiceUnavailableError where there is none."""
    if files is None:
        message = "This gateway has no place for files. Its deployer gives it one with the parameter FilesBucket."
        raise ServiceUnavailableError(message, code="no_files", headers={"x-should-retry": "false"})
    return files


def is_link_id(name: str) -> bool:
    """Whether this can be the id of a link, which no other file's is."""
    return ID.fullmatch(name) is not None


def belongs_to(upload_id: str, owner: str) -> bool:
    """Whether the upload is this owner's: the first part of its id is random, and the rest is a hash of that and the owner."""
    random, given = upload_id[:RANDOM_LENGTH], upload_id[RANDOM_LENGTH:]
    return secrets.compare_digest(given.encode(), _owner_hash(random, owner).encode())


def _owner_hash(random: str, owner: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(f"{random} {owner}".encode()).digest()[:OWNER_BYTES]).decode()
