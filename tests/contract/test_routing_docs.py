"""Every sample and command of docs/routing.md."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from haimaker.settings.gateway_toml import parse_gateway_toml
from tests.contract.money_support import Desk, serving
from tests.support.fake_upstream import FakeUpstream

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "routing.md").read_text("utf-8")
SAMPLES = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def block(language: str, part: str) -> str:
    [found] = [text for text in re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL) if part in text]
    return str(found)


def test_the_samples_are_one_valid_file() -> None:
    found = parse_gateway_toml("\n".join(SAMPLES), Path("gateway.toml"))
    assert {"fast", "careful", "gpt", "openai/*"} <= found.routes.keys()
    assert found.default.retries == found.routes["gpt"].retries == 1
    assert found.routes["careful"].retries == 3


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.splitlines()[0])
def test_each_sample_stands_alone(sample: str) -> None:
    needs = "[accounts.azure_eu]\nprovider = 'azure'\n" if "azure_eu/" in sample and "accounts" not in sample else ""
    assert parse_gateway_toml(needs + sample, Path("gateway.toml"))


def test_the_command_checks_and_the_message_is_what_it_says(tmp_path: Path) -> None:
    """In a copy of the layer that has nothing but the standard library, as the build has it."""
    command, message = block("sh", "gateway_toml"), block("text", "line 3")
    shutil.copytree(ROOT / "shared", tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    interpreter = tmp_path / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    interpreter.chmod(0o755)
    assert subprocess.run(command, shell=True, cwd=tmp_path, timeout=60).returncode == 0
    (tmp_path / "shared" / "gateway.toml").write_text('[routes.fast]\ntargets = ["demo/echo"]\nretries = 11\n')
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "shared/" + done.stderr) == (1, message)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """With no provider's key, as the commands have it."""
    with FakeUpstream() as upstream, serving(tmp_path_factory.mktemp("docs"), upstream, OPENAI_API_KEY="") as desk:
        yield desk


def run(desk: Desk, part: str) -> Any:
    command = block("sh", part).replace("http://127.0.0.1:8000", desk.url.removesuffix("/v1"))
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_client_falls_back_as_the_command_has_it(desk: Desk) -> None:
    assert run(desk, "x-haimaker-timeout: 20")["model"] == "demo/echo"


def test_a_key_gets_what_the_command_says(desk: Desk) -> None:
    key = run(desk, "/key/generate")["key"]
    assert desk.chat(key, "gpt-4", "Hello").json()["choices"][0]["message"]["content"] == "Hello"
    assert desk.info(key)["default_model"] == "demo/count"


def test_a_router_is_made_and_given_to_a_key(desk: Desk) -> None:
    key = desk.key(auto_router_id=run(desk, "/auto-router/new")["auto_router_id"])
    assert desk.chat(key, "haimaker/auto", "Count to 3").headers["x-haimaker-route-rule"] == "counting"
    assert desk.chat(key, "haimaker/auto", "Hello").headers["x-haimaker-route-trigger"] == "default"


def test_the_simulation_prints_what_is_shown(desk: Desk) -> None:
    printed, shown = run(desk, "/route/simulate"), json.loads(block("json", "left_out"))
    assert {**printed, "draw": shown["draw"]} == shown
