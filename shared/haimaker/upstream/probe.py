"""Asks a provider whether it takes its credentials: with an empty request, which it refuses, and so for nothing."""

import json
import time
from typing import Literal, NamedTuple

from haimaker import adapters
from haimaker.credentials import headers as credential_headers
from haimaker.credentials.access import ProviderConnection
from haimaker.http import errors
from haimaker.http.client import CancelToken, HTTPClient, Timeouts, TransportError
from haimaker.http.errors import APIError, ProviderAuthError, RateLimitError
from haimaker.http.values import UpstreamResponse
from haimaker.lean_dataclasses import replace
from haimaker.models import catalog
from haimaker.models.catalog import ModelInfo
from haimaker.operations.attempt import Attempt
from haimaker.operations.chat import parse_chat
from haimaker.providers.provider import Provider
from haimaker.providers.registry import definition_for

TIMEOUT_S = 15.0
MAX_BYTES = 100_000
NO_MODEL = "a-model"


class Probe(NamedTuple):
    state: Literal["ok", "refused", "limited", "failing", "unreachable", "wrong"]
    message: str
    """About the provider, whose name goes before it."""
    date: str = ""
    """The header of that name."""


def ask_provider(provider: Provider, access: ProviderConnection, client: HTTPClient) -> Probe:
    try:
        answer, error = _error(provider, access, client)
    except TransportError as reason:
        return Probe("unreachable", f"can't be reached: {reason}")
    except APIError as reason:
        return Probe("wrong", reason.message)
    date = answer.headers.get("date", "")
    if isinstance(error, ProviderAuthError):
        return Probe("refused", f"refuses the key (status {answer.status}).", date)
    if isinstance(error, RateLimitError):
        return Probe("limited", "takes the key, but answers 429: its limit or its credit is used up.", date)
    if answer.status >= 500:
        return Probe("failing", f"answers with status {answer.status}.", date)
    return Probe("ok", "takes the key" if access.api_key else "answers", date)


def _error(provider: Provider, access: ProviderConnection, client: HTTPClient) -> tuple[UpstreamResponse, APIError | None]:
    """What the provider says to an empty request. Raises TransportError, APIError."""
    name = provider.name
    models = catalog.all_models(provider.catalog.priced_as or name)
    model_info = next((model_info for model_info in models if model_info.mode == "chat"), ModelInfo.unknown(name, NO_MODEL))
    model = model_info.model if model_info.model != "*" else NO_MODEL
    row = definition_for(provider, model)
    request = parse_chat(json.dumps({"model": f"{name}/{model}", "messages": [{"role": "user", "content": "-"}]}).encode())
    attempt = Attempt("probe", int(time.time()), row, model, model_info)
    adapter = adapters.find(request, attempt)
    whole = adapter.to_upstream(request, attempt)
    empty = replace(whole, body=b"{}", path=access.path_of(whole.path, model, row.endpoint.path_for(streamed=False)))
    headers = credential_headers.auth_headers(row, access, empty, time.time())
    answer = client.send(empty, access.base_url, headers, Timeouts(TIMEOUT_S, TIMEOUT_S, TIMEOUT_S), CancelToken())
    body = b"".join(answer.pieces)[:MAX_BYTES]
    if answer.status < 400:
        return answer, None
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    return answer, errors.from_upstream(answer.status, adapter.read_error(document), answer.headers, time.time())
