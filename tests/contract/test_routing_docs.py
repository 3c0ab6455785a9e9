"""Every sample and command of docs/routing.md."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from haimaker.routes_file import parse

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "routing.md").read_text("utf-8")
SAMPLES = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def block(language: str, part: str) -> str:
    [found] = [text for text in re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL) if part in text]
    return str(found)


def test_the_samples_are_one_valid_file() -> None:
    found = parse("\n".join(SAMPLES), Path("gateway.toml"))
    assert {"fast", "careful", "gpt", "openai/*"} <= found.routes.keys()
    assert found.default.retries == found.routes["gpt"].retries == 1
    assert found.routes["careful"].retries == 3


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.splitlines()[0])
def test_each_sample_stands_alone(sample: str) -> None:
    needs = "[accounts.azure_eu]\nprovider = 'azure'\n" if "azure_eu/" in sample and "accounts" not in sample else ""
    assert parse(needs + sample, Path("gateway.toml"))


def test_the_command_checks_and_the_message_is_what_it_says(tmp_path: Path) -> None:
    """In a copy of the layer that has nothing but the standard library, as the build has it."""
    command, message = block("sh", "routes_file"), block("text", "line 3")
    shutil.copytree(ROOT / "shared", tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    interpreter = tmp_path / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    interpreter.chmod(0o755)
    assert subprocess.run(command, shell=True, cwd=tmp_path, timeout=60).returncode == 0
    (tmp_path / "shared" / "gateway.toml").write_text('[routes.fast]\ntargets = ["demo/echo"]\nretries = 11\n')
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "shared/" + done.stderr) == (1, message)
