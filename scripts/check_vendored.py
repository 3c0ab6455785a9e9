"""Compares the libraries that are shipped with the console with what npm publishes: `make vendored`. Needs npm and its registry.

`vendored.json` pins each package's version, the hash of its archive as npm tells it
(https://docs.npmjs.com/cli/configuring-npm/package-lock-json#packages) and those of the files taken from it, unchanged. To take a
newer one: change the version there, put its files into `page/vendor/<package>/`, and run this; it says which hashes to write.
"""

import base64
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256, sha512
from io import BytesIO
from pathlib import Path
from typing import Any

CONSOLE = Path(__file__).parents[1] / "shared" / "haimaker" / "api" / "console"

Fetch = Callable[[str], bytes]


def main(fetch: Fetch, console: Path = CONSOLE) -> int:
    packages = json.loads((console / "vendored.json").read_text("utf-8"))
    found = [difference for name, pin in packages.items() for difference in differences(name, pin, fetch, console)]
    print("\n".join(found or [f"{name} {pin['version']} is as published" for name, pin in packages.items()]))
    return 1 if found else 0


def differences(name: str, pin: dict[str, Any], fetch: Fetch, console: Path) -> Iterator[str]:
    archive = fetch(f"{name}@{pin['version']}")
    integrity = "sha512-" + base64.b64encode(sha512(archive).digest()).decode()
    if integrity != pin["integrity"]:
        yield f"{name} {pin['version']}: its archive is {integrity}, not {pin['integrity']}"
    with tarfile.open(fileobj=BytesIO(archive)) as published:
        for path, digest in pin["files"].items():
            member = published.extractfile(f"package/{path}")
            content = member.read() if member else b""
            if (published_digest := sha256(content).hexdigest()) != digest:
                yield f"{name} {pin['version']}: its {path} is {published_digest}, not {digest}"
            if (console / "page" / "vendor" / name / path).read_bytes() != content:
                yield f"{name} {pin['version']}: its {path} is not the one that is shipped"


def packed(package: str) -> bytes:
    """A package's archive. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, package]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        [archive] = Path(folder).iterdir()
        return archive.read_bytes()


if __name__ == "__main__":
    sys.exit(main(packed))
