"""The folder in which a local gateway keeps all that it has: what is wrong with it, and what it does for others."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

LEAST_FREE_BYTES = 1_000_000
TEMPORARY_FOLDERS = ("/tmp", "/var/tmp", "/usr/tmp")  # noqa: S108 - nothing is put there by its name
"""Where Python and SQLite look for one that can be written, after TMPDIR: https://docs.python.org/3/library/tempfile.html#tempfile.gettempdir
and https://www.sqlite.org/tempfiles.html#temporary_file_storage_locations."""


def explain(home: Path, failed: str) -> str:
    """Says what is wrong with the folder, where its database can't be used for that, else what failed."""
    return find_problem(home) or failed


def find_problem(home: Path) -> str | None:
    """A sentence; None where the folder can be used, or made."""
    if home.exists():
        if not home.is_dir():
            return f"{home} is no folder."
        if not os.access(home, os.W_OK | os.X_OK):
            reason = "its disk can only be read" if os.statvfs(home).f_flag & os.ST_RDONLY else "it is another user's"
            return f"{home} can't be written: {reason}."
        for file in home.glob("haimaker.*"):
            if not os.access(file, os.R_OK | os.W_OK):
                return f"{file} can't be written."
        disk = os.statvfs(home)
        return f"The disk of {home} is full." if disk.f_bavail * disk.f_frsize < LEAST_FREE_BYTES else None
    above = next(parent for parent in home.absolute().parents if parent.exists())
    is_open = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    return None if is_open else f"{home} can't be made."


def keep_temporary_files(home: Path, folders: Iterable[str] = TEMPORARY_FOLDERS) -> None:
    """Has Python and SQLite put temporary files into the folder where no other can be written, as in a container whose root is
    read-only."""
    if not any(os.access(folder, os.W_OK | os.X_OK) for folder in (os.environ.get("TMPDIR", ""), *folders)):
        with suppress(OSError):  # who needs the folder says so
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.environ["TMPDIR"] = str(home.absolute())
