"""How this program came here: as a clone with a Makefile, or as an installed package; and which version it is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The clone; of an installed package, the folder that it is in."""
IS_CLONE = (ROOT / "Makefile").is_file() and (ROOT / "shared").is_dir()
START = "make run" if IS_CLONE else "haimaker"
"""What people type to start the gateway."""
BOTO = "make tools" if IS_CLONE else "pip install 'haimaker[aws]'"
"""What people type to install what an AWS account is reached with."""


def current_version() -> str:
    if IS_CLONE:
        found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
        return found[1] if found else "unknown"
    from importlib.metadata import PackageNotFoundError, version  # 2 MB

    try:
        return version("haimaker")
    except PackageNotFoundError:
        return "unknown"
