"""The folder in which a local gateway keeps all that it has: what is wrong with it."""

import os
from pathlib import Path

LEAST_FREE_BYTES = 1_000_000


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
