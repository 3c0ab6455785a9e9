"""Asks every provider that is on whether it takes its key: with an empty request, which it refuses, and so for nothing."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime

from haimaker import adapters
from haimaker.credentials import headers as credential_headers
from haimaker.credentials.access import ProviderConnection, connections_from_env
from haimaker.http import errors
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError
from haimaker.http.errors import APIError, ProviderAuthError, RateLimitError
from haimaker.http.values import UpstreamResponse
from haimaker.models import catalog
from haimaker.models.catalog import ModelInfo
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import parse_chat
from haimaker.providers.registry import definition_for, get
from haimaker.settings.settings import Settings

from .. import provider_secrets
from ..context import Context
from .finding import Finding, missing, ok, wrong

TIMEOUT_S = 15.0
MAX_BYTES = 100_000
SKEW_S = 60
NO_MODEL = "a-model"


def ask_providers(context: Context) -> Iterator[Finding]:
    if context.arguments.stack:
        on = connections_from_env(provider_secrets.merge(context.stack().secrets()))
    else:
        on = dict(Settings.from_environment(context.environment).access)
    skews: list[float] = []
    for name, access in context.terminal.each(on.items(), len(on), lambda item: item[0]):
        yield _ask_provider(name, access, skews)
    if skews and abs(skew_s := sorted(skews)[len(skews) // 2]) > SKEW_S:
        yield wrong(
            "clock", f"This machine's clock is {abs(skew_s):.0f} s off.", "Set it: timedatectl set-ntp true, or macOS's settings"
        )


def _ask_provider(name: str, access: ProviderConnection, skews: list[float]) -> Finding:
    variable = f"{name.upper()}_API_KEY"
    try:
        answer, error = _error(name, access)
    except TransportError as reason:
        return wrong(name, f"can't be reached: {reason}", f"Look at the network and at {name.upper()}_BASE_URL.")
    except APIError as reason:
        return wrong(name, reason.message, f"Look at {variable}.")
    if said := _date(answer):
        skews.append(time.time() - said)
    if isinstance(error, ProviderAuthError):
        return wrong(name, f"refuses the key (status {answer.status}).", f"Get a new key from the provider, then set {variable}.")
    if isinstance(error, RateLimitError):
        return missing(
            name, "takes the key, but answers 429: its limit or its credit is used up.", "Look at the provider's console."
        )
    if answer.status >= 500:
        return missing(name, f"answers with status {answer.status}.", "Look at the provider's status page, and try again.")
    return ok(name, "takes the key" if access.api_key else "answers")


def _error(name: str, access: ProviderConnection) -> tuple[UpstreamResponse, APIError | None]:
    """What the provider says to an empty request. Raises TransportError, APIError."""
    models = catalog.all_models(get(name).catalog.priced_as or name)
    model_info = next((model_info for model_info in models if model_info.mode == "chat"), ModelInfo.unknown(name, NO_MODEL))
    model = model_info.model if model_info.model != "*" else NO_MODEL
    row = definition_for(get(name), model)
    request = parse_chat(json.dumps({"model": f"{name}/{model}", "messages": [{"role": "user", "content": "-"}]}).encode())
    attempt = Attempt("doctor", int(time.time()), row, model, model_info)
    adapter = adapters.find(request, attempt)
    whole = adapter.to_upstream(request, attempt)
    empty = replace(whole, body=b"{}", path=access.path_of(whole.path, model, row.endpoint.path_for(streamed=False)))
    headers = credential_headers.auth_headers(row, access, empty, time.time())
    answer = HTTPClient().send(empty, access.base_url, headers, Timeouts(TIMEOUT_S, TIMEOUT_S, TIMEOUT_S), CancelToken())
    body = b"".join(answer.pieces)[:MAX_BYTES]
    if answer.status < 400:
        return answer, None
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    return answer, errors.from_upstream(answer.status, adapter.read_error(document), answer.headers, time.time())


def _date(answer: UpstreamResponse) -> float | None:
    try:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
