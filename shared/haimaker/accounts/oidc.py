"""OpenID Connect's code flow with PKCE, as a client: where to send a browser, and whom the code that it brings back means.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth, https://www.rfc-editor.org/rfc/rfc7636,
https://www.rfc-editor.org/rfc/rfc9700. Signatures are checked by joserfc, which is imported when somebody signs in, and only then.

A deployed stack has no joserfc, which brings 16 MB of cryptography along, and takes an ID token for the provider's since it comes
from the token endpoint itself over TLS, as https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation 6 allows in this
flow: the keys that a signature is checked with come over the same TLS, by the same description.
"""

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from haimaker.accounts.sign_in import LOOPBACK, SignInSettings
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError, read_whole
from haimaker.http.errors import APIError, AuthenticationError, BadGatewayError
from haimaker.http.json import parse_json, read_or_none
from haimaker.http.values import JSON, UpstreamRequest

TIMEOUT_S = 10.0
MAX_BYTES = 1_000_000
DISCOVERY_LASTS_S = 3_600.0
LEEWAY_S = 60
"""By how much the provider's clock may differ."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Of signatures with a key that the provider publishes; neither `none` nor one with a shared secret."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
METHODS = "token_endpoint_auth_methods_supported"
BASIC, POST = "client_secret_basic", "client_secret_post"


class Flow(NamedTuple):
    """What ties the answer of an identity provider to the browser that asked."""

    state: str
    nonce: str
    verifier: str
    """PKCE's."""

    @classmethod
    def new(cls) -> "Flow":
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))

    def challenge(self) -> str:
        return base64.urlsafe_b64encode(sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


class IdentityProvider:
    """A provider as it describes itself; what it says is read again after an hour."""

    def __init__(
        self, settings: SignInSettings, read_secret: Callable[[], str], client: HTTPClient, *, checks_signatures: bool = True
    ) -> None:
        """`read_secret` is called for each code, and gives nothing where the gateway has no secret at the provider."""
        self._settings, self._read_secret, self._client = settings, read_secret, client
        self._checks_signatures = checks_signatures
        self._described: Mapping[str, Any] = {}
        self._described_until_s = 0.0

    def authorization_url(self, flow: Flow) -> str:
        """The URL to which a browser is sent to sign in. Raises BadGatewayError."""
        settings = self._settings
        query = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": settings.redirect_uri,
            "scope": " ".join(settings.scopes),
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": flow.challenge(),
            "code_challenge_method": "S256",
        }
        endpoint = self._description()["authorization_endpoint"]
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    def redeem(self, code: str, flow: Flow) -> Mapping[str, Any]:
        """The claims of whom a code stands for, from the ID token that the provider gives for it. Raises AuthenticationError,
        BadGatewayError."""
        form, headers = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.redirect_uri,
            "client_id": self._settings.client_id,
            "code_verifier": flow.verifier,
        }, {"content-type": "application/x-www-form-urlencoded"}  # fmt: skip
        methods = self._description().get(METHODS) or [BASIC]
        secret = self._read_secret()
        if secret and BASIC not in methods and POST in methods:
            form["client_secret"] = secret
        elif secret:  # https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
            pair = f"{quote(self._settings.client_id, safe='')}:{quote(secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        status, answer = self._ask("POST", self._description()["token_endpoint"], urlencode(form).encode(), headers)
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            error = answer.get("error")
            if error == "invalid_grant":
                raise AuthenticationError("The code was used already, or is too old. Sign in again.", code="sign_in_expired")
            said = f" ({error[:60]})" if isinstance(error, str) and error.isidentifier() else ""
            raise BadGatewayError(f"The identity provider gave no ID token{said}.", code="identity_provider_failed")
        return self._verify(token, flow)

    def _verify(self, token: str, flow: Flow) -> Mapping[str, Any]:
        """https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation"""
        claims = self._signed_claims(token) if self._checks_signatures else _claims_of(token)
        if wrong := _wrong_claim(claims, self._settings, flow, time.time()):
            raise _untrusted(wrong)
        return claims

    def _signed_claims(self, token: str) -> Mapping[str, Any]:
        """Raises AuthenticationError, BadGatewayError."""
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        _, published = self._ask("GET", self._description()["jwks_uri"])
        try:
            registry = JWSRegistry(algorithms=list(ALGORITHMS))
            return jwt.decode(token, KeySet.import_key_set(_signing_keys(published)), registry=registry).claims
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _untrusted(type(error).__name__) from error

    def _description(self) -> Mapping[str, Any]:
        """https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig. Raises BadGatewayError."""
        if time.monotonic() >= self._described_until_s:
            issuer = self._settings.issuer
            status, found = self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if status != 200 or found.get("issuer") != issuer:
                message = "The identity provider does not describe itself as the issuer that gateway.toml names."
                raise BadGatewayError(message, code="identity_provider_failed")
            if not all(_is_safe(found.get(name)) for name in ENDPOINTS) or not isinstance(found.get(METHODS) or [], list):
                message = "The identity provider's description lacks an endpoint, or has one without https."
                raise BadGatewayError(message, code="identity_provider_failed")
            self._described, self._described_until_s = found, time.monotonic() + DISCOVERY_LASTS_S
        return self._described

    def _ask(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, JSON]:
        """The status and the JSON of an answer. Raises BadGatewayError."""
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        asked = UpstreamRequest(path, body, {"accept": "application/json", **(headers or {})}, method)
        timeouts = Timeouts(TIMEOUT_S, TIMEOUT_S, TIMEOUT_S, time.monotonic() + 2 * TIMEOUT_S)
        try:
            answer = self._client.send(asked, f"{parts.scheme}://{parts.netloc}", {}, timeouts, CancelToken())
            return answer.status, parse_json(read_whole(answer.pieces, MAX_BYTES))
        except TransportError as error:
            message = "The identity provider can't be reached."
            raise BadGatewayError(message, code="identity_provider_failed") from error
        except APIError as error:
            message = "The identity provider's answer is not JSON."
            raise BadGatewayError(message, code="identity_provider_failed") from error


def _signing_keys(published: JSON) -> Any:
    """The published keys that verify signatures. Others are left out: one of an unknown kind must not shut everybody out."""
    keys = published.get("keys")
    found = [
        key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict) and key.get("use", "sig") == "sig" and key.get("kty") in ("RSA", "EC", "OKP")
    ]
    return {"keys": found}


def _claims_of(token: str) -> Mapping[str, Any]:
    """The claims of a token that came from the token endpoint itself. Raises AuthenticationError."""
    header, claims = (_read_part(part) for part in (token.split(".") if token.count(".") == 2 else ("", "", ""))[:2])
    if header.get("alg") not in ALGORITHMS:
        raise _untrusted("alg")
    return claims


def _read_part(part: str) -> Mapping[str, Any]:
    try:
        found = read_or_none(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _wrong_claim(claims: Mapping[str, Any], settings: SignInSettings, flow: Flow, now_s: float) -> str | None:
    """The first claim, if any, by which an ID token is not this provider's for this sign-in, or not of now."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    expected_party = settings.client_id if len(audiences) < 2 else None
    nonce, subject = claims.get("nonce"), claims.get("sub")
    ends_s, made_s, begins_s = (_to_s(claims.get(name)) for name in ("exp", "iat", "nbf"))
    holds = {
        "iss": claims.get("iss") == settings.issuer,
        "aud": settings.client_id in audiences,
        "azp": claims.get("azp", expected_party) == settings.client_id,
        "nonce": isinstance(nonce, str) and compare_digest(nonce.encode("utf-8", "replace"), flow.nonce.encode()),
        "sub": isinstance(subject, str) and bool(subject),
        "exp": ends_s is not None and ends_s + LEEWAY_S > now_s,
        "iat": made_s is not None and made_s - LEEWAY_S <= now_s,
        "nbf": "nbf" not in claims or (begins_s is not None and begins_s - LEEWAY_S <= now_s),
    }
    return next((name for name, holding in holds.items() if not holding), None)


def _to_s(value: object) -> float | None:
    """A moment in seconds, if a claim is one."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_safe(url: object) -> bool:
    """Whether a browser may be sent to an address, or a code: what a header could not hold is none."""
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.port != 0 and bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in LOOPBACK)
    except ValueError:  # no port, or no address, that there can be
        return False


def _untrusted(why: str) -> AuthenticationError:
    return AuthenticationError(f"The ID token of the identity provider is not to be trusted ({why}).", code="id_token_invalid")
