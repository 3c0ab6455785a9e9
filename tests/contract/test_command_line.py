"""The commands, against a gateway: each line of docs/command-line.md, and what they say when something is wrong."""

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from haimaker.accounts import keys as auth
from haimaker.store import Account
from local.command_line.__main__ import main
from local.command_line.api_client import key_of, local_url
from local.command_line.stack import OperatorError
from local.command_line.terminal import ROOT
from tests.contract.money_support import ADMIN, Desk
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import completion, error
from tests.support.reply import Reply

GUIDE = "\n".join((ROOT / path).read_text("utf-8") for path in ("README.md", "docs/command-line.md"))
COMMANDS = [
    line.removeprefix("bin/haimaker ").partition(" #")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("bin/haimaker ")
]
RUN_ELSEWHERE = ("doctor", "backup", "restore")
"""In test_doctor.py and test_backup.py, on machines of their own."""

Run = Callable[..., str]


@pytest.fixture
def haimaker(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command against the gateway as an administrator; what it prints."""
    monkeypatch.setenv("HAIMAKER_URL", desk.url)
    monkeypatch.setenv("HAIMAKER_KEY", ADMIN)

    def run(command: str, *, status: int = 0, answer: str = "") -> str:
        monkeypatch.setattr("sys.argv", ["haimaker", *shlex.split(command)])
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))
        capsys.readouterr()
        assert main() == status
        out, err = capsys.readouterr()
        return out if status == 0 else out + err

    return run


def created(printed: str) -> str:
    [key] = re.findall(r"sk-hm-\w{30,}", printed)
    return str(key)


def test_every_command_of_the_guide_in_its_order(desk: Desk, haimaker: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    asked = desk.chat(desk.key(key_alias="who-asks"), "demo/echo").headers["x-request-id"]
    run = [command for command in COMMANDS if not command.startswith(RUN_ELSEWHERE)]
    assert len(run) > 17
    shown = {command: haimaker(re.sub(r"(spend request) \S{36}", rf"\1 {asked}", command)) for command in run}
    key = created(
        shown["keys create --alias ada --max-budget 5 --budget-duration 30d --rpm-limit 60 --model 'openai/*' --model 'demo/*'"]
    )
    assert auth.is_well_formed(key)
    assert key not in "".join(text for command, text in shown.items() if "create" not in command)
    assert "ada" in shown["keys list"]
    assert re.search(r"rpm_limit +60\n", shown["keys show ada"])
    assert re.search(r"\$10\.00 .*active", shown["keys update ada --max-budget 10 --rpm-limit none"])
    assert " blocked" in shown["keys block ada"]
    assert " blocked" not in shown["keys unblock ada"]
    assert desk.ask("GET", "/key/info", key=created(shown["keys rotate ada"])).status_code == 401, "deleted at the end"
    assert re.search(r"research +Research .*\$50\.00 +1mo", shown["teams list"])
    assert "It has no keys." in shown["teams show Research"]
    assert "$80.00" in shown["teams update research --max-budget 80"]
    assert " blocked" in shown["teams block research"]
    assert " active" in shown["teams unblock research"]
    assert re.search(r"visitor-7 .*\$0\.50? +1d .*active", shown["users list"])
    assert " blocked" in shown["users block visitor-7"]
    assert "demo/echo" in shown["models --provider demo"]
    assert "gpt-4o-mini" in shown["models gpt-4o"]
    assert "demo/echo" in next(text for command, text in shown.items() if command.startswith("spend request "))
    assert all("Traceback" not in text for text in shown.values())


def test_keys_are_limited_as_the_options_say(desk: Desk, haimaker: Run):
    options = (
        "--alias limited --max-budget 1.5 --tpm-limit 9 --max-parallel-requests 2 --tag prod --tag blue --user-id zoe --duration 4w"
    )
    told = json.loads(haimaker(f"keys create {options} --json"))
    info = desk.info(told["key"])
    fields = ("key_alias", "max_budget", "tpm_limit", "max_parallel_requests", "tags", "user_id")
    assert tuple(info[name] for name in fields) == ("limited", 1.5, 9, 2, ["prod", "blue"], "zoe")
    assert info["expires"]
    assert [key["key_alias"] for key in json.loads(haimaker("--json keys list")) if key["key_alias"] == "limited"] == ["limited"]
    haimaker(f"keys update {told['token_id'][:8]} --max-budget none --tag none")
    assert (desk.info(told["key"])["max_budget"], desk.info(told["key"])["tags"]) == (None, [])


def test_a_key_is_limited_by_model(desk: Desk, haimaker: Run):
    options = "--model-max-budget openai/gpt-4o=1.5/1mo --model-max-budget a=2 --model-rpm-limit x/a=b=7 --model-tpm-limit a=9"
    told = json.loads(haimaker(f"keys create {options} --json"))
    fields = ("model_max_budget", "model_rpm_limit", "model_tpm_limit")
    budgets = {"openai/gpt-4o": {"budget_limit": 1.5, "time_period": "1mo"}, "a": {"budget_limit": 2.0, "time_period": None}}
    assert tuple(desk.info(told["key"])[name] for name in fields) == (budgets, {"x/a=b": 7}, {"a": 9})
    haimaker(f"keys update {told['token_id'][:8]} --model-max-budget none --model-tpm-limit b=3")
    assert tuple(desk.info(told["key"])[name] for name in fields) == ({}, {"x/a=b": 7}, {"b": 3})
    assert "MODEL=COUNT" in haimaker(f"keys update {told['token_id'][:8]} --model-rpm-limit a=many", status=1)


def test_prices_are_given_to_a_gateway_that_runs(haimaker: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAIMAKER_HOME", str(tmp_path))
    assert "within ten minutes" in haimaker("prices")
    assert "are there already" in haimaker("prices")
    assert "is no table of prices" in haimaker(f"prices {tmp_path}/none.tsv", status=1)


def test_a_team_is_named_by_its_alias_and_ends_with_its_keys(desk: Desk, haimaker: Run):
    haimaker("teams create t-1 --alias Ops --rpm-limit 5")
    key = created(haimaker("keys create --alias of-ops --team t-1"))
    assert re.search(r"of-ops", haimaker("teams show Ops"))
    assert json.loads(haimaker("--json teams update Ops --rpm-limit none"))["rpm_limit"] is None
    assert "a team with the alias 'Ops' already" in haimaker("teams create t-2 --alias Ops", status=1)
    assert desk.gateway.store.put(Account("team#t-2", "t-2", int(time.time()) + 1, alias="Ops"))  # of a release that took it
    assert "2 teams are called 'Ops'; name one by its id: t-1, t-2." in haimaker("teams block Ops", status=1)
    assert "There is no user 'nobody'" in haimaker("users show nobody", status=1)
    assert "Nothing was said to change" in haimaker("teams update t-1", status=1)
    assert "Nothing is deleted" in haimaker("teams delete t-1", answer="no", status=1)
    haimaker("teams delete t-1", answer="yes")
    assert desk.ask("GET", "/key/info", key=key).status_code == 401
    haimaker("teams delete t-2 --yes")


COMPLETED = (
    (["haimaker", "te"], {"teams"}),
    (["haimaker", "teams", "upd"], {"update"}),
    (["haimaker", "--json", "teams", "create", "x", "--max-b"], {"--max-budget"}),
    (["haimaker", "users", "create", "x", "--tea"], set()),
    (["haimaker", "keys", "create", "--tea"], {"--team-id"}),
    (["haimaker", "completion", ""], {"bash", "zsh"}),
)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
@pytest.mark.parametrize(("line", "expected"), COMPLETED)
def test_a_shell_completes_commands_and_options(haimaker: Run, line: list[str], expected: set[str]):
    asked = f'COMP_WORDS=({shlex.join(line)}); COMP_CWORD={len(line) - 1}; _haimaker; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", haimaker("completion bash") + asked], capture_output=True, text=True, check=True)
    assert {word for word in done.stdout.split() if not word.startswith("--") or line[-1].startswith("--")} == expected


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not here")
def test_zsh_is_offered_the_same_words(haimaker: Run):
    """What `compadd` gets; it takes those that begin as what was typed, and can be called while a person types only."""
    asked = "".join(f"words=({shlex.join(line)}); CURRENT={len(line)}; _haimaker;" for line, _ in COMPLETED)
    script = f'{haimaker("completion zsh")}compadd() {{ shift; echo "$@"; }}\n{asked}'
    done = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, check=True)
    for offered, (line, expected) in zip(done.stdout.splitlines(), COMPLETED, strict=True):
        found = {word for word in offered.split() if word.startswith(line[-1])}
        assert {word for word in found if not word.startswith("--") or line[-1].startswith("--")} == expected
    assert done.stderr == ""


def test_deleting_asks_first(desk: Desk, haimaker: Run):
    key = desk.key(key_alias="to-be-deleted")
    assert "Nothing is deleted" in haimaker("keys delete to-be-deleted", status=1, answer="no")
    assert desk.info(key)
    haimaker("keys delete to-be-deleted", answer="yes")
    assert desk.ask("GET", "/key/info", key=key).status_code == 401


def test_an_expensive_request_is_found_with_its_attempts(desk: Desk, haimaker: Run, upstream: FakeUpstream):
    key = desk.key(key_alias="spender")
    usages = [{"prompt_tokens": 10, "completion_tokens": many, "total_tokens": many + 10} for many in (5, 9_000_000, 6)]
    for usage in usages:
        upstream.answers(Reply.json(503, error("Down.")), Reply.json(200, completion("Hi", usage=usage)))
        desk.chat(key, "retried")
    desk.settled(key)
    [dearest] = json.loads(haimaker(f"spend requests --key {desk.info(key)['token_id']} --dearest --limit 1 --json"))
    assert dearest["output_tokens"] == 9_000_000
    assert "spender" in haimaker("spend requests --dearest --limit 3")
    shown = haimaker(f"spend request {dearest['request_id']}")
    assert len(re.findall(r"^\S+/\S+ +(503|200) ", shown, re.MULTILINE)) == 2
    report = haimaker("spend --by key")
    assert re.search(r"^spender +3 +0 +", report, re.MULTILINE)
    assert report.splitlines()[-1].startswith("all ")


def test_a_list_of_requests_goes_over_all_its_pages(desk: Desk, haimaker: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("local.command_line.spend.MAX_SHOWN", 2)
    key = desk.key()
    ids = [desk.chat(key, "demo/echo").headers["x-request-id"] for _ in range(5)]
    desk.settled(key)
    found = json.loads(haimaker(f"spend requests --key {desk.info(key)['token_id']} --json"))
    assert [record["request_id"] for record in found] == ids[::-1]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("keys show nobody", "There is no key 'nobody'"),
        ("keys update twins --max-budget 1", "2 keys are called 'twins'; name one by its id: "),
        ("keys update once", "Nothing was said to change"),
        ("keys create --max-budget much", "--max-budget is a number, not 'much'"),
        ("keys create --budget-duration soon", "it must be a time such as 30s"),
        ("spend --by colour", "group_by"),
        ("spend request nothing", ""),
        ("--url nowhere models", "'nowhere' is no address of a gateway"),
        ("--url ftp://a.example models", "'ftp://a.example' is no address of a gateway"),
        ("--url http://127.0.0.1:1/v1 models", "No gateway answers at http://127.0.0.1:1/v1"),
        ("--key-file /nowhere models", "/nowhere can't be read"),
        ("routes check /nowhere", "There is no /nowhere"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(desk: Desk, haimaker: Run, command: str, message: str):
    if "twins" in command:
        for number in range(2):  # of a release that took them
            assert desk.gateway.store.put(Account(f"key#{number:064}", "sk-hm-abcd...wxyz", 1, alias="twins"))
    said = haimaker(command, status=1)
    assert said.startswith("haimaker: ")
    assert message in said
    assert said.count("\n") == 1


def test_a_wrong_key_is_told_apart_from_a_wrong_address(desk: Desk, haimaker: Run, upstream: FakeUpstream, tmp_path: Path):
    (tmp_path / "key").write_text(auth.new_key() + "\n")
    (tmp_path / "torn").write_text("sk-\0secret\n")
    assert "export HAIMAKER_KEY" in haimaker(f"--key-file {tmp_path}/key keys list", status=1)
    said = haimaker(f"--key-file {tmp_path}/torn keys list", status=1)
    assert "control character" in said
    assert "secret" not in said
    upstream.answers(Reply.html(404))
    assert "not as a haimaker gateway does" in haimaker(f"--url {upstream.url} keys list", status=1)
    upstream.answers(Reply.raw(302, b"", {"location": f"{upstream.url}/elsewhere"}))
    seen = len(upstream.calls)
    assert "not as a haimaker gateway does" in haimaker(f"--url {upstream.url} keys list", status=1)
    assert len(upstream.calls) == seen + 1, "a key does not follow"


@pytest.mark.parametrize(
    ("url", "environment", "expected"),
    [
        ("http://127.0.0.1:8000/v1", {}, "sk-local"),
        ("http://127.0.0.1:8000/v1", {"HAIMAKER_ADMIN_KEY": "sk-mine"}, "sk-mine"),
        ("https://a.example/v1", {"HAIMAKER_KEY": "sk-1", "HAIMAKER_ADMIN_KEY": "sk-2"}, "sk-1"),
        ("https://a.example/v1", {}, None),
    ],
)
def test_the_default_key_goes_to_this_machine_only(url: str, environment: dict[str, str], expected: str | None):
    if expected:
        assert key_of(url, None, environment) == expected
    else:
        with pytest.raises(OperatorError, match="HAIMAKER_KEY"):
            key_of(url, None, environment)


def test_the_local_gateway_is_where_its_settings_say():
    assert local_url({}) == "http://127.0.0.1:8000/v1"
    assert local_url({"HOST": "0.0.0.0", "PORT": "9000"}) == "http://127.0.0.1:9000/v1"


def test_the_script_works_from_any_folder_and_make_calls_it(desk: Desk, tmp_path: Path):
    environment = {"PATH": "/usr/bin:/bin", "HAIMAKER_URL": desk.url, "HOME": str(tmp_path)}
    (tmp_path / "haimaker").symlink_to(ROOT / "bin" / "haimaker")
    for command, folder in ((["./haimaker"], tmp_path), (["make", "-s", "models", "ARGS=demo"], ROOT)):
        words = ["models", "demo"] if command == ["./haimaker"] else []
        done = subprocess.run([*command, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
        assert "demo/echo" in done.stdout, done.stderr


def test_a_viewer_and_a_grace_period(desk: Desk, haimaker: Run):
    viewer = created(haimaker("keys create --alias looker --role viewer"))
    assert desk.ask("GET", "/key/list", key=viewer).status_code == 200
    assert "viewer" in haimaker("keys show looker")
    old = created(haimaker("keys create --alias graced"))
    new = created(haimaker("keys rotate graced --grace 1h"))
    assert {desk.chat(key, "demo/echo").status_code for key in (old, new)} == {200}
    assert "'role'" in haimaker("keys create --role owner", status=1)


def test_requests_and_keys_are_exported(desk: Desk, haimaker: Run, tmp_path: Path):
    key = desk.key(key_alias="=cmd()", tags=["a", "b"], max_budget=1)
    for _ in range(3):
        desk.chat(key, "demo/echo")
    desk.settled(key)
    rows = list(csv.DictReader(io.StringIO(haimaker("export requests"))))
    mine = [row for row in rows if row["key_alias"] == "'=cmd()"]
    assert [(row["status"], row["provider"], row["spend"], row["tags"]) for row in mine] == [("ok", "demo", "0", "a b")] * 3
    assert [row["started_at"] for row in rows] == sorted(row["started_at"] for row in rows)
    file = tmp_path / "keys.jsonl"
    haimaker(f"export keys --format jsonl --output {file}")
    exported = [json.loads(line) for line in file.read_text().splitlines()]
    assert {"=cmd()", "admin"} <= {each["key_alias"] for each in exported}
    assert key not in file.read_text()
    assert "can't be made" in haimaker(f"export keys --output {file}", status=1)
    missed = tmp_path / "missed.csv"
    for where in ("", f" --output {missed}"):
        said = haimaker(f"--url http://127.0.0.1:1/v1 export keys{where}", status=1)
        assert said.startswith("haimaker: No gateway answers"), said
    assert not missed.exists()


def test_outcomes_are_json_for_programs(tmp_path: Path, haimaker: Run, monkeypatch: pytest.MonkeyPatch):
    assert json.loads(haimaker("health --json"))["status"] == "ok"
    monkeypatch.setenv("HAIMAKER_HOME", str(tmp_path / "home"))
    assert json.loads(haimaker("prices --json")) == {"published": True}
    assert json.loads(haimaker("reconcile --check --json")).keys() >= {"said"}
    copy = tmp_path / "copy.tar"
    assert json.loads(haimaker(f"backup {copy} --json"))["bytes"] == copy.stat().st_size
    database = tmp_path / "home" / "haimaker.sqlite"
    damaged = b"damaged" * 1000
    database.write_bytes(damaged)
    told = json.loads(haimaker(f"restore {copy} --yes --json"))
    assert (told["file"], told["records"]) == (str(database), 0)
    assert (Path(told["kept"]) / database.name).read_bytes() == damaged


def test_a_file_of_requests_is_answered(tmp_path: Path, haimaker: Run):
    body = {"model": "demo/echo", "messages": [{"role": "user", "content": "Hi"}]}
    good = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    lines, wrong = tmp_path / "lines.jsonl", tmp_path / "wrong.jsonl"
    lines.write_text(json.dumps(good) + "\n" + json.dumps({**good, "custom_id": "b", "body": {**body, "messages": 7}}))
    assert "completed: 1 of 2 answered, 1 failed; $0.00" in haimaker(f"batches run {lines} --errors {tmp_path}/not", status=1)
    assert json.loads((tmp_path / "lines.output.jsonl").read_text())["custom_id"] == "a"
    assert json.loads((tmp_path / "not").read_text())["custom_id"] == "b"
    wrong.write_text(json.dumps(good) + "\n" + json.dumps(good))
    assert "line 2: " in (said := haimaker(f"batches run {wrong}", status=1))
    assert "(duplicate_custom_id)" in said
    [failed, done, *_] = json.loads(haimaker("batches list --json"))
    assert (failed["status"], done["status"]) == ("failed", "completed")
    assert re.search(rf"{done['id']} +completed +/v1/chat/completions +2 +1 +1", haimaker("batches list"))
    assert "batch_not_cancellable" in haimaker(f"batches cancel {done['id']}", status=1)
    assert "begins with no request" in haimaker(f"batches run {tmp_path}/not", status=1)
    assert "can't be read" in haimaker(f"batches run {tmp_path}/none", status=1)
