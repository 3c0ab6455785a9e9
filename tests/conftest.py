"""`make test` runs the tests, and some tests run make: theirs must not be a part of the one above them."""

import os

from hypothesis import settings

for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
    os.environ.pop(name, None)

settings.register_profile("patient", deadline=None)  # a slow machine is no defect
settings.load_profile("patient")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a fifth of the time tests wait, for a deadline or an emulator."""
    return (os.cpu_count() or 1) + 1
