"""Access tokens for Google Cloud: from a service account's key, or without any stored secret from the AWS role that runs this.

https://developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests
https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds
The signature is made here with integers, since a cryptography library would double the size of the Lambda layer; a test compares it
with one. It must not be used for anything but signing with one's own key.
"""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from haimaker.aws.client import AWSError
from haimaker.aws.sigv4 import CredentialSource, sign
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError
from haimaker.http.errors import ServiceUnavailableError
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.lean_dataclasses import dataclass, field

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LIFETIME_S = 3_600
REFRESH_MARGIN_S = 300.0
"""A token is renewed this long before it expires."""
TIMEOUTS = Timeouts(5.0, 10.0, 10.0)
FORM_HEADERS = {"content-type": "application/x-www-form-urlencoded"}
TOKEN_HOSTS = ("googleapis.com",)
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")
"""The DER form of "this is a SHA-256 digest", RFC 8017 9.2."""


@dataclass(frozen=True, slots=True)
class GoogleAccount:
    """A service account's key file or a workload identity configuration, as Google's console writes them."""

    document: Mapping[str, Any] = field(repr=False)
    aws: CredentialSource | None = None
    aws_region: str = ""


class GoogleTokens:
    """Tokens of one account, cached until shortly before they expire. Safe to share between threads."""

    def __init__(self, account: GoogleAccount, http_client: HTTPClient, clock: Callable[[], float] = time.time) -> None:
        self._account = account
        self._transport = http_client
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._expires_s = 0.0

    def token(self) -> str:
        """A valid token. Raises ServiceUnavailableError if none can be had."""
        with self._lock:
            if self._expires_s - REFRESH_MARGIN_S <= self._clock():
                self._token, lifetime_s = self._fetch()
                self._expires_s = self._clock() + lifetime_s
            return self._token

    def _fetch(self) -> tuple[str, float]:
        document = self._account.document
        try:
            if document.get("type") == "external_account":
                return self._federated(document)
            assertion = service_account_assertion(document, int(self._clock()))
            form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
            answer = self._post(str(document["token_uri"]), urlencode(form).encode(), FORM_HEADERS)
            return str(answer["access_token"]), float(answer["expires_in"])
        except (LookupError, ValueError, TransportError, AWSError) as error:
            raise ServiceUnavailableError(
                "The gateway could not get an access token for the provider. Ask its administrator to check the account.",
                code="credentials_unavailable",
                headers={"retry-after": "5"},
            ) from error

    def _federated(self, document: Mapping[str, Any]) -> tuple[str, float]:
        """A signed question to AWS, "who am I", in exchange for a token; then, if configured, that of a service account."""
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": str(document["audience"]),
            "scope": SCOPE,
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
            "subject_token": caller_identity(self._account, str(document["audience"]), self._clock()),
        }
        answer = self._post(str(document["token_url"]), urlencode(form).encode(), FORM_HEADERS)
        token, lifetime_s = str(answer["access_token"]), float(answer["expires_in"])
        impersonation = document.get("service_account_impersonation_url")
        if not impersonation:
            return token, lifetime_s
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        answer = self._post(str(impersonation), json.dumps({"scope": [SCOPE]}).encode(), headers)
        return str(answer["accessToken"]), min(lifetime_s, float(LIFETIME_S))

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> JSON:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https" and not any(host == known or host.endswith(f".{known}") for known in TOKEN_HOSTS):
            raise ValueError("the account names an address that is not Google's")
        base_url = f"{parts.scheme}://{parts.netloc}"
        response = self._transport.send(UpstreamRequest(parts.path, body, headers), base_url, {}, TIMEOUTS, CancelToken())
        answer = json.loads(b"".join(response.pieces))
        if response.status != 200 or not isinstance(answer, dict):
            raise ValueError(f"status {response.status}")
        return answer


def service_account_assertion(document: Mapping[str, Any], now_s: int) -> str:
    """A signed JSON web token that says who asks. Raises KeyError or ValueError for a key file that is none."""
    claims = {
        "iss": document["client_email"],
        "scope": SCOPE,
        "aud": document["token_uri"],
        "iat": now_s,
        "exp": now_s + LIFETIME_S,
    }
    header = {"alg": "RS256", "typ": "JWT", "kid": document.get("private_key_id", "")}
    signed = f"{_to_base64url(json.dumps(header).encode())}.{_to_base64url(json.dumps(claims).encode())}"
    return f"{signed}.{_to_base64url(sign_rsa_sha256(str(document['private_key']), signed.encode()))}"


def caller_identity(account: GoogleAccount, audience: str, now_s: float) -> str:
    """The request by which AWS would say who its caller is, signed but not sent: Google sends it."""
    if account.aws is None:
        raise ValueError("no AWS credentials")
    region = account.aws_region
    url = f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
    headers = sign(account.aws.current(), "sts", region, "POST", url, {"x-goog-cloud-target-resource": audience}, b"", now_s)
    listed = [{"key": name, "value": value} for name, value in headers.items()]
    return quote(json.dumps({"url": url, "method": "POST", "headers": listed}), safe="")


def sign_rsa_sha256(pem: str, message: bytes) -> bytes:
    """The RSASSA-PKCS1-v1_5 signature of a message (RFC 8017 8.2) with a PKCS #8 private key. Raises ValueError."""
    modulus, exponent = _private_key(pem)
    size = (modulus.bit_length() + 7) // 8
    digest = SHA256_PREFIX + hashlib.sha256(message).digest()
    padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return pow(int.from_bytes(padded, "big"), exponent, modulus).to_bytes(size, "big")


def _private_key(pem: str) -> tuple[int, int]:
    """Modulus and private exponent: PrivateKeyInfo (RFC 5208) around RSAPrivateKey (RFC 8017 A.1.2)."""
    lines = [line for line in pem.strip().splitlines() if line and not line.startswith("-----")]
    outer = _der_values(_der_values(base64.b64decode("".join(lines), validate=True))[0])
    inner = _der_values(_der_values(outer[2])[0])
    return int.from_bytes(inner[1], "big"), int.from_bytes(inner[3], "big")


def _der_values(der: bytes) -> list[bytes]:
    """The contents of the DER elements that lie one after another, whatever their kind."""
    values, at = [], 0
    while at < len(der):
        length, start = der[at + 1], at + 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[at + 2 : start], "big")
        values.append(der[start : start + length])
        at = start + length
    if at != len(der) or not values:
        raise ValueError("not a private key")
    return values


def _to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
