"""Which providers are on, where they are reached and what lets the gateway in, read from named values such as the environment's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from haimaker.aws import Credentials
from haimaker.providers import PROVIDERS, Provider


class SettingsError(ValueError):
    """A setting is wrong; the message names the variable and what it should be."""


class TokenSource(Protocol):
    def token(self) -> str:
        """A token that is valid now. Raises ServiceUnavailableError."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where a provider is reached and with which secret; the secret never shows in a repr."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    credentials: Credentials | None = None
    """For a provider whose calls are signed, in `region`."""
    region: str = ""
    tokens: TokenSource | None = field(default=None, repr=False)
    """For a provider that takes short-lived tokens."""


def access_from(env: Mapping[str, str]) -> dict[str, Access]:
    """The providers that are on, by name: those with a key, and those without a public address whose base URL is set."""
    found = {provider.name: _access(provider, env) for provider in PROVIDERS if not provider.offline}
    return {name: access for name, access in found.items() if access}


def _access(provider: Provider, env: Mapping[str, str]) -> Access | None:
    prefix = provider.name.upper()
    base_url_name = f"{prefix}_BASE_URL"
    names = (f"{prefix}_API_KEY", *provider.api_key_variables)
    api_key = next((env[name] for name in names if name in env), None)
    base_url = env.get(base_url_name) or _address(provider, env)
    credentials = aws_credentials_of(env) if provider.signs_as and api_key is None else None
    tokens = _tokens(provider, env) if base_url and provider.takes_google_tokens and api_key is None else None
    if not base_url or (provider.base_url and not (api_key or credentials or tokens)):
        return None
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise SettingsError(f"The key of {provider.name} holds characters that an HTTP header cannot carry; copy it again.")
    return Access(
        checked_url(base_url_name, base_url, "https://api.openai.com/v1"), api_key, credentials, aws_region_of(env) or "", tokens
    )


def _address(provider: Provider, env: Mapping[str, str]) -> str | None:
    """A row's address with what the environment says of its variable parts; None while one of them is missing."""
    known = {**env, "AWS_REGION": aws_region_of(env)} if aws_region_of(env) else dict(env)
    location = env.get(f"{provider.name.upper()}_LOCATION", provider.default_location)
    if provider.hosts:
        known["HOST"] = provider.hosts.get(location, provider.hosts["*"]).format(location=location)
        known["LOCATION"] = location
    try:
        return provider.base_url.format_map(known)
    except KeyError:
        return None


def _tokens(provider: Provider, env: Mapping[str, str]) -> TokenSource | None:
    """From an account that is given as JSON, or as the file that Google's own tools name."""
    name = f"{provider.name.upper()}_CREDENTIALS"
    text = env.get(name)
    if text is None and "GOOGLE_APPLICATION_CREDENTIALS" in env:
        name = "GOOGLE_APPLICATION_CREDENTIALS"
        try:
            text = Path(env[name]).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"{name} does not name a file that can be read.") from None
    if text is None:
        return None
    try:
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError
    except ValueError:
        raise SettingsError(f"{name} is not the JSON of a service account or of a workload identity federation.") from None
    from haimaker.google_auth import GoogleAccount, GoogleTokens  # only where such a provider is on
    from haimaker.transport import Transport

    return GoogleTokens(GoogleAccount(document, aws_credentials_of(env), aws_region_of(env) or "us-east-1"), Transport())


def aws_region_of(env: Mapping[str, str]) -> str | None:
    return env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")


def aws_credentials_of(env: Mapping[str, str]) -> Credentials | None:
    if "AWS_ACCESS_KEY_ID" not in env or "AWS_SECRET_ACCESS_KEY" not in env:
        return None
    return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN"))


def checked_url(name: str, text: str, example: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(f"{name} must be an http or https URL such as {example}.")
    return text.rstrip("/")
