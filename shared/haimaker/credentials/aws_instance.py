"""Temporary AWS credentials of a container or a machine: from ECS or EKS, else from EC2's metadata.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html

Imported only where the environment holds none, and nothing is asked before the first call has to be signed. What is handed out
never shows in an error. Files, profiles and web identities, which AWS's own tools look for as well, are not read.
"""

import http.client
import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from haimaker.aws.client import AWSError
from haimaker.aws.sigv4 import Credentials, CredentialSource
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field
from haimaker.validation.settings import SettingsError, validate_url

REFRESH_MARGIN_S = 600.0
"""Credentials are renewed this long before they expire; AWS has new ones five minutes before, at the latest."""
RETRY_WITH_OLD_S = 30.0
"""The wait after a failed renewal, or one that brought nothing newer, while older credentials are in use."""
RETRY_WITHOUT_S = 1.0
"""The wait after a failure while there are no credentials; callers in between get the same error at once."""
TRIES, PAUSE_S = 3, 0.2
"""How often, and how far apart, the first credentials are asked for."""
TIMEOUT_S = 2.0
ANSWER_BYTES = 65_536
CONTAINER_HOST = "169.254.170.2"
CONTAINER_HOSTS = (CONTAINER_HOST, "169.254.170.23", "fd00:ec2::23", "localhost")
"""The hosts that may be asked without TLS, besides this machine itself: ECS, and EKS's Pod Identity."""
INSTANCE_ENDPOINTS = {"ipv4": "http://169.254.169.254", "ipv6": "http://[fd00:ec2::254]"}
SESSION_S = 60
"""How long a session with EC2's metadata lasts: for the two questions of one renewal."""


class CredentialProvider(Protocol):
    def fetch(self) -> JSON:
        """The document with the credentials. Raises AWSError, OSError, ValueError or HTTPException."""


@dataclass(frozen=True, slots=True)
class ContainerCredentials:
    """Credentials of an ECS task or an EKS pod, from the address that its environment names."""

    url: str
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    """Holds the token, which is renewed there."""

    def fetch(self) -> JSON:
        token = self.token_file.read_text("utf-8").strip() if self.token_file else self.token
        if token and not (token.isascii() and token.isprintable()):
            raise _credentials_error("its authorization token is no header")
        return _parse_object(_ask("GET", self.url, {"authorization": token} if token else {}))


@dataclass(frozen=True, slots=True)
class InstanceCredentials:
    """Credentials of an EC2 instance from its metadata, version 2 only: version 1 would answer whoever makes us fetch an
    address."""

    endpoint: str

    def fetch(self) -> JSON:
        lifetime = {"x-aws-ec2-metadata-token-ttl-seconds": str(SESSION_S)}
        session = {"x-aws-ec2-metadata-token": _ask("PUT", f"{self.endpoint}/latest/api/token", lifetime).decode("ascii")}
        roles = f"{self.endpoint}/latest/meta-data/iam/security-credentials/"
        role = _ask("GET", roles, session).decode("ascii").strip()
        return _parse_object(_ask("GET", roles + role, session))


class CachedCredentials(NamedTuple):
    credentials: Credentials
    expires_s: float
    renew_s: float


class RefreshingCredentials:
    """Credentials that are refreshed before they expire. While refreshing fails the older ones stay in use, even expired ones: AWS
    decides whether they still count. Safe to share between threads, of which one waits for the answer."""

    def __init__(
        self, provider: CredentialProvider, clock: Callable[[], float] = time.time, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._provider, self._clock, self._sleep = provider, clock, sleep
        self._lock = threading.Lock()
        self._cached: CachedCredentials | None = None
        self._failure: tuple[AWSError, float] | None = None
        """The last error, and the moment until which callers get it again."""

    def current(self) -> Credentials:
        """The credentials to use now. Raises AWSError while there never were any."""
        cached = self._cached
        if cached is None:
            with self._lock:
                cached = self._cached or self._load()
        elif self._clock() >= cached.renew_s and self._lock.acquire(blocking=False):
            try:
                cached = self._refresh(cached)
            finally:
                self._lock.release()
        return cached.credentials

    def _load(self) -> CachedCredentials:
        if self._failure and self._clock() < self._failure[1]:
            raise AWSError("credentials", self._failure[0].code)
        for left in reversed(range(TRIES)):
            try:
                self._cached = self._fetch()
            except AWSError as error:
                if not left:
                    self._failure = error, self._clock() + RETRY_WITHOUT_S
                    raise
                self._sleep(PAUSE_S)
            else:
                break
        assert self._cached is not None
        return self._cached

    def _refresh(self, older: CachedCredentials) -> CachedCredentials:
        if self._cached is older:
            try:
                self._cached = self._fetch()
            except AWSError:
                self._cached = older._replace(renew_s=self._clock() + RETRY_WITH_OLD_S)
        return self._cached or older

    def _fetch(self) -> CachedCredentials:
        try:
            credentials, expires_s = parse_credentials(self._provider.fetch())
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = "its answer makes no sense" if isinstance(error, ValueError) else type(error).__name__
            raise _credentials_error(reason) from None
        return CachedCredentials(credentials, expires_s, max(expires_s - REFRESH_MARGIN_S, self._clock() + RETRY_WITH_OLD_S))


def refreshing_credentials(env: Mapping[str, str]) -> CredentialSource | None:
    """The credentials that this container or machine hands out, shared by all callers; None if it hands out none. Raises
    SettingsError."""
    provider = provider_from_env(env)
    return _shared_credentials(provider) if provider else None


def provider_from_env(env: Mapping[str, str]) -> ContainerCredentials | InstanceCredentials | None:
    """The credential provider that the environment names, else EC2's metadata, which needs no variable. Raises SettingsError."""
    if container := _container_from_env(env):
        return container
    if env.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    mode = env.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv4").lower()
    if mode not in INSTANCE_ENDPOINTS:
        raise SettingsError(f"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE must be IPv4 or IPv6, not {mode!r}.")
    name = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
    return InstanceCredentials(validate_url(name, env.get(name, INSTANCE_ENDPOINTS[mode]), INSTANCE_ENDPOINTS["ipv4"]))


def parse_credentials(document: JSON) -> tuple[Credentials, float]:
    """The credentials, and when they expire. Raises AWSError with what is said instead, ValueError if it makes no sense."""
    if "AccessKeyId" not in document:
        raise _credentials_error(str(document.get("Code") or document.get("code") or "the answer holds none"))
    names = ("AccessKeyId", "SecretAccessKey", "Token")
    fields = [document.get(name) for name in names]
    if not all(isinstance(text, str) and text for text in fields):
        raise _credentials_error("the answer holds them in part")
    expires = datetime.fromisoformat(str(document.get("Expiration")))
    if expires.tzinfo is None:
        raise ValueError("a time without its zone")
    return Credentials(*map(str, fields)), expires.timestamp()


_shared_credentials = cache(RefreshingCredentials)
"""By provider, so that all callers share the credentials."""


def _container_from_env(env: Mapping[str, str]) -> ContainerCredentials | None:
    relative, full = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    if relative in env:
        if not env[relative].startswith("/"):
            raise SettingsError(f"{relative} must be a path that begins with /.")
        url = f"http://{CONTAINER_HOST}{env[relative]}"
    elif full in env:
        url = env[full]
        parts = urlsplit(url)
        if not (parts.scheme == "https" and parts.hostname) and not (parts.scheme == "http" and _is_near(parts.hostname or "")):
            raise SettingsError(f"{full} must be an https URL, or an http URL of this machine, of ECS or of EKS.")
    else:
        return None
    file = env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    return ContainerCredentials(url, env.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"), Path(file) if file else None)


def _is_near(host: str) -> bool:
    try:
        return host in CONTAINER_HOSTS or ip_address(host).is_loopback
    except ValueError:
        return False


def _ask(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    """The body of a good answer. No proxy is asked, and no redirect followed: the answer is a secret."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT_S)
    try:
        connection.request(method, parts._replace(scheme="", netloc="").geturl() or "/", headers=dict(headers))
        response = connection.getresponse()
        body = response.read(ANSWER_BYTES)
    finally:
        connection.close()
    if response.status != 200:
        raise _credentials_error(f"status {response.status}")
    return body


def _parse_object(body: bytes) -> JSON:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document


def _credentials_error(reason: str) -> AWSError:
    return AWSError("credentials", f"none in the environment, and none from this container or machine ({reason})")
