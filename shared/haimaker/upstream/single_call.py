"""One call of a provider that no model answers, such as a response that it keeps or a count of tokens: no retry, no fallback."""

import time
from urllib.parse import urlsplit

from haimaker.credentials.headers import auth_headers
from haimaker.http.client import CancelToken, Timeouts, TransportError, read_whole
from haimaker.http.errors import BadGatewayError
from haimaker.http.values import Request, UpstreamRequest, UpstreamResponse
from haimaker.lean_dataclasses import replace
from haimaker.providers.provider import Provider
from haimaker.upstream.call import CONNECT_S
from haimaker.upstream.clients import ProviderClients

TIMEOUT_S = 60.0


def call_once(
    clients: ProviderClients, definition: Provider, call: UpstreamRequest, request: Request, timeout_s: float = TIMEOUT_S
) -> tuple[int, bytes]:
    """The status and the body. Raises BadGatewayError where there is none within `timeout_s`."""
    try:
        response = open_once(clients, definition, call, request, timeout_s)
        return response.status, read_whole(response.pieces)
    except TransportError as error:
        raise BadGatewayError(str(error), code="provider_unreachable") from error


def open_once(
    clients: ProviderClients, definition: Provider, call: UpstreamRequest, request: Request, timeout_s: float = TIMEOUT_S
) -> UpstreamResponse:
    """The same whose body is still to be read. Raises BadGatewayError; TransportError while the body is read."""
    access = clients.access[definition.name].for_operation("chat_completions", definition.endpoint.base_url)
    call = replace(call, path=access.path_of(call.path, "", definition.endpoint.path))
    left_s = min(timeout_s, request.seconds_left())
    timeouts = Timeouts(CONNECT_S, left_s, left_s, time.monotonic() + left_s)
    try:
        headers = auth_headers(definition, access, call, time.time())
        return clients.http_client.send(call, access.base_url, headers, timeouts, CancelToken())
    except TransportError as error:
        raise BadGatewayError(str(error), code="provider_unreachable") from error


def open_link(clients: ProviderClients, definition: Provider, call: UpstreamRequest, timeout_s: float) -> UpstreamResponse:
    """Opens an address that a provider handed out, without credentials. Raises BadGatewayError; TransportError while the body is
    read."""
    base_url = clients.access[definition.name].base_url
    link = urlsplit(call.path)
    if link.scheme != "https" and link.netloc != urlsplit(base_url).netloc:
        raise BadGatewayError("The provider handed out an address that is not secure.")
    path = f"{link.path}?{link.query}" if link.query else link.path
    timeouts = Timeouts(CONNECT_S, timeout_s, timeout_s, time.monotonic() + timeout_s)
    try:
        return clients.http_client.send(replace(call, path=path), f"{link.scheme}://{link.netloc}", {}, timeouts, CancelToken())
    except TransportError as error:
        raise BadGatewayError(str(error), code="provider_unreachable") from error
