"""Blobs in a bucket of S3, without AWS's SDK: requests that are signed, and links with which somebody else makes one request.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectOps.html
"""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from urllib.parse import quote

from haimaker.aws.access import AWSAccess
from haimaker.aws.client import AWSError
from haimaker.aws.sigv4 import presign, sign
from haimaker.blobs import BlobError, BlobNotFound, BlobTooLarge
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError, read_whole
from haimaker.http.values import UpstreamRequest, UpstreamResponse
from haimaker.lean_dataclasses import dataclass

MISSING = (403, 404)
"""Who may not list a bucket is not told which of the two it is."""

PART_BYTES = 8 * 1024 * 1024
"""Of a blob that is written in parts, which may be 10,000, each but the last of 5 MB at least.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""
UPLOAD_ID = re.compile(r"<UploadId>([^<]+)</UploadId>")

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
        """Holds two parts of it at most: what has more than one is written in several requests, and is there when the last is done.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html"""
        waiting, upload, tags = bytearray(), "", list[str]()
        size = 0
        try:
            for piece in pieces:
                waiting += piece
                if len(waiting) > PART_BYTES:
                    upload = upload or self._begin_upload(key, content_type)
                    tags.append(self._put_part(key, upload, len(tags) + 1, bytes(waiting)))
                    size += len(waiting)
                    waiting.clear()
            if not upload:
                self.put(key, bytes(waiting), content_type)
                return len(waiting)
            tags.append(self._put_part(key, upload, len(tags) + 1, bytes(waiting)))
            self._end_upload(key, upload, tags)
        except BaseException:
            if upload:
                with suppress(BlobError):  # the bucket's lifecycle takes away what is left
                    self._call("DELETE", key, query=f"uploadId={_quoted(upload)}")
            raise
        return size + len(waiting)

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

    def get_range(self, key: str, first: int, end: int) -> bytes:
        if end <= first:
            return b""
        return self._call("GET", key, {"range": f"bytes={first}-{end - 1}"})[1]

    def copy(self, source: str, key: str, content_type: str) -> None:
        """Makes a blob of another one, within the bucket. Raises BlobNotFound, BlobError.
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html: an error may come with status 200."""
        where = {"x-amz-copy-source": quote(f"/{self.bucket}/{self.prefix}{source}"), "x-amz-metadata-directive": "REPLACE"}
        _, answer = self._call("PUT", key, {**where, "content-type": content_type})
        if b"<Error>" in answer:
            raise BlobError("the bucket could not copy it")

    def size(self, key: str) -> int:
        headers, _ = self._call("HEAD", key)
        return int(headers["content-length"])

    def delete(self, key: str) -> None:
        self._call("DELETE", key)

    def link(self, method: str, key: str, lasts_s: int, size: int | None = None) -> str:
        """A link lasts no longer than the credentials that sign it; a function's are good for hours."""
        url = "".join(self.access.bucket_address(self.bucket, quote(self.prefix + key)))
        headers = {} if size is None else {"content-length": str(size)}
        with _failures():
            return presign(self.access.credentials.current(), self.access.region, method, url, headers, lasts_s, time.time())

    def delete_expired(self) -> None:
        """Does nothing: the bucket's lifecycle deletes them.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html"""

    def _begin_upload(self, key: str, content_type: str) -> str:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html"""
        _, answer = self._call("POST", key, {"content-type": content_type}, query="uploads=")
        found = UPLOAD_ID.search(answer.decode())
        if not found:
            raise BlobError("the bucket named no upload")
        return found[1]

    def _put_part(self, key: str, upload: str, number: int, data: bytes) -> str:
        """Its tag, by which it is named at the end."""
        headers, _ = self._call("PUT", key, {}, data, f"partNumber={number}&uploadId={_quoted(upload)}")
        return headers["etag"]

    def _end_upload(self, key: str, upload: str, tags: Sequence[str]) -> None:
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html: an error may come with status 200."""
        parts = (f"<Part><PartNumber>{n}</PartNumber><ETag>{tag}</ETag></Part>" for n, tag in enumerate(tags, 1))
        body = f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()
        _, answer = self._call("POST", key, {"content-type": "application/xml"}, body, f"uploadId={_quoted(upload)}")
        if b"<Error>" in answer:
            raise BlobError("the bucket could not put the parts together")

    def _call(
        self, method: str, key: str, headers: Mapping[str, str] | None = None, body: bytes = b"", query: str = ""
    ) -> tuple[Mapping[str, str], bytes]:
        """The headers and the body of a good answer. Raises BlobNotFound, BlobError."""
        with _failures():
            answer = self._send(method, key, headers or {}, body, query)
            read = read_whole(answer.pieces)
        if answer.status in MISSING:
            raise BlobNotFound(f"there is no {key}")
        if answer.status not in (200, 204, 206):
            raise BlobError(f"the bucket answered with status {answer.status}")
        return answer.headers, read

    def _send(self, method: str, key: str, headers: Mapping[str, str], body: bytes, query: str = "") -> UpstreamResponse:
        base_url, path = self.access.bucket_address(self.bucket, quote(self.prefix + key))
        path += f"?{query}" if query else ""
        headers = {**headers, "x-amz-content-sha256": sha256(body).hexdigest()}
        credentials = self.access.credentials.current()
        signed = sign(credentials, "s3", self.access.region, method, base_url + path, headers, body, time.time())
        signed.pop("host")
        return _client.send(UpstreamRequest(path, body, method=method), base_url, signed, self.timeouts, CancelToken())


def _read(answer: UpstreamResponse) -> Iterator[bytes]:
    with _failures():
        yield from answer.pieces


def _quoted(text: str) -> str:
    return quote(text, safe="")


@contextmanager
def _failures() -> Iterator[None]:
    """Raises BlobError where the bucket can't be reached, or nobody has credentials for it."""
    try:
        yield
    except (AWSError, TransportError) as error:
        raise BlobError(f"the bucket could not be reached: {error}") from None
