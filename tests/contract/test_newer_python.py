"""What speaks HTTP, on the Python of the image and of Lambda, where the tests run on an older one.

The standard library's client changes in patch releases too: since https://github.com/python/cpython/pull/113260 the last byte of a
body closes its file, and each whole answer that told its length was a 500, on every Python but the one that ran tests.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.aws_tools import ROOT, environment313, session_folder

OPTIONS = ("-p", "no:cacheprovider", "--tb=short", "--ignore=tests/unit/upstream/test_signed_calls.py")
"""The file that is left out compares with botocore, 25 MB, and speaks no HTTP."""

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 13), reason="all tests run on such a Python")


@pytest.mark.parametrize(
    "tests",
    [
        pytest.param(["unit/http/test_client.py", "unit/http/test_connection.py"], id="client"),
        pytest.param(["unit/upstream", "unit/local/test_front_door.py", "unit/local/test_front_door_streams.py"], id="gateway"),
        pytest.param(["contract/test_sdk.py"], id="sdk"),
    ],
)
def test_http_is_the_same_on_python_3_13(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, tests: list[str]) -> None:
    session = session_folder(tmp_path_factory)
    python = environment313(session)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [python, "-m", "pytest", *OPTIONS, f"--basetemp={tmp_path / 'tests'}", *(f"tests/{each}" for each in tests)],
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": "shared", "PYTHONPYCACHEPREFIX": str(session / "bytecode313")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
