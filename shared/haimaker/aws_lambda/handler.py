"""Lambda's events to a Request, a Response to what Lambda takes. The only module that knows the shape of events.

REST API (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html): the operation
comes from the route, `resource`; the path differs by stage and base path mapping. Function URL
(https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html): there is one route, so it comes from the path.
"""

import base64
import re
from collections.abc import Collection, Mapping
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from haimaker.api import formats, paths
from haimaker.api.paths import Match
from haimaker.aws_lambda.runtime import StreamedResponse
from haimaker.billing.pending import ALL, KIND
from haimaker.gateway import Gateway
from haimaker.http.cors import cross_origin, preflight
from haimaker.http.errors import APIError, BadRequestError, NotFoundError
from haimaker.http.request_ids import new_request_id
from haimaker.http.values import JSON, Request, Response
from haimaker.lean_dataclasses import dataclass

HEADER_LENGTH = 800
"""API Gateway wants all headers within the first 16 KB of a stream."""
FINISH_S = 4.0
"""For what is written after an answer; what takes longer is written, if at all, during the next one."""
CATCH_ALL = "/{proxy+}"
"""The route of what has none: its path tells at least what was meant."""
GREEDY = "+}"
"""The end of a route whose last parameter is the rest of the path."""
FRAMING = {"connection", "content-length", "transfer-encoding"}
_UNSAFE = re.compile(r"[^\x20-\x7e]")


class Context(Protocol):
    def get_remaining_time_in_millis(self) -> int: ...


@dataclass(frozen=True, slots=True)
class LambdaHandler:
    """Serves some operations in a Lambda function. A function that streams must run under runtime.py."""

    gateway: Gateway
    serves: Collection[str]
    streams: bool = False

    def __call__(self, event: JSON, context: Context) -> StreamedResponse | JSON:
        if event.keys() == {KIND}:  # of its own or of an operator: what a client asks has headers
            return self._see_to(str(event[KIND]), context)
        request_id = new_request_id()  # clients can choose the id that API Gateway puts into the event
        headers = _headers(event)
        allowed = cross_origin(headers, self.gateway.settings.allowed_origins)
        if _method(event) == "OPTIONS" and allowed:
            response = Response(200, {**allowed, **preflight(headers)}, b"")
        else:
            response = self._answer(event, context, request_id, headers)
        ids = {"x-request-id": request_id, "request-id": request_id}  # as OpenAI's SDK reads it, and Anthropic's
        told = {"content-type": "application/json", **response.headers, **allowed, **ids}
        body = iter((response.body,)) if isinstance(response.body, bytes) else response.body
        safe = {name: _UNSAFE.sub("?", value)[:HEADER_LENGTH] for name, value in told.items() if name not in FRAMING}
        streamed = StreamedResponse(response.status, safe, body)
        return streamed if self.streams and not self.gateway.settings.sam_local else to_proxy_response(streamed)

    def _see_to(self, pending: str, context: Context) -> JSON:
        """Makes an answer that is queued, or settles those that their providers have made."""
        if pending == ALL:
            from haimaker.api.background_polls import settle_all  # of one function alone

            return {"settled": settle_all(self.gateway)}
        from haimaker.api import background_worker

        background_worker.run(self.gateway, pending, context.get_remaining_time_in_millis() / 1000)
        return {}

    def finish(self) -> None:
        """Called by the runtime after the answer has left, before the sandbox is frozen."""
        self.gateway.content.finish(FINISH_S)
        self.gateway.prices.finish(FINISH_S)

    def _answer(self, event: JSON, context: Context, request_id: str, headers: Mapping[str, str]) -> Response:
        def seconds_left() -> float:
            return context.get_remaining_time_in_millis() / 1000

        try:
            operation, path_params = self._match(event)
            request = Request(request_id, headers, _body(event), path_params, _query(event), seconds_left)
        except APIError as error:
            return formats.refuse(error, request_id, headers, path=event.get("rawPath") or event.get("path") or "")
        return self.gateway.handle(operation, request)

    def _match(self, event: JSON) -> Match:
        """The operation and its parameters. Raises NotFoundError, MethodNotAllowedError."""
        resource = event.get("resource")
        resource = None if resource == CATCH_ALL else resource
        route = _route(event, resource)
        found = paths.match(_method(event), route or event.get("rawPath") or event.get("path") or "/")
        if found.operation not in self.serves:
            raise NotFoundError("This address does not serve that; the base URL of the stack does.", code="unknown_url")
        if not resource or route != resource:
            return found
        return Match(found.operation, {name: unquote(value) for name, value in (event.get("pathParameters") or {}).items()})


def _route(event: JSON, resource: str | None) -> str | None:
    """The route of a request, with the rest of the path where it takes any: what is to be done may stand at its end."""
    if not resource or not resource.endswith(GREEDY):
        return resource
    start, _, name = resource.removesuffix(GREEDY).rpartition("{")
    rest = (event.get("pathParameters") or {}).get(name)
    return f"{start}{rest}" if rest else resource


def to_proxy_response(streamed: StreamedResponse) -> JSON:
    """The response that API Gateway takes: the body as text, or in base64 if it is not UTF-8. Reads the stream to its end and
    closes it."""
    try:
        body = b"".join(streamed.body)
    finally:
        streamed.close()
    reply: JSON = {"statusCode": streamed.status, "headers": dict(streamed.headers)}
    try:
        return {**reply, "body": body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {**reply, "body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def _method(event: JSON) -> str:
    context = event.get("requestContext") or {}
    return str(event.get("httpMethod") or (context.get("http") or {}).get("method") or "GET").upper()


def _headers(event: JSON) -> dict[str, str]:
    """Names in lower case; several values of one become a list, as RFC 9110 5.3 allows, and cookies as RFC 9113 8.2.3 says."""
    several = event.get("multiValueHeaders") or {}
    single = {name: [value] for name, value in (event.get("headers") or {}).items()}
    headers: dict[str, str] = {}
    for name, values in (several or single).items():
        name = name.lower()
        headers[name] = ("; " if name == "cookie" else ", ").join(filter(None, (headers.get(name), *values)))
    return headers


def _query(event: JSON) -> dict[str, str]:
    """Decoded; the last value of each name counts."""
    if "rawQueryString" in event:
        return dict(parse_qsl(event["rawQueryString"], keep_blank_values=True))
    several = event.get("multiValueQueryStringParameters") or {}
    single: Mapping[str, str] = event.get("queryStringParameters") or {}
    return {**single, **{name: values[-1] for name, values in several.items() if values}}


def _body(event: JSON) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(text).encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text)
    except ValueError as error:
        raise BadRequestError("The request's body is not in the encoding that it says.") from error
