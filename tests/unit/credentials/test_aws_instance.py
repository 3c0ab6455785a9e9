"""Credentials that are handed out for a while, from servers on loopback; botocore asks the same servers for comparison."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import ContainerProvider, InstanceMetadataProvider
from botocore.utils import ContainerMetadataFetcher, InstanceMetadataFetcher

from haimaker.aws.client import AWSClient, AWSError
from haimaker.aws.sigv4 import Credentials
from haimaker.credentials.access import aws_credentials_of
from haimaker.credentials.aws_instance import (
    REFRESH_MARGIN_S,
    RETRY_WITH_OLD_S,
    RETRY_WITHOUT_S,
    TRIES,
    ContainerCredentials,
    InstanceCredentials,
    RefreshingCredentials,
    parse_credentials,
    provider_from_env,
    refreshing_credentials,
)
from haimaker.credentials.google import GoogleAccount, GoogleTokens
from haimaker.gateway import Gateway
from haimaker.http.client import HTTPClient
from haimaker.http.errors import ServiceUnavailableError
from haimaker.http.values import JSON
from haimaker.settings.settings import DEFAULT_ADMIN_KEY, Settings
from haimaker.store import StoreUnavailable
from haimaker.store.dynamodb import DynamoStore
from haimaker.validation.settings import SettingsError
from tests.support.builders import chat_body, request
from tests.support.dynamodb_emulators import moto_locked
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.reply import Reply

RELATIVE, FULL = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
ROLES = "/latest/meta-data/iam/security-credentials/"
HOUR_S = 3_600.0


def handed_out(number: int = 1, expires_s: float | None = None, **other: Any) -> JSON:
    expires = datetime.fromtimestamp(time.time() + HOUR_S if expires_s is None else expires_s, UTC)
    keys = {"AccessKeyId": f"ASIA{number}", "SecretAccessKey": f"secret{number}", "Token": f"token{number}/+="}
    return {"Code": "Success", "Type": "AWS-HMAC", **keys, "Expiration": f"{expires:%Y-%m-%dT%H:%M:%SZ}", **other}


def instance(call: Call, document: JSON) -> Reply:
    """EC2's metadata of a machine with a role, which speaks version 2 only."""
    if (call.method, call.path) == ("PUT", "/latest/api/token"):
        return Reply.raw(200, b"session-1") if "x-aws-ec2-metadata-token-ttl-seconds" in call.headers else Reply.raw(400)
    if call.headers.get("x-aws-ec2-metadata-token") != "session-1":
        return Reply.raw(401)
    return {ROLES: Reply.raw(200, b"the-role"), f"{ROLES}the-role": Reply.json(200, document)}.get(call.path, Reply.raw(404))


@pytest.fixture
def server() -> Iterator[FakeUpstream]:
    with FakeUpstream() as server:
        yield server


def root(server: FakeUpstream) -> str:
    return server.url.removesuffix("/v1")


@pytest.mark.parametrize(
    ("env", "place"),
    [
        ({}, InstanceCredentials("http://169.254.169.254")),
        ({"AWS_EC2_METADATA_DISABLED": "True"}, None),
        ({"AWS_EC2_METADATA_DISABLED": "false"}, InstanceCredentials("http://169.254.169.254")),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"}, InstanceCredentials("http://[fd00:ec2::254]")),
        ({ENDPOINT: "http://127.0.0.1:1338/"}, InstanceCredentials("http://127.0.0.1:1338")),
        ({RELATIVE: "/v2/credentials/1"}, ContainerCredentials("http://169.254.170.2/v2/credentials/1")),
        ({RELATIVE: "/v2/1", FULL: "http://x/"}, ContainerCredentials("http://169.254.170.2/v2/1")),
        ({FULL: "https://x.example/y?z=1"}, ContainerCredentials("https://x.example/y?z=1")),
        (
            {FULL: "http://169.254.170.23/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/t"},
            ContainerCredentials("http://169.254.170.23/v1/credentials", token_file=Path("/t")),
        ),
        (
            {FULL: "http://127.0.0.1:9001/", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "t", "AWS_EC2_METADATA_DISABLED": "true"},
            ContainerCredentials("http://127.0.0.1:9001/", "t"),
        ),
    ],
)
def test_where_credentials_are_handed_out(env: dict[str, str], place: object) -> None:
    assert provider_from_env(env) == place


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({RELATIVE: "@attacker.example/"}, RELATIVE),
        ({RELATIVE: "credentials"}, RELATIVE),
        ({FULL: "localhost/x"}, FULL),
        ({FULL: "ftp://localhost/x"}, FULL),
        ({FULL: "https:///x"}, FULL),
        ({ENDPOINT: "169.254.169.254"}, ENDPOINT),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "v4"}, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(env: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        provider_from_env(env)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9:80",
        "[::1]:8080",
        "localhost:51679",
        "169.254.170.2",
        "169.254.170.23",
        "[fd00:ec2::23]",
        "169.254.170.3",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00:ec2::254]",
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "127.0.0.1@example.com",
        "0.0.0.0",
        "2130706433",
    ],
)
def test_without_tls_they_come_from_the_hosts_that_botocore_trusts(host: str) -> None:
    for scheme in ("http", "https"):
        url = f"{scheme}://{host}/role"
        try:
            ContainerMetadataFetcher()._validate_allowed_url(url)
        except ValueError:
            with pytest.raises(SettingsError, match=FULL):
                provider_from_env({FULL: url})
        else:
            assert provider_from_env({FULL: url}) == ContainerCredentials(url)


def test_a_task_of_ecs_is_asked_where_botocore_asks() -> None:
    assert provider_from_env({RELATIVE: "/v2/credentials/1"}) == ContainerCredentials(
        ContainerMetadataFetcher().full_url("/v2/credentials/1")
    )


def theirs(found: Any) -> tuple[Credentials, float]:
    frozen = found.get_frozen_credentials()
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token), found._expiry_time.timestamp()


@pytest.mark.parametrize("variable", ["AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", None])
def test_a_container_gets_what_botocore_gets(server: FakeUpstream, tmp_path: Path, variable: str | None) -> None:
    (tmp_path / "token").write_text("Basic abc")
    env = {FULL: f"{root(server)}/role?id=7"}
    if variable:
        env[variable] = str(tmp_path / "token") if variable.endswith("FILE") else "Basic abc"
    server.answers(Reply.json(200, handed_out()))
    place = provider_from_env(env)
    assert isinstance(place, ContainerCredentials)
    assert parse_credentials(place.fetch()) == theirs(ContainerProvider(env).load())
    ours, other = server.calls
    assert (ours.method, ours.path, ours.headers.get("authorization")) == ("GET", "/role?id=7", "Basic abc" if variable else None)
    assert (other.method, other.path, other.headers.get("authorization")) == ("GET", ours.path, ours.headers.get("authorization"))


def test_a_machine_gets_what_botocore_gets(server: FakeUpstream) -> None:
    document = handed_out()
    server.answers(lambda call: instance(call, document))
    fetcher = InstanceMetadataFetcher(base_url=root(server), env={})
    place = provider_from_env({ENDPOINT: root(server)})
    assert isinstance(place, InstanceCredentials)
    assert parse_credentials(place.fetch()) == theirs(InstanceMetadataProvider(fetcher).load())
    asked = [(call.method, call.path) for call in server.calls]
    assert asked[:3] == asked[3:] == [("PUT", "/latest/api/token"), ("GET", ROLES), ("GET", f"{ROLES}the-role")]


def test_a_tokens_file_is_read_each_time(server: FakeUpstream, tmp_path: Path) -> None:
    file = tmp_path / "token"
    server.answers(Reply.json(200, handed_out()))
    for token in ("first", "second\n"):
        file.write_text(token)
        ContainerCredentials(root(server), token_file=file).fetch()
    assert [call.headers["authorization"] for call in server.calls] == ["first", "second"]


class Clock:
    now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


class Script:
    """A place that hands out one document after the other, the last one again and again; an exception is raised."""

    def __init__(self, *answers: JSON | Exception) -> None:
        self.left, self.asked = list(answers), 0

    def fetch(self) -> JSON:
        self.asked += 1
        answer = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def renewed(*answers: JSON | Exception) -> tuple[Callable[[float], tuple[str, int]], Script]:
    """Asks some time later: whose credentials they are, and how often they were asked for so far."""
    clock, script = Clock(), Script(*answers)
    source = RefreshingCredentials(script, clock, lambda _: None)

    def after(seconds: float) -> tuple[str, int]:
        clock.now_s += seconds
        return source.current().access_key_id, script.asked

    return after, script


START_S = Clock.now_s


def test_they_are_renewed_before_they_expire() -> None:
    after, _ = renewed(*(handed_out(number, START_S + number * HOUR_S) for number in (1, 2, 3)))
    assert after(0) == ("ASIA1", 1)
    assert after(HOUR_S - REFRESH_MARGIN_S - 1) == ("ASIA1", 1)
    assert after(1) == ("ASIA2", 2)
    assert after(HOUR_S - 1) == ("ASIA2", 2)
    assert after(1) == ("ASIA3", 3)


@pytest.mark.parametrize("failure", [OSError("down"), ValueError("<html>"), handed_out(1, START_S + HOUR_S)])
def test_older_ones_are_used_while_nothing_newer_is_there(failure: JSON | Exception) -> None:
    """Also beyond their end, but it is not asked at every call."""
    after, script = renewed(handed_out(1, START_S + HOUR_S), failure)
    assert after(0) == ("ASIA1", 1)
    assert after(HOUR_S - REFRESH_MARGIN_S) == ("ASIA1", 2)
    assert after(RETRY_WITH_OLD_S - 1) == ("ASIA1", 2)
    assert after(1) == ("ASIA1", 3)
    assert after(HOUR_S) == ("ASIA1", 4)
    script.left = [handed_out(2, START_S + 3 * HOUR_S)]
    assert after(RETRY_WITH_OLD_S) == ("ASIA2", 5)


def test_the_first_are_asked_for_more_than_once() -> None:
    after, _ = renewed(OSError("down"), ValueError("half"), handed_out(1, START_S + HOUR_S))
    assert after(0) == ("ASIA1", 3)


def test_who_asks_soon_after_a_failure_is_told_the_same() -> None:
    after, script = renewed(ConnectionRefusedError())
    for seconds, asked in ((0, TRIES), (RETRY_WITHOUT_S / 2, TRIES), (RETRY_WITHOUT_S / 2, 2 * TRIES)):
        with pytest.raises(AWSError, match=r"^credentials: none in the environment, .*\(ConnectionRefusedError\)$"):
            after(seconds)
        assert script.asked == asked
    script.left = [handed_out(1, START_S + HOUR_S)]
    assert after(RETRY_WITHOUT_S) == ("ASIA1", 2 * TRIES + 1)


def in_threads(count: int, ask: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_of_many_threads_one_asks(server: FakeUpstream) -> None:
    """The others wait for the first credentials, and go on with older ones."""
    clock, first, second, found = Clock(), server.gate(), server.gate(), list[str]()
    soon, later = handed_out(1, START_S + HOUR_S), handed_out(2, START_S + 9 * HOUR_S)
    server.answers(Reply.json(200, soon).after(first), Reply.json(200, later).after(second))
    source = RefreshingCredentials(ContainerCredentials(root(server)), clock)

    def ask() -> None:
        found.append(source.current().access_key_id)

    threads = in_threads(8, ask)
    server.wait_for_calls(1)
    first.open()
    for thread in threads:
        thread.join()
    assert (found, len(server.calls)) == (["ASIA1"] * 8, 1)
    clock.now_s += HOUR_S
    (asking,) = in_threads(1, ask)
    server.wait_for_calls(2)
    assert {source.current().access_key_id for _ in range(8)} == {"ASIA1"}
    second.open()
    asking.join()
    assert (source.current().access_key_id, found[-1], len(server.calls)) == ("ASIA2", "ASIA2", 2)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply.json(200, {"Code": "AssumeRoleUnauthorizedAccess", "Message": "secret"}), "AssumeRoleUnauthorizedAccess"),
        (Reply.json(200, {"code": "NotFound", "message": "secret"}), "NotFound"),
        (Reply.json(200, {"secret": "secret"}), "the answer holds none"),
        (Reply.json(200, handed_out(SecretAccessKey=None)), "the answer holds them in part"),
        (Reply.json(200, handed_out(Token="")), "the answer holds them in part"),
        (Reply.json(200, handed_out(Expiration=None)), "its answer makes no sense"),
        (Reply.json(200, handed_out(Expiration="2026-11-22T03:00:00")), "its answer makes no sense"),
        (Reply.json(200, ["secret"]), "its answer makes no sense"),
        (Reply.html(200), "its answer makes no sense"),
        (Reply.json(404, {"message": "secret"}), "status 404"),
        (Reply.raw(302, headers={"location": "http://169.254.169.254/secret"}), "status 302"),
        (Reply.json(200, handed_out()).cut(after_bytes=60), "its answer makes no sense"),
        (Reply.hangup(), "RemoteDisconnected"),
    ],
)
def test_a_bad_answer_is_told_without_what_it_holds(server: FakeUpstream, reply: Reply, reason: str) -> None:
    server.answers(reply)
    with pytest.raises(AWSError) as raised:
        RefreshingCredentials(ContainerCredentials(f"{root(server)}/secret"), sleep=lambda _: None).current()
    assert str(raised.value).endswith(f"({reason})")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("refusal", [400, 403, 404, 405])
def test_the_metadatas_first_version_is_never_spoken(server: FakeUpstream, refusal: int) -> None:
    server.answers(Reply.raw(refusal))
    with pytest.raises(AWSError, match=f"status {refusal}"):
        RefreshingCredentials(InstanceCredentials(root(server)), sleep=lambda _: None).current()
    assert {call.method for call in server.calls} == {"PUT"}


def test_secrets_are_not_shown() -> None:
    place = ContainerCredentials("http://127.0.0.1/", "the-token")
    assert "the-token" not in repr(place) + repr(RefreshingCredentials(place))


def test_a_token_that_is_no_header_is_not_sent(server: FakeUpstream) -> None:
    with pytest.raises(AWSError, match="authorization token"):
        RefreshingCredentials(ContainerCredentials(root(server), "a\r\nx-evil: b"), sleep=lambda _: None).current()
    assert server.calls == []


def test_credentials_of_the_environment_are_taken_first_and_ask_nobody(server: FakeUpstream) -> None:
    static = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert aws_credentials_of({**static, FULL: root(server), ENDPOINT: root(server)}) == Credentials("AKID", "secret")
    assert server.calls == []


def test_all_who_ask_share_one_source_which_asks_nobody_before_it_is_asked(server: FakeUpstream) -> None:
    server.answers(Reply.json(200, handed_out()))
    first, second = aws_credentials_of({FULL: root(server)}), refreshing_credentials({FULL: root(server)})
    assert first is second
    assert first is not None
    assert server.calls == []
    assert [first.current(), first.current()] == [Credentials("ASIA1", "secret1", "token1/+=")] * 2
    assert len(server.calls) == 1


class Turning:
    """Other credentials each time."""

    number = 0

    def current(self) -> Credentials:
        self.number += 1
        return Credentials(f"ASIA{self.number}", "secret", f"token{self.number}")


class Nothing:
    def current(self) -> Credentials:
        raise AWSError("credentials", "none (status 404)")


def test_every_call_is_signed_with_what_is_valid_then(server: FakeUpstream) -> None:
    server.answers(Reply.json(500, {}), Reply.json(200, {}))
    client = AWSClient("dynamodb", "us-east-1", Turning(), root(server), total_timeout_s=5)
    client.call("GetItem", {})
    client.call("GetItem", {})
    assert [call.headers["x-amz-security-token"] for call in server.calls] == ["token1", "token2", "token3"]
    assert ["Credential=ASIA3/" in call.headers["authorization"] for call in server.calls] == [False, False, True]


def test_without_credentials_the_store_is_unavailable_and_says_why(server: FakeUpstream) -> None:
    store = DynamoStore("accounts", "records", AWSClient("dynamodb", "us-east-1", Nothing(), root(server)))
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB credentials: none \(status 404\)$"):
        store.get("key#1")
    assert server.calls == []


def test_without_credentials_google_gives_no_token(server: FakeUpstream) -> None:
    document = {"type": "external_account", "audience": "a", "token_url": server.url}
    with pytest.raises(ServiceUnavailableError, match="access token"):
        GoogleTokens(GoogleAccount(document, Nothing(), "us-east-1"), HTTPClient()).token()


def test_a_container_serves_with_the_credentials_of_its_role(server: FakeUpstream) -> None:
    server.answers(Reply.json(200, handed_out()))
    with moto_locked() as dynamodb:
        env = {"STORE": "dynamodb", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_DYNAMODB": dynamodb, FULL: f"{root(server)}/role"}
        gateway = Gateway.local(Settings.from_environment(env))
        headers = {"authorization": f"Bearer {DEFAULT_ADMIN_KEY}"}
        answer = gateway.handle("chat_completions", request(chat_body(model="demo/echo"), headers=headers))
    assert (answer.status, len(server.calls)) == (200, 1)
