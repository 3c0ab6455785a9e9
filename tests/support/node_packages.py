"""Programs from npm that tests use where Node is present: a folder here has a `package.json` and a lock file that pin them.

https://docs.npmjs.com/cli/commands/npm-ci. Nothing of a package runs while it is installed.
"""

import fcntl
import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

OLDEST_NODE = 20


class Unavailable(Exception):
    """This machine can't run the program; the message says why."""


@cache
def installed(folder: Path, package: str) -> str:
    """The path of Node, once the folder's packages are there, `package` among them. Raises Unavailable."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        raise Unavailable(f"{package} needs node and npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0] or 0) < OLDEST_NODE:
        raise Unavailable(f"{package} needs node {OLDEST_NODE} or newer, not {version}")
    with (folder / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes side by side install it once
        done_before = _version(folder / "node_modules" / ".package-lock.json", package)  # npm writes it when all is done
        if done_before != _version(folder / "package-lock.json", package):
            done = subprocess.run([npm, "ci", "--ignore-scripts"], cwd=folder, capture_output=True, text=True, timeout=120)
            if done.returncode:
                raise Unavailable(f"npm could not install {package}: {done.stderr.strip().splitlines()[-1:]}")
    return node


def _version(lock: Path, package: str) -> str | None:
    return json.loads(lock.read_text())["packages"][f"node_modules/{package}"]["version"] if lock.exists() else None
