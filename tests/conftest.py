"""`make test` runs the tests, and some tests run make: theirs must not be a part of the one above them."""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
    os.environ.pop(name, None)

# A slow machine is no defect; and what is merged is tried with the same examples as before, while each other run has new ones.
settings.register_profile("patient", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("patient")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a fifth of the time tests wait, for a deadline or an emulator."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays until the end, with every library that it imports: looking for garbage among it took a third of the
    time of collecting and a fifth of that of running many small tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()
