"""Emulators of DynamoDB for the tests: moto in this process behind a lock, dynalite where Node is present, and a script.

moto loses updates under concurrency, so one lock serialises its requests. dynalite (https://github.com/architect/dynalite) is
strict and safe under concurrency, but returns no item with a failed condition. Neither expires records.
"""

import logging
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tests.support.node_packages import Unavailable, installed

DYNALITE = Path(__file__).parent / "dynalite"


@contextmanager
def moto_locked() -> Iterator[str]:
    """The address of moto's server in a thread of this process."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application, lock = DomainDispatcherApplication(create_backend_app), threading.Lock()

    def one_at_a_time(environ, start_response):
        with lock:
            return list(application(environ, start_response))

    server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def empty_in_moto(names: Iterable[str]) -> None:
    """Takes all items out of tables, and all changes out of their streams: moto looks at each in every query, and copies it."""
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.dynamodb.models import dynamodb_backends

    tables = dynamodb_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].tables
    for name in names:
        tables[name].items.clear()
        if tables[name].stream_shard:
            tables[name].stream_shard.items.clear()


@contextmanager
def dynalite() -> Iterator[str]:
    """The address of a dynalite process, installed from npm when first used."""
    command = [installed(DYNALITE, "dynalite"), str(DYNALITE / "node_modules" / "dynalite" / "cli.js")]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0"]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise Unavailable(f"dynalite ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Unavailable("dynalite did not start")


@contextmanager
def scripted(*answers: bytes | None) -> Iterator[str]:
    """A server that sends one raw answer per request, the last one again and again, and closes the connection for None."""
    left = list(answers)

    def converse(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as requests:
            while _read_request(requests):
                answer = left.pop(0) if len(left) > 1 else left[0]
                if answer is None:
                    return
                connection.sendall(answer)
                if b"connection: close" in answer:
                    return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(connection,), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def _read_request(requests: BinaryIO) -> bool:
    """Skips one request; False at the end of the connection."""
    length = None
    while (line := requests.readline()).strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return length is not None and len(requests.read(length)) == length


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d Scripted\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


def failure(code: str, status: int = 400) -> bytes:
    return answer(status, b'{"__type": "com.amazonaws.dynamodb.v20120810#%b", "message": "at 127.0.0.1"}' % code.encode())
