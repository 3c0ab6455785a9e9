"""SigV4 against botocore's, and what the client does when an answer does not come or is not good."""

import datetime
import json
import random
import socket
import threading
import time
from urllib.parse import parse_qsl, urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from haimaker.aws.client import AWSClient, AWSError
from haimaker.aws.sigv4 import UNSIGNED, Credentials, presign, sign
from tests.support.dynamodb_emulators import answer, failure, scripted

HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\n{"
CONDITION = "ConditionalCheckFailedException"
OK = answer(200, b'{"Item": {}}')
THROTTLED = failure("ThrottlingException")
CHARACTERS = "abcXYZ019-._~!$'()*,;:@ é€/"
SEGMENTS = ["model", "anthropic.claude-3%3A0", "a%20b", "..", ".", "", "~x", "with+plus", "%E2%82%AC", "a:b", "converse-stream"]
HOSTS = [
    "https://dynamodb.us-east-1.amazonaws.com",
    "http://localhost:8000",
    "https://Example.COM:443",
    "http://[::1]:4567",
    "http://h:80",
]


def client(endpoint, **options):
    return AWSClient("dynamodb", "us-east-1", Credentials("AKID", "secret"), endpoint, **options)


def random_request(source):
    """Method, URL, headers, body, credentials, service, region and time, drawn from a seeded source."""
    path = "".join(f"/{source.choice(SEGMENTS)}" for _ in range(source.randrange(5))) + source.choice(["", "/"])
    pairs = [f"{source.choice('aAbz')}{source.choice(['=', '', '=%20x', '=1', '=%2F'])}" for _ in range(source.randrange(4))]
    url = source.choice(HOSTS) + path + ("?" + "&".join(pairs) if pairs else "")
    names = source.sample(["content-type", "x-amz-target", "X-Amz-Meta", "Accept", "User-Agent", "Expect"], source.randrange(5))
    headers = {name: "".join(source.choices("ab  ;=/", k=source.randrange(1, 12))).strip() + "v" for name in names}
    body = source.randbytes(source.randrange(40))
    credentials = Credentials("AKID", "".join(source.choices(CHARACTERS, k=20)), source.choice([None, "token/+="]))
    place = source.choice(["dynamodb", "ssm", "bedrock"]), source.choice(["us-east-1", "eu-central-1"])
    return source.choice(["GET", "POST", "put"]), url, headers, body, credentials, *place, source.randrange(10**9, 2 * 10**9)


def test_signatures_are_botocores_on_random_requests(monkeypatch):
    source = random.Random(20)
    for number in range(1500):
        method, url, headers, body, credentials, service, region, now_s = random_request(source)
        now = datetime.datetime.fromtimestamp(now_s, datetime.UTC)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda now=now: now)
        theirs = botocore.awsrequest.AWSRequest(method, url, dict(headers), body)
        known = botocore.credentials.Credentials(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        )
        botocore.auth.SigV4Auth(known, service, region).add_auth(theirs)
        ours = sign(credentials, service, region, method, url, headers, body, now_s)
        assert ours["authorization"] == theirs.headers["Authorization"], (number, method, url, headers)
        assert ours["x-amz-date"] == theirs.headers["X-Amz-Date"]


def test_links_are_botocores_on_random_requests(monkeypatch):
    source = random.Random(21)
    for number in range(500):
        method, _, headers, _, credentials, _, region, now_s = random_request(source)
        url = source.choice(HOSTS) + "".join(f"/{source.choice(['made', 'a%20b', '%E2%82%AC', '~x.png'])}" for _ in range(3))
        now = datetime.datetime.fromtimestamp(now_s, datetime.UTC)
        monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda now=now: now)
        sent = {name: value for name, value in headers.items() if name.lower() not in UNSIGNED}
        theirs = botocore.awsrequest.AWSRequest(method, url, dict(sent))
        known = botocore.credentials.Credentials(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        )
        botocore.auth.S3SigV4QueryAuth(known, "s3", region, expires=60).add_auth(theirs)
        ours = presign(credentials, region, method, url, sent, 60, now_s)
        found, expected = (dict(parse_qsl(urlsplit(link).query)) for link in (ours, theirs.url))
        assert found == expected, (number, method, url, sent)


def test_secrets_are_not_shown():
    assert "secret" not in repr(Credentials("AKID", "secret", "secret token"))


@pytest.mark.parametrize(
    ("answers", "calls"),
    [
        pytest.param([OK], 3, id="kept alive"),
        pytest.param([THROTTLED, THROTTLED, OK], 1, id="throttled twice"),
        pytest.param([failure("InternalServerError", 500), answer(503, b"<html>"), OK], 1, id="failed twice"),
        pytest.param([OK, None, OK], 2, id="a kept-alive connection died"),
        pytest.param([OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"), OK], 3, id="asked to close"),
    ],
)
def test_a_call_that_can_succeed_does(answers, calls):
    with scripted(*answers) as endpoint:
        dynamo = client(endpoint, total_timeout_s=5)
        for _ in range(calls):
            assert dynamo.call("GetItem", {}) == {"Item": {}}


def test_a_connection_that_died_idle_is_replaced_however_late_it_is_found():
    """As by a server that stood still, and closes what was idle for as long when it goes on: the time is up by then. Not twice."""
    with scripted(OK, None, OK) as endpoint:
        dynamo = client(endpoint, total_timeout_s=0)
        assert [dynamo.call("GetItem", {}) for _ in range(2)] == [{"Item": {}}] * 2
    with scripted(OK, None, None) as endpoint:
        dynamo = client(endpoint, total_timeout_s=0)
        dynamo.call("GetItem", {})
        with pytest.raises(AWSError, match="RemoteDisconnected") as raised:
            dynamo.call("GetItem", {})
        assert raised.value.repeated


@pytest.mark.parametrize(
    ("answers", "code", "lost", "repeated"),
    [
        pytest.param([THROTTLED], "ThrottlingException", False, False, id="throttled"),
        pytest.param([failure("InternalServerError", 500)], "InternalServerError", True, True, id="failed"),
        pytest.param([failure("ValidationException")], "ValidationException", False, False, id="refused"),
        pytest.param([answer(500, b"oops"), failure(CONDITION)], CONDITION, False, True, id="after a failure"),
        pytest.param([THROTTLED, failure(CONDITION)], CONDITION, False, False, id="after throttling"),
        pytest.param([answer(200, b"<html>")], "not JSON, status 200", True, False, id="HTML"),
        pytest.param([answer(200, b"[1]")], "not JSON, status 200", True, False, id="a list"),
        pytest.param([answer(403, b"{}")], "status 403", False, False, id="no code"),
        pytest.param([HALF], "IncompleteRead", True, False, id="half an answer"),
        pytest.param([None], "RemoteDisconnected", True, False, id="no answer"),
        pytest.param([b"SSH-2.0\r\n"], "BadStatusLine", True, False, id="not HTTP"),
    ],
)  # fmt: skip
def test_failures_say_what_happened_and_not_where(answers, code, lost, repeated):
    with scripted(*answers) as endpoint, pytest.raises(AWSError) as raised:
        client(endpoint, total_timeout_s=0.2).call("GetItem", {})
    assert (raised.value.code, raised.value.lost, raised.value.repeated) == (code, lost, repeated)
    assert str(raised.value) == f"GetItem: {code}"


def test_half_an_answer_on_a_kept_alive_connection_is_not_asked_for_again():
    with scripted(OK, HALF, OK) as endpoint:
        dynamo = client(endpoint)
        dynamo.call("GetItem", {})
        with pytest.raises(AWSError, match="IncompleteRead"):
            dynamo.call("GetItem", {})
        assert dynamo.call("GetItem", {})


def test_refused_and_silent_servers():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(AWSError, match=r"^GetItem: ConnectionRefusedError$"):
        client(endpoint, total_timeout_s=0.1).call("GetItem", {})
    with scripted(b"") as endpoint, pytest.raises(AWSError, match=r"^GetItem: TimeoutError$") as raised:
        client(endpoint, timeout_s=0.2).call("GetItem", {})
    assert raised.value.lost


def test_threads_share_a_client():
    with scripted(OK) as endpoint:
        dynamo, failures = client(endpoint), []

        def ask():
            for _ in range(20):
                if dynamo.call("GetItem", {"Key": 1}) != {"Item": {}}:
                    failures.append(1)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert 1 <= len(dynamo._idle) <= 8
        dynamo.close()
        assert dynamo.call("GetItem", {}) == {"Item": {}}


def test_an_old_idle_connection_is_not_trusted(monkeypatch):
    with scripted(OK) as endpoint:
        dynamo = client(endpoint)
        dynamo.call("GetItem", {})
        old = dynamo._idle[0].connection
        later_s = time.time() + 60
        monkeypatch.setattr(time, "time", lambda: later_s)
        dynamo.call("GetItem", {})
        assert dynamo._idle[0].connection is not old


def test_ssm_speaks_its_own_version_of_the_protocol(monkeypatch):
    sent = {}
    ssm = AWSClient("ssm", "cn-north-1", Credentials("AKID", "secret"))

    def exchange(connection, method, path, body, headers):
        sent.update(headers, body=json.loads(body))
        raise ConnectionRefusedError

    monkeypatch.setattr("http.client.HTTPSConnection.connect", lambda self: None)
    monkeypatch.setattr("http.client.HTTPSConnection.request", exchange)
    with pytest.raises(AWSError):
        ssm.call("GetParameter", {"Name": "/stack/providers"})
    assert sent["host"] == "ssm.cn-north-1.amazonaws.com.cn"
    assert sent["x-amz-target"] == "AmazonSSM.GetParameter"
    assert sent["content-type"] == "application/x-amz-json-1.1"
    assert "/cn-north-1/ssm/aws4_request" in sent["authorization"]
