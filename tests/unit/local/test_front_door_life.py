"""Starting, stopping, and whom the server answers at all."""

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from haimaker.http.errors import PermissionDeniedError
from haimaker.http.values import Response
from local import server as server_module
from local.request_reader import Head
from local.server import check_name
from local.waits import limit_reads, limit_writes
from tests.unit.local.door import WAIT_S, Gateway, closing, connect, get, post, receive, receive_error, serving, streamed

ROOT = Path(__file__).resolve().parents[3]


def test_stopping_lets_a_request_finish_and_takes_no_more():
    gateway = Gateway()
    started, released = threading.Event(), threading.Event()

    def wait(_operation, _request):
        started.set()
        assert released.wait(WAIT_S)
        return Response(200, {}, b"{}")

    gateway.answer = wait
    with serving(gateway) as server, connect(server) as idle, connect(server) as busy:
        busy.sendall(get())
        assert started.wait(WAIT_S)
        server.stop()
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(server)
        released.set()
        status, headers, body = receive(busy)
        assert (status, headers["connection"], body) == (200, "close", b"{}")


def test_stopping_closes_a_stream_that_does_not_end(monkeypatch):
    monkeypatch.setattr(server_module, "GRACE_S", 0.05)
    gateway, closed = Gateway(), threading.Event()
    gateway.answer = streamed(closing(iter(lambda: b"x" * 1000, None), closed))
    with serving(gateway) as server, connect(server) as client:
        client.sendall(post(b"{}"))
        assert client.recv(100)
        server.stop()
        assert closed.wait(WAIT_S)


@pytest.mark.parametrize(
    ("host", "welcome"),
    [
        ("localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("gateway", True),
        ("host.docker.internal:8000", True),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("localhost:8000@evil.example", False),
        ("evil.example:80:80", False),
    ],
)
def test_the_default_key_is_for_local_names(host, welcome):
    with contextlib.nullcontext() if welcome else pytest.raises(PermissionDeniedError):
        check_name(Head("GET", "/", 1, {"host": host}))


def test_a_rebound_name_is_refused_by_a_server_with_the_default_key():
    with serving(Gateway(), local_names_only=True) as server, connect(server) as client:
        client.sendall(b"GET /health HTTP/1.1\r\nhost: evil.example\r\n\r\n")
        assert receive_error(client) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    ("addresses", "chosen"),
    [
        (["203.0.113.1", "127.0.0.1"], "127.0.0.1"),  # as of localhost on a machine that has IPv6 alone
        (["127.0.0.1", "203.0.113.1"], "127.0.0.1"),
        (["203.0.113.2", "203.0.113.1"], errno.EADDRNOTAVAIL),
        (["in use", "127.0.0.1"], errno.EADDRINUSE),
    ],
)
def test_a_name_leads_to_the_first_address_that_is_here(monkeypatch, addresses, chosen):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        places = [taken.getsockname() if address == "in use" else (address, 0) for address in addresses]
        found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place) for place in places]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with pytest.raises(OSError, match="Errno") if isinstance(chosen, int) else contextlib.nullcontext() as raised:
            server = server_module.Server("somewhere", 0)
            with server._listener:
                assert server._listener.getsockname()[0] == chosen
        assert raised is None or raised.value.errno == chosen


def test_a_port_in_use_is_said_in_one_line(shared_server):
    port = shared_server[1].port
    environment = {"PATH": os.environ["PATH"], "HOST": "127.0.0.1", "PORT": str(port)}
    done = subprocess.run([sys.executable, "-m", "local"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"haimaker: port {port} is in use. Take another one, such as: PORT={port + 1} make run\n"


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
def test_the_program_says_once_where_it_is_and_stops_without_a_word(stop_signal, tmp_path):
    environment = {"PATH": os.environ["PATH"], "PORT": "0", "HAIMAKER_HOME": str(tmp_path)}
    program = subprocess.Popen(
        [sys.executable, "-m", "local"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        first_line = program.stdout.readline()
        program.send_signal(stop_signal)
        _, said_after = program.communicate(timeout=60)
    finally:
        program.kill()
    assert first_line.startswith("haimaker is ready at http://127.0.0.1:")
    assert (program.returncode, said_after) == (0, "")


@pytest.mark.parametrize("has_closed", [server_module.HAS_CLOSED, 0], ids=["the system tells", "by reading"])
def test_whoever_looks_whether_a_client_left_waits_for_nothing(monkeypatch: pytest.MonkeyPatch, has_closed: int) -> None:
    """Also where the connection's own thread takes what there was to be read: one thread looks after the clients of all answers."""
    monkeypatch.setattr(server_module, "HAS_CLOSED", has_closed)
    ours, theirs = socket.socketpair()
    limit_reads(ours, 30)
    look, seen = server_module._client_left(ours), []
    real_poll = select.poll

    class TakesWhatIsSeen:
        def __init__(self) -> None:
            self._poll = real_poll()
            self.register = self._poll.register

        def poll(self, timeout_ms: int) -> list[tuple[int, int]]:
            found = self._poll.poll(timeout_ms)
            assert ours.recv(1) == b"x"
            return found

    with ours, theirs:
        assert not look()
        theirs.send(b"x")
        monkeypatch.setattr(select, "poll", TakesWhatIsSeen)
        looking = threading.Thread(target=lambda: seen.append(look()), daemon=True)
        looking.start()
        looking.join(10)
        assert seen == [False]
        monkeypatch.setattr(select, "poll", real_poll)
        theirs.send(b"a request ahead")
        assert not look()
        theirs.close()
        assert look() is bool(has_closed)
        assert ours.recv(99)
        assert look()
        ours.close()
        assert look()


def test_a_connection_waits_as_long_as_it_may() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        limit_reads(ours, 0.0)
        limit_writes(ours, 0.01)
        with pytest.raises(BlockingIOError):
            ours.recv(1)
        with pytest.raises(BlockingIOError):
            list(iter(lambda: ours.send(b"x" * 65_536), 0))
        assert theirs.recv(1) == b"x"
