"""AWS's signature, version 4, of headers and of links. It reads no clock: the time is given.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote, urlsplit

from haimaker.lean_dataclasses import dataclass, field

UNSIGNED = frozenset({"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"})
"""Headers that something on the way may change."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What AWS requests are signed with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    def current(self) -> "Credentials":
        return self


class CredentialSource(Protocol):
    def current(self) -> Credentials:
        """Credentials that are valid now; those that never change are a source themselves. Raises `client.AWSError`."""


def sign(
    credentials: Credentials,
    service: str,
    region: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    now_s: float,
) -> dict[str, str]:
    """The headers to send: those given, in lower case, and the host, date, session token and signature.

    The path and query of `url` are percent-encoded as they go over the wire.
    """
    parts = urlsplit(url)
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
    signed = {name.lower(): value for name, value in headers.items()} | {"host": _host(url), "x-amz-date": timestamp}
    if credentials.session_token:
        signed["x-amz-security-token"] = credentials.session_token
    path, digest = _canonical_path(parts.path), hashlib.sha256(body).hexdigest()
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    names, signature = _signature(credentials, scope, timestamp, method, path, parts.query, signed, digest)
    credential = f"{credentials.access_key_id}/{scope}"
    signed["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return signed


def presign(
    credentials: Credentials, region: str, method: str, url: str, headers: Mapping[str, str], lasts_s: int, now_s: float
) -> str:
    """An address in S3 at which anybody may send one request, with exactly these headers, for `lasts_s` seconds. `url` has no
    query.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_s))
    scope = f"{timestamp[:8]}/{region}/s3/aws4_request"
    signed = {name.lower(): value for name, value in headers.items()} | {"host": _host(url)}
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.access_key_id}/{scope}",
        "X-Amz-Date": timestamp,
        "X-Amz-Expires": str(lasts_s),
        "X-Amz-SignedHeaders": ";".join(sorted(signed)),
    }
    if credentials.session_token:
        query["X-Amz-Security-Token"] = credentials.session_token
    text = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in query.items())
    path = urlsplit(url).path or "/"
    _, signature = _signature(credentials, scope, timestamp, method, path, text, signed, "UNSIGNED-PAYLOAD")
    return f"{url}?{text}&X-Amz-Signature={signature}"


def _signature(
    credentials: Credentials,
    scope: str,
    timestamp: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    digest: str,
) -> tuple[str, str]:
    """The names of the headers that are signed, and the signature. `path` is the canonical one, `digest` the body's."""
    names = sorted(headers.keys() - UNSIGNED)
    canonical_request = "\n".join(
        [
            method.upper(),
            path,
            "&".join(f"{name}={value}" for name, _, value in sorted(pair.partition("=") for pair in query.split("&") if pair)),
            *(f"{name}:{' '.join(headers[name].split())}" for name in names),
            "",
            ";".join(names),
            digest,
        ]
    )
    text = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical_request.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_access_key, scope)
    return ";".join(names), hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=8)
def _signing_key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _host(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f"{host}:{parts.port}"


def _canonical_path(path: str) -> str:
    """The path without dot segments and repeated slashes, encoded once more: every service but S3 wants it twice."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    tail = "/" if kept and path.endswith("/") else ""
    return quote(f"/{'/'.join(kept)}{tail}", safe="/~")
