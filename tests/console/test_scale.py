"""A small sample of `make scale`: every view and every search shows something, and chats are answered beside every report."""

import re
import subprocess
import sys

import pytest

from scripts.console_at_scale import REPORTS, SEARCHES, VIEWS
from tests.console.browsing import installed
from tests.support.documentation import ROOT


@pytest.mark.skipif(installed() is None, reason="no Chromium here (apt-get install chromium)")
def test_every_view_at_a_small_scale() -> None:
    options = ["--keys", "20", "--records", "400", "--most-ms", "30000", "--chat-seconds", "0.05"]
    command = [sys.executable, "-m", "scripts.console_at_scale", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert re.findall(r"^  .+ ms  (.+)  \(", done.stdout, re.MULTILINE) == [*VIEWS, *SEARCHES], done.stdout + done.stderr[-2_000:]
    assert re.findall(r"^[ !] a chat beside (.+): .+ p99$", done.stdout, re.MULTILINE) == list(REPORTS)
