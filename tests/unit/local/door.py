"""A server on a free port, a gateway that each test scripts, and requests and answers as bytes on a real socket."""

import contextlib
import http.client
import json
import socket
import threading

from haimaker.http.values import Response
from local.server import Server

WAIT_S = 10


class Gateway:
    """Answers with what it was asked, until a test scripts something else."""

    def __init__(self):
        self.answer = self.echo

        self.refusal = None
        """What keeps a body from being read."""

    def handle(self, operation, request):
        return self.answer(operation, request)

    def refuse_unread(self, operation, request):
        return self.refusal

    @staticmethod
    def echo(operation, request):
        seen = {
            "operation": operation,
            "id": request.id,
            "path": request.path,
            "query": request.query,
            "body": (request.body if request.pieces is None else b"".join(request.pieces)).decode(),
        }
        return Response(
            200, {"content-type": "application/json", "x-seen": request.headers.get("x-name", "")}, json.dumps(seen).encode()
        )


@contextlib.contextmanager
def serving(gateway, processor=None, **options):
    server = Server("127.0.0.1", 0, **options)
    thread = threading.Thread(target=server.serve, args=(gateway, processor))
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)


def get(path="/health", *headers, method="GET", version="1.1"):
    return "\r\n".join([f"{method} {path} HTTP/{version}", "host: localhost", *headers, "", ""]).encode()


def post(body, *headers, path="/v1/chat/completions"):
    return get(path, f"content-length: {len(body)}", *headers, method="POST") + body


def receive(connection, method="GET"):
    """One answer, by the standard library's own reader: status, headers, body."""
    answer = http.client.HTTPResponse(connection, method=method)
    answer.begin()
    return answer.status, dict(answer.getheaders()), answer.read()


def receive_error(connection):
    status, headers, body = receive(connection)
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]
    assert json.loads(body)["error"].keys() == {"message", "type", "param", "code"}
    return status, json.loads(body)["error"]["code"]


def streamed(items):
    return lambda _operation, _request: Response(200, {"content-type": "text/event-stream"}, items)


def closing(items, closed):
    try:
        yield from items
    finally:
        closed.set()
