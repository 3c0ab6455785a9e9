"""Lambda for one function: a Runtime API on loopback, and the function's process under `shared/stream-wrapper`.

    with RuntimeEmulator("functions/chat_completions", environment) as function:
        answer = function.invoke(event)
        assert answer.head()["statusCode"] == 200
        for chunk in answer.chunks(): ...        # one by one, as the function sends them

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. It takes what the API takes and refuses all else, and writes
down in `journal` what the function did, in order. A front door is not part of it: bytes are shown as the function sent them.
"""

import base64
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, BinaryIO, Self

ROOT = Path(__file__).parents[2]
WRAPPER = ROOT / "shared" / "stream-wrapper"
LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "tested",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}
"""Of the environment of every function."""
PRELUDE_END = b"\0" * 8
PRELUDE_LIMIT = 16 * 1024
WAIT_S = 60.0
"""For what should come at once, so that no test hangs for ever."""


@dataclass
class Invocation:
    """One event on its way, and what came back."""

    id: str
    event: object
    deadline_ms: int
    attempt: str
    """What the function has to echo."""
    withholds_receipt: bool
    """The API then leaves the function waiting for the answer to its last byte."""
    breaks_after: int | None
    """The API then ends the connection after so many chunks."""
    _items: queue.Queue = field(default_factory=queue.Queue)
    headers: dict[str, str] = field(default_factory=dict)
    """Of the function's POST."""
    trailers: dict[str, str] = field(default_factory=dict)
    _rest: bytes = b""

    def head(self) -> dict[str, Any]:
        """The prelude of a streamed answer."""
        raw = self._rest
        while PRELUDE_END not in raw:
            raw += self._next() or b""
            assert len(raw) < PRELUDE_LIMIT + len(PRELUDE_END)
        prelude, _, self._rest = raw.partition(PRELUDE_END)
        return json.loads(prelude)

    def chunks(self) -> Iterator[bytes]:
        """What follows it, chunk by chunk."""
        if self._rest:
            yield self._rest
        while (chunk := self._next()) is not None:
            yield chunk

    def body(self) -> bytes:
        return b"".join(self.chunks())

    def buffered(self) -> Any:
        """The JSON of an answer or error that was posted in one piece."""
        return json.loads(self.body())

    def error_in_trailers(self) -> dict[str, Any]:
        return json.loads(base64.b64decode(self.trailers["lambda-runtime-function-error-body"]))

    def _next(self) -> bytes | None:
        item = self._items.get(timeout=WAIT_S)
        if isinstance(item, Exception):
            raise item
        return item


class RuntimeEmulator:
    """Starts the function when entered; kills it in the end."""

    def __init__(self, folder: Path | str, environment: Mapping[str, str], python: str = sys.executable) -> None:
        self.journal: list[str] = []
        """`next`, `init/error`, and `response begins`, `response ends` or `error`, each with the invocation's id."""
        self.init_error: dict[str, Any] | None = None
        self._changed = threading.Condition()
        self._waiting: queue.Queue[Invocation | None] = queue.Queue()
        self._invocations: dict[str, Invocation] = {}
        self._numbers = itertools.count(1)
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._output = TemporaryFile()  # noqa: SIM115 (closed in __exit__)
        self._command = [str(WRAPPER), python]
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "shared"),
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            **LAMBDA,
            "LAMBDA_TASK_ROOT": str(ROOT / folder),
            "_HANDLER": "app.handler",
            **environment,
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.process = subprocess.Popen(
            self._command, env=self._environment, stdout=self._output, stderr=subprocess.STDOUT, cwd=ROOT
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._output.close()

    def invoke(
        self, event: object, *, lasts_s: float = 60.0, withholds_receipt: bool = False, breaks_after: int | None = None
    ) -> Invocation:
        number = next(self._numbers)
        deadline_ms = int((time.time() + lasts_s) * 1000)
        id, attempt = f"invocation-{number}", f"attempt-{number}"
        invocation = Invocation(id, event, deadline_ms, attempt, withholds_receipt, breaks_after)
        self._invocations[invocation.id] = invocation
        self._waiting.put(invocation)
        return invocation

    def kill(self) -> None:
        """As Lambda ends a sandbox: without notice."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)

    def wait_for(self, entry: str, count: int = 1) -> None:
        """Returns once the journal has `entry` so many times."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.journal.count(entry) >= count, WAIT_S), (entry, self.journal, self.output())

    def output(self) -> str:
        """What the function has written to stdout and stderr so far."""
        return os.pread(self._output.fileno(), 10_000_000, 0).decode()

    def note(self, entry: str) -> None:
        with self._changed:
            self.journal.append(entry)
            self._changed.notify_all()

    def next(self) -> Invocation | None:
        self.note("next")
        return self._waiting.get()

    def invocation(self, id: str) -> Invocation:
        return self._invocations[id]


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    """Connections at the same moment; five would be reset by more."""


def _handler(emulator: RuntimeEmulator) -> type[BaseHTTPRequestHandler]:
    class RuntimeAPI(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if self.path != "/2018-06-01/runtime/invocation/next":
                self._reply(404)
            elif invocation := emulator.next():
                self._reply(200, json.dumps(invocation.event).encode(), _told(invocation))

        def do_POST(self) -> None:
            match self.path.removeprefix("/2018-06-01/runtime/").split("/"):
                case ["init", "error"]:
                    emulator.init_error = json.loads(self._whole())
                    emulator.note("init/error")
                    self._reply(202)
                case ["invocation", id, "response" | "error" as what]:
                    self._take(emulator.invocation(id), what)
                case _:
                    self._reply(404)

        def _take(self, invocation: Invocation, what: str) -> None:
            invocation.headers = {name.lower(): value for name, value in self.headers.items()}
            emulator.note(f"{what} begins {invocation.id}")
            try:
                if invocation.headers.get("lambda-runtime-function-response-mode") == "streaming":
                    self._take_chunks(invocation)
                else:
                    invocation._items.put(self._whole())
            except ConnectionError as error:
                invocation._items.put(error)
                return
            emulator.note(f"{what} ends {invocation.id}")
            invocation._items.put(None)
            if invocation.withholds_receipt:
                emulator.process.wait(WAIT_S)
                self.close_connection = True
            else:
                self._reply(202)

        def _take_chunks(self, invocation: Invocation) -> None:
            for number, chunk in enumerate(_read_chunks(self.rfile, invocation.trailers), 1):
                invocation._items.put(chunk)
                if number == invocation.breaks_after:
                    self.close_connection = True
                    raise ConnectionError("the connection was broken on purpose")

        def _whole(self) -> bytes:
            return self.rfile.read(int(self.headers["content-length"]))

        def _reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return RuntimeAPI


def _told(invocation: Invocation) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": invocation.id,
        "Lambda-Runtime-Invocation-Id": invocation.attempt,
        "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:012345678912:function:tested",
        "Lambda-Runtime-Trace-Id": f"Root=1-{invocation.id}",
    }


def _read_chunks(stream: BinaryIO, trailers: dict[str, str]) -> Iterator[bytes]:
    """https://www.rfc-editor.org/rfc/rfc9112#section-7.1"""
    while size := int(_line(stream), 16):
        chunk = stream.read(size)
        if len(chunk) < size or _line(stream):
            raise ConnectionError("a chunk has not the size that it says")
        yield chunk
    while line := _line(stream):
        name, _, value = line.partition(":")
        trailers[name.lower()] = value.strip()


def _line(stream: BinaryIO) -> str:
    line = stream.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the answer was cut")
    return line[:-2].decode()
