"""A front before emulators of DynamoDB and SSM: counts the calls that come through, and breaks those that it is told to.

A call has its operation's name, but UpdateItem on an account is `reserve` or `release`, by what it does to the reservation.
"""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["throttled", "failing", "dropped", "lost", "half", "slow"]
"""Refused for load; a 500; cut before or after it is carried out; carried out, and then half of the answer; never answered."""

ANSWERS: dict[Fault, tuple[int, str]] = {
    "throttled": (400, "ProvisionedThroughputExceededException"),
    "failing": (500, "InternalServerError"),
}


class AWSFront:
    def __init__(self, dynamodb: str, ssm: str) -> None:
        self.calls: list[str] = []
        """That came in, in order, also those that were broken."""
        self._behind = {"DynamoDB": dynamodb, "AmazonSSM": ssm}
        self._faults: dict[str, list[Fault]] = {}
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.environment = {"AWS_ENDPOINT_URL_DYNAMODB": self.url, "AWS_ENDPOINT_URL_SSM": self.url}

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

    def carry_out(self, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        behind = http.client.HTTPConnection(urlsplit(self._behind[target.partition("_")[0].partition(".")[0]]).netloc)
        behind.request("POST", "/", body, headers)
        answer = behind.getresponse()
        try:
            return answer.status, answer.read()
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


def name_of(target: str, body: bytes) -> str:
    operation = target.rpartition(".")[2]
    if operation != "UpdateItem":
        return operation
    return "reserve" if ":held" in json.loads(body)["ExpressionAttributeValues"] else "release"


def _handler(front: AWSFront) -> type[BaseHTTPRequestHandler]:
    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            target = self.headers["x-amz-target"]
            fault = front.fault(name_of(target, body))
            if fault in ANSWERS:
                status, code = ANSWERS[fault]
                self._reply(status, json.dumps({"__type": code}).encode())
                return
            if fault == "slow":
                front.wait()
            if fault in ("dropped", "slow"):
                self.close_connection = True
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "content-length")}
            status, answer = front.carry_out(target, headers, body)
            if fault == "lost":
                self.close_connection = True
                return
            self._reply(status, answer, half=fault == "half")

        def _reply(self, status: int, body: bytes, *, half: bool = False) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body) + half))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = half

    return Front
