"""What contributors need: the hooks before a commit, the forms for issues and pull requests, the list of changes, and the four
descriptions of how something is added, each followed word for word in a copy of the project."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from haimaker.http.values import JSON
from haimaker.models.table import TABLE
from tests.support.documentation import Guide
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import Reply
from tests.unit.test_architecture import ORDER

ROOT = Path(__file__).parents[2]
GUIDE = Guide.read("CONTRIBUTING.md")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "node_modules", ".aws-sam", "__pycache__", ".haimaker", ".*_cache", ".hypothesis"
)
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")


def test_the_hooks_run_what_make_check_runs() -> None:
    recipe = subprocess.run(["make", "-n", "check"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == re.findall(r"^\.venv/bin/python -m (?:ruff|mypy).*$", recipe, re.MULTILINE)


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one_that_github_takes(form: Path) -> None:
    """https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests/syntax-for-issue-forms"""
    content = yaml.safe_load(form.read_text("utf-8"))
    assert content["name"]
    assert content["description"]
    ids = [field["id"] for field in content["body"]]
    assert len(ids) == len(set(ids))
    for field in content["body"]:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        assert field["attributes"]["label"]
        assert set(field) <= {"type", "id", "attributes", "validations"}


def test_the_changelog_names_this_version_after_what_is_not_released() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    titles = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert titles[:2] == ["Unreleased", version]


def test_the_picture_of_the_packages_is_theirs() -> None:
    """Each is described, from the bottom up."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert tuple(rows) == ORDER
    [picture] = re.findall(r"^```mermaid\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    arrows = [step.split() for step in re.findall(r"(\w+(?: --> \w+)+)", picture)]
    drawn = [
        (one, other) for line in arrows for one, other in zip(line[::2], line[2::2], strict=False) if {one, other} <= set(ORDER)
    ]
    assert len(drawn) >= 12
    assert [(one, other) for one, other in drawn if ORDER.index(one) > ORDER.index(other)] == []


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT, symlinks=True)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def _write(clone: Path, name: str) -> str:
    """Makes the file that a block of code begins with the name of; returns its text."""
    [text] = [text for text in GUIDE.written_in("python") if text.startswith(f"# {name}\n")]
    code = text.partition("\n")[2]
    (clone / name).parent.mkdir(parents=True, exist_ok=True)
    (clone / name).write_text(code)
    return code


def _insert(clone: Path, name: str, after: str, line: str) -> None:
    """Puts the line of the guide that begins so behind a line of a file."""
    found = next(text.strip() for text in GUIDE.written_in("python") if text.startswith(line))
    text = (clone / name).read_text("utf-8")
    assert text.count(after) == 1
    (clone / name).write_text(text.replace(after, f"{after}    {found.rstrip(',')},\n"))


def _run(clone: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=clone, env=os.environ | {"PYTHONPATH": "shared"} | environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _test(clone: Path, *arguments: str) -> None:
    _run(clone, sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *arguments)


def test_a_provider_is_added_as_a_row(clone: Path, upstream: FakeUpstream) -> None:
    _insert(clone, "shared/haimaker/providers/openai_compatible.py", "ROWS: Mapping[str, Row] = {\n", '"acme": Row(')
    command = next(text for text in GUIDE.written_in("sh") if "make record" in text).partition("make test")[0]
    _run(clone, "bash", "-ec", command.replace("make ", "make -o .venv/test.stamp "), ACME_BASE_URL=upstream.url)
    recorded = clone / "tests" / "wire" / "acme" / "chat" / "hello"
    assert json.loads((recorded / "upstream_request.json").read_text())["body"]["model"]
    _insert(clone, "scripts/vendor_prices.py", "\nPRICED = (\n", "Priced(")
    _run(clone, "make", "-o", ".venv/test.stamp", "prices", "ARGS=--vendors")
    table = clone / "shared" / "haimaker" / "models" / "data" / "models.tsv"
    added = {*table.read_text().splitlines()} - {*TABLE.read_text().splitlines()}
    assert [line.partition("\t")[0] for line in added] == ["acme/acme-1"]
    _test(clone, "tests/wire", "tests/unit/adapters/test_row_cases.py", "tests/unit/adapters/test_rows.py", "-k", "acme")


def test_a_provider_is_added_as_a_module(clone: Path, upstream: FakeUpstream) -> None:
    """The test of rules names those that no case shows, until there is one."""
    _write(clone, "shared/haimaker/providers/zenith.py")
    _run(clone, "make", "-o", ".venv/test.stamp", "providers")
    rules = ("tests/unit/adapters/test_row_cases.py", "-k", "zenith")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *rules],
        cwd=clone, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "make record PROVIDER=zenith" in done.stdout
    command = next(text for text in GUIDE.written_in("sh") if "PROVIDER=zenith" in text)
    _run(clone, "bash", "-ec", command.replace("make ", "make -o .venv/test.stamp "))
    _test(clone, *rules)


def test_a_model_family_is_added(clone: Path) -> None:
    """The cases that it lacks then are named."""
    _insert(clone, "shared/haimaker/models/families.py", '    (("",), ANY),\n', '(("zeta-",)')
    _insert(clone, "tests/unit/models/matrix.py", "CHATS: Mapping[str, tuple[str, ...]] = {\n", '"zeta-9": (')
    command = next(text for text in GUIDE.written_in("sh") if "models.matrix" in text).partition("git diff")[0]
    _run(clone, "bash", "-ec", command)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/unit/models"],
        cwd=clone, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    [lacks] = re.findall(r"FAILED .*::(\w+)", done.stdout)
    assert lacks == "test_each_family_has_a_wire_case_in_each_format_in_which_it_has_rules"
    assert {*re.findall(r"\('zeta-9', '(\w+)'\)", done.stdout)} == {"openai", "bedrock", "gemini_vertex"}
    written = json.loads((clone / "tests" / "unit" / "models" / "matrix.json").read_text())
    outcomes = {
        request: {
            host: outcome for outcome, hosts in written[request].items() for host, models in hosts.items() if "zeta-9" in models
        }
        for request in ("temperature", "forced")
    }
    hosts = {"openai", "azure", "azure_ai", "github", "openrouter", "bedrock", "bedrock_mantle", "vertex_ai"}
    assert outcomes == {
        "temperature": dict.fromkeys(hosts, 'dropped: ["temperature"]'),
        "forced": dict.fromkeys(hosts, 'refused: "tool_choice"'),
    }


ASKS = """
import json, sys
from haimaker.gateway import Gateway
from haimaker.http.values import Request
from haimaker.settings.settings import Settings
operation, body, environment = sys.argv[1], sys.argv[2].encode(), json.loads(sys.argv[3])
gateway = Gateway.local(Settings.from_environment({**environment, "HAIMAKER_ADMIN_KEY": "sk-local"}))
response = gateway.handle(operation, Request("r", {"authorization": "Bearer sk-local"}, body))
print(response.status)
print((response.body if isinstance(response.body, bytes) else b"".join(response.body)).decode())
"""


def _ask(clone: Path, operation: str, body: JSON, **environment: str) -> str:
    """What a gateway of the copy answers."""
    environment["HAIMAKER_HOME"] = str(clone / ".haimaker")
    status, _, answer = _run(clone, sys.executable, "-c", ASKS, operation, json.dumps(body), json.dumps(environment)).partition(
        "\n"
    )
    assert status == "200", answer
    return answer


def test_a_vendors_format_is_added(clone: Path, upstream: FakeUpstream) -> None:
    _write(clone, "shared/haimaker/adapters/meteor/chat.py")
    _write(clone, "shared/haimaker/providers/meteor.py")
    _insert(clone, "shared/haimaker/adapters/__init__.py", '    "chat_completions": {\n', '"meteor":')
    _run(clone, "make", "-o", ".venv/test.stamp", "providers")
    counted = {"read": 3, "wrote": 1}
    upstream.answers(
        Reply.json(200, {"said": "Hello", "end": "done", "counted": counted}),
        Reply.sse([{"said": "Hel"}, {"said": "lo"}, {"end": "done", "counted": counted}], done=False),
    )

    def ask(streams: bool) -> str:
        body = {"model": "meteor/one", "stream": streams, "messages": [{"role": "user", "content": "Hi"}]}
        answer = _ask(clone, "chat_completions", body, METEOR_API_KEY="k", METEOR_BASE_URL=upstream.url)
        assert json.loads(upstream.calls[-1].body)["turns"] == [{"who": "user", "said": "Hi"}]
        return answer

    whole = json.loads(ask(streams=False))
    assert whole["choices"][0]["message"]["content"] == "Hello"
    assert whole["usage"]["prompt_tokens"] == 3
    streamed = ask(streams=True)
    chunks = [json.loads(line.removeprefix("data: ")) for line in streamed.splitlines() if line.startswith("data: {")]
    assert "error" not in chunks[-1], chunks
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert "".join(delta.get("content", "") for delta in deltas) == "Hello"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_client_format_is_added(clone: Path) -> None:
    _write(clone, "shared/haimaker/api/formats/echo.py")
    _insert(clone, "shared/haimaker/api/paths.py", "MODEL_OPERATIONS: Mapping[str, ModelOperation] = {\n", '"echo"')
    assert json.loads(_ask(clone, "echo", {"model": "demo/echo", "line": "Hello"})) == {"line": "Hello", "cost": 0.0}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/unit/test_model_operations.py"],
        cwd=clone, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "functions/: no app.py serves 'echo'" in done.stdout
