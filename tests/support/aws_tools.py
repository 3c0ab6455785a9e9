"""AWS's own tools in .venv-aws, which `make test` sets up: what they make of the template and the layer, once per test session.

No account and no container is needed. Test processes side by side share the results through the session's folder.
"""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".venv-aws" / "bin"
TRANSLATE = """
import json, sys
from samtranslator.yaml_helper import yaml_parse

sys.path.append(".")
from scripts.rollout_template import with_rollout
from scripts.tables_template import translate

template = yaml_parse(open("template.yaml").read())
json.dump(translate(with_rollout(template, *sys.argv[1:]) if sys.argv[1:] else template), sys.stdout)
"""
OF_313 = ("cryptography", "httpx", "hypothesis", "openai", "pytest", "pytest-xdist")
"""What tests of HTTP need of requirements-dev.txt."""
ENVIRONMENT = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "SAM_CLI_TELEMETRY": "0"}


def run(command: str, *arguments: str, cwd: Path = ROOT) -> str:
    """What a tool prints; the test fails, or is skipped, with its reason. No credentials of this machine's user reach it."""
    if not (TOOLS / command).exists():
        pytest.skip(f"{command} is not in .venv-aws; `make test` puts it there")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | ENVIRONMENT
    done = subprocess.run([TOOLS / command, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command} {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def translated(session: Path) -> dict:
    """What CloudFormation gets."""
    with _locked(session):
        kept = session / "translated.json"
        if not kept.exists():
            kept.write_text(run("python", "-c", TRANSLATE))
        return json.loads(kept.read_text())


def python313() -> str:
    """The Python of the functions. The test is skipped where there is none."""
    found = subprocess.run(["sh", "find_python313.sh"], cwd=ROOT / "shared", capture_output=True, text=True)
    if found.returncode:
        pytest.skip(found.stderr.splitlines()[0])
    return found.stdout.strip()


def environment313(session: Path) -> Path:
    """A Python 3.13 that has what the layer brings, the SDK and pytest. The test is skipped where there is no such Python."""
    python = python313()
    with _locked(session):
        folder = session / "python313"
        if not folder.exists():
            uv = Path(sys.executable).with_name("uv")
            pinned = (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
            wanted = [line.partition(" ")[0] for line in pinned if line.startswith(tuple(f"{name}==" for name in OF_313))]
            making = session / "python313.new"
            subprocess.run([uv, "venv", "--quiet", "--no-project", "--python", python, making], check=True, timeout=60)
            install = [uv, "pip", "install", "--quiet", "--python", making / "bin" / "python", *wanted]
            subprocess.run([*install, "--requirement", ROOT / "shared" / "requirements.txt"], check=True, timeout=120)
            making.rename(folder)
    return folder / "bin" / "python"


def built_layer(session: Path) -> Path:
    """The folder that becomes /opt, as `sam build` makes it."""
    python313()
    with _locked(session):
        folder = session / "build"
        if not folder.exists():
            run("sam", "build", "--build-dir", str(folder), "--cache-dir", str(session / "cache"))
        return folder / "HaimakerLayer"


@contextmanager
def _locked(session: Path) -> Iterator[None]:
    with (session / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def session_folder(factory: pytest.TempPathFactory) -> Path:
    """One for all processes of a session: xdist gives each worker a folder in it."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
