"""Every program of docs/batches.md is run, against a gateway that `make run` serves."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.documentation import ADDRESS, Guide, Served, serve

GUIDE = Guide.read("docs/batches.md")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve(tmp_path_factory.mktemp("home"))


def test_the_programs_print_what_the_guide_says(served: Served) -> None:
    programs = GUIDE.written_in("python")
    shown = ["Moles are blind.\n", "16 end_turn\n", "completed 17000\n", "one one\ntwo two\n", "one Hello\n"]
    for program, wanted in zip(programs, shown, strict=True):
        command = [sys.executable, "-c", program.replace(ADDRESS, served.address)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr) == (wanted, "")
