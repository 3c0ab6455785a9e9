"""Files in a bucket of S3, which the template makes: private, encrypted, emptied by its lifecycle. No SDK: links that are signed.

The gateway itself writes and reads by such links, too. https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import time
from urllib.parse import quote

from haimaker.aws.access import AWSAccess
from haimaker.aws.client import presign
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
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError
from haimaker.http.values import UpstreamRequest, UpstreamResponse
from haimaker.lean_dataclasses import dataclass

MADE, UPLOADS = "made", "uploads"
OWN_LINK_S = 60
"""How long a link lasts that the gateway uses at once."""
TIMEOUTS = Timeouts(connect_s=5, first_byte_s=30, between_s=30)
MISSING = (403, 404)
"""Who may not list a bucket is not told which of the two it is."""

_transport = HTTPClient()


@dataclass(frozen=True, slots=True)
class S3FileStore:
    """A link lasts no longer than the credentials that signed it; a function's are good for hours."""

    name: str
    access: AWSAccess

    def put(self, data: bytes, content_type: str) -> str:
        key = f"{MADE}/{new_id(content_type)}"
        headers = {"content-type": content_type}
        answer = self._call("PUT", key, headers, data)
        if answer.status != 200:
            raise FilesUnavailable(f"The bucket for files refused one with status {answer.status}.")
        return self._presign("GET", key, LINK_LIFETIME_S)

    def presign_upload(self, owner: str = "") -> Upload:
        upload_id = new_upload_id(owner)
        return Upload(
            upload_id, self._presign("PUT", f"{UPLOADS}/{upload_id}", LINK_LIFETIME_S), {}, int(time.time()) + LINK_LIFETIME_S
        )

    def read(self, upload_id: str, owner: str = "") -> bytes:
        check_owner(upload_id, owner)
        answer = self._call("GET", f"{UPLOADS}/{validate_id(upload_id)}")
        if answer.status in MISSING:
            raise upload_not_found(upload_id)
        if answer.status != 200:
            raise FilesUnavailable(f"The bucket for files answered with status {answer.status}.")
        return _read_bounded(answer)

    def _call(self, method: str, key: str, headers: dict[str, str] | None = None, body: bytes = b"") -> UpstreamResponse:
        base_url, path = self.access.bucket_address(self.name, quote(key))
        link = self._presign(method, key, OWN_LINK_S, headers)
        request = UpstreamRequest(path + link.removeprefix(base_url + path), body, method=method)
        try:
            answer = _transport.send(request, base_url, headers or {}, TIMEOUTS, CancelToken())
            return (
                answer if method == "GET" and answer.status == 200 else UpstreamResponse(answer.status, {}, iter([*answer.pieces]))
            )
        except TransportError as error:
            raise FilesUnavailable(f"The bucket for files could not be reached: {error}") from None

    def _presign(self, method: str, key: str, lasts_s: int, headers: dict[str, str] | None = None) -> str:
        url = "".join(self.access.bucket_address(self.name, quote(key)))
        access = self.access
        return presign(access.credentials.current(), access.region, method, url, headers or {}, lasts_s, time.time())


def _read_bounded(answer: UpstreamResponse) -> bytes:
    data = bytearray()
    try:
        for piece in answer.pieces:
            data += piece
            if len(data) > MAX_UPLOAD_BYTES:
                raise upload_too_large()
    except TransportError as error:
        raise FilesUnavailable(f"The bucket for files broke off: {error}") from None
    return bytes(data)
