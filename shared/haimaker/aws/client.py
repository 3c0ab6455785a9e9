"""Calls of DynamoDB, SSM and SQS in their JSON protocol. AWS's SDK takes 240 ms of every cold start, this none.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html

A call may be sent twice, when the answer to the first try was lost, so it has to be safe to repeat. Errors say which operation
failed and why; they never carry an address, a secret or an item.
"""

import http.client
import json
import random
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from haimaker.aws.sigv4 import Credentials, CredentialSource, sign
from haimaker.http import tls
from haimaker.http.json import read_or_none
from haimaker.http.values import JSON

THROTTLED = frozenset(
    {
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "TransactionConflictException",  # a transaction is at the same item
        "TransactionInProgressException",
    }
)
DENIED = frozenset({"AccessDeniedException", "AccessDenied"})
PROTOCOLS = {
    "dynamodb": ("DynamoDB_20120810", "application/x-amz-json-1.0"),
    "ssm": ("AmazonSSM", "application/x-amz-json-1.1"),
    "sqs": ("AmazonSQS", "application/x-amz-json-1.0"),
}
"""By service: the prefix of `x-amz-target`, and the content type."""
IDLE_S = 20.0
"""How long an idle connection is used again; a sandbox that was frozen for longer may hold a dead one."""
FIRST_BACKOFF_S = 0.05


class AWSError(Exception):
    """A call that failed. `code` is AWS's name for it, or ours for what happened on the way."""

    def __init__(
        self,
        operation: str,
        code: str,
        document: JSON | None = None,
        *,
        transient: bool = False,
        lost: bool = False,
        was_idle: bool = False,
    ) -> None:
        super().__init__(f"{operation}: {code}")
        self.code = code
        self.document = document or {}
        self.transient = transient
        """Another try may succeed."""
        self.was_idle = was_idle
        """A connection that had been idle was dead, which says nothing of the service."""
        self.lost = lost
        """The call may have been carried out all the same."""
        self.repeated = False
        """An earlier try of the same call may have been carried out: its own effect may be why this one failed."""


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
        """`total_timeout_s` is how long a call is tried again before it fails, `timeout_s` how long one try may be silent.
        `on_denied` is given the name, such as `dynamodb:Query`, of each call that the role does not allow, also of one whose
        failure nobody waits for."""
        self._service, self._region, self._credentials = service, region, credentials
        self._target, self._content_type = PROTOCOLS[service]
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._endpoint = endpoint or f"https://{service}.{region}.{suffix}"
        self._timeout_s, self._total_timeout_s = timeout_s, total_timeout_s
        self._on_denied = on_denied
        self._idle: list[_IdleConnection] = []

    def call(self, operation: str, request: JSON) -> JSON:
        """Calls an operation and returns the answer's document. Raises AWSError once another try is of no use or too late."""
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
                is_late = time.monotonic() + pause_s > give_up_s  # however late, a new connection is tried for a dead one, once
                if not error.transient or (is_late and (repeated or not error.was_idle)):
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
            raise AWSError(operation, type(error).__name__, transient=dead, lost=True, was_idle=dead) from None
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
            http.client.HTTPSConnection(parts.netloc, timeout=self._timeout_s, context=tls.tls_context())
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
    document = read_or_none(answer or b"{}")
    if status == 200 and isinstance(document, dict):
        return document
    failed = status >= 500
    if not isinstance(document, dict):
        raise AWSError(operation, f"not JSON, status {status}", transient=failed, lost=True)
    code = str(document.get("__type") or f"status {status}").rsplit("#", 1)[-1]
    throttled = code in THROTTLED
    raise AWSError(operation, code, document, transient=failed or throttled, lost=failed and not throttled)
