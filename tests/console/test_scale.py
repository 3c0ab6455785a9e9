"""A small sample of `make scale`: every view shows something, and a chat is answered meanwhile."""

import re
import subprocess
import sys

import pytest

from scripts.console_at_scale import VIEWS
from tests.console.browsing import installed
from tests.support.documentation import ROOT


@pytest.mark.skipif(installed() is None, reason="no Chromium here (apt-get install chromium)")
def test_every_view_at_a_small_scale() -> None:
    command = [sys.executable, "-m", "scripts.console_at_scale", "--keys", "20", "--records", "400", "--most-ms", "30000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
    assert re.findall(r"ms  (.+)", done.stdout) == list(VIEWS)
    assert "a chat meanwhile" in done.stdout
