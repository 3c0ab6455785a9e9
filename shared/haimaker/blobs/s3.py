"""Blobs in a bucket of S3, without AWS's SDK: requests that are signed, and links with which somebody else makes one request.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectOps.html
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from urllib.parse import quote

from haimaker.aws.access import AWSAccess
from haimaker.aws.client import AWSError
from haimaker.aws.sigv4 import presign, sign
from haimaker.blobs import BlobError, BlobNotFound, BlobTooLarge
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError
from haimaker.http.values import UpstreamRequest, UpstreamResponse
from haimaker.lean_dataclasses import dataclass

MISSING = (403, 404)
"""Who may not list a bucket is not told which of the two it is."""

_client = HTTPClient()


@dataclass(frozen=True, slots=True)
class S3Blobs:
    """A bucket that is private and encrypted, and whose lifecycle deletes what has ended. The template makes it so."""

    bucket: str
    access: AWSAccess
    timeouts: Timeouts
    prefix: str = ""
    """What every key in the bucket begins with, such as `content/`."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        with _failures():
            answer = self._send("PUT", key, {"content-type": content_type}, data)
            for _ in answer.pieces:
                pass
        if answer.status != 200:
            raise BlobError(f"the bucket answered with status {answer.status}")

    def put_pieces(self, key: str, pieces: Iterable[bytes], content_type: str) -> int:
        """Holds the whole: a function is asked with no more than a few megabytes."""
        data = b"".join(pieces)
        self.put(key, data, content_type)
        return len(data)

    def pieces(self, key: str) -> Iterator[bytes]:
        with _failures():
            answer = self._send("GET", key, {}, b"")
        if answer.status in MISSING:
            raise BlobNotFound(f"there is no {key}")
        if answer.status != 200:
            raise BlobError(f"the bucket answered with status {answer.status}")
        return _read(answer)

    def get(self, key: str, max_bytes: int) -> bytes:
        data = bytearray()
        with _failures():
            answer = self._send("GET", key, {}, b"")
            if answer.status in MISSING:
                raise BlobNotFound(f"there is no {key}")
            if answer.status != 200:
                raise BlobError(f"the bucket answered with status {answer.status}")
            for piece in answer.pieces:
                data += piece
                if len(data) > max_bytes:
                    raise BlobTooLarge(f"{key} has more than {max_bytes} bytes")
        return bytes(data)

    def delete(self, key: str) -> None:
        with _failures():
            answer = self._send("DELETE", key, {}, b"")
            for _ in answer.pieces:
                pass
        if answer.status not in (200, 204):
            raise BlobError(f"the bucket answered with status {answer.status}")

    def link(self, method: str, key: str, lasts_s: int) -> str:
        """A link lasts no longer than the credentials that sign it; a function's are good for hours."""
        url = "".join(self.access.bucket_address(self.bucket, quote(self.prefix + key)))
        with _failures():
            return presign(self.access.credentials.current(), self.access.region, method, url, {}, lasts_s, time.time())

    def delete_expired(self) -> None:
        """Does nothing: the bucket's lifecycle deletes them.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html"""

    def _send(self, method: str, key: str, headers: Mapping[str, str], body: bytes) -> UpstreamResponse:
        base_url, path = self.access.bucket_address(self.bucket, quote(self.prefix + key))
        headers = {**headers, "x-amz-content-sha256": sha256(body).hexdigest()}
        credentials = self.access.credentials.current()
        signed = sign(credentials, "s3", self.access.region, method, base_url + path, headers, body, time.time())
        signed.pop("host")
        return _client.send(UpstreamRequest(path, body, method=method), base_url, signed, self.timeouts, CancelToken())


def _read(answer: UpstreamResponse) -> Iterator[bytes]:
    with _failures():
        yield from answer.pieces


@contextmanager
def _failures() -> Iterator[None]:
    """Raises BlobError where the bucket can't be reached, or nobody has credentials for it."""
    try:
        yield
    except (AWSError, TransportError) as error:
        raise BlobError(f"the bucket could not be reached: {error}") from None
