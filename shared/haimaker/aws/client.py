"""AWS without its SDK, which costs 240 ms of every cold start: SigV4, and the JSON protocol of DynamoDB and SSM.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html

Every call may be sent twice, when the answer to the first try was lost: only give it what is safe to repeat. Errors say
which operation failed and why; they never carry an address, a secret or an item.
"""

import hashlib
import hmac
import http.client
import json
import random
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

from haimaker.http import tls
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

THROTTLED = frozenset(
    {"ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "TooManyRequestsException"}
)
DENIED = frozenset({"AccessDeniedException", "AccessDenied"})
UNSIGNED = frozenset({"authorization", "connection", "expect", "transfer-encoding", "user-agent", "x-amzn-trace-id"})
"""Headers that something on the way may change."""
PROTOCOLS = {"dynamodb": ("DynamoDB_20120810", "application/x-amz-json-1.0"), "ssm": ("AmazonSSM", "application/x-amz-json-1.1")}
"""By service: the prefix of `x-amz-target`, and the content type."""
IDLE_S = 20.0
"""How long an unused connection is trusted; after that a frozen sandbox may hold a dead one."""
FIRST_BACKOFF_S = 0.05


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
        """Credentials that are valid now; those that never change are a source themselves. Raises AWSError."""


class AWSError(Exception):
    """A call that failed. `code` is AWS's name for it, or ours for what happened on the way."""

    def __init__(
        self, operation: str, code: str, document: JSON | None = None, *, transient: bool = False, lost: bool = False
    ) -> None:
        super().__init__(f"{operation}: {code}")
        self.code = code
        self.document = document or {}
        self.transient = transient
        """Another try may succeed."""
        self.lost = lost
        """The call may have been carried out all the same."""
        self.repeated = False
        """An earlier try of the same call may have been carried out: its own effect may be why this one failed."""


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
    """An address in S3 with which anybody may do this one thing for a while, with exactly these headers. It has no query yet.

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
            "&".join("=".join(pair) for pair in sorted(_canonical_query(query))),
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
    """Without dot segments and repeated slashes, and encoded once more: every service but S3 wants it twice."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    tail = "/" if kept and path.endswith("/") else ""
    return quote(f"/{'/'.join(kept)}{tail}", safe="/~")


def _canonical_query(query: str) -> list[tuple[str, str]]:
    split = (pair.partition("=") for pair in query.split("&")) if query else ()
    return [(name, value) for name, _, value in split]


class _IdleConnection(NamedTuple):
    connection: http.client.HTTPConnection
    since_s: float


class AWSClient:
    """Calls of one service over kept-alive connections; safe to share between threads. Opens nothing until the first call."""

    def __init__(
        self,
        service: str,
        region: str,
        credentials: CredentialSource,
        endpoint: str | None = None,
        *,
        timeout_s: float = 3.0,
        total_timeout_s: float = 1.0,
        on_denied: Callable[[str], object] | None = None,
    ) -> None:
        """`total_timeout_s` is how long a call is tried again before it fails; `on_denied` is given the name, such as
        `dynamodb:Query`, of each call that the role does not allow, also of one whose failure nobody waits for."""
        self._service, self._region, self._credentials = service, region, credentials
        self._target, self._content_type = PROTOCOLS[service]
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._endpoint = endpoint or f"https://{service}.{region}.{suffix}"
        self._timeout_s, self._total_timeout_s = timeout_s, total_timeout_s
        self._on_denied = on_denied
        self._idle: list[_IdleConnection] = []

    def call(self, operation: str, request: JSON) -> JSON:
        """The answer's document; raises AWSError once it can't or should not be tried again."""
        body = json.dumps(request).encode()
        give_up_s = time.monotonic() + self._total_timeout_s
        pause_s = FIRST_BACKOFF_S
        repeated = False
        while True:
            try:
                return self._try(operation, body)
            except AWSError as error:
                error.repeated = repeated
                if error.code in DENIED and self._on_denied:
                    self._on_denied(f"{self._service}:{operation}")
                if not error.transient or time.monotonic() + pause_s > give_up_s:
                    raise
                repeated = repeated or error.lost
            time.sleep(random.uniform(0, pause_s))  # noqa: S311 (jitter, no secret)
            pause_s *= 2

    def close(self) -> None:
        """Closes idle connections; the client may be used again."""
        while idle := self._take_idle():
            idle.connection.close()

    def _take_idle(self) -> _IdleConnection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _try(self, operation: str, body: bytes) -> JSON:
        credentials = self._credentials.current()
        connection, kept_alive = self._connection(operation)
        try:
            status, answer = self._exchange(connection, credentials, operation, body)
        except BaseException as error:
            connection.close()
            if not isinstance(error, (OSError, http.client.HTTPException)):
                raise
            if kept_alive:
                self.close()
            dead = kept_alive and isinstance(error, (ConnectionResetError, BrokenPipeError))
            raise AWSError(operation, type(error).__name__, transient=dead, lost=True) from None
        self._idle.append(_IdleConnection(connection, time.time()))
        return _parse_answer(operation, status, answer)

    def _connection(self, operation: str) -> tuple[http.client.HTTPConnection, bool]:
        """A connection, and whether it was used before."""
        while idle := self._take_idle():
            if time.time() - idle.since_s < IDLE_S:
                return idle.connection, True
            idle.connection.close()
        parts = urlsplit(self._endpoint)
        fresh = (
            http.client.HTTPSConnection(parts.netloc, timeout=self._timeout_s, context=tls.context())
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.netloc, timeout=self._timeout_s)
        )
        try:
            fresh.connect()
        except OSError as error:
            raise AWSError(operation, type(error).__name__, transient=not isinstance(error, TimeoutError)) from None
        return fresh, False

    def _exchange(
        self, connection: http.client.HTTPConnection, credentials: Credentials, operation: str, body: bytes
    ) -> tuple[int, bytes]:
        headers = {"content-type": self._content_type, "x-amz-target": f"{self._target}.{operation}"}
        url = f"{self._endpoint}/"
        signed = sign(credentials, self._service, self._region, "POST", url, headers, body, time.time())
        connection.request("POST", "/", body, signed)
        response = connection.getresponse()
        try:
            return response.status, response.read()
        except ConnectionError as error:
            raise http.client.IncompleteRead(b"") from error


def _parse_answer(operation: str, status: int, answer: bytes) -> JSON:
    """The document of a good answer; the error of any other."""
    try:
        document = json.loads(answer or b"{}")
    except ValueError:
        document = None
    if status == 200 and isinstance(document, dict):
        return document
    failed = status >= 500
    if not isinstance(document, dict):
        raise AWSError(operation, f"not JSON, status {status}", transient=failed, lost=True)
    code = str(document.get("__type") or f"status {status}").rsplit("#", 1)[-1]
    throttled = code in THROTTLED
    raise AWSError(operation, code, document, transient=failed or throttled, lost=failed and not throttled)
