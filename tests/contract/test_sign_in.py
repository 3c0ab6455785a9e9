"""Signing in to the console by an identity provider: the flow over HTTP against one, and everything that must not get through."""

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from haimaker.api.dispatch import HANDLERS, KEYLESS
from haimaker.api.paths import ROUTES
from haimaker.http.values import JSON
from tests.contract.money_support import Desk, serving
from tests.support.fake_upstream import FakeUpstream
from tests.support.identity_server import CONFIG, IdentityServer, User, consent

COOKIE = "__Host-haimaker"
SECRET = "a secret: 100% odd"
PEOPLE = {
    "ada": {"groups": ["platform", "all"], "email": "ada@example.com", "email_verified": True},
    "vic": {"realm_access": {"roles": ["finance"]}, "email": "vic@example.com", "email_verified": True},
    "tia": {"https://example.com/team": "growth"},
    "eve": {"email": "eve@example.com", "email_verified": True},
    "mal": {"email": "eve@example.com", "email_verified": False},
    "nobody": {"groups": ["all"]},
    "lost": {"groups": ["of no team"]},
}


class Site(NamedTuple):
    desk: Desk
    identity: IdentityServer

    def browser(self) -> "Browser":
        return Browser(self)


class Browser:
    """Keeps the cookie as a browser would: `Secure` counts on this machine as well, which httpx does not know."""

    def __init__(self, site: Site) -> None:
        self.site, self.cookie, self.token = site, "", ""

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, **headers)

    def send(self, method: str, path: str, body: JSON | None = None, **headers: str) -> httpx.Response:
        sent = {"cookie": f"a=b; {COOKIE}={self.cookie}"} if self.cookie else {}
        token = {"x-haimaker-csrf": self.token} if self.token else {}
        url = f"{self.site.desk.url.removesuffix('/v1')}{path}"
        answer = self.site.desk.http.request(method, url, json=body, headers={**sent, **token, **headers})
        if set_cookie := answer.headers.get("set-cookie"):
            self.cookie = set_cookie.partition(";")[0].partition("=")[2]
        return answer

    def begin(self) -> str:
        """The provider's page."""
        answer = self.get("/sign-in")
        assert answer.status_code == 302
        return answer.headers["location"]

    def finish(self, address: str) -> httpx.Response:
        parts = urlsplit(address)
        return self.get(f"{parts.path}?{parts.query}")

    def sign_in(self, who: str) -> httpx.Response:
        answer = self.finish(consent(self.begin(), who))
        if answer.status_code == 302:
            self.token = self.get("/sign-in/session").json()["csrf_token"]
        return answer


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("sign-in")
    people = [User(sub=name, claims=claims) for name, claims in PEOPLE.items()]
    with IdentityServer(*people) as identity, FakeUpstream() as upstream:
        config = home / "gateway.toml"
        config.write_text(CONFIG.format(issuer=identity.issuer, url="http://127.0.0.1:8000"))
        with serving(home, upstream, HAIMAKER_CONFIG=str(config), HAIMAKER_SIGN_IN_SECRET=SECRET) as desk:
            desk.admin("/team/new", team_id="growth", max_budget=10)
            yield Site(desk, identity)


@pytest.fixture(autouse=True)
def usual(site: Site) -> Iterator[None]:
    yield
    site.identity.sign = site.identity.usual


def test_the_browser_is_sent_with_state_nonce_and_challenge(site: Site) -> None:
    browser = site.browser()
    asked = parse_qs(urlsplit(browser.begin()).query)
    assert {name: asked[name] for name in ("response_type", "client_id", "redirect_uri", "scope", "code_challenge_method")} == {
        "response_type": ["code"],
        "client_id": ["haimaker"],
        "redirect_uri": ["http://127.0.0.1:8000/sign-in/callback"],
        "scope": ["openid email profile"],
        "code_challenge_method": ["S256"],
    }
    assert all(len(asked[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))
    again = parse_qs(urlsplit(site.browser().begin()).query)
    assert all(asked[name] != again[name] for name in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize(
    ("who", "name", "role", "team"),
    [
        ("ada", "ada@example.com", "admin", None),
        ("vic", "vic@example.com", "viewer", None),
        ("tia", "tia", "team_admin", "growth"),
        ("eve", "eve@example.com", "viewer", None),
    ],
)
def test_claims_decide_the_role(site: Site, who: str, name: str, role: str, team: str | None) -> None:
    browser = site.browser()
    answer = browser.sign_in(who)
    assert answer.headers["location"] == "http://127.0.0.1:8000/console"
    attributes = {part.strip() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert attributes == {"Path=/", "Max-Age=28800", "HttpOnly", "Secure", "SameSite=Strict"}
    person = browser.get("/sign-in/session").json()["person"]
    assert [person[field] for field in ("key_alias", "role", "team_id")] == [name, role, team]
    statuses = [browser.get(path).status_code for path in ("/v1/models", "/key/list", "/audit", "/providers")]
    assert statuses == ([200, 200, 403, 403] if role == "team_admin" else [200] * 4)
    assert (browser.get("/batch/list").status_code, browser.get("/v1/batches").status_code) == (200, 401)
    made = browser.send("POST", "/key/generate", {"max_budget": 1})
    assert made.status_code == (403 if role == "viewer" else 200)
    if role == "team_admin":
        assert made.json()["team_id"] == "growth"
        assert browser.send("POST", "/team/new", {"team_id": "other"}).status_code == 403


def test_a_change_is_told_with_who_made_it(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("ada")
    token_id = browser.send("POST", "/key/generate", {"key_alias": "made by ada"}).json()["token_id"]
    [event] = browser.get(f"/audit?object_id={token_id}").json()["data"]
    assert event["changed_by"] == "ada@example.com"


@pytest.fixture
def anew(site: Site) -> Iterator[None]:
    """The provider is asked again what it says of itself, and not believed by the next test."""
    site.desk.gateway.identity_provider = None
    yield
    site.identity.described = {}
    site.desk.gateway.identity_provider = None


@pytest.mark.parametrize(
    ("secret", "methods", "in_header", "in_form"),
    [
        (SECRET, None, "haimaker:a%20secret%3A%20100%25%20odd", ""),
        (SECRET, ["client_secret_post", "client_secret_basic"], "haimaker:a%20secret%3A%20100%25%20odd", ""),
        (SECRET, ["client_secret_post"], "", SECRET),
        ("", ["client_secret_post"], "", ""),
        ("", None, "", ""),
    ],
    ids=str,
)
def test_the_token_endpoint_gets_the_verifier_and_the_secret(
    site: Site,
    anew: None,
    monkeypatch: pytest.MonkeyPatch,
    secret: str,
    methods: list[str] | None,
    in_header: str,
    in_form: str,
) -> None:
    site.identity.described = {"token_endpoint_auth_methods_supported": methods}
    settings = replace(site.desk.gateway.settings, sign_in_secret=secret)
    monkeypatch.setattr(site.desk.gateway, "settings", settings)
    assert site.browser().sign_in("ada").status_code == 302
    form = site.identity.forms[-1]
    assert form["redirect_uri"] == "http://127.0.0.1:8000/sign-in/callback"
    assert (base64.b64decode(form["authorization"].removeprefix("Basic ")).decode(), form.get("client_secret", "")) == (
        in_header,
        in_form,
    )


def test_who_has_no_role_gets_no_session(site: Site) -> None:
    for who, status, said in (("nobody", 403, "no rule"), ("mal", 403, "no rule"), ("lost", 401, "team none does not exist")):
        browser = site.browser()
        answer = browser.sign_in(who)
        assert (answer.status_code, said in answer.text) == (status, True)
        assert browser.cookie == ""
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def resign(key: object, alg: str = "RS256", **changes: object) -> Callable[[JSON], str]:
    return lambda claims: jwt.encode({"alg": alg, "kid": "of-the-test"}, {**claims, **changes}, key, algorithms=[alg])


def unsigned(claims: JSON) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def keyed(secret: bytes) -> Callable[[JSON], str]:
    def sign(claims: JSON) -> str:
        parts = (json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "of-the-test"}, claims))
        text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
        return b".".join((text, base64.urlsafe_b64encode(hmac.digest(secret, text, "sha256")).rstrip(b"="))).decode()

    return sign


def without(name: str, key: object) -> Callable[[JSON], str]:
    return lambda claims: jwt.encode({"alg": "RS256"}, {field: value for field, value in claims.items() if field != name}, key)


NOW_S = int(time.time())
REQUIRED = ("iss", "aud", "exp", "nonce", "sub", "iat")
TOKENS: dict[str, Callable[[IdentityServer], Callable[[JSON], str]]] = {
    "nobody's signature": lambda identity: unsigned,
    "another key's signature": lambda identity: resign(RSAKey.generate_key(2048)),
    "a signature with the public key as a shared secret": lambda identity: keyed(identity.key.as_pem(private=False)),
    "another issuer": lambda identity: resign(identity.key, iss="http://localhost:1"),
    "another audience": lambda identity: resign(identity.key, aud="somebody-else"),
    "several audiences and no party": lambda identity: resign(identity.key, aud=["haimaker", "somebody-else"]),
    "another party": lambda identity: resign(identity.key, azp="somebody-else"),
    "another nonce": lambda identity: resign(identity.key, nonce="another"),
    "an end that has come": lambda identity: resign(identity.key, exp=NOW_S - 600),
    "a beginning to come": lambda identity: resign(identity.key, nbf=NOW_S + 6_000),
    "a moment to come": lambda identity: resign(identity.key, iat=NOW_S + 6_000),
    **{
        f"no {name}": lambda identity, name=name: without(name, identity.key)
        for name in ("iss", "aud", "exp", "nonce", "sub", "iat")
    },
    "half a character as its nonce": lambda identity: (
        lambda claims: f"{_part({'alg': 'RS256'})}.{_part({**claims, 'nonce': chr(0xD800)})}.AA"
    ),
    "a nonce that is none": lambda identity: resign(identity.key, nonce=["another"]),
    "an audience within a list within": lambda identity: resign(identity.key, aud=[["haimaker"]]),
    "a text as its end": lambda identity: resign(identity.key, exp="9999999999"),
    "a yes as its end": lambda identity: resign(identity.key, exp=True),
    "a list as its subject": lambda identity: resign(identity.key, sub=["ada"]),
    "an issuer with a slash more": lambda identity: resign(identity.key, iss=f"{identity.issuer}/"),
    "claims that are a list": lambda identity: lambda claims: f"{_part({'alg': 'RS256'})}.{_part([claims])}.AA",
    "a header that is a list": lambda identity: lambda claims: f"{_part([{'alg': 'RS256'}])}.{_part(claims)}.AA",
    "a list as its algorithm": lambda identity: lambda claims: f"{_part({'alg': ['RS256']})}.{_part(claims)}.AA",
    "no characters of base64": lambda identity: lambda claims: "é.é.é",
    "no token's form": lambda identity: lambda claims: "token",
    "an encrypted token's form": lambda identity: lambda claims: "a.b.c.d.e",
}


@pytest.mark.parametrize(
    ("name", "checks_signatures"),
    [(name, True) for name in TOKENS] + [(name, False) for name in TOKENS if name != "another key's signature"],
)
def test_a_token_is_not_trusted_that_has(
    site: Site, anew: None, monkeypatch: pytest.MonkeyPatch, name: str, checks_signatures: bool
) -> None:
    """Where signatures are not checked, the others' hold all the same: such as one of a kind that this flow never has."""
    settings = replace(site.desk.gateway.settings, checks_signatures=checks_signatures)
    monkeypatch.setattr(site.desk.gateway, "settings", settings)
    site.identity.sign = TOKENS[name](site.identity)
    browser = site.browser()
    answer = browser.sign_in("ada")
    assert (answer.status_code, "not to be trusted" in answer.text) == (401, True)
    assert browser.cookie == ""


def test_several_audiences_with_this_one_as_the_party_are_trusted(site: Site) -> None:
    site.identity.sign = resign(site.identity.key, aud=["haimaker", "somebody-else"], azp="haimaker")
    assert site.browser().sign_in("ada").status_code == 302


def changed(address: str, **query: str | None) -> str:
    parts = urlsplit(address)
    found = {name: values[0] for name, values in parse_qs(parts.query).items()} | query
    return parts._replace(query=urlencode({name: value for name, value in found.items() if value is not None})).geturl()


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"state": "another"}, 401),
        ({"state": None}, 401),
        ({"state": "é"}, 401),
        ({"code": "another"}, 401),
        ({"code": None}, 401),
        ({"code": "\x00\ufeff"}, 401),
        ({"iss": "http://localhost:1"}, 401),
        ({"code": None, "error": "access_denied"}, 403),
    ],
    ids=str,
)
def test_a_way_back_that_is_not_the_one(site: Site, query: dict[str, str | None], status: int) -> None:
    browser = site.browser()
    address = consent(browser.begin(), "ada")
    assert browser.finish(changed(address, **query)).status_code == status
    assert browser.cookie == ""
    assert browser.finish(address).status_code == 401  # it is over: the state went with the cookie


def test_a_code_counts_once_and_in_its_browser(site: Site) -> None:
    browser = site.browser()
    address = consent(browser.begin(), "ada")
    flow = browser.cookie
    assert site.browser().finish(address).status_code == 401  # somebody else's browser
    other = site.browser()
    other.begin()
    assert other.finish(address).status_code == 401  # one that is signing in itself
    assert browser.finish(address).status_code == 302
    browser.cookie = flow
    again = browser.finish(address)
    assert (again.status_code, "used already" in again.text) == (401, True)


def test_nobody_chooses_where_the_way_ends(site: Site) -> None:
    browser = site.browser()
    evil = "https://evil.example/"
    names = ("next", "redirect_uri", "return_to", "url", "state", "iss")
    page = browser.get(f"/sign-in?{urlencode(dict.fromkeys(names, evil))}", host="evil.example.localhost", referer=evil).headers[
        "location"
    ]
    assert "evil" not in page
    answer = browser.finish(consent(page, "ada") + f"&next={evil}&redirect_uri={evil}")
    assert answer.headers["location"] == "http://127.0.0.1:8000/console"


def test_a_session_counts_with_its_token_only(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("ada")
    token = browser.token
    for wrong in ("", "x" * 64, site.browser().token or "0"):
        browser.token = wrong
        for method, path in (("GET", "/key/list"), ("POST", "/key/generate"), ("POST", "/sign-in/out"), ("GET", "/v1/models")):
            answer = browser.send(method, path, {} if method == "POST" else None)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "csrf_token_missing")
    browser.token = token
    assert browser.get("/key/list").status_code == 200


def test_what_generates_takes_no_session(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("ada")
    allowed = {name for name, handler in HANDLERS.items() if name in KEYLESS}
    takes = set()
    for route in ROUTES:
        if route.operation in allowed or "gemini" in route.operation:
            continue
        path = route.template.replace("{id+}", "x").replace("{action}", "info").replace("{model}", "m").replace("{id}", "x")
        answer = browser.send(route.method, path, {} if route.method == "POST" else None)
        if answer.status_code != 401:
            takes.add(route.operation)
    assert {name for name in takes if name.split("_")[0] in ("chat", "completions", "embeddings", "images", "audio", "moderations",
                                                             "rerank", "messages", "responses")} == set()  # fmt: skip
    assert {"key_list", "key_generate", "spend_report", "models_list", "audit_list", "team_show"} <= takes


def test_a_session_ends_by_signing_out_and_by_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = site.browser()
    browser.sign_in("ada")
    copy, token = browser.cookie, browser.token
    assert browser.send("POST", "/sign-in/out", {}).status_code == 200
    assert browser.cookie == ""
    browser.cookie, browser.token = copy, token
    assert browser.get("/key/list").json()["error"]["code"] == "session_ended"
    assert browser.get("/sign-in/session").json() == {"person": None}
    browser.sign_in("ada")
    later_s = time.time() + 8 * 3_600 + 1
    monkeypatch.setattr("time.time", lambda: later_s)
    assert browser.get("/key/list").json()["error"]["code"] == "session_ended"


def test_a_rule_or_a_team_that_is_gone_ends_its_sessions(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("tia")
    site.desk.admin("/team/block", team_id="growth")
    assert browser.get("/key/list").status_code == 401
    site.desk.admin("/team/unblock", team_id="growth")
    assert browser.get("/key/list").status_code == 200
    settings = site.desk.gateway.settings
    sign_in = settings.config.sign_in
    assert sign_in is not None
    object.__setattr__(settings.config, "sign_in", sign_in._replace(rules=sign_in.rules[:2]))
    try:
        assert browser.get("/key/list").status_code == 401
    finally:
        object.__setattr__(settings.config, "sign_in", sign_in)


def test_a_key_counts_before_a_cookie(site: Site) -> None:
    browser = site.browser()
    browser.sign_in("ada")
    key = site.desk.key()
    assert browser.get("/key/list", authorization=f"Bearer {key}").status_code == 403


def test_a_gateway_without_it_knows_no_cookie(tmp_path: Path) -> None:
    with FakeUpstream() as upstream, serving(tmp_path, upstream) as desk:
        root = desk.url.removesuffix("/v1")
        for method, path in (
            ("GET", "/sign-in"),
            ("GET", "/sign-in/callback"),
            ("GET", "/sign-in/session"),
            ("POST", "/sign-in/out"),
        ):
            answer = desk.http.request(method, f"{root}{path}", json={} if method == "POST" else None)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "sign_in_off")
        answer = desk.http.get(f"{root}/key/list", headers={"cookie": f"{COOKIE}=session.x", "x-haimaker-csrf": "y"})
        assert answer.json()["error"]["code"] == "missing_api_key"


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "http://localhost:1"},
        {"token_endpoint": "http://idp.example/token"},
        {"jwks_uri": None},
        {"jwks_uri": "https://[idp.example/keys"},
        {"token_endpoint": "https://idp.example:99999/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://idp.example/\r\nset-cookie: a=b"},
        {"authorization_endpoint": ["https://idp.example/"]},
        {"token_endpoint_auth_methods_supported": 5},
    ],
    ids=str,
)
def test_a_provider_that_describes_itself_wrongly_is_not_asked(site: Site, anew: None, described: JSON) -> None:
    site.identity.described = described
    answer = site.browser().get("/sign-in")
    assert (answer.status_code, "identity provider" in answer.text) == (502, True)
