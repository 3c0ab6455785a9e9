"""Runs suites that others wrote against this gateway: `make suites`.

    PYTHONPATH=shared python -m scripts.foreign_suites FOLDER [NAME…]

They are fetched into FOLDER, outside of the clone, where they are not there yet; it takes git, Node and a network. Nothing of them
is part of this project.

    openresponses         the compliance suite of the Open Responses specification (HTTP part), asked of `demo/agent`
    openai-python         the SDK's own tests of Responses, with a mock behind the gateway that validates what it is sent
    anthropic-sdk-python  the SDK's own tests of Messages and models, likewise

Prints what passed of each, and why each of the others can't; it fails if a test does that is not named here.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx

from haimaker.gateway import Gateway
from haimaker.settings.settings import Settings
from local.server import Server

MOCK_PORT = 4_010
COMPLIANCE = (
    "basic-response,assistant-phase,response-output-phase-schema,streaming-response,system-prompt,tool-calling,image-input,"
    "multi-turn,compact-response,compact-missing-model"
)
"""All but those of WebSockets, which the gateway does not have."""
NEEDED = (
    "pytest",
    "pytest-asyncio",
    "respx",
    "dirty-equals",
    "inline-snapshot",
    "nest_asyncio",
    "time-machine",
    "http-snapshot",
    "rich",
)
"""Packages of the SDKs' tests, which are put into an environment of the folder's own."""
WAITING_S = 60


class Suite(NamedTuple):
    """Tests of an SDK, and the document that says what the mock behind the gateway takes."""

    repository: str
    document: tuple[str, str]
    """A repository and a path in it."""
    key: str
    """Which the tests send."""
    tests: tuple[str, ...]
    path: str
    """Of the gateway, at which the SDK's paths begin."""
    provider: Mapping[str, str]
    """Variables that put the mock behind the gateway."""
    left_out: Mapping[str, str]
    """By a pattern of tests, why they can't pass."""
    models: str = ""
    """A file with names of models, retired ones too, for which routes are made."""
    plugin: str = ""
    """What the tests are run with."""


FILLS_IN = """
import re
from openai import OpenAI

EXAMPLE = re.compile(r"/responses/(resp_[^/]+|response_id)(?=/|$)")
FOREIGN = ("conversation", "prompt", "previous_response_id")
prepare = OpenAI._prepare_options


def fill_in(client, options):
    options = prepare(client, options)
    if options.method == "post" and options.url in ("/responses", "/responses/compact", "/responses/input_tokens"):
        asked = {name: value for name, value in (options.json_data or {}).items() if name not in FOREIGN}
        options.json_data = {"input": "Hi", **asked}
    elif EXAMPLE.search(options.url):
        own = client.post("/responses", body={"model": "openai/gpt-5.4"}, cast_to=object)["id"]
        options.url = EXAMPLE.sub("/responses/" + own, options.url)
    return options


OpenAI._prepare_options = fill_in
"""
"""A plugin for the tests of OpenAI's SDK, which ask for nothing, or for objects that are nobody's: they get an input, and the id of
a response of their own, since the gateway refuses both before it asks a provider."""
MOCK = f"http://127.0.0.1:{MOCK_PORT}"
SUITES = {
    "openai-python": Suite(
        "openai/openai-python",
        ("openai/openai-python", "api_reference/openapi.transformed.yml"),
        "My API Key",
        ("tests/api_resources/test_responses.py", "tests/api_resources/responses"),
        "",
        {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": MOCK},
        {},
        plugin=FILLS_IN,
    ),
    "anthropic-sdk-python": Suite(
        "anthropics/anthropic-sdk-python",
        ("llamastack/llama-stack", "docs/static/anthropic-spec.json"),
        "my-anthropic-api-key",
        ("tests/api_resources/test_messages.py", "tests/api_resources/test_models.py"),
        "",
        {"ANTHROPIC_API_KEY": "x", "ANTHROPIC_BASE_URL": f"{MOCK}/v1"},
        {},
        "src/anthropic/resources/messages/messages.py",
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=["openresponses", *SUITES])
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    if folder.is_relative_to(Path(__file__).resolve().parents[1]):
        parser.error("the folder has to be outside of the clone")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules").exists():
        run(["npm", "install", "--no-audit", "--no-fund", "@stdy/cli", "bun", "zod@3"], folder)
    unexpected = [
        failed
        for name in arguments.names
        for failed in (run_compliance(folder) if name == "openresponses" else run_sdk(folder, SUITES[name]))
    ]
    for name in unexpected:
        print(f"FAILED {name}")
    return 1 if unexpected else 0


def run(
    command: Sequence[str | Path], where: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """With an environment the tests of a suite, which may fail and whose words are kept; else what has to succeed."""
    kept, found = environment is not None, shutil.which(command[0]) or command[0]
    return subprocess.run(  # noqa: S603 - what this module names
        [found, *command[1:]], cwd=where, env=environment, capture_output=kept, text=True, check=not kept
    )


def fetch(folder: Path, repository: str) -> Path:
    """A copy of a repository of GitHub's, newest commit."""
    place = folder / repository.replace("/", "+")
    if not place.exists():
        run(["git", "clone", "--depth", "1", f"https://github.com/{repository}", place], folder)
    return place


@contextmanager
def serving(key: str, variables: Mapping[str, str], models: Iterable[str] = ()) -> Iterator[str]:
    """A gateway in this process, whose administrator's key is that of the tests, and which has these models."""
    with TemporaryDirectory() as home:
        routes = (f'[routes."{model}"]\ntargets = ["anthropic/claude-opus-4-6"]\n' for model in dict.fromkeys(models))
        (Path(home) / "gateway.toml").write_text("".join(routes))
        environment = {"HAIMAKER_HOME": home, "HAIMAKER_CONFIG": f"{home}/gateway.toml", "HAIMAKER_ADMIN_KEY": key, **variables}
        server = Server("127.0.0.1", 0)
        thread = threading.Thread(target=server.serve, args=(Gateway.local(Settings.from_environment(environment)),))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.stop()
            thread.join()


@contextmanager
def mocking(folder: Path, document: Path) -> Iterator[None]:
    """https://github.com/dgellow/steady: refuses what the document does not allow, and answers with its examples."""
    kinds = [f"--validator-{place}-{kind}-format=brackets" for place in ("query", "form") for kind in ("array", "object")]
    command = [folder / "node_modules/.bin/steady", "--host", "127.0.0.1", "-p", str(MOCK_PORT), *kinds, document]
    mock = subprocess.Popen(  # noqa: S603 - the same
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(WAITING_S * 5):
            try:
                httpx.get(f"{MOCK}/_x-steady/health", trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield
    finally:
        mock.terminate()
        mock.wait()


def run_sdk(folder: Path, suite: Suite) -> list[str]:
    """Prints what passed. Returns the tests that failed and are not left out."""
    place, python = fetch(folder, suite.repository), folder / "venv/bin/python"
    if not python.exists():
        run([sys.executable, "-m", "venv", folder / "venv"], folder)
    package = place / "installed"
    if not package.exists():
        run([python, "-m", "pip", "install", "-q", *NEEDED, "-e", place], folder)
        package.touch()
    document = fetch(folder, suite.document[0]) / suite.document[1]
    models = ["model_id", *re.findall(r'"(claude-[^"]+)"', (place / suite.models).read_text())] if suite.models else []
    with mocking(folder, document), serving(suite.key, suite.provider, models) as address:
        ours = {"authorization": f"Bearer {suite.key}"}
        default = {"key": suite.key, "default_model": "openai/gpt-5.4"}
        httpx.post(f"{address}/key/update", json=default, headers=ours, trust_env=False).raise_for_status()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        (folder / "filling_in.py").write_text(suite.plugin)
        environment |= {"TEST_API_BASE_URL": address + suite.path, "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(folder)}
        options = ["-p", "filling_in", "-q", "-o", "addopts=", "-rfE", "--tb=no", "-k", "not Async"]
        command = [python, "-m", "pytest", *options, *suite.tests]
        done = run(command, place, environment)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    print(suite.repository, done.stdout.strip().rpartition("\n")[2] or done.stderr[-2_000:])
    reasons = [next((why for pattern, why in suite.left_out.items() if re.search(pattern, name)), "") for name in failed]
    for why in dict.fromkeys(filter(None, reasons)):
        print(f"  {reasons.count(why)}: {why}")
    return [name for name, why in zip(failed, reasons, strict=True) if not why]


def run_compliance(folder: Path) -> list[str]:
    """https://www.openresponses.org/compliance"""
    place = fetch(folder, "openresponses/openresponses")
    (place / "node_modules").mkdir(exist_ok=True)
    if not (place / "node_modules/zod").exists():
        (place / "node_modules/zod").symlink_to(folder / "node_modules/zod")
    with serving("sk-local", {}) as address:
        asked = ["--base-url", f"{address}/v1", "--api-key", "sk-local", "--model", "demo/agent", "--filter", COMPLIANCE]
        bun = folder / "node_modules/.bin/bun"
        done = run([bun, "bin/compliance-test.ts", *asked], place, dict(os.environ))
    print("openresponses", done.stdout.strip()[-300:])
    return [] if done.returncode == 0 else ["openresponses"]


if __name__ == "__main__":
    sys.exit(main())
