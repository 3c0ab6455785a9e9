"""Servers as processes: started on a free port, ready before they are used, and read from outside for time and memory."""

import http.client
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from bench.client import Target

ROOT = Path(__file__).resolve().parent.parent
READY_TIMEOUT_S = 20.0
LOG_TAIL_BYTES = 2_000
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
"""Of our own environment; credentials and settings of the person who runs this must not reach the gateway."""


class Server:
    """`python -m <module>`, or another command with `{port}` in it, between `with` and its end."""

    def __init__(
        self,
        module: str,
        environment: Mapping[str, str],
        ready_path: str = "/health",
        command: Sequence[str] = (),
        ready_timeout_s: float = READY_TIMEOUT_S,
    ) -> None:
        self._module = module
        self._port = _free_port()
        self._ready_path = ready_path
        self._ready_timeout_s = ready_timeout_s
        self._command = [part.format(port=self._port) for part in command or (sys.executable, "-m", module)]
        self._environment = clean_environment(**{"PORT": str(self._port), **environment})
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._log = TemporaryFile()
        self._process = subprocess.Popen(self._command, cwd=ROOT, env=self._environment, stdout=self._log, stderr=subprocess.STDOUT)
        try:
            self._wait_until_ready()
        except BaseException as error:
            self._stop(error)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop(error)

    def target(self, name: str, key: str = "sk-none") -> Target:
        return Target(name, self.url, key)

    def cpu_s(self) -> float:
        """Time that its own processor work took so far, user and system, in steps of 10 ms."""
        if sys.platform == "linux":
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        minutes, _, seconds = self._ps("time").rpartition(":")
        hours, _, minutes = minutes.rpartition(":")
        return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)

    def resident_bytes(self) -> int:
        if sys.platform == "linux":
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) * 1024
        return int(self._ps("rss")) * 1024

    def threads(self) -> int:
        """The threads that it has now; 0 where the system does not say it."""
        if sys.platform != "linux":
            return 0
        return len(list(Path(f"/proc/{self._process.pid}/task").iterdir()))

    def _ps(self, field: str) -> str:
        command = ["ps", "-o", f"{field}=", "-p", str(self._process.pid)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._ready_timeout_s
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self._module} did not get ready (exit status {self._process.poll()})")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", self._ready_path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _stop(self, error: BaseException | None) -> None:
        """Shows how the server fared if something went wrong, which may be the reason."""
        ended = self._process.poll()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        with self._log as log:
            log.seek(max(0, log.tell() - LOG_TAIL_BYTES))
            if error:
                state = "was running" if ended is None else f"had ended with status {ended}"
                print(f"\n{self._module} {state}; its last words: {log.read().decode('utf-8', 'replace')}", file=sys.stderr)


def clean_environment(**settings: str) -> dict[str, str]:
    """An environment with these settings, in which the project's packages are found and nothing else is set."""
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**passed_on, "PYTHONPATH": os.pathsep.join([str(ROOT / "shared"), str(ROOT)])} | settings


def _free_port() -> int:
    """One below those that systems give to outgoing connections, which would take it before the server does."""
    while True:
        port = random.randrange(10_000, 32_000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
