"""A front before emulators of AWS's services: counts the calls that come through, breaks those that it is told to, and refuses what
the caller's role does not allow, as AWS refuses it. A caller is known by its access key; one without a role may do everything.

A call has its operation's name, but UpdateItem on an account is `reserve` or `release`, by what it does to the reservation.
"""

import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.roles import Role, calls_of, context_of

Fault = Literal["throttled", "failing", "dropped", "lost", "half", "slow"]
"""Refused for load; a 500; cut before or after it is carried out; carried out, and then half of the answer; never answered."""

CREDENTIAL = re.compile(r"(?:Credential=)?(?P<key>[^/=]+)/\d{8}/[^/]+/(?P<service>\w+)/aws4_request")
ANSWERS: dict[Fault, tuple[int, str]] = {
    "throttled": (400, "ProvisionedThroughputExceededException"),
    "failing": (500, "InternalServerError"),
}


class AWSFront:
    def __init__(self, dynamodb: str, ssm: str, **others: str) -> None:
        """Each service's address; a service without a target in its requests is asked at the same path."""
        self.calls: list[str] = []
        """That came in, in order, also those that were broken."""
        self.roles: dict[str, Role] = {}
        """By access key."""
        self._behind = {"dynamodb": dynamodb, "ssm": ssm, **others}
        self._faults: dict[str, list[Fault]] = {}
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = {f"AWS_ENDPOINT_URL_{name}": self.url for name in ("DYNAMODB", "SSM", *map(str.upper, others))}

    def breaks(self, call: str, fault: Fault, times: int = 1_000) -> None:
        """What happens to the next calls of this name."""
        self._faults[call] = [fault] * times

    def heals(self) -> None:
        self._faults.clear()

    def take(self) -> list[str]:
        """The calls since this was last asked."""
        calls, self.calls = self.calls, []
        return calls

    def fault(self, call: str) -> Fault | None:
        self.calls.append(call)
        left = self._faults.get(call)
        return left.pop() if left else None

    def refusal(self, method: str, target: str, headers: dict[str, str], body: bytes) -> str | None:
        """Why the caller's role does not allow the call, in AWS's words."""
        access_key, service = _caller(target, headers)
        role = self.roles.get(access_key)
        return role.refusal(calls_of(service, method, target, headers, body), context_of(service, body)) if role else None

    def carry_out(self, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        behind = http.client.HTTPConnection(urlsplit(self._behind[_caller(target, headers)[1]]).netloc)
        passed = {name: value for name, value in headers.items() if name not in ("host", "content-length")}
        behind.request(method, target, body, passed)
        answer = behind.getresponse()
        try:
            told = ("content-type", "etag", *(("content-length",) if method == "HEAD" else ()))
            return answer.status, {name: answer.headers[name] for name in told if answer.headers[name]}, answer.read()
        finally:
            behind.close()

    def wait(self) -> None:
        self._stopping.wait(60)

    @contextmanager
    def serving(self) -> Iterator["AWSFront"]:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._server.shutdown()
            self._server.server_close()


def _caller(target: str, headers: dict[str, str]) -> tuple[str, str]:
    """The access key and the service that a request is signed with and for, in its header or, presigned, in its query."""
    signed = headers.get("authorization") or parse_qs(urlsplit(target).query)["X-Amz-Credential"][0]
    found = CREDENTIAL.search(unquote(signed))
    assert found, "the request is not signed"
    return found["key"], found["service"]


def name_of(target: str, body: bytes) -> str:
    operation = target.rpartition(".")[2]
    if operation != "UpdateItem":
        return operation
    return "reserve" if ":held" in json.loads(body)["ExpressionAttributeValues"] else "release"


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    """Connections at the same moment; five would be reset by more."""


def _handler(front: AWSFront) -> type[BaseHTTPRequestHandler]:
    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fault = front.fault(name_of(headers.get("x-amz-target", self.command), body))
            if fault in ANSWERS:
                status, code = ANSWERS[fault]
                self._reply(status, json.dumps({"__type": code}).encode())
                return
            if fault == "slow":
                front.wait()
            if fault in ("dropped", "slow"):
                self.close_connection = True
                return
            if refusal := front.refusal(self.command, self.path, headers, body):
                answer = {"__type": "com.amazon.coral.service#AccessDeniedException", "Message": refusal}
                self._reply(400 if "x-amz-target" in headers else 403, json.dumps(answer).encode())
                return
            status, kind, answer = front.carry_out(self.command, self.path, headers, body)
            if fault == "lost":
                self.close_connection = True
                return
            self._reply(status, answer, kind, half=fault == "half")

        do_GET = do_HEAD = do_PUT = do_DELETE = do_POST

        def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None, *, half: bool = False) -> None:
            self.send_response(status)
            for name, value in {"content-length": str(len(body) + half), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = half

    return Front
