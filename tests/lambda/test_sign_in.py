"""People sign in to the deployed stack's console by an identity provider: a function, a role and a secret for that alone, and
sessions that every other function knows."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from haimaker.api.sign_in import KIND
from haimaker.http.values import JSON
from haimaker.observability.observer import Observer
from haimaker.store.documents import Document
from tests.support.identity_server import CONFIG, IdentityServer, User, consent
from tests.support.stack import LoadedFunction, Stack, put_secrets

COOKIE = "__Host-haimaker"
BASE_URL = "https://abcdefghij.execute-api.us-east-1.amazonaws.com/v1"
ADA = User(sub="ada", claims={"https://example.com/team": "growth", "email": "ada@example.com", "email_verified": True})


@pytest.fixture
def identity() -> Iterator[IdentityServer]:
    with IdentityServer(ADA) as server:
        yield server


class Browser:
    """What API Gateway makes of a browser's requests, with the cookie that it keeps."""

    def __init__(self) -> None:
        self.cookie, self.token = "", ""

    def ask(self, function: LoadedFunction, method: str, path: str, body: JSON | None = None):
        parts = urlsplit(path)
        query = dict(parse_qsl(parts.query))
        headers = {"cookie": ["a=b", f"{COOKIE}={self.cookie}"], "x-haimaker-csrf": [self.token]}
        answer = function.ask(
            {
                "resource": parts.path,
                "httpMethod": method,
                "multiValueHeaders": headers,
                "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
                "body": json.dumps(body) if body is not None else None,
            }
        )
        if set_cookie := answer.headers.get("set-cookie"):
            self.cookie = set_cookie.partition(";")[0].partition("=")[2]
        return answer


def test_people_sign_in_are_known_to_every_function_and_sign_out(
    stack: Stack, moto: str, identity: IdentityServer, tmp_path: Path
) -> None:
    config, parameter = tmp_path / "gateway.toml", f"/{stack.secrets.split('/')[1]}/sign-in"
    config.write_text(CONFIG.format(issuer=identity.issuer, url=BASE_URL))
    named = {"HAIMAKER_CONFIG": str(config)}
    sign_in = stack.load("sign_in", **named, HAIMAKER_SIGN_IN_PARAMETER=parameter)
    keys = stack.load("keys", **named)
    assert f'content="{BASE_URL}/sign-in"'.encode() in stack.load("console", **named).ask({"resource": "/console"}).raw
    admin = stack.key(role="admin")
    boss = {"httpMethod": "POST", "headers": {"authorization": f"Bearer {admin}"}, "pathParameters": {"action": "new"}}
    assert keys.ask({**boss, "resource": "/team/{action}", "body": '{"team_id": "growth"}'}).status == 200
    over = {"expires_s": int(time.time()) - 1}
    assert stack.store.documents.put(KIND, Document("over", over, 0))
    put_secrets(moto, parameter, "the stack's secret")

    browser = Browser()
    begun = browser.ask(sign_in, "GET", "/sign-in")
    assert (begun.status, begun.headers["location"].startswith(identity.issuer)) == (302, True)
    address = consent(begun.headers["location"], "ada")
    assert address.startswith(f"{BASE_URL}/sign-in/callback?")
    back = browser.ask(sign_in, "GET", address.removeprefix(BASE_URL))
    assert (back.status, back.headers.get("location")) == (302, f"{BASE_URL}/console"), back.raw
    assert back.headers["set-cookie"].endswith("; Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Strict")
    assert identity.forms[-1]["authorization"].startswith("Basic ")
    assert [found.name == "over" for found in stack.store.documents.all(KIND)] == [False], "sessions that ended are swept out"

    assert browser.ask(keys, "GET", "/key/list").code == "csrf_token_missing"
    browser.token = browser.ask(sign_in, "GET", "/sign-in/session").json["csrf_token"]
    made = browser.ask(keys, "POST", "/key/generate", {"max_budget": 1})
    assert (made.status, made.json["team_id"]) == (200, "growth")
    chats = stack.load("chat_completions", **named)
    assert browser.ask(chats, "POST", "/v1/chat/completions", {"model": "openai/gpt-4o-mini", "messages": []}).status == 401

    copy = browser.cookie
    assert browser.ask(sign_in, "POST", "/sign-in/out", {}).status == 200
    browser.cookie = copy
    assert browser.ask(keys, "GET", "/key/list").code == "session_ended"
    events = stack.load("routing", **named).ask({"resource": "/audit", "headers": boss["headers"]}).json["data"]
    assert [(event["operation"], event["changed_by"]) for event in reversed(events)][1:] == [
        ("sign_in", "ada@example.com"),
        ("keys.generate", "ada@example.com"),
        ("sign_out", "ada@example.com"),
    ]
    role = stack.role("sign_in")
    assert (role.refused, role.unused()) == ([], set())


def test_a_secret_that_can_not_be_read_is_told_and_nobody_is_let_in(
    stack: Stack, identity: IdentityServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(issuer=identity.issuer, url=BASE_URL))
    parameter = f"/{stack.secrets.split('/')[1]}/sign-in"
    function = stack.load("sign_in", HAIMAKER_CONFIG=str(config), HAIMAKER_SIGN_IN_PARAMETER=parameter)
    browser = Browser()
    address = consent(browser.ask(function, "GET", "/sign-in").headers["location"], "ada")
    told: list[str] = []
    monkeypatch.setattr(Observer, "error", lambda _, message: told.append(message))
    stack.front.breaks("GetParameters", "failing", times=20)
    back = browser.ask(function, "GET", address.removeprefix(BASE_URL))
    assert (back.status, browser.cookie) == (503, "")
    assert [f"{parameter} can't be read" in message for message in told] == [True]


def test_without_a_provider_there_is_nothing_to_sign_in_to(stack: Stack) -> None:
    function = stack.load("sign_in")
    for method, path in (("GET", "/sign-in"), ("GET", "/sign-in/callback"), ("POST", "/sign-in/out")):
        assert Browser().ask(function, method, path, {} if method == "POST" else None).code == "sign_in_off"


def test_metrics_of_a_stack_are_elsewhere(stack: Stack) -> None:
    function = stack.load("models", HAIMAKER_SERVICE="my-stack")
    for path in ("/metrics", "/v1/metrics"):
        answer = function.ask({"resource": "/{proxy+}", "path": path, "httpMethod": "GET", "headers": {}})
        assert (answer.status, answer.code) == (404, "metrics_off")
        assert "CloudWatch, in the namespace haimaker with the dimension service=my-stack" in answer.json["error"]["message"]
