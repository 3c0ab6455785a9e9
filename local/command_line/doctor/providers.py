"""Asks every provider that is on whether it takes its key: with an empty request, which it refuses, and so for nothing."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from haimaker.credentials import provider_secrets
from haimaker.credentials.access import ProviderConnection, connections_from_env
from haimaker.http.client import HTTPClient
from haimaker.http.proxies import from_environment
from haimaker.providers.provider import Provider
from haimaker.providers.registry import NAMES, get
from haimaker.settings.settings import Settings
from haimaker.upstream.probe import Probe, ask_provider

from ..context import Context
from .finding import Finding, missing, ok, wrong

SKEW_S = 60


def ask_providers(context: Context) -> Iterator[Finding]:
    accounts: dict[str, Provider] = {}
    if context.arguments.stack:
        on = connections_from_env(provider_secrets.merge(context.stack().secrets()))
    else:
        settings = Settings.from_environment(context.environment)
        on, accounts = dict(settings.access), {name: account.definition for name, account in settings.config.accounts.items()}
    skews: list[float] = []
    client = HTTPClient(from_environment(context.environment))
    for name, access in context.terminal.each(on.items(), len(on), lambda item: item[0]):
        yield _ask_provider(name, get(name) if name in NAMES else accounts[name], access, client, skews)
    if skews and abs(skew_s := sorted(skews)[len(skews) // 2]) > SKEW_S:
        yield wrong(
            "clock", f"This machine's clock is {abs(skew_s):.0f} s off.", "Set it: timedatectl set-ntp true, or macOS's settings"
        )


def _ask_provider(name: str, provider: Provider, access: ProviderConnection, client: HTTPClient, skews: list[float]) -> Finding:
    variable = f"{name.upper()}_API_KEY"
    said = ask_provider(provider, access, client)
    if moment_s := _date_s(said):
        skews.append(time.time() - moment_s)
    match said.state:
        case "unreachable":
            return wrong(name, said.message, f"Look at the network and at {name.upper()}_BASE_URL.")
        case "wrong":
            return wrong(name, said.message, f"Look at {variable}.")
        case "refused":
            return wrong(name, said.message, f"Get a new key from the provider, then set {variable}.")
        case "limited":
            return missing(name, said.message, "Look at the provider's console.")
        case "failing":
            return missing(name, said.message, "Look at the provider's status page, and try again.")
        case _:
            return ok(name, said.message)


def _date_s(said: Probe) -> float | None:
    try:
        return parsedate_to_datetime(said.date).timestamp()
    except ValueError:
        return None
