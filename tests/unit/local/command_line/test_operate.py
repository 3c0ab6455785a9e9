"""The operator's commands against an emulated AWS account: what they write, what they say first, and that no secret shows."""

import json
import re
import shlex
import subprocess
import time
from dataclasses import dataclass, field

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from haimaker.accounts import keys as auth
from haimaker.credentials import provider_secrets
from haimaker.credentials.provider_secrets import PARAMETER_BYTES, SecretsError
from haimaker.providers.registry import all_providers
from haimaker.store import Account, ledger, tables
from haimaker.store.sqlite import SQLiteStore
from local.command_line import template_settings
from local.command_line.__main__ import carry_out, read
from local.command_line.context import Context
from local.command_line.operate import HEALTH, Operator
from local.command_line.stack import OperatorError, Stack
from local.command_line.terminal import ROOT, Terminal
from tests.support.account import PARAMETER, SECRET, STACK

ACCOUNT = "123456789012"
GOOGLES_FILE = '{\n  "type": "service_account",\n  "client_email": "a@b.example",\n  "private_key": "-----BEGIN\\n"\n}\n'


class Desk:
    """What an operator sees, answers and starts."""

    def __init__(self):
        self.said, self.asked, self.commands = [], [], []
        self.answers, self.secret, self.statuses = [], SECRET, []
        self._stacks = {}

    def stack(self, name):
        return self._stacks.get(name) or self._stacks.setdefault(name, Stack.of(name))

    def __call__(self, *words, name="haimaker"):
        arguments = read(["--stack", name, *words])
        return carry_out(Context(arguments, Told(arguments.json, self._answer, self.said), {}, self.stack, self._operator))

    def _operator(self, stack, terminal):
        return Operator(stack, terminal, lambda prompt: f"{self.secret}\n", self._run)

    def _answer(self, question):
        self.asked.append(question)
        return self.answers.pop(0)

    def _run(self, command):
        self.commands.append([word.rpartition("/")[2] if word.endswith("/sam") else word for word in command])
        return self.statuses.pop(0) if self.statuses else 0

    @property
    def shown(self):
        return "\n".join([*self.said, *self.asked, *(" ".join(command) for command in self.commands)])


@dataclass(frozen=True)
class Told(Terminal):
    """A terminal that keeps what is said."""

    said: list[str] = field(default_factory=list)

    def say(self, text):
        self.said.append(text)


@pytest.fixture
def terminal(monkeypatch):
    for name in ("AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        boto3.client("cloudformation").create_stack(StackName="haimaker", TemplateBody=json.dumps(STACK))
        yield Desk()


@pytest.fixture
def half_made(terminal):
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    boto3.client("cloudformation").create_stack(StackName="half-made", TemplateBody=json.dumps(template))
    return "half-made"


def stored():
    found = boto3.client("ssm").get_parameters(Names=[PARAMETER, f"{PARAMETER}-2"], WithDecryption=True)["Parameters"]
    return {parameter["Name"]: (parameter["Type"], json.loads(parameter["Value"])) for parameter in found}


def accounts():
    items = boto3.client("dynamodb").scan(TableName=Stack.of("haimaker").outputs["AccountsTable"])["Items"]
    return [tables.balance(tables.from_attributes(item), time.time()).account for item in items]


COMMANDS = {
    "deploy": [],
    "admin-key": [],
    "credentials": ["--provider", "openai"],
    "invoke": [],
    "logs": [],
    "destroy": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_first_says_what_it_does_and_in_which_account(terminal, command):
    terminal.answers = ["haimaker", "no", "no"]
    assert terminal(command, *COMMANDS[command]) == 0
    assert f"Stack haimaker: account {ACCOUNT}, eu-central-1, as arn:aws:" in terminal.said[0]
    assert SECRET not in terminal.shown


@pytest.mark.parametrize(
    ("target", "variables", "expected"),
    [
        ("deploy", {}, {"yes": False, "stack": "haimaker"}),
        ("deploy", {"STACK": "mine", "YES": "1"}, {"yes": True, "stack": "mine"}),
        ("admin-key", {}, {}),
        ("credentials", {"PROVIDER": "openai"}, {"provider": "openai", "name": None, "remove": False}),
        ("credentials", {"NAME": "OLLAMA_BASE_URL", "REMOVE": "1"}, {"provider": None, "name": "OLLAMA_BASE_URL", "remove": True}),
        ("invoke", {}, {"function": "ModelsFunction", "event": HEALTH}),
        ("invoke", {"FUNCTION": "F", "EVENT": "e.json"}, {"function": "F", "event": "e.json"}),
        ("logs", {}, {"function": None}),
        ("logs", {"FUNCTION": "F"}, {"function": "F"}),
        ("destroy", {}, {}),
    ],
)
def test_make_calls_every_command_as_it_is(target, variables, expected):
    words = [f"{name}={value}" for name, value in variables.items()]
    printed = subprocess.run(["make", "-n", target, *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    arguments = read(shlex.split(printed.splitlines()[-1].partition("-m local.command_line")[2]))
    assert vars(arguments).items() >= {"command": target, **expected}.items()


def test_the_guide_names_commands_and_settings_that_exist():
    guide, makefile, template = ((ROOT / path).read_text() for path in ("docs/deploy.md", "Makefile", "template.yaml"))
    assert set(re.findall(r"(?:^|`|\| )make ([a-z-]+)", guide, re.MULTILINE)) <= set(
        re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    )
    (settings,) = re.findall(r'parameter_overrides = "(.*)"', guide)
    assert set(re.findall(r"(?:^| )(\w+)=", settings)) <= set(re.findall(r"^  (\w+):\n    Type: ", template, re.MULTILINE))
    assert all((ROOT / path).exists() for path in re.findall(r"events/\w+\.json", guide))


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("deploy", "invoke", "logs")])
def test_without_a_stack_there_is_nothing_to_operate(terminal, command):
    with pytest.raises(OperatorError, match="There is no stack other in eu-central-1 yet; make deploy makes it"):
        terminal(command, *COMMANDS[command], name="other")


@pytest.mark.parametrize("command", ["deploy", "admin-key", "credentials"])
def test_a_stack_that_was_not_made_completely_is_named_as_such(terminal, half_made, command):
    """It has no outputs: who said no to the first changes has one, and who met a failure."""
    with pytest.raises(OperatorError, match=f"{half_made} was not made yet, its state is CREATE_COMPLETE: make deploy"):
        terminal(command, *COMMANDS[command], name=half_made)


def test_what_is_left_of_a_deployment_that_failed_can_be_deleted(terminal, half_made):
    terminal.answers = [half_made]
    assert terminal("destroy", name=half_made) == 0
    assert terminal.commands == [["sam", "delete", "--stack-name", half_made, "--region", "eu-central-1", "--no-prompts"]]


def test_without_a_region_nothing_is_guessed(terminal, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(OperatorError, match="export AWS_REGION"):
        Stack.of("haimaker")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    assert Stack.of("haimaker").region == "us-west-2"


@pytest.mark.parametrize("confirmed", [False, True])
def test_deploying_builds_asks_and_tells_the_addresses(terminal, confirmed):
    assert terminal("deploy", *["--yes"] * confirmed) == 0
    options = ["--stack-name", "haimaker", "--region", "eu-central-1"]
    expected = ["sam", "deploy", *options, *["--no-confirm-changeset"] * confirmed, "--parameter-overrides"]
    build, deploy = terminal.commands
    assert build == ["env", "ARCHITECTURE=arm64", "sam", "build"]
    assert deploy[: len(expected)] == expected
    settings = dict(setting.split("=", 1) for setting in deploy[len(expected) :])
    assert settings == {**template_settings.defaults(ROOT / "template.yaml"), "FunctionUrls": "chat", "RecordsByDay": "true"}
    assert "https://api.example/v1" in terminal.shown
    assert "https://url.example/v1" in terminal.shown
    assert "https://api.example/v1/console" in terminal.shown


@pytest.mark.parametrize(("statuses", "commands"), [([1], 1), ([0, 1], 2)])
def test_a_deployment_that_fails_says_so_and_goes_no_further(terminal, statuses, commands):
    terminal.statuses = list(statuses)
    assert terminal("deploy") == 1
    assert len(terminal.commands) == commands
    assert "base_url" not in terminal.shown


TEMPLATE = """
Parameters:
  Bedrock:
    Type: String
    Default: "false"
    AllowedValues: ["false", "true"]
  FunctionUrls:
    Type: String
    Default: chat
  Days:
    Type: Number
    Default: 30
Rules:
  None: {}
"""
SAMCONFIG = """
[default.deploy.parameters]
parameter_overrides = "Bedrock=true Days=90"
[staging.deploy.parameters]
parameter_overrides = ["Days=7"]
[wrong.deploy.parameters]
parameter_overrides = "Weeks=1"
"""


@pytest.mark.parametrize(
    ("name", "current", "outputs", "expected"),
    [
        ("haimaker", None, {}, ("true", "chat", "90")),
        ("haimaker", {"Days": "5", "Bedrock": "true"}, {"ChatUrl": "", "CompletionsUrl": ""}, ("true", "all", "90")),
        ("haimaker", {"FunctionUrls": "none"}, {}, ("true", "none", "90")),
        ("staging", {"Bedrock": "true", "Days": "90", "FunctionUrls": "chat"}, {}, ("false", "chat", "7")),
        ("other", None, {}, ("false", "chat", "30")),
    ],
)
def test_a_deployment_is_given_every_setting_and_keeps_only_the_addresses(tmp_path, name, current, outputs, expected):
    """A setting that left the file is off again, a second stack has not the first one's, URLs stay where they are."""
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "samconfig.toml").write_text(SAMCONFIG)
    found = template_settings.settings_of(name, tmp_path / "template.yaml", tmp_path / "samconfig.toml", current, outputs)
    assert (found["Bedrock"], found["FunctionUrls"], found["Days"]) == expected
    with pytest.raises(OperatorError, match="no parameter Weeks"):
        template_settings.settings_of("wrong", tmp_path / "template.yaml", tmp_path / "samconfig.toml", current, outputs)


@pytest.mark.parametrize("name", ["a" * 44, "1st", "has_underscore", ""])
def test_a_name_that_aws_would_refuse_minutes_later_is_refused_at_once(terminal, name):
    with pytest.raises(OperatorError, match="can't be named"):
        template_settings.check_name(name)
    template_settings.check_name("a" * 43)


def test_an_admin_key_is_shown_once_and_only_its_hash_is_kept(terminal):
    terminal("admin-key")
    (key,) = [word for word in terminal.shown.split() if word.startswith("sk-hm-")]
    (account,) = accounts()
    assert auth.is_well_formed(key)
    assert (account.id, account.role, account.blocked) == (auth.account_id_of(key), "admin", False)
    assert key not in ledger.encode_account(account)
    terminal("admin-key")
    assert len(accounts()) == 2


def test_credentials_are_merged_replaced_and_removed(terminal):
    for words, secret, expected in [
        (["--provider", "openai"], "sk-1", {"OPENAI_API_KEY": "sk-1"}),
        (["--provider", "groq"], "gsk-2", {"OPENAI_API_KEY": "sk-1", "GROQ_API_KEY": "gsk-2"}),
        (["--provider", "openai"], "sk-3", {"OPENAI_API_KEY": "sk-3", "GROQ_API_KEY": "gsk-2"}),
        (["--name", "OLLAMA_BASE_URL", "--remove"], "", {"OPENAI_API_KEY": "sk-3", "GROQ_API_KEY": "gsk-2"}),
        (["--provider", "groq", "--remove"], "", {"OPENAI_API_KEY": "sk-3"}),
        (["--provider", "openai"], "sk-4\nlogin: me\n", {"OPENAI_API_KEY": "sk-4"}),
        (["--provider", "openai", "--remove"], "", {}),
        (["--name", "VERTEX_AI_CREDENTIALS"], GOOGLES_FILE, {"VERTEX_AI_CREDENTIALS": json.dumps(json.loads(GOOGLES_FILE))}),
    ]:
        terminal.secret = secret
        assert terminal("credentials", *words) == 0
        assert stored() == {PARAMETER: ("SecureString", expected)}
    assert not [secret for secret in ("sk-1", "gsk-2", "sk-3") if secret in terminal.shown]


def test_the_secret_of_signing_in_is_kept_apart_from_the_providers(terminal):
    """Where one function alone may read it."""
    name, ssm = PARAMETER.replace("providers", "sign-in"), boto3.client("ssm")
    terminal.secret = " s3cret: 100% \n"
    assert terminal("credentials", "--name", "HAIMAKER_SIGN_IN_SECRET") == 0
    kept = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (kept["Type"], kept["Value"], "s3cret" in terminal.shown) == ("SecureString", "s3cret: 100%", False)
    assert terminal("credentials", "--name", "HAIMAKER_SIGN_IN_SECRET", "--remove") == 0
    assert ssm.get_parameters(Names=[name])["InvalidParameters"] == [name]


def test_a_second_parameter_takes_what_the_first_has_no_room_for(terminal):
    for number in range(3):
        terminal.secret = f"{number}" * 1_500
        terminal("credentials", "--name", f"NUMBER_{number}")
    kept = stored()
    assert [sorted(kept[name][1]) for name in sorted(kept)] == [["NUMBER_0", "NUMBER_1"], ["NUMBER_2"]]


@pytest.mark.parametrize(
    ("words", "secret", "message"),
    [
        (["--provider", "opnai"], SECRET, "no provider 'opnai'"),
        (["--provider", "demo"], SECRET, "no provider 'demo'"),
        (["--name", "rm -rf"], SECRET, "no name of a variable"),
        (["--provider", "openai"], " ", "Nothing was entered"),
        (["--provider", "openai"], "sk-\u200babc", "copy it again"),
        (["--provider", "openai"], "x" * 5_000, "full"),
        (["--name", "OLLAMA_BASE_URL"], "llm.example", "OLLAMA_BASE_URL must be an http or https URL"),
    ],
)
def test_what_can_not_be_stored_is_refused_and_not_shown(terminal, words, secret, message):
    terminal.secret = secret
    with pytest.raises(SecretsError, match=message) as refused:
        terminal("credentials", *words)
    assert stored() == {}
    assert not secret.strip() or secret not in f"{refused.value}{terminal.shown}"


def test_a_parameter_that_someone_else_wrote_is_left_alone(terminal):
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=SECRET, Type="SecureString")
    with pytest.raises(SecretsError) as refused:
        terminal("credentials", "--provider", "openai")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("answers", "deleted", "left", "secrets"),
    [
        (["haimakr"], False, 2, True),
        (["haimaker", "no", "no"], True, 2, True),
        (["haimaker", "yes", ""], True, 0, True),
        (["haimaker", "y", "yes"], True, 2, False),
    ],
)
def test_destroying_asks_for_each_thing_that_can_not_come_back(terminal, answers, deleted, left, secrets):
    terminal("credentials", "--provider", "openai")
    terminal.answers = list(answers)
    assert terminal("destroy") == (0 if deleted else 1)
    expected = ["sam", "delete", "--stack-name", "haimaker", "--region", "eu-central-1", "--no-prompts"]
    assert terminal.commands == [expected] * deleted
    assert len(boto3.client("dynamodb").list_tables()["TableNames"]) == left
    assert bool(stored()) == secrets


def test_a_stack_that_could_not_be_deleted_keeps_everything(terminal):
    terminal.answers, terminal.statuses = ["haimaker"], [1]
    assert terminal("destroy") == 1
    assert len(boto3.client("dynamodb").list_tables()["TableNames"]) == 2


names = st.sampled_from([provider_secrets.variable_of(row.name) for row in all_providers() if not row.offline])


@given(st.lists(st.tuples(names, st.text("abc", min_size=1, max_size=1_600)), max_size=12))
def test_every_secret_that_was_taken_is_in_one_place_and_each_parameter_fits(entries):
    documents, expected = [{}, {}], {}
    for name, secret in entries:
        try:
            documents = provider_secrets.with_secret(documents, name, secret)
        except SecretsError:
            continue
        expected[name] = secret
    assert {**documents[0], **documents[1]} == expected
    assert not documents[0].keys() & documents[1].keys()
    assert all(len(provider_secrets.encode(document)) <= PARAMETER_BYTES for document in documents)


@pytest.mark.parametrize(("words", "status", "total"), [(["--check"], 1, 5), ([], 0, 0)])
def test_a_stacks_counters_are_proven_by_its_records(monkeypatch, tmp_path, words, status, total):
    store = SQLiteStore(tmp_path / "store.sqlite")
    assert store.put(Account("key#1", "sk-hm-abcd...wxyz", int(time.time())))
    assert store.correct("key#1", 0, 5)
    monkeypatch.setattr(Stack, "store", lambda stack: store)
    monkeypatch.setattr(Stack, "owner", lambda stack: "account 1")
    monkeypatch.setattr(Stack, "outputs", {"AccountsTable": "accounts", "RecordsTable": "records"})
    for name in ("repair_totals", "move_records"):  # SQLite has none; test_dynamodb.py and test_upgrade.py have them
        monkeypatch.setattr(f"local.command_line.operate.{name}", lambda *_: 0)
    monkeypatch.setattr("local.command_line.reconcile.PAUSE_S", 0)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    desk = Desk()
    assert desk("--stack", "haimaker", "reconcile", *words) == status
    assert "key sk-hm-abcd...wxyz: the total is 0.000000005 USD, its records say 0.000000000 USD." in desk.said
    assert store.get("key#1").total_spend_nanousd == total
    store.close()
