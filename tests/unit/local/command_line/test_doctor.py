"""What the doctor says of machines in every state, of a stack's account, and of providers that take a key or do not."""

import json
import socket
import sqlite3
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from haimaker.providers.registry import get
from haimaker.store.sqlite import SQLiteStore
from local.command_line.__main__ import carry_out, read
from local.command_line.context import Context
from local.command_line.doctor import account as checks_of_account
from local.command_line.doctor import laptop
from local.command_line.stack import Stack
from local.command_line.terminal import ROOT, Terminal
from tests.support.account import PARAMETER, SECRET, STACK
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import error
from tests.support.reply import Reply

ANSWERS = '{"status": "ok"}'


@pytest.fixture
def machine(tmp_path):
    """Settings of a laptop on which nothing is configured."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return {"HAIMAKER_HOME": str(tmp_path / "home"), "PORT": str(free.getsockname()[1])}


@pytest.fixture
def examine(capsys):
    def examine(environment, *words, status=0):
        capsys.readouterr()
        arguments = read(["doctor", "--json", *words])
        assert carry_out(Context(arguments, Terminal(True), environment)) == status
        found = json.loads(capsys.readouterr().out)
        assert all(finding["fix"] for finding in found if finding["level"] == "missing")
        return found

    return examine


def of(found, subject):
    [finding] = [finding for finding in found if finding["subject"] == subject]
    return finding


def test_a_laptop_with_nothing_configured(machine, examine, capsys):
    found = examine(machine)
    assert {finding["level"] for finding in found} == {"ok", "missing"}
    assert of(found, "providers")["fix"].startswith("export OPENAI_API_KEY=...")
    assert "is free" in of(found, "port")["message"]
    carry_out(Context(read(["doctor"]), Terminal(), machine))
    assert capsys.readouterr().out.endswith("Nothing is wrong.   haimaker doctor --online asks the providers, too.\n")
    assert not Path(machine["HAIMAKER_HOME"]).exists(), "it changes nothing"


WRONG = [
    ({"PORT": "many"}, "settings", "PORT must be a whole number", ""),
    ({"STORE": "dynamodb"}, "settings", "STORE=dynamodb needs AWS_REGION", ""),
    ({"OPENAI_API_KEY": "sk-\u200babc"}, "settings", "holds characters that an HTTP header cannot carry", ""),
    ({"OPENAI_API_KEY": "sk-..."}, "providers", "OPENAI_API_KEY holds a placeholder", "export OPENAI_API_KEY=<"),
    ({"ANTHROPIC_API_KEY": "your-api-key"}, "providers", "ANTHROPIC_API_KEY holds a placeholder", "export ANTHROPIC_API_KEY=<"),
    ({"HOST": "0.0.0.0"}, "admin key", "There is none", "HAIMAKER_ADMIN_KEY=... make run"),
    ({"HOST": "0.0.0.0", "HAIMAKER_ADMIN_KEY": "1234"}, "admin key", "short enough to be guessed", "Take one such as sk-hm-"),
    ({"HAIMAKER_HOME": "/dev/null/haimaker"}, "home", "can't be made", "HAIMAKER_HOME=... make run"),
    ({"HAIMAKER_CONFIG": "/nowhere.toml"}, "settings", "HAIMAKER_CONFIG names /nowhere.toml", ""),
]


@pytest.mark.parametrize(("settings", "subject", "message", "fix"), WRONG)
def test_what_is_wrong_is_named_with_its_fix(machine, examine, settings, subject, message, fix):
    found = [each for each in examine(machine | settings, status=1) if each["level"] == "wrong" and each["subject"] == subject]
    assert any(message in finding["message"] and fix in finding["fix"] for finding in found), found
    assert all(value not in json.dumps(found) for name, value in settings.items() if name.endswith("KEY"))


HALF_SET = [
    ("AZURE_API_KEY", "azure", "AZURE_"),
    ("SNOWFLAKE_TOKEN", "snowflake", "SNOWFLAKE_ACCOUNT"),
    ("OCI_API_KEY", "oci", "OCI_REGION"),
]


@pytest.mark.parametrize(("name", "provider", "lacking"), HALF_SET)
def test_a_key_whose_provider_has_no_address(machine, examine, name, provider, lacking):
    [finding] = [each for each in examine(machine | {name: "x-1"}) if name in each["message"]]
    assert finding["message"] == f"{name} is set, but {provider} is off."
    assert f"export {lacking}" in finding["fix"]


@pytest.mark.parametrize(("file", "level"), [("/dev/null", "missing"), ("/nowhere", "missing"), (__file__, "ok")])
def test_a_python_that_trusts_no_certificate(machine, examine, tmp_path, file, level):
    found = of(examine(machine | {"SSL_CERT_FILE": file, "SSL_CERT_DIR": str(tmp_path)}), "python")
    assert (found["level"], "trusts no certificate" in found["message"]) == (level, level == "missing")


def test_one_mistake_is_told_once(machine, examine):
    assert len([each for each in examine(machine | {"PORT": "many"}, status=1) if each["level"] == "wrong"]) == 1


def test_a_name_that_no_provider_reads_is_taken_for_a_slip(machine, examine):
    [finding] = [each for each in examine(machine | {"OPEN_AI_API_KEY": "sk-1"}) if "OPEN_AI_API_KEY" in each["message"]]
    assert finding["fix"] == "Is it OPENAI_API_KEY?  export OPENAI_API_KEY=$OPEN_AI_API_KEY"
    rest = examine(machine | {"STRIPE_API_KEY": "sk-1", "SSH_KEY": "x"})
    assert "STRIPE" not in json.dumps(rest)


def test_own_names_that_lead_nowhere(machine, examine, tmp_path):
    file = tmp_path / "gateway.toml"
    file.write_text('[routes.fast]\ntargets = ["groq/openai/gpt-oss-120b", "hosted_vllm/mine"]\nfallbacks = ["demo/echo"]\n')
    settings = {"HAIMAKER_CONFIG": str(file), "HOSTED_VLLM_BASE_URL": "http://127.0.0.1:1/v1"}
    told = [finding["message"] for finding in examine(machine | settings) if finding["subject"] == "routes"]
    assert told == [
        "fast leads to groq/openai/gpt-oss-120b: groq has no key here.",
        "fast leads to hosted_vllm/mine: no price is known: keys with a budget can't use it.",
    ]


def test_a_database_is_looked_into_while_it_is_used(machine, examine):
    home = Path(machine["HAIMAKER_HOME"])
    store = SQLiteStore(home / "haimaker.sqlite")
    assert "is sound" in of(examine(machine), "database")["message"]
    store.close()
    file = home / "haimaker.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert "99, of a newer haimaker" in of(examine(machine, status=1), "database")["message"]
    file.write_bytes(b"\0" * 100 + file.read_bytes()[100:])
    assert ".recover" in of(examine(machine, status=1), "database")["fix"]


@pytest.mark.parametrize("made", [False, True])
def test_a_home_that_can_not_be_written(machine, examine, monkeypatch, made):
    if made:
        Path(machine["HAIMAKER_HOME"]).mkdir()
    monkeypatch.setattr("os.access", lambda folder, mode: False)
    assert of(examine(machine, status=1), "home")["level"] == "wrong"


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


def port_of(upstream):
    return upstream.url.rsplit(":", 1)[1].split("/")[0]


def test_a_port_that_something_else_uses(machine, examine, upstream):
    upstream.answers(Reply.html(404))
    number = port_of(upstream)
    finding = of(examine(machine | {"PORT": number}, status=1), "port")
    assert f"port {number} is in use, and not by a gateway" in finding["message"]
    assert finding["fix"].startswith("Take another one")


INFO = {"info": {"role": "admin"}}


@pytest.mark.parametrize(
    ("reply", "level", "message", "status"),
    [
        (Reply.json(200, INFO), "ok", "administrator", 0),
        (Reply.json(200, {"info": {"role": "user"}}), "missing", "an ordinary one", 0),
        (Reply.json(401, error("Incorrect API key.", code="invalid_api_key")), "wrong", "Incorrect API key. (invalid_api_key)", 1),
    ],
)
def test_a_gateway_that_runs_is_asked_whether_it_takes_the_key(machine, examine, upstream, reply, level, message, status):
    upstream.answers(lambda call: Reply.json(200, json.loads(ANSWERS)) if call.path.endswith("/health") else reply)
    found = examine(machine | {"PORT": port_of(upstream)}, status=status)
    assert of(found, "your key")["level"] == level
    assert message in of(found, "your key")["message"]
    assert level == "ok" or "HAIMAKER_KEY" in of(found, "your key")["fix"]


@pytest.mark.parametrize(
    ("there", "here", "told"),
    [
        (["openai", "groq"], {}, ["openai, groq, at {url}"]),
        (["openai"], {"OPENAI_API_KEY": "sk-1"}, ["openai, at {url}"]),
        (
            ["openai"],
            {"XAI_API_KEY": "sk-1"},
            ["openai, at {url}", "xai: set here, but not where the gateway at {url} was started."],
        ),
        ([], {}, ["none, at {url}", "Only demo/ models answer."]),
    ],
)
@pytest.mark.parametrize("named", [False, True], ids=["local", "HAIMAKER_URL"])
def test_a_gateway_that_runs_is_asked_for_its_providers(machine, examine, upstream, there, here, told, named):
    rows = [{"provider": name, "on": True} for name in (*there, "demo")] + [{"provider": "mistral", "on": False}]
    answers = {"health": {"status": "ok"}, "providers": {"data": rows}, "info": INFO}
    upstream.answers(lambda call: Reply.json(200, answers[call.path.rpartition("/")[2]]))
    address = {"HAIMAKER_URL": upstream.url, "HAIMAKER_KEY": "sk-x"} if named else {"PORT": port_of(upstream)}
    found = [each["message"] for each in examine(machine | here | address) if each["subject"] == "providers"]
    assert found == [message.format(url=upstream.url) for message in told]


@pytest.mark.parametrize(
    ("provider", "reply", "level", "message"),
    [
        ("openai", Reply.json(400, error("you must provide a model parameter")), "ok", "takes the key"),
        ("openai", Reply.json(401, error("Incorrect API key provided", code="invalid_api_key")), "wrong", "(status 401)"),
        ("openai", Reply.json(429, error("You exceeded your current quota")), "missing", "its limit or its credit is used up"),
        ("openai", Reply.json(503, error("Overloaded")), "missing", "answers with status 503"),
        ("openai", Reply.hangup(), "wrong", "can't be reached"),
        ("anthropic", Reply.json(401, {"error": {"type": "authentication_error", "message": ""}}), "wrong", "refuses"),
        ("anthropic", Reply.json(400, {"error": {"type": "invalid_request_error", "message": ""}}), "ok", "takes"),
        (
            "gemini",
            Reply.json(400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid.",
                                       "details": [{"reason": "API_KEY_INVALID"}]}}),
            "wrong",
            "refuses",
        ),
    ],
)  # fmt: skip
def test_providers_are_asked_for_nothing_whether_they_take_their_key(machine, examine, upstream, provider, reply, level, message):
    upstream.answers(reply)
    settings = {f"{provider.upper()}_API_KEY": SECRET, f"{provider.upper()}_BASE_URL": upstream.url}
    finding = of(examine(machine | settings, "--online", status=int(level == "wrong")), provider)
    assert finding["level"] == level
    assert message in finding["message"]
    assert SECRET not in json.dumps(finding)
    [call] = upstream.calls[:1]
    assert (call.method, call.body) == ("POST", b"{}")
    assert SECRET in call.headers[get(provider).auth.key_header]


@pytest.fixture
def account(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield boto3.client("cloudformation")


def deploy(account, url):
    outputs = STACK["Outputs"] | {"BaseUrl": {"Value": url}}
    account.create_stack(StackName="haimaker", TemplateBody=json.dumps(STACK | {"Outputs": outputs}))


def test_an_account_without_a_stack(account, examine, machine):
    found = examine(machine, "--stack", "haimaker", status=1)
    assert "There is no stack haimaker in eu-central-1 yet; make deploy makes it." in of(found, "stack")["message"]
    assert of(found, "account")["level"] == "ok"


def test_without_a_region_nothing_is_guessed(account, examine, machine, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "export AWS_REGION" in of(examine(machine, "--stack", "haimaker", status=1), "account")["message"]


def test_a_stack_says_what_is_still_to_be_done_and_then_is_well(account, examine, machine, upstream):
    deploy(account, upstream.url)
    upstream.answers(Reply.json(200, json.loads(ANSWERS)))
    found = examine(machine, "--stack", "haimaker")
    assert "make credentials PROVIDER=openai" in of(found, "providers")["fix"]
    assert of(found, "admin keys")["fix"] == "make admin-key STACK=haimaker"
    Stack.of("haimaker").add_admin("sk-hm-1", 1)
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=json.dumps({"OPENAI_API_KEY": SECRET}), Type="SecureString")
    upstream.answers(Reply.json(200, json.loads(ANSWERS)), Reply.json(200, INFO))
    found = examine(machine | {"HAIMAKER_KEY": "sk-hm-1"}, "--stack", "haimaker")
    assert {each["level"] for each in found if each["subject"] not in ("packages", "build")} == {"ok"}, "which are of this machine"
    assert SECRET not in json.dumps(found)


@pytest.mark.parametrize(
    ("concurrency", "reserved", "fast", "levels", "said"),
    [
        (10, 0, "false", {"quotas": "missing"}, "502 bad_gateway"),
        (1_000, 0, "true", {"quotas": "ok"}, "1000 functions at once"),
        (1_000, 200, "true", {"quotas": "wrong"}, "at most"),
        (1_000, 0, "false", {"quotas": "ok", "ssm": "missing"}, "40 reads a second"),
    ],
)
def test_what_a_fresh_account_has_too_little_of(account, machine, concurrency, reserved, fast, levels, said):
    """AWS's answers, since no emulator has them."""
    template = STACK | {"Parameters": {"ChatConcurrency": {"Type": "Number", "Default": reserved}}}
    account.create_stack(StackName="haimaker", TemplateBody=json.dumps(template))
    stack = Stack.of("haimaker")
    limits = {"TotalCodeSize": 1, "CodeSizeUnzipped": 1, "CodeSizeZipped": 1, "ConcurrentExecutions": concurrency}
    for service, call, answer in (
        ("lambda", "get_account_settings", {"AccountLimit": limits}),
        ("ssm", "get_service_setting", {"ServiceSetting": {"SettingValue": fast}}),
    ):
        stub = Stubber(stack._client(service))
        stub.add_response(call, answer)
        stub.activate()
    context = Context(read(["--stack", "haimaker", "doctor"]), Terminal(), machine, lambda _: stack)
    found = list(checks_of_account.quotas(context))
    assert {finding.subject: finding.level for finding in found} == levels
    assert said in " ".join(f"{finding.message} {finding.fix}" for finding in found)


def test_what_is_broken_in_an_account(account, examine, machine):
    deploy(account, "http://127.0.0.1:1/v1")
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value="no JSON", Type="SecureString")
    table = Stack.of("haimaker").output("RecordsTable")
    boto3.client("dynamodb").delete_table(TableName=table)
    found = examine(machine, "--stack", "haimaker", status=1)
    levels = {finding["subject"]: finding["level"] for finding in found}
    assert (levels["providers"], levels["gateway"], levels["tables"]) == ("wrong", "wrong", "wrong")
    assert f"{table}: gone." in [finding["message"] for finding in found]


def test_a_clock_that_is_off(account, examine, machine, monkeypatch):
    deploy(account, "http://127.0.0.1:1/v1")
    monkeypatch.setattr("local.command_line.stack.Stack.clock_skew_s", lambda self: -400.0)
    assert "400 s off" in of(examine(machine, "--stack", "haimaker", status=1), "clock")["message"]


def test_the_guide_shows_the_checks_in_their_order():
    guide = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    block = next(text for text in guide.split("```") if text.startswith("text\nok "))
    shown = [line[9:21].strip() for line in block.splitlines()[1:] if line[:7].strip() in ("ok", "missing", "WRONG")]
    assert shown == [check.subject for check in (*laptop.TOOLS, *laptop.CHECKS)]
