"""The first minute without a clone: the steps of the Dockerfile, run in an empty folder as another user, and what they install.

Building the image itself needs Docker; its steps need only a shell.
"""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.support.documentation import ROOT, free_port

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
STEPS = re.findall(r"^([A-Z]+) (.+)$", DOCKERFILE, re.MULTILINE)
OTHER_USER = "nobody"


class Installed(NamedTuple):
    folder: Path
    program: Path

    def run(self, *words: str, said: str = "", status: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [self.program, *words], cwd=self.folder / "empty", env=clean(self.folder, environment), input=said,
            capture_output=True, text=True, timeout=60, **python_and_user()[1],
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr


def clean(folder: Path, added: Mapping[str, str]) -> dict[str, str]:
    """An environment in which nothing of this project is set; what leads pip to its packages stays."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_", "HTTPS_", "NO_"))}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder / "empty"), "LANG": "C.UTF-8", **kept, **added}


@cache
def python_and_user() -> tuple[str, Mapping[str, Any]]:
    """A Python that another user can make environments with, and that user; without one, ours and ourselves."""
    if os.geteuid() == 0:
        user = {"user": OTHER_USER, "group": pwd.getpwnam(OTHER_USER).pw_gid, "extra_groups": []}
        probe = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
        for python in (os.path.realpath(sys.executable), *filter(None, map(shutil.which, ("python3.13", "/usr/bin/python3")))):
            with contextlib.suppress(OSError):
                if subprocess.run([python, "-c", probe], cwd="/", env={}, capture_output=True, check=False, **user).returncode == 0:
                    return python, user
    return sys.executable, {}


def steps(name: str) -> list[str]:
    return [words for found, words in STEPS if found == name]


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    """The COPY and RUN steps of the build, with its folders under one of ours."""
    folder = Path(tempfile.mkdtemp(prefix="haimaker-package-"))
    folder.chmod(0o755)
    source = folder / "src"
    (folder / "empty").mkdir()
    source.mkdir()
    try:
        for words in steps("COPY"):
            if words.startswith("--from"):
                continue
            *names, into = words.split()
            for name in names:
                _copy(ROOT / name, source / into / (Path(name).name if into.endswith("/") else ""))
        if os.geteuid() == 0:
            for path in (folder, folder / "empty", source, *source.rglob("*")):
                shutil.chown(path, OTHER_USER)
        command = steps("RUN")[0].replace("/opt/haimaker", str(folder / "opt")).replace("python -m", f"{python_and_user()[0]} -m")
        environment = clean(folder, {})
        done = subprocess.run(
            ["sh", "-ec", command], cwd=source, env=environment, capture_output=True, text=True, timeout=300, **python_and_user()[1]
        )
        assert done.returncode == 0, done.stdout + done.stderr
        shutil.rmtree(source)
        yield Installed(folder, folder / "opt" / "bin" / "haimaker")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def test_the_image_is_slim_and_does_not_run_as_root() -> None:
    assert {words.split()[0] for words in steps("FROM")} == {"python:3.13-slim"}
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\S+)$", last, re.MULTILINE) == ["haimaker"]
    assert last.index("RUN useradd") < last.index("\nUSER ") < last.index("\nCMD ")
    assert "ADD" not in {name for name, _ in STEPS}
    assert json.loads(steps("CMD")[-1]) == ["haimaker"]
    assert re.search(r'HEALTHCHECK .* CMD \["haimaker", "health"\]', DOCKERFILE)


def test_the_image_is_sent_what_it_copies_and_nothing_else() -> None:
    rules = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    copied = {name for words in steps("COPY") if not words.startswith("--from") for name in words.split()[:-1]}
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert "**/.env" in rules


def test_the_command_says_its_version_and_its_commands(installed: Installed) -> None:
    version = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)[0]
    assert installed.run("--version") == f"haimaker {version}\n"
    assert "talk to a model" in installed.run("--help")


def test_it_takes_one_name_where_it_is_installed(installed: Installed) -> None:
    """A package called `local` would hide its user's own."""
    listed = next(installed.folder.glob("opt/lib/python3*/site-packages/haimaker-*.dist-info/RECORD")).read_text("utf-8")
    names = {line.partition("/")[0] for line in listed.splitlines() if not line.startswith((".", "haimaker-"))}
    assert names == {"haimaker"}


def test_the_command_alone_serves_and_everything_it_needs_is_there(installed: Installed) -> None:
    """The layer's code, the table of prices, the console's files; with settings from a file `.env`."""
    port = free_port()
    (installed.folder / "empty" / ".env").write_text(f"PORT={port}\nOPENAI_API_KEY='sk-x'  # not used\nGROQ_APIKEY=sk-y\n")
    process = subprocess.Popen(
        [installed.program], cwd=installed.folder / "empty", env=clean(installed.folder, {}), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, **python_and_user()[1],
    )  # fmt: skip
    assert process.stdout is not None
    try:
        welcome = "".join(process.stdout.readline() for _ in range(6))
        assert f"http://127.0.0.1:{port}/v1" in welcome
        assert "providers   openai  (from your environment and .env)" in welcome
        assert installed.run("health") == "ok\n"
        assert installed.run("chat", "demo/echo", "Hello") == "Hello\n"
        assert installed.run("chat", "demo/count", said="Count to 3") == "1 2 3\n"
        assert json.loads(installed.run("--json", "chat", "demo/echo", "Hi"))["usage"]["cost"] == 0
        assert "nobody/else" in installed.run("chat", "nobody/else", "Hi", status=1)
        address = f"http://127.0.0.1:{port}"
        led = httpx.get(f"{address}/", follow_redirects=True, headers={"accept": "text/html"})
        assert (led.url.path, led.text[:15]) == ("/console", "<!doctype html>")
        assert all(
            httpx.get(f"{address}/console/x/{name}").status_code == 200 for name in ("app.js", "vendor/lit-html/lit-html.js")
        )
        models = httpx.get(f"{address}/v1/models", headers={"authorization": "Bearer sk-local"}).json()["data"]
        assert any(model["id"] == "openai/gpt-4o-mini" and model.get("input_cost_per_token") for model in models)
        installed.run("keys", "create", "--alias", "ada")
        assert "ada" in installed.run("keys", "list")
        assert "WRONG" not in installed.run("doctor")
        assert "pip install 'haimaker[aws]'" in installed.run("deploy", status=1)
    finally:
        process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=20)
    assert complaints.startswith("haimaker: GROQ_APIKEY is set, but nothing reads it. Is it GROQ_API_KEY?\n")
    assert (installed.folder / "empty" / ".haimaker" / "haimaker.sqlite").exists()


def test_uvx_runs_it_from_the_clone() -> None:
    uvx = Path(sys.executable).with_name("uvx")
    done = subprocess.run(
        [uvx, "--from", ROOT, "haimaker", "--version"], capture_output=True, text=True, timeout=120, cwd=tempfile.gettempdir()
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("haimaker ")
