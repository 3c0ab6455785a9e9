"""`haimaker connect`: what it writes into the homes of tools, that what was there stays, and that it can all be taken back."""

import io
import json
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from local.command_line.__main__ import main
from local.command_line.connect import COPY
from local.command_line.connect.edits import NotPlain, add_settings, remove_settings
from local.command_line.connect.tools import TOOLS, Endpoint, File
from tests.contract.money_support import ADMIN, Desk, serving
from tests.support.documentation import ROOT
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import error
from tests.support.reply import Reply

ENDPOINT = Endpoint("http://127.0.0.1:8000/v1", "sk-hm-secret", "demo/echo")
WRITTEN = [tool for tool in TOOLS.values() if tool.files]
FILES = [(tool.name, file) for tool in WRITTEN for file in tool.files]

PRINTED: list[str] = []
"""What the last command said on standard output: the gateway of the test logs on the other."""
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def fresh(tmp_path: Path, upstream: FakeUpstream):
    with serving(tmp_path / "gateway", upstream) as desk:
        yield desk


@pytest.fixture
def connect(fresh: Desk, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("HAIMAKER_URL", fresh.url)
    monkeypatch.setenv("HAIMAKER_KEY", ADMIN)

    def run(*words: str, answer: str = "") -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["haimaker", "connect", *words])
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))
        capsys.readouterr()
        status, printed = main(), capsys.readouterr()
        PRINTED[:] = [printed.out]
        return status, "".join(printed)

    return run


def keys(desk: Desk) -> dict[str, dict]:
    found = desk.ask("GET", "/key/list?return_full_object=true&size=100").json()["keys"]
    return {key["key_alias"]: key for key in found if key["role"] == "user"}


def tree_of(home: Path) -> dict[str, str]:
    return {str(path.relative_to(home)): path.read_text() for path in home.rglob("*") if path.is_file()}


EXAMPLES = {
    "toml": '# mine\nmodel = "gpt-5"\napproval_policy = "never"\n\n[model_providers.mine]\nname = "mine"\nmodel = "not this"\n',
    "json": '{"theme": "dark", "env": {"EDITOR": "vi", "ANTHROPIC_MODEL": "opus"}, "model": "mine/one", "provider": {"mine": {}}}',
    "yaml": "# mine\nmodel: gpt-4o\ndark-mode: true\n",
    "env": "# mine\nexport GEMINI_API_KEY=old\nOTHER=1\n",
    "list": "name: Mine\nmodels:\n    - name: one\n      provider: ollama\ncontext:\n  - provider: code\n",
}


@pytest.mark.parametrize("text", ["", "example"], ids=["no file", "a file"])
@pytest.mark.parametrize(("name", "file"), FILES)
def test_what_is_written_can_be_read_and_taken_back(name: str, file: File, text: str) -> None:
    before = EXAMPLES[file.kind] if text else ""
    after = add_settings(file, before, ENDPOINT)
    assert add_settings(file, after, ENDPOINT) == after, "twice is once"
    read = {"toml": tomllib.loads, "json": json.loads, "yaml": yaml.safe_load, "list": yaml.safe_load, "env": str}[file.kind]
    found, mine = read(after), read(before) if before else {}
    if file.kind == "env":
        assert "GEMINI_API_KEY=sk-hm-secret\n" in after
        assert ("OTHER=1\n" in after) == bool(before)
    else:
        wanted = file.values(ENDPOINT)
        kept = {key: value for key, value in mine.items() if key not in wanted}
        assert all(found[key] == value or value.items() < found[key].items() for key, value in kept.items())
        assert wanted.keys() <= found.keys()
    back = remove_settings(file, after, before)
    assert (read(back) == mine) if back else not before
    if file.kind != "json":
        assert back == before


def test_what_was_changed_meanwhile_stays() -> None:
    [settings], [config] = TOOLS["claude-code"].files, TOOLS["codex"].files
    before = EXAMPLES["json"]
    after = json.loads(add_settings(settings, before, ENDPOINT))
    after["env"]["NEW"] = "1"
    back = json.loads(remove_settings(settings, json.dumps(after), before))
    assert back["env"] == {"EDITOR": "vi", "ANTHROPIC_MODEL": "opus", "NEW": "1"}
    text = add_settings(config, EXAMPLES["toml"], ENDPOINT) + "\n[later]\nx = 1\n"
    assert remove_settings(config, text, "") == EXAMPLES["toml"] + "\n[later]\nx = 1\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("codex", 'x = "\n'),
        ("codex", "[model_providers.haimaker]\nname = 'x'\n"),
        ("claude-code", "// a comment\n{}"),
        ("opencode", "[]"),
        ("continue", "models: []\n"),
    ],
)
def test_a_file_that_is_not_understood_is_left_alone(connect: Run, home: Path, fresh: Desk, name: str, text: str) -> None:
    [file] = TOOLS[name].files
    with pytest.raises(NotPlain):
        add_settings(file, text, ENDPOINT)
    path = home / file.path
    path.parent.mkdir(parents=True)
    path.write_text(text)
    status, said = connect(name, "--write", "--yes", "--model", "demo/echo")
    assert (status, "is left as it is" in said, path.read_text()) == (1, True, text)
    assert keys(fresh) == {}


@pytest.mark.parametrize("name", [tool.name for tool in WRITTEN])
def test_a_tool_is_connected_and_disconnected(connect: Run, home: Path, fresh: Desk, name: str) -> None:
    tool = TOOLS[name]
    for file in tool.files:
        (home / file.path).parent.mkdir(parents=True, exist_ok=True)
        (home / file.path).write_text(EXAMPLES[file.kind])
    before = tree_of(home)
    status, said = connect(name, "--write", "--model", "demo/echo", "--max-budget", "3", answer="yes")
    assert status == 0, said
    alias = f"{name}@{socket.gethostname()}"
    key = keys(fresh)[alias]
    assert (key["max_budget"], key["budget_duration"], key["metadata"]) == (3, "30d", {"connected": name})
    written = tree_of(home)
    secrets = {word for text in written.values() for word in text.replace('"', " ").replace("=", " ").split() if "sk-hm-" in word}
    assert len(secrets) == 1
    assert fresh.chat(secrets.pop(), "demo/echo").status_code == 200
    assert "+" in said
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*") if path.is_file()} == {0o600}
    assert {name + COPY for name in before} < written.keys()
    checked = fresh.ask("GET", f"/spend/logs?key={key['token_id']}").json()["data"][-1]
    assert (checked["status"], checked["asked_model"]) == ("ok", "demo/echo")

    assert connect(name, "--write", "--yes", "--model", "demo/count")[0] == 0
    assert list(keys(fresh)) == [alias], "the key was renewed, and keeps what it spent"
    assert {path: text for path, text in tree_of(home).items() if path.endswith(COPY)} == {
        path + COPY: text for path, text in before.items()
    }
    status, said = connect(name, "--remove")
    assert status == 0, said
    after = tree_of(home)
    assert after.keys() == before.keys()
    for path, text in before.items():
        assert after[path] == text or json.loads(after[path]) == json.loads(text)
    assert keys(fresh) == {}
    assert connect(name, "--remove")[0] == 1


def test_where_there_was_nothing_nothing_is_left(connect: Run, home: Path, fresh: Desk) -> None:
    assert connect("claude-code", "--write", "--yes", "--model", "demo/echo")[0] == 0
    written = json.loads((home / ".claude/settings.json").read_text())["env"]
    assert written["ANTHROPIC_BASE_URL"] == fresh.url.removesuffix("/v1")
    assert connect("claude-code", "--remove")[0] == 0
    assert tree_of(home) == {}


def test_a_folder_of_its_own_is_respected(connect: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / "elsewhere"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    assert connect("claude-code", "--write", "--yes", "--model", "demo/echo")[0] == 0
    assert connect("opencode", "--write", "--yes", "--model", "demo/echo")[0] == 0
    assert {"elsewhere/settings.json", "xdg/opencode/opencode.json"} < tree_of(home).keys()


def test_nothing_happens_without_a_yes_or_an_answer(connect: Run, home: Path, fresh: Desk, upstream: FakeUpstream) -> None:
    status, said = connect("opencode", "--write", "--model", "demo/echo", answer="no")
    assert (status, tree_of(home), keys(fresh)) == (1, {}, {})
    assert '+      "options": {' in said
    upstream.answers(Reply.json(400, error("There is no such model")))
    status, said = connect("opencode", "--write", "--yes", "--model", "openai/gpt-4o-mini")
    assert (status, tree_of(home), keys(fresh)) == (1, {}, {})
    assert "openai/gpt-4o-mini does not answer, so nothing is changed: There is no such model" in said


@pytest.mark.parametrize("name", TOOLS)
def test_it_is_printed_without_a_key_unless_one_is_asked_for(connect: Run, home: Path, fresh: Desk, name: str) -> None:
    status, said = connect(name, "--model", "demo/echo")
    assert status == 0
    assert "sk-hm-..." in said
    assert TOOLS[name].page in said
    assert (tree_of(home), keys(fresh)) == ({}, {})
    status, said = connect(name, "--new-key", "--model", "demo/echo")
    assert (status, len(keys(fresh)), tree_of(home)) == (0, 1, {})
    assert "sk-hm-..." not in said


def test_codex_can_be_tried_without_a_provider(fresh: Desk) -> None:
    """It always offers the search of the provider, which has no price where there is none; its key has a budget."""
    body = {"model": "demo/agent", "input": "Hi", "store": False, "tools": [{"type": "web_search", "external_web_access": False}]}
    assert fresh.ask("POST", "/responses", body, key=fresh.key(max_budget=1)).status_code == 200


def test_a_tool_without_a_file_says_so(connect: Run) -> None:
    status, said = connect("cline", "--write")
    assert (status, "--new-key prints" in said) == (1, True)


def test_the_model_is_one_that_the_tool_is_meant_for(connect: Run, fresh: Desk) -> None:
    assert '"model": "haimaker/openai/gpt-5' in connect("opencode")[1]
    assert connect("cline")[1].count("openai/gpt-5") == 1


@pytest.mark.parametrize("name", ["openai-sdk", "anthropic-sdk"])
def test_programs_that_are_printed_run(connect: Run, fresh: Desk, name: str) -> None:
    connect(name, "--new-key", "--model", "demo/echo")
    done = subprocess.run([sys.executable, "-c", PRINTED[0]], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "Say hello\n", done.stderr


def test_every_tool_has_its_section_in_the_guide() -> None:
    guide = (ROOT / "docs" / "agents.md").read_text("utf-8")
    for tool in TOOLS.values():
        assert f"bin/haimaker connect {tool.name}" in guide
        assert tool.page in guide
