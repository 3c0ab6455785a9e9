"""An identity provider in this process, whose ID tokens a test may change: oidc-provider-mock, with keys of its own and with PKCE,
which that does not check.

https://oidc-provider-mock.readthedocs.io
"""

import base64
import json
import threading
from collections.abc import Callable, Iterable
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import oidc_provider_mock
from joserfc import jwt
from joserfc.jwk import RSAKey
from oidc_provider_mock import User
from werkzeug.serving import make_server

from haimaker.http.values import JSON

StartResponse = Callable[..., Any]
ANY_CLIENT = "Basic " + base64.b64encode(b"haimaker:any").decode()
"""For clients without a secret, which the mock does not know."""

CONFIG = """
[sign_in]
issuer = "{issuer}"
client_id = "haimaker"
url = "{url}"
name = "Example"
roles = [
    {{ claim = "groups", value = "platform", role = "admin" }},
    {{ claim = "realm_access.roles", value = "finance", role = "viewer" }},
    {{ claim = "https://example.com/team", value = "growth", role = "team_admin", team = "growth" }},
    {{ claim = "email", value = "eve@example.com", role = "viewer" }},
    {{ claim = "groups", value = "of no team", role = "team_admin", team = "none" }},
]
"""
"""Of a gateway whose people are at this provider."""


class IdentityServer:
    """`sign` makes an ID token of its claims; a test puts another in its place."""

    def __init__(self, *people: User) -> None:
        self._app = oidc_provider_mock.app(user_claims=people, require_nonce=True)
        self._challenges: dict[str, str] = {}
        """By the state that a browser brought, PKCE's challenge; then by the code that it was given."""
        self.key = RSAKey.generate_key(2048, {"kid": "of-the-test", "use": "sig"})
        self.sign: Callable[[JSON], str] = self.usual
        self.described: JSON = {}
        """What it says of itself besides what is so."""
        self.forms: list[dict[str, str]] = []
        """What its token endpoint was asked."""
        self._server = make_server("localhost", 0, self, threaded=True)
        self.issuer = f"http://localhost:{self._server.server_port}"

    def __enter__(self) -> "IdentityServer":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def usual(self, claims: JSON) -> str:
        return jwt.encode({"alg": "RS256", "kid": "of-the-test"}, claims, self.key)

    def __call__(self, environ: JSON, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/jwks":
            return _json(start_response, {"keys": [{"kty": "oct", "use": "enc"}, self.key.as_dict(private=False)]})
        if path == "/oauth2/token":
            return self._token(environ, start_response)
        status, headers, body = self._inner(environ)
        if path == "/.well-known/openid-configuration":
            return _json(start_response, {**json.loads(body), **self.described})
        if path == "/oauth2/authorize" and environ["REQUEST_METHOD"] == "POST":
            asked = parse_qs(environ["QUERY_STRING"])
            assert asked["code_challenge_method"] == ["S256"]
            if code := parse_qs(urlsplit(dict(headers).get("Location", "")).query).get("code"):
                self._challenges[code[0]] = asked["code_challenge"][0]
        start_response(status, headers)
        return [body]

    def _token(self, environ: JSON, start_response: StartResponse) -> Iterable[bytes]:
        raw = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        form = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
        self.forms.append({**form, "authorization": environ.get("HTTP_AUTHORIZATION", "")})
        digest = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if digest != self._challenges.get(form["code"]):
            return _json(start_response, {"error": "invalid_grant"}, "400 Bad Request")
        known = {"HTTP_AUTHORIZATION": ANY_CLIENT, **environ, "wsgi.input": BytesIO(raw)}
        status, _, body = self._inner(known)
        answer = json.loads(body)
        if "id_token" in answer:
            payload = answer["id_token"].split(".")[1]
            answer["id_token"] = self.sign(json.loads(base64.urlsafe_b64decode(payload + "==")))
        return _json(start_response, answer, status)

    def _inner(self, environ: JSON) -> tuple[str, list[tuple[str, str]], bytes]:
        found: list[Any] = []
        body = b"".join(self._app(environ, lambda status, headers, error=None: found.extend((status, headers))))
        return found[0], found[1], body


def consent(url: str, who: str) -> str:
    """What somebody does on the provider's page that `url` is: signs in, and is led back to the address that this returns."""
    answer = httpx.post(url, data={"sub": who}, follow_redirects=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def _json(start_response: StartResponse, body: JSON, status: str = "200 OK") -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]
