"""One bucket of S3, without AWS's SDK: requests that are signed, and links with which somebody else makes one request.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectOps.html
"""

import time
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote

from haimaker.aws.access import AWSAccess
from haimaker.aws.client import AWSError
from haimaker.aws.sigv4 import presign, sign
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError
from haimaker.http.values import UpstreamRequest, UpstreamResponse
from haimaker.lean_dataclasses import dataclass

_client = HTTPClient()


class S3Error(Exception):
    """The bucket could not be asked. The message names no address."""


@dataclass(frozen=True, slots=True)
class S3Bucket:
    name: str
    access: AWSAccess
    timeouts: Timeouts

    def put(self, key: str, body: bytes, content_type: str) -> int:
        """Writes an object; the status of the answer. Raises S3Error."""
        answer = self._send("PUT", key, {"content-type": content_type}, body)
        try:
            for _ in answer.pieces:
                pass
        except TransportError as error:
            raise S3Error(str(error)) from None
        return answer.status

    def get(self, key: str) -> UpstreamResponse:
        """The answer, its body not read yet; whoever may not list the bucket gets status 403 for an object that is missing.
        Raises S3Error, and its pieces raise TransportError."""
        return self._send("GET", key, {}, b"")

    def link(self, method: str, key: str, lasts_s: int) -> str:
        """An address with which anybody may make one request for `lasts_s` seconds, or until the credentials that sign it end.
        Raises S3Error."""
        url = "".join(self.access.bucket_address(self.name, quote(key)))
        try:
            return presign(self.access.credentials.current(), self.access.region, method, url, {}, lasts_s, time.time())
        except AWSError as error:
            raise S3Error(str(error)) from None

    def _send(self, method: str, key: str, headers: Mapping[str, str], body: bytes) -> UpstreamResponse:
        base_url, path = self.access.bucket_address(self.name, quote(key))
        headers = {**headers, "x-amz-content-sha256": sha256(body).hexdigest()}
        try:
            credentials = self.access.credentials.current()
            signed = sign(credentials, "s3", self.access.region, method, base_url + path, headers, body, time.time())
            signed.pop("host")
            return _client.send(UpstreamRequest(path, body, method=method), base_url, signed, self.timeouts, CancelToken())
        except (AWSError, TransportError) as error:
            raise S3Error(str(error)) from None
