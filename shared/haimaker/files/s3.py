"""Files in a bucket of S3, which the template makes: private, encrypted, emptied by its lifecycle. Clients get links to it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from haimaker.aws.s3 import S3Bucket, S3Error
from haimaker.files import (
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
from haimaker.http.client import Timeouts, TransportError
from haimaker.lean_dataclasses import dataclass

MADE, UPLOADS = "made", "uploads"
TIMEOUTS = Timeouts(connect_s=5, first_byte_s=30, between_s=30)
MISSING = (403, 404)
"""Who may not list a bucket is not told which of the two it is."""


@dataclass(frozen=True, slots=True)
class S3FileStore:
    """A link lasts no longer than the credentials that signed it; a function's are good for hours."""

    bucket: S3Bucket

    def put(self, data: bytes, content_type: str) -> str:
        key = f"{MADE}/{new_id(content_type)}"
        with _failures():
            status = self.bucket.put(key, data, content_type)
            if status != 200:
                raise FilesUnavailable(f"The bucket for files refused one with status {status}.")
            return self.bucket.link("GET", key, LINK_LIFETIME_S)

    def presign_upload(self, owner: str = "") -> Upload:
        upload_id = new_upload_id(owner)
        with _failures():
            link = self.bucket.link("PUT", f"{UPLOADS}/{upload_id}", LINK_LIFETIME_S)
        return Upload(upload_id, link, {}, int(time.time()) + LINK_LIFETIME_S)

    def read(self, upload_id: str, owner: str = "") -> bytes:
        check_owner(upload_id, owner)
        data = bytearray()
        with _failures():
            answer = self.bucket.get(f"{UPLOADS}/{validate_id(upload_id)}")
            if answer.status in MISSING:
                raise upload_not_found(upload_id)
            if answer.status != 200:
                raise FilesUnavailable(f"The bucket for files answered with status {answer.status}.")
            for piece in answer.pieces:
                data += piece
                if len(data) > MAX_UPLOAD_BYTES:
                    raise upload_too_large()
        return bytes(data)


@contextmanager
def _failures() -> Iterator[None]:
    """Raises FilesUnavailable where the bucket can't be reached or breaks off."""
    try:
        yield
    except S3Error as error:
        raise FilesUnavailable(f"The bucket for files could not be reached: {error}") from None
    except TransportError as error:
        raise FilesUnavailable(f"The bucket for files broke off: {error}") from None
