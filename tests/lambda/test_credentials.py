"""The providers' secrets in SSM: how long they are kept, and what happens while they can't be read."""

import re

import pytest

from haimaker.aws.access import AWSAccess
from haimaker.aws.sigv4 import Credentials
from haimaker.credentials import sources
from haimaker.credentials.access import ProviderConnection
from haimaker.credentials.sources import CACHE_EMPTY_S, CACHE_S, RETRY_WITH_OLD_S, SSMCredentials, StaticCredentials
from haimaker.http.errors import ServiceUnavailableError
from haimaker.observability.observer import Observer
from haimaker.validation.settings import SettingsError
from tests.support.aws_front import AWSFront
from tests.support.stack import put_secrets

READ = "GetParameters"


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Scene:
    def __init__(self, ssm: str, parameter: str, front: AWSFront) -> None:
        self.front, self.clock, self.ssm, self.parameter = front, Clock(), ssm, parameter
        aws = AWSAccess("us-east-1", Credentials("AKID", "secret"), ssm_endpoint=front.url)
        addresses = {"GROQ_BASE_URL": "http://127.0.0.1:1/v1", "OLLAMA_BASE_URL": "http://127.0.0.1:2/v1"}
        self.stored = SSMCredentials(parameter, aws, {**addresses, "AWS_SESSION_TOKEN": "token-1"}, Observer(), self.clock)

    def keys(self, after_s: float = 0) -> dict[str, str | None]:
        self.clock.now_s += after_s
        return {name: access.api_key for name, access in self.stored.current().items() if name != "ollama"}

    def put(self, value: object, name: str = "") -> None:
        put_secrets(self.ssm, self.parameter + name, value)


@pytest.fixture
def scene(moto, secrets):
    with AWSFront(moto, moto).serving() as front:
        yield Scene(moto, secrets, front)


def test_a_constant_is_what_it_is():
    access = {"openai": ProviderConnection("https://api.openai.com/v1", "sk-1")}
    assert StaticCredentials(access).current() is access


def test_secrets_are_added_to_the_environment_and_kept_for_minutes(scene):
    scene.put({"GROQ_API_KEY": " gsk-1 ", "OPENAI_API_KEY": ""})
    access = scene.stored.current()
    assert access["groq"] == ProviderConnection("http://127.0.0.1:1/v1", "gsk-1")
    assert set(access) == {"groq", "ollama"}
    assert not re.search("gsk-1|token-1", repr(access) + repr(scene.stored))
    scene.put({"GROQ_API_KEY": "gsk-2"})
    assert scene.keys(CACHE_S - 1) == {"groq": "gsk-1"}
    assert scene.stored.current() is access
    assert scene.keys(1) == {"groq": "gsk-2"}
    assert scene.front.calls == [READ] * 2


@pytest.mark.parametrize("secrets_added", [{}, {"VERTEX_AI_PROJECT": "p", "VERTEX_AI_CREDENTIALS": "{}"}])
def test_what_did_not_change_stays_the_same_object(scene, secrets_added):
    """And with it what it holds: connections, and tokens that were got with it."""
    scene.put({"OPENAI_API_KEY": "sk-1", **secrets_added})
    access = scene.stored.current()
    scene.clock.now_s += CACHE_S
    assert scene.stored.current() is access
    assert scene.front.calls == [READ] * 2


def test_a_second_parameter_adds_to_the_first_in_one_call(scene):
    scene.put({"MISTRAL_API_KEY": "m", "GROQ_API_KEY": "2"}, "-2")
    scene.put({"GROQ_API_KEY": "1"})
    assert scene.keys() == {"groq": "2", "mistral": "m"}
    assert scene.front.calls == [READ]


def test_credentials_that_are_stored_later_are_soon_seen(scene):
    scene.stored.parameter = scene.parameter = f"{scene.parameter}-new"
    assert scene.keys() == {}
    scene.put({"OPENAI_API_KEY": "sk-1"})
    assert scene.keys(CACHE_EMPTY_S - 1) == {}
    assert scene.keys(1) == {"openai": "sk-1"}


def test_a_busy_parameter_store_is_asked_again(scene):
    scene.front.breaks(READ, "throttled", times=2)
    assert set(scene.keys()) == {"openai"}
    assert scene.front.calls == [READ] * 3


@pytest.mark.parametrize(("fault", "waits"), [("throttled", True), ("failing", False), ("dropped", False)])
def test_a_start_waits_for_its_turn_where_many_start_at_once_and_for_nothing_else(scene, monkeypatch, fault, waits):
    """SSM gives 40 reads a second of an account."""
    monkeypatch.setattr(sources, "READ_TIMEOUT_S", 0.1)
    scene.front.breaks(READ, fault, times=8)
    if waits:
        assert set(scene.keys()) == {"openai"}
        assert scene.front.take() == [READ] * 9
        scene.front.breaks(READ, fault)
        assert set(scene.keys(CACHE_S)) == {"openai"}, "the older ones"
    else:
        with pytest.raises(ServiceUnavailableError):
            scene.keys()
    assert len(scene.front.take()) < 8


@pytest.mark.parametrize("fault", ["throttled", "failing", "dropped", "half"])
def test_while_it_fails_what_was_read_before_is_used(scene, monkeypatch, fault):
    monkeypatch.setattr(sources, "READ_TIMEOUT_S", 0.2)
    before = scene.keys()
    scene.put({"OPENAI_API_KEY": "sk-new"})
    scene.front.breaks(READ, fault)
    assert scene.keys(CACHE_S) == before
    scene.front.heals()
    assert scene.keys(RETRY_WITH_OLD_S - 1) == before
    assert scene.keys(1) == {"openai": "sk-new"}


@pytest.mark.parametrize("value", [[], "text", {"OPENAI_API_KEY": 1}])
def test_a_parameter_that_makes_no_sense_is_unavailable_and_told_to_the_deployer(scene, value, capsys):
    scene.put(value)
    with pytest.raises(ServiceUnavailableError) as raised:
        scene.keys()
    assert raised.value.code == "credentials_unavailable"
    assert raised.value.headers == {"retry-after": "2"}
    assert "sk-" not in str(raised.value)
    scene.put({"OPENAI_API_KEY": "sk-1"})
    assert scene.keys() == {"openai": "sk-1"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"OPENAI_API_KEY": "sk-\u00e9"}, "The key of openai"),
        ({"OPENAI_BASE_URL": "x", "OPENAI_API_KEY": "sk-1"}, "OPENAI_BASE_URL"),
        ({"VERTEX_AI_CREDENTIALS": "sk-2", "VERTEX_AI_PROJECT": "p"}, "VERTEX_AI_CREDENTIALS"),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["at the start", "later"])
def test_one_secret_that_can_not_be_used_turns_its_own_provider_off(scene, monkeypatch, wrong, named, first):
    told = []
    monkeypatch.setattr(Observer, "error", lambda _, message: told.append(message))
    if not first:
        scene.put({"GROQ_API_KEY": "gsk-1", "OPENAI_API_KEY": "sk-1"})
        assert set(scene.keys()) == {"groq", "openai"}
    scene.put({"GROQ_API_KEY": "gsk-1", **wrong})
    assert scene.keys(CACHE_S) == {"groq": "gsk-1"}
    (message,) = told
    assert message.startswith(named)
    assert "sk-" not in message


class TestAddingOne:
    def test_it_is_used_here_at_once_and_kept_beside_the_others(self, scene):
        scene.put({"GROQ_API_KEY": "gsk-1"})
        assert scene.keys() == {"groq": "gsk-1"}
        assert [scene.stored.source_of(name) for name in ("GROQ_API_KEY", "GROQ_BASE_URL", "OPENAI_API_KEY")] == [
            "SSM",
            "environment",
            None,
        ]
        scene.stored.put("OPENAI_API_KEY", " sk-1 ")
        assert scene.keys() == {"groq": "gsk-1", "openai": "sk-1"}
        scene.stored.put("GROQ_API_KEY", "gsk-2")
        assert scene.keys() == {"groq": "gsk-2", "openai": "sk-1"}
        assert scene.stored.source_of("OPENAI_API_KEY") == "SSM"

    def test_what_has_no_room_goes_into_the_second_parameter(self, scene):
        scene.stored.put("GROQ_API_KEY", "g" * 3_000)
        scene.stored.put("OPENAI_API_KEY", "o" * 3_000)
        assert set(scene.keys()) == {"groq", "openai"}
        with pytest.raises(SettingsError, match="Both parameters are full"):
            scene.stored.put("CEREBRAS_API_KEY", "c" * 3_000)
        assert set(scene.keys(CACHE_S)) == {"groq", "openai"}

    @pytest.mark.parametrize(
        ("value", "said"), [("", "Nothing was entered"), ("gsk-é", "characters that an HTTP header can't carry")]
    )
    def test_what_is_no_key_is_not_kept(self, scene, value, said):
        with pytest.raises(SettingsError, match=said):
            scene.stored.put("GROQ_API_KEY", value)
        assert scene.keys().get("groq") is None

    def test_where_ssm_does_not_take_it_nothing_changes_and_no_secret_is_told(self, scene):
        scene.put({"GROQ_API_KEY": "gsk-1"})
        scene.front.breaks("PutParameter", "failing", times=20)
        with pytest.raises(SettingsError, match="SSM did not take it") as caught:
            scene.stored.put("GROQ_API_KEY", "gsk-2")
        assert "gsk-2" not in str(caught.value)
        assert scene.keys() == {"groq": "gsk-1"}
