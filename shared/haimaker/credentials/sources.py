"""Where the connections to providers come from: the environment, or in a deployed stack secrets in SSM, read when first needed.

Secrets are in one or two SecureStrings, each a JSON object with the names of environment variables
(https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-securestring.html). A fleet of cold starts exceeds
SSM's rate, so each waits for its turn; the answer is cached for minutes, and the last answer is used while SSM fails.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Protocol

from haimaker.aws.access import AWSAccess
from haimaker.aws.client import THROTTLED, AWSClient, AWSError
from haimaker.credentials.access import ProviderConnection, connections_from_env
from haimaker.http.errors import ServiceUnavailableError
from haimaker.http.json import read_or_none
from haimaker.lean_dataclasses import dataclass, field
from haimaker.observability.observer import Observer
from haimaker.routing.config import ProviderAccount
from haimaker.validation.settings import SettingsError

CACHE_S = 300.0
CACHE_EMPTY_S = 30.0
"""How long an answer without secrets is cached, so that the first credentials are soon seen."""
RETRY_WITH_OLD_S = 30.0
"""The wait after a failed read, while older secrets are in use."""
READ_TIMEOUT_S = 2.5
"""How long a read is tried again."""
TRY_TIMEOUT_S = 1.5
"""How long one try may take; a read that fails ends within 4 s."""
THROTTLED_TIMEOUT_S = 22.0
"""How long the first read of a process is tried again while SSM refuses for load: 1,000 starts at once take 25 s at its 40 reads a
second. Functions that are not streamed have 29 s."""


class Credentials(Protocol):
    def current(self) -> Mapping[str, ProviderConnection]:
        """The providers that are on, by name; the same object until something changes. Raises ServiceUnavailableError."""


class EditableCredentials(Credentials, Protocol):
    """Credentials of which it is known where they come from, and to which an administrator may be able to add."""

    @property
    def takes(self) -> bool:
        """Whether `put` is for administrators here."""

    def source_of(self, variable: str) -> str | None:
        """Where a variable comes from, in a word; None if it is not set."""

    def put(self, variable: str, value: str) -> None:
        """Sets a variable. Raises SettingsError."""


@dataclass(frozen=True, slots=True)
class StaticCredentials:
    """Connections that are known from the start and stay the same."""

    access: Mapping[str, ProviderConnection]

    def current(self) -> Mapping[str, ProviderConnection]:
        return self.access


@dataclass(slots=True)
class SSMCredentials:
    """Connections from secrets in SSM together with the environment's settings."""

    parameter: str
    aws: AWSAccess
    environment: Mapping[str, str] = field(repr=False)
    observer: Observer
    clock: Callable[[], float] = time.monotonic
    accounts: Mapping[str, ProviderAccount] = field(default_factory=dict)
    """Accounts that the deployer named beside the providers' own."""
    takes: bool = False
    """Whether administrators may add to them here, which the template's TakeCredentials lets one function's role do."""
    _secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    _access: Mapping[str, ProviderConnection] | None = field(default=None, repr=False)
    _fresh_until_s: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def current(self) -> Mapping[str, ProviderConnection]:
        with self._lock:
            if self._access is None or self.clock() >= self._fresh_until_s:
                self._access = self._refresh(self._access)
            return self._access

    def source_of(self, variable: str) -> str | None:
        """Where a variable comes from, in a word; None if it is not set."""
        if variable in self._secrets:
            return "SSM"
        return "environment" if variable in self.environment else None

    def put(self, variable: str, value: str) -> None:
        """Sets a secret in SSM, and here; other functions read it within minutes. Raises SettingsError."""
        from haimaker.credentials import provider_secrets  # of no use to those that only read

        names = provider_secrets.parameters(self.parameter)
        with self._lock:
            try:
                found = self._parameters(0)
                old = [provider_secrets.decode(name, found.get(name, "{}")) for name in names]
                new = provider_secrets.with_secret(old, variable, provider_secrets.validate_secret(value))
                connections_from_env({**self.environment, **provider_secrets.merge(new)}, self.accounts)
                changes = [change for change in zip(names, old, new, strict=True) if change[1] != change[2]]
                for name, _, document in sorted(changes, key=lambda change: len(change[1]) - len(change[2])):  # those that gain
                    self._write(name, provider_secrets.encode(document))
            except provider_secrets.SecretsError as error:
                raise SettingsError(str(error)) from None
            except AWSError as error:
                raise SettingsError(f"SSM did not take it: {error}.") from None
            self._fresh_until_s = 0.0

    def _write(self, name: str, text: str) -> None:
        ssm = _client(self.aws, self.observer.access_denied)
        try:
            ssm.call("PutParameter", {"Name": name, "Value": text, "Type": "SecureString", "Tier": "Standard", "Overwrite": True})
        finally:
            ssm.close()

    def _refresh(self, older: Mapping[str, ProviderConnection] | None) -> Mapping[str, ProviderConnection]:
        try:
            secrets = self._read(THROTTLED_TIMEOUT_S if older is None else 0)
            access = older
            if access is None or secrets != self._secrets:
                # A secret that can't be used turns its own provider off and no other.
                variables = {**self.environment, **secrets}
                access = connections_from_env(variables, self.accounts, lambda error: self.observer.error(str(error)))
        except (AWSError, SettingsError) as error:
            self.observer.error(f"the providers' credentials can't be read: {error}")
            if older is None:
                raise ServiceUnavailableError(
                    "The gateway can't read the providers' credentials at the moment.",
                    code="credentials_unavailable",
                    headers={"retry-after": "2"},
                ) from error
            self._fresh_until_s = self.clock() + RETRY_WITH_OLD_S
            return older
        self._secrets = secrets
        self._fresh_until_s = self.clock() + (CACHE_S if secrets else CACHE_EMPTY_S)
        return access

    def _read(self, throttled_timeout_s: float) -> Mapping[str, str]:
        """The secrets of both parameters; one that does not exist holds nothing. Raises AWSError, SettingsError."""
        found = self._parameters(throttled_timeout_s)
        names = [self.parameter, f"{self.parameter}-2"]
        return {
            name: secret for parameter in names for name, secret in _parse_secrets(parameter, found.get(parameter, "{}")).items()
        }

    def _parameters(self, throttled_timeout_s: float) -> Mapping[str, str]:
        """Both parameters in one call, by their names. Raises AWSError."""
        give_up_s = time.monotonic() + throttled_timeout_s
        names = [self.parameter, f"{self.parameter}-2"]
        while True:
            try:
                return read_parameters(names, self.aws, self.observer.access_denied)
            except AWSError as error:
                if error.code not in THROTTLED or time.monotonic() > give_up_s:
                    raise


def read_parameters(names: Sequence[str], aws: AWSAccess, on_denied: Callable[[str], None]) -> Mapping[str, str]:
    """What parameters of SSM hold, by their names, without those that do not exist. Raises AWSError."""
    ssm = _client(aws, on_denied)
    try:
        answer = ssm.call("GetParameters", {"Names": list(names), "WithDecryption": True})
    finally:
        ssm.close()
    return {parameter["Name"]: parameter["Value"] for parameter in answer.get("Parameters", ())}


def _client(aws: AWSAccess, on_denied: Callable[[str], None]) -> AWSClient:
    return AWSClient(
        "ssm",
        aws.region,
        aws.credentials,
        aws.ssm_endpoint,
        timeout_s=TRY_TIMEOUT_S,
        total_timeout_s=READ_TIMEOUT_S,
        on_denied=on_denied,
    )


def _parse_secrets(parameter: str, text: str) -> Mapping[str, str]:
    secrets = read_or_none(text)
    if not isinstance(secrets, dict) or not all(isinstance(secret, str) for secret in secrets.values()):
        raise SettingsError(f"{parameter} must be a JSON object of texts; `make credentials` writes it.")
    return {name: secret.strip() for name, secret in secrets.items() if secret.strip()}
