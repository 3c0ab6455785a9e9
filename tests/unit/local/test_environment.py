"""The file `.env`, what the process's own variables mean beside it, and variables that nobody reads."""

import os
import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from haimaker.lean_dataclasses import replace
from haimaker.settings.settings import Settings
from haimaker.validation.settings import SettingsError
from local.environment import HAIMAKER_VARIABLES, command_environment, misspelt, parse, read_environment
from local.home import find_problem, keep_temporary_files
from local.installation import ROOT

LINES = [
    ("A=1", {"A": "1"}),
    ("export OPENAI_API_KEY=sk-1", {"OPENAI_API_KEY": "sk-1"}),
    ("A = two words  # and a comment", {"A": "two words"}),
    ("A=sk-#1", {"A": "sk-#1"}),
    ("A=#nothing", {"A": ""}),
    ("A='$HOME # \"x\"' # single", {"A": '$HOME # "x"'}),
    (r'A="a\nb \"c\" \\"', {"A": 'a\nb "c" \\'}),
    ("A=$B", {"A": "$B"}),
    ("\n# comment\n\nA=1\r\nB=2\nA=3\n", {"A": "3", "B": "2"}),
    ("A=a=b", {"A": "a=b"}),
]


@pytest.mark.parametrize(("text", "values"), LINES)
def test_lines_of_the_file(text, values):
    assert parse(text, ".env") == values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\nOPENAI_API_KEY sk-secret", ".env, line 2 is not NAME=value."),
        ("1A=secret", ".env, line 1 is not NAME=value."),
        ("A='secret", ".env, line 1 has a value of A whose quotation mark is not closed."),
        ('A="secret" more', ".env, line 1 has a value of A whose quotation mark is not closed."),
    ],
)
def test_a_mistake_is_named_with_its_line_and_without_its_value(text, said):
    with pytest.raises(SettingsError) as raised:
        parse(text, ".env")
    assert str(raised.value) == said


def test_the_process_is_stronger_than_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_environment({"A": "1"}) == {"A": "1"}, "without a file"
    (tmp_path / ".env").write_text("\ufeffA=file\nB=file\nC=file\n")
    assert read_environment({"A": "1", "C": ""}) == {"A": "1", "B": "file", "C": ""}


def test_another_file_can_be_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / "other").write_text("B=2\n")
    assert read_environment({"HAIMAKER_ENV_FILE": "other"})["B"] == "2"
    assert "A" not in read_environment({"HAIMAKER_ENV_FILE": "/dev/null"})
    with pytest.raises(SettingsError, match="HAIMAKER_ENV_FILE names nowhere, which does not exist"):
        read_environment({"HAIMAKER_ENV_FILE": "nowhere"})


def test_a_folder_does_not_choose_where_a_key_is_sent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("HAIMAKER_URL=https://elsewhere.example/v1\nHOST=elsewhere.example\nPORT=8001\n")
    assert command_environment({"HAIMAKER_KEY": "sk-1"}) == {"HAIMAKER_KEY": "sk-1", "PORT": "8001"}
    assert command_environment({"HAIMAKER_URL": "http://127.0.0.1:9/v1"})["HAIMAKER_URL"] == "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("OPENAI_APIKEY", "OPENAI_API_KEY"),
        ("OPEN_AI_API_KEY", "OPENAI_API_KEY"),
        ("OPENAI_KEY", "OPENAI_API_KEY"),
        ("ANTROPIC_API_KEY", "ANTHROPIC_API_KEY"),
        ("HAIMAKER_ADMINKEY", "HAIMAKER_ADMIN_KEY"),
        ("HAIMAKER_COLOUR", ""),
    ],
)
def test_a_misspelt_variable_is_named(name, meant):
    assert misspelt({name: "x", "HAIMAKER_HOME": "y", "GROQ_API_KEY": "z"}) == {name: meant}


@pytest.mark.parametrize("name", ["STRIPE_API_KEY", "SSH_KEY", "AWS_ACCESS_KEY", "OPENAI_API_KEY", "PATH"])
def test_other_peoples_variables_are_left_alone(name):
    assert misspelt({name: "x"}) == {}
    assert misspelt({"OPENAI_APIKEY": "x", "OPENAI_API_KEY": "y"}) == {}, "what was meant is there"
    kubernetes = {
        "HAIMAKER_PORT": "tcp://10.0.0.1:80",
        "HAIMAKER_SERVICE_HOST": "10.0.0.1",
        "HAIMAKER_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert misspelt(kubernetes) == {}


def test_all_variables_of_ours_are_known():
    """But for those that only a function of the stack reads, which the template sets."""
    sources = [*(ROOT / "shared" / "haimaker").rglob("*.py"), *(ROOT / "local").rglob("*.py")]
    read = {name for source in sources for name in re.findall(r'"(HAIMAKER_[A-Z_]+)"', source.read_text("utf-8"))}
    template = set(re.findall(r"\b(HAIMAKER_[A-Z_]+):", (ROOT / "template.yaml").read_text("utf-8")))
    assert read - template <= set(HAIMAKER_VARIABLES)
    assert set(HAIMAKER_VARIABLES) <= read


PAGE = (ROOT / "docs" / "settings.md").read_text("utf-8")
SETTINGS = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]+)`)? ?\|", PAGE, re.MULTILINE)


def test_the_page_of_settings_has_all_variables_and_their_defaults():
    """Those of this form, and the others that the settings read."""
    read = re.findall(r'env(?:\.get\(|, )"([A-Z_]+)"', (ROOT / "shared/haimaker/settings/settings.py").read_text("utf-8"))
    others = {name for name in read if not name.startswith(("HAIMAKER_", "AWS_", "TMPDIR"))}
    assert sorted(name for name, _ in SETTINGS) == sorted(others | set(HAIMAKER_VARIABLES))
    usual = replace(Settings.from_environment({}), environment={})
    for name, default in SETTINGS:
        assert not default or replace(Settings.from_environment({name: default}), environment={}) == usual, name


def test_every_parameter_of_the_stack_stands_in_the_documentation():
    template = (ROOT / "template.yaml").read_text("utf-8")
    parameters = set(re.findall(r"^  (\w+):$", template.partition("\nParameters:")[2].partition("\nRules:")[0], re.MULTILINE))
    words = {word for page in (ROOT / "docs").glob("*.md") for word in re.findall(r"\w+", page.read_text("utf-8"))}
    assert sorted(parameters - words) == []
    assert set(re.findall(r"`([A-Z][a-z]\w+)`", PAGE)) <= parameters | {"AccountsTable", "RecordsTable"}


@pytest.mark.parametrize(("content", "said"), [(None, "is a folder"), (b"OPENAI_API_KEY=\xff", "it is no text in UTF-8")])
def test_a_file_that_can_not_be_read_is_named(tmp_path, content, said):
    file = tmp_path / ".env"
    if content is None:
        file.mkdir()  # which a container makes of a file that is not there
    else:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=said):
        read_environment({"HAIMAKER_ENV_FILE": str(file)})


def test_what_is_wrong_with_the_home_is_said(tmp_path, monkeypatch):
    assert find_problem(tmp_path) is None
    assert find_problem(tmp_path / "a" / "b") is None, "it can be made"
    disk = SimpleNamespace(f_bavail=1, f_frsize=1000, f_flag=0)
    monkeypatch.setattr("os.statvfs", lambda _: disk)
    assert find_problem(tmp_path) == f"The disk of {tmp_path} is full."
    monkeypatch.setattr("os.access", lambda *_: False)
    assert find_problem(tmp_path) == f"{tmp_path} can't be written: it is another user's."
    assert find_problem(tmp_path / "a") == f"{tmp_path / 'a'} can't be made."
    disk.f_flag = os.ST_RDONLY
    assert find_problem(tmp_path) == f"{tmp_path} can't be written: its disk can only be read."
    monkeypatch.setattr("os.access", lambda path, _: path == tmp_path)
    (tmp_path / "haimaker.sqlite").touch()
    assert find_problem(tmp_path) == f"{tmp_path / 'haimaker.sqlite'} can't be written."


@pytest.mark.parametrize(
    ("variable", "folder", "kept"),
    [("", "", False), ("", "absent", True), ("absent", "absent", True), ("", "/dev/null", True), ("absent", "", False)],
)
def test_temporary_files_are_in_the_home_where_no_other_folder_can_be_written(tmp_path, monkeypatch, variable, folder, kept):
    monkeypatch.setenv("TMPDIR", variable)
    keep_temporary_files(tmp_path / "home", [str(tmp_path / folder)])
    assert os.environ["TMPDIR"] == (str(tmp_path / "home") if kept else variable)
    assert os.access(tmp_path / "home", os.W_OK) == kept


def test_a_home_that_can_not_be_made_is_no_reason_to_fail_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", "")
    keep_temporary_files(Path("/dev/null/home"), [])
    assert os.environ["TMPDIR"] == ""


def test_windows_is_told_where_it_runs(monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(SystemExit, match="on Windows in WSL 2"):
        runpy.run_path(str(ROOT / "local" / "__init__.py"))
