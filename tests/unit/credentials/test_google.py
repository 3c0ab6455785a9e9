"""The signature is compared with a cryptography library's, the exchanges are played by a scripted server."""

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs, unquote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from haimaker.aws.sigv4 import Credentials
from haimaker.credentials.access import connections_from_env
from haimaker.credentials.google import GoogleAccount, GoogleTokens, service_account_assertion, sign_rsa_sha256
from haimaker.http.client import HTTPClient
from haimaker.http.errors import ServiceUnavailableError
from haimaker.validation.settings import SettingsError
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import Reply

AWS = Credentials("AKIDEXAMPLE", "secret", "session")


def private_key(bits: int) -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(65537, bits)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key, pem.decode()


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_signatures_are_those_of_a_library(bits: int) -> None:
    key, pem = private_key(bits)
    for message in (b"", b"header.claims", bytes(range(256)) * 9):
        assert sign_rsa_sha256(pem, message) == key.sign(message, padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("pem", ["", "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", "AAAA", "not base64!"])
def test_what_is_no_key_is_a_value_error(pem: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        sign_rsa_sha256(pem, b"x")


def service_account(token_uri: str) -> dict[str, str]:
    _, pem = private_key(2048)
    return {
        "type": "service_account",
        "client_email": "me@p.iam",
        "private_key_id": "k1",
        "private_key": pem,
        "token_uri": token_uri,
    }


def test_the_assertion_names_the_account_and_lasts_an_hour() -> None:
    header, claims, _ = service_account_assertion(service_account("https://oauth2.googleapis.com/token"), 1_000).split(".")
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert json.loads(base64.urlsafe_b64decode(claims + "==")) == {
        "iss": "me@p.iam",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": 1_000,
        "exp": 4_600,
    }


def test_a_token_is_kept_until_shortly_before_it_ends() -> None:
    now_s = [0.0]
    with FakeUpstream() as google:
        google.answers(*(Reply.json(200, {"access_token": f"t{i}", "expires_in": 3599}) for i in range(2)))
        tokens = GoogleTokens(GoogleAccount(service_account(google.url)), HTTPClient(), lambda: now_s[0])
        assert [tokens.token(), tokens.token()] == ["t0", "t0"]
        now_s[0] = 3_300.0
        assert tokens.token() == "t1"
        assert parse_qs(google.calls[0].body.decode())["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]


def test_an_aws_role_gets_a_service_accounts_token_without_a_secret() -> None:
    with FakeUpstream() as google:
        google.answers(
            Reply.json(200, {"access_token": "federated", "expires_in": 3600}),
            Reply.json(200, {"accessToken": "impersonated", "expireTime": "2026-11-22T03:00:00Z"}),
        )
        document = {
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/aws",
            "token_url": google.url,
            "service_account_impersonation_url": google.url,
        }
        assert GoogleTokens(GoogleAccount(document, AWS, "eu-west-1"), HTTPClient()).token() == "impersonated"
        form = parse_qs(google.calls[0].body.decode())
        question = json.loads(unquote(form["subject_token"][0]))
        headers = {header["key"]: header["value"] for header in question["headers"]}
        assert question["url"].startswith("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity")
        assert headers["x-goog-cloud-target-resource"] == document["audience"]
        assert "x-goog-cloud-target-resource" in headers["authorization"]
        assert google.calls[1].headers["authorization"] == "Bearer federated"


@pytest.mark.parametrize(
    "reply",
    [Reply.json(400, {"error": "invalid_grant"}), Reply.html(200), Reply.json(200, {}), Reply.json(200, [])],  # type: ignore[arg-type]
)
def test_a_refusal_is_a_503_that_says_nothing_secret(reply: Reply) -> None:
    with FakeUpstream() as google:
        google.answers(reply)
        document = service_account(google.url)
        with pytest.raises(ServiceUnavailableError) as refused:
            GoogleTokens(GoogleAccount(document), HTTPClient()).token()
        assert document["private_key"] not in str(refused.value)
        assert "PRIVATE" not in repr(GoogleAccount(document))


def test_an_account_that_names_a_strange_address_is_not_used() -> None:
    document = service_account("https://attacker.example/token")
    with pytest.raises(ServiceUnavailableError):
        GoogleTokens(GoogleAccount(document), HTTPClient()).token()


@pytest.mark.parametrize(
    ("location", "host"),
    [
        (None, "us-central1-aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_an_address_follows_the_location(location: str | None, host: str) -> None:
    named = {"VERTEX_AI_PROJECT": "p", "VERTEX_AI_ACCESS_TOKEN": "ya29.x"} | ({"VERTEX_AI_LOCATION": location} if location else {})
    access = connections_from_env(named)["vertex_ai"]
    assert access.base_url == f"https://{host}/v1/projects/p/locations/{location or 'us-central1'}"
    assert access.api_key == "ya29.x"


def test_an_account_is_read_from_text_or_from_the_file_that_googles_tools_name(tmp_path: Path) -> None:
    document = service_account("https://oauth2.googleapis.com/token")
    file = tmp_path / "account.json"
    file.write_text(json.dumps(document))
    for named in ({"VERTEX_AI_CREDENTIALS": json.dumps(document)}, {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}):
        assert connections_from_env({"VERTEX_AI_PROJECT": "p", **named})["vertex_ai"].tokens is not None
    assert "vertex_ai" not in connections_from_env({"VERTEX_AI_PROJECT": "p"})
    for wrong in ({"VERTEX_AI_CREDENTIALS": "{"}, {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "none")}):
        with pytest.raises(SettingsError):
            connections_from_env({"VERTEX_AI_PROJECT": "p", **wrong})
