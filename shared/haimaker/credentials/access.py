"""How each provider is reached, read from the variables of an environment: whether it is on, its address, its key or tokens."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit

from haimaker.aws.sigv4 import Credentials, CredentialSource
from haimaker.credentials.account_variables import variables_for
from haimaker.http.json import read_or_none
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.catalog import Place
from haimaker.providers.provider import Provider
from haimaker.providers.registry import NAMES, SIGNED, get, may_be_on
from haimaker.routing.config import ProviderAccount
from haimaker.validation.settings import SettingsError, validate_url

LOCATION = re.compile(r"/locations/([\w-]+)")
AWS_REGION = re.compile(r"\b([a-z]{2}(?:-[a-z]+)+-\d)\b")
SIGNED_PROVIDERS = "HAIMAKER_SIGNED_PROVIDERS"


class TokenSource(Protocol):
    def token(self) -> str:
        """A token that is valid now. Raises ServiceUnavailableError."""


@dataclass(frozen=True, slots=True)
class StaticToken:
    """A token that somebody else renews."""

    given: str = field(repr=False)

    def token(self) -> str:
        return self.given


@dataclass(frozen=True, slots=True)
class ProviderConnection:
    """How a provider is reached: address, paths and secret. A repr never shows the secret."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    credentials: CredentialSource | None = None
    """For a provider whose calls are signed, in `region`."""
    region: str = ""
    tokens: TokenSource | None = field(default=None, repr=False)
    """For a provider that takes short-lived tokens."""
    path: str = "{path}"
    """The path template of operations under the address: `{path}` is the operation's path, `{model}` the model."""
    operation_endpoints: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Address and path template of what has its own: of an operation by its name, of a model family by the address template in its
    definition."""

    @property
    def place(self) -> Place:
        """The region and the host of the address, on which prices may depend."""
        host = urlsplit(self.base_url).hostname or ""
        found = LOCATION.search(self.base_url) or AWS_REGION.search(host)
        return Place(found[1] if found else "", host)

    def for_operation(self, endpoint: str, address: str = "") -> "ProviderConnection":
        """The connection for one operation. `address` is the address template in the provider's definition, if the operation or
        model family has its own."""
        found = self.operation_endpoints.get(address) or self.operation_endpoints.get(endpoint)
        return replace(self, base_url=found[0], path=found[1]) if found else self

    def with_version(self, version: str) -> "ProviderConnection":
        """The connection at another version of the API, if the address ends in one."""
        return replace(self, base_url=re.sub(r"/v\d+$", f"/{version}", self.base_url)) if version else self

    def path_of(self, path: str, model: str, place: str = "") -> str:
        """The path of an operation. `place` is the path template of a model family that has its own."""
        return (place or self.path).replace("{path}", path).replace("{model}", quote(model, safe=""))


def connections_from_env(
    env: Mapping[str, str],
    accounts: Mapping[str, ProviderAccount] | None = None,
    without: Callable[[SettingsError], None] | None = None,
) -> dict[str, ProviderConnection]:
    """The providers that are on, and the deployer's accounts, by name: those with credentials, and those without a public address
    whose base URL is set. A wrong value turns its own provider off if `without` takes the error, else it raises SettingsError."""
    candidates = [(name, get(name), env) for name in _candidates(env)]
    for name, account in (accounts or {}).items():
        base = get(account.base)
        candidates.append((name, base, variables_for(name, account, base, env)))
    found: dict[str, ProviderConnection | None] = {}
    for name, provider, variables in candidates:
        try:
            found[name] = _connection(provider, variables)
        except SettingsError as error:
            if without is None:
                raise
            without(error)
    for name in signed_providers(env) or ():
        if found[name] is None:
            raise SettingsError(f"{SIGNED_PROVIDERS} names {name}, which needs AWS_REGION and AWS credentials.")
    return {name: access for name, access in found.items() if access}


def signed_providers(env: Mapping[str, str]) -> frozenset[str] | None:
    """The providers that HAIMAKER_SIGNED_PROVIDERS names, whose calls may be signed with any AWS credentials of this process; None
    where it is not set. Raises SettingsError."""
    if SIGNED_PROVIDERS not in env:
        return None
    names = frozenset(name.strip() for name in env[SIGNED_PROVIDERS].split(",")) - {"", "none"}
    known = sorted(SIGNED)
    if not names <= set(known):
        raise SettingsError(f"{SIGNED_PROVIDERS} must be none, or names with commas between, of {', '.join(known)}.")
    return names


def _candidates(env: Mapping[str, str]) -> Iterator[str]:
    """The providers that may be on, without importing the others: those with a variable that they need, or that may sign."""
    named = signed_providers(env)
    signing = named if named is not None else SIGNED if _static_credentials(env) else ()
    return (name for name in NAMES if name in signing or may_be_on(name, env))


def _connection(provider: Provider, env: Mapping[str, str]) -> ProviderConnection | None:
    prefix = provider.name.upper()
    base_url_name = f"{prefix}_BASE_URL"
    api_key = _first_set(env, f"{prefix}_API_KEY", *provider.auth.key_variables)
    given = _first_set(env, base_url_name, *provider.endpoint.base_url_variables)
    base_url = given or _address(provider, env)
    credentials = _signing_credentials(provider, env) if provider.auth.signs_as and api_key is None else None
    tokens = _tokens(provider, env) if base_url and api_key is None else None
    if not base_url or (provider.endpoint.base_url and not (api_key or credentials or tokens)):
        return None
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise SettingsError(f"The key of {provider.name} holds characters that an HTTP header cannot carry; copy it again.")
    address, path = _address_and_path(provider, validate_url(base_url_name, base_url, "https://api.openai.com/v1"), env)
    operation_endpoints = _operation_endpoints(provider, given, env)
    return ProviderConnection(address, api_key, credentials, aws_region_of(env) or "", tokens, path, operation_endpoints)


def _operation_endpoints(provider: Provider, given: str | None, env: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Address and path template of each operation that has its own; an operation whose address lacks a variable is left out."""
    found = {}
    own = [*provider.operations.items()]
    own += [
        (family.endpoint.base_url, family)
        for operation in provider.operations.values()
        for family in operation.families.values()
        if family.endpoint.base_url
    ]
    own += [(host.endpoint.base_url, host) for host in (provider.batches.hosts if provider.batches else {}).values()]
    for name, definition in own:
        if definition.endpoint.base_url or definition.endpoint.paths:
            fixed = definition.endpoint.only_at_vendor
            if fixed and definition.endpoint.base_url == provider.endpoint.base_url:
                continue  # where all else is
            base_url = (not fixed and given) or _address(definition if definition.endpoint.base_url else provider, env)
            name = definition.endpoint.base_url if fixed else name
            if base_url:
                root, _ = _address_and_path(provider, base_url.rstrip("/"), env)
                found[name] = _address_and_path(definition, root, env)
    return found


def _first_set(env: Mapping[str, str], *names: str) -> str | None:
    return next((env[name] for name in names if name in env), None)


def _address_and_path(provider: Provider, base_url: str, env: Mapping[str, str]) -> tuple[str, str]:
    """The base address, and the path template of operations under it. A base URL that ends in the path of a version names that
    version."""
    if not provider.endpoint.paths:
        return base_url, "{path}"
    version = (
        _first_set(env, f"{provider.name.upper()}_API_VERSION", *provider.endpoint.version_variables)
        or provider.endpoint.default_version
    )
    for name, path in provider.endpoint.paths.items():
        place = path.partition("{")[0]
        if name != "*" and base_url.endswith(place):
            version, base_url = name, base_url.removesuffix(place)
    return base_url, provider.endpoint.paths.get(version, provider.endpoint.paths["*"]).replace(
        "{version}", quote(version, safe="")
    )


def _address(provider: Provider, env: Mapping[str, str]) -> str | None:
    """The provider's address with the variables of the environment filled in; None while one of them is missing."""
    known = {name: value.rstrip("/") for name, value in env.items()}
    known |= {"AWS_REGION": region} if (region := aws_region_of(env)) else {}
    location = env.get(f"{provider.name.upper()}_LOCATION", provider.endpoint.default_location)
    if provider.endpoint.hosts:
        known["HOST"] = provider.endpoint.hosts.get(location, provider.endpoint.hosts["*"]).format(location=location)
        known["LOCATION"] = location
    try:
        return provider.endpoint.base_url.format_map(known)
    except KeyError:
        return None


def _tokens(provider: Provider, env: Mapping[str, str]) -> TokenSource | None:
    """A token from the variable that holds one, else a Google account from JSON in a variable or from the file that Google's own
    tools read."""
    given = _first_set(env, *provider.auth.token_variables)
    if given or not provider.auth.takes_google_tokens:
        return StaticToken(given) if given else None
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
    document = read_or_none(text)
    if not isinstance(document, dict):
        raise SettingsError(f"{name} is not the JSON of a service account or of a workload identity federation.")
    from haimaker.credentials.google import GoogleAccount, GoogleTokens  # only where such a provider is on
    from haimaker.http.client import HTTPClient
    from haimaker.http.proxies import from_environment

    aws = aws_credentials_of(env) if document.get("type") == "external_account" else None
    return GoogleTokens(GoogleAccount(document, aws, aws_region_of(env) or "us-east-1"), HTTPClient(from_environment(env)))


def _signing_credentials(provider: Provider, env: Mapping[str, str]) -> CredentialSource | None:
    """The credentials that sign a provider's calls. If HAIMAKER_SIGNED_PROVIDERS is set, the providers it names use any credentials
    of this process; otherwise only credentials in the environment are used."""
    named = signed_providers(env)
    if named is None:
        return _static_credentials(env)
    return aws_credentials_of(env) if provider.name in named else None


def aws_region_of(env: Mapping[str, str]) -> str | None:
    return env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")


def aws_credentials_of(env: Mapping[str, str]) -> CredentialSource | None:
    """The credentials in the environment, else those that the container or machine hands out; None if there are none. Raises
    SettingsError."""
    if static := _static_credentials(env):
        return static
    from haimaker.credentials.aws_instance import refreshing_credentials  # a Lambda function never needs it

    return refreshing_credentials(env)


def _static_credentials(env: Mapping[str, str]) -> Credentials | None:
    if "AWS_ACCESS_KEY_ID" not in env or "AWS_SECRET_ACCESS_KEY" not in env:
        return None
    return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN"))
