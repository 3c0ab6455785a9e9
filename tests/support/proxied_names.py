"""proxy.py as a process, with names that only it knows, as those of the world are to a gateway without another way out.

https://github.com/abhinavsingh/proxy.py#plugin-developer-and-contributor-guide
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy.http.proxy import HttpProxyBasePlugin

ROOT = Path(__file__).parents[2]
NAME = "provider.test"
PICTURES = "93.184.215.14"
"""An address of the internet, behind which this machine is for those who ask the proxy for it."""
READY_S = 30


class Names(HttpProxyBasePlugin):
    """The name is this machine, and so is the address."""

    def resolve_dns(self, host: str, port: int) -> tuple[str | None, None]:
        return ("127.0.0.1" if host in (NAME, PICTURES) else None), None


def named(url: str) -> str:
    """An address here by the name that only the proxy knows."""
    return url.replace("127.0.0.1", NAME)


@contextmanager
def running_proxy(folder: Path) -> Iterator[str]:
    """Its URL; it wants to know who asks."""
    port = folder / "port"
    options = {
        "hostname": "127.0.0.1",
        "port": 0,
        "port-file": port,
        "num-workers": 1,
        "num-acceptors": 1,
        "basic-auth": "user:pass",
        "plugins": f"{Names.__module__}.{Names.__name__}",
        "data-dir": folder,
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "proxy", *words], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        until_s = time.monotonic() + READY_S
        while not (port.is_file() and port.read_text().strip()):
            if process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield f"http://user:pass@127.0.0.1:{port.read_text().split()[0]}"
    finally:
        process.terminate()
        process.wait(20)
