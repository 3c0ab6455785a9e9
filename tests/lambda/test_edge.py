"""Events of both doors to requests, and responses to what Lambda takes: tables over a gateway that shows what it was asked."""

import base64
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.api.paths import ROUTES
from haimaker.aws_lambda.handler import LambdaHandler, to_proxy_response
from haimaker.aws_lambda.runtime import StreamedResponse
from haimaker.http.values import Request, Response
from haimaker.settings.settings import Settings

FOLDER = Path(__file__).parents[2] / "events"
EVENTS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json")) if path.stem != "local"}
ALL = {route.operation for route in ROUTES}
REST = EVENTS["chat_completions"]
URL = EVENTS["chat_completions_url"]


@dataclass
class Shown:
    """A gateway that keeps what it was asked, and gives one answer."""

    answer: Response = field(default_factory=lambda: Response(200, {}, b"{}"))
    settings: Settings = field(default_factory=Settings)
    operation: str = ""
    request: Request = field(default_factory=lambda: Request("none"))

    def handle(self, operation: str, request: Request) -> Response:
        self.operation, self.request = operation, request
        return self.answer


class Lasting:
    def get_remaining_time_in_millis(self) -> int:
        return 12_500


class Body(Iterator[bytes]):
    closed = 0

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = iter(pieces)

    def __next__(self) -> bytes:
        return next(self.pieces)

    def close(self) -> None:
        self.closed += 1


def ask(event, serves=ALL) -> Shown:
    gateway = Shown()
    reply = LambdaHandler(gateway, serves)(event, Lasting())
    assert reply["statusCode"] == 200, reply
    return gateway


def refused(event, serves=ALL) -> dict:
    gateway = Shown()
    reply = LambdaHandler(gateway, serves)(event, Lasting())
    assert not gateway.operation
    return reply


def key_in(headers):
    return (
        headers.get("x-api-key")
        or headers.get("x-goog-api-key")
        or headers.get("authorization", "").removeprefix("Bearer ")
        or None
    )


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_a_request_of_a_known_operation(name):
    gateway = ask(EVENTS[name])
    kind = name.split("_")[0]
    assert gateway.operation.startswith(
        {
            "models": ("models_", "health"),
            "keys": ("key_", "team_"),
            "routing": "route_",
            "files": ("files_", "uploads_"),
            "batches": ("batches_", "messages_batches_"),
        }.get(kind, kind)
    )
    assert (None if name in ("models_hub", "console") else "sk-local") == key_in(gateway.request.headers)
    assert all(header == header.lower() for header in gateway.request.headers)


REST_FIELDS = {
    "": "resource path httpMethod headers multiValueHeaders queryStringParameters multiValueQueryStringParameters pathParameters "
    "stageVariables requestContext body isBase64Encoded",
    "requestContext": "accountId apiId domainName domainPrefix extendedRequestId httpMethod identity path protocol requestId "
    "requestTime requestTimeEpoch resourceId resourcePath stage",
    "identity": "accessKey accountId caller cognitoAuthenticationProvider cognitoAuthenticationType cognitoIdentityId "
    "cognitoIdentityPoolId principalOrgId sourceIp user userAgent userArn",
}
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html, without an authorizer and a
client's certificate."""
URL_FIELDS = {
    "": "version routeKey rawPath rawQueryString headers requestContext body isBase64Encoded",
    "requestContext": "accountId apiId domainName domainPrefix http requestId routeKey stage time timeEpoch",
    "http": "method path protocol sourceIp userAgent",
}
"""https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html; it leaves out what there is none of."""


@pytest.mark.parametrize("name", EVENTS)
def test_every_event_has_the_fields_that_aws_documents_and_they_agree(name):
    event = EVENTS[name]
    context = event["requestContext"]
    if "version" in event:
        fields, inner = URL_FIELDS, {"": event, "requestContext": context, "http": context["http"]}
        assert (event["version"], event["routeKey"], context["stage"]) == ("2.0", "$default", "$default")
        assert (context["http"]["path"], context["domainName"]) == (event["rawPath"], event["headers"]["host"])
        assert all(header == header.lower() for header in event["headers"])
    else:
        fields, inner = REST_FIELDS, {"": event, "requestContext": context, "identity": context["identity"]}
        assert (context["httpMethod"], context["resourcePath"]) == (event["httpMethod"], event["resource"])
        assert context["path"].partition(f"/{context['stage']}/")[2] == event["path"].removeprefix("/")
        assert {header: values[-1] for header, values in event["multiValueHeaders"].items()} == event["headers"]
        assert (event["queryStringParameters"] or {}).keys() == (event["multiValueQueryStringParameters"] or {}).keys()
        assert {f"{{{one.rstrip('+')}" for one in (event["pathParameters"] or {})} == set(re.findall(r"{\w+", event["resource"]))
    assert {part: set(found) for part, found in inner.items()} == {part: set(names.split()) for part, names in fields.items()}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.template}")
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_the_operation_of_a_rest_event_is_that_of_its_route_whatever_the_path(route, prefix):
    rest = {"pathParameters": {"id": f"demo%2Fecho:{route.action}"}} if route.action else {}
    event = REST | {"httpMethod": route.method, "resource": prefix + route.template, "path": "/elsewhere/else", **rest}
    gateway = ask(event)
    assert gateway.operation == route.operation
    assert gateway.request.path == ({"id": "demo/echo"} if route.action else {})


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (REST | {"pathParameters": {"id": "demo%2Fecho"}, "resource": "/models/{id+}", "httpMethod": "GET"}, {"id": "demo/echo"}),
        (REST | {"pathParameters": {"id": "100%25"}, "resource": "/models/{id+}", "httpMethod": "GET"}, {"id": "100%"}),
        (EVENTS["chat_completions_azure"], {"model": "demo/echo"}),
        (EVENTS["models"], {}),
        (EVENTS["gemini"], {"id": "demo/echo"}),
        (URL | {"rawPath": "/v1beta/models/demo/echo:generateContent"}, {"id": "demo/echo"}),
        (URL | {"rawPath": "/v1/models/demo%2Fecho", "requestContext": {"http": {"method": "GET"}}}, {"id": "demo/echo"}),
        (URL | {"rawPath": "/models/demo/echo", "requestContext": {"http": {"method": "HEAD"}}}, {"id": "demo/echo"}),
    ],
)
def test_path_parameters_are_decoded_once(event, expected):
    assert ask(event).request.path == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"multiValueHeaders": {"Accept": ["a", "b"], "X-Api-Key": ["k"]}, "headers": {"Accept": "b"}},
            {"accept": "a, b", "x-api-key": "k"},
        ),
        ({"multiValueHeaders": None, "headers": {"Api-Key": "k"}}, {"api-key": "k"}),
        ({"multiValueHeaders": {}, "headers": None}, {}),
        ({"multiValueHeaders": {"A": ["1"], "a": ["2"]}}, {"a": "1, 2"}),
    ],
)
def test_headers_have_lower_case_names_and_all_their_values(part, expected):
    assert ask(REST | part).request.headers == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (REST, {}),
        (REST | {"queryStringParameters": {"a": "2"}, "multiValueQueryStringParameters": {"a": ["1", "2"]}}, {"a": "2"}),
        (REST | {"queryStringParameters": {"a": "é&"}, "multiValueQueryStringParameters": None}, {"a": "é&"}),
        (URL | {"rawQueryString": "a=1&a=2&b=&c=%C3%A9+%26"}, {"a": "2", "b": "", "c": "é &"}),
        (URL | {"rawQueryString": ""}, {}),
    ],
)
def test_the_query_is_decoded(event, expected):
    assert ask(event).request.query == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"body": "é\U0001f44b"}, "é\U0001f44b".encode()),
        ({"body": None}, b""),
        ({"body": "", "isBase64Encoded": True}, b""),
        ({"body": base64.b64encode(bytes(range(256))).decode(), "isBase64Encoded": True}, bytes(range(256))),
        ({"body": "\ud800"}, b"\xed\xa0\x80"),
    ],
)
@pytest.mark.parametrize("event", [REST, URL], ids=["rest", "url"])
def test_the_body_is_bytes(event, part, expected):
    assert ask(event | part).request.body == expected


def test_a_request_has_an_id_of_ours_and_knows_how_long_it_may_take():
    gateway = Shown()
    reply = LambdaHandler(gateway, ALL)(REST, Lasting())
    assert gateway.request.seconds_left() == 12.5
    assert reply["headers"]["x-request-id"] == gateway.request.id != REST["requestContext"]["requestId"]
    assert uuid.UUID(gateway.request.id).version == 4


@pytest.mark.parametrize(
    ("event", "serves", "status", "code"),
    [
        (REST | {"resource": "/{proxy+}", "path": "/v1/nothing"}, ALL, 404, "unknown_url"),
        (REST | {"resource": "/{proxy+}", "path": "/v1/key/list"}, ALL, 405, "method_not_allowed"),
        (REST | {"resource": "/{proxy+}", "path": "/key/generate"}, {"models_list"}, 404, "unknown_url"),
        (REST | {"resource": "/v2/chat/completions"}, ALL, 404, "unknown_url"),
        (REST | {"httpMethod": "DELETE"}, ALL, 405, "method_not_allowed"),
        (REST | {"httpMethod": "OPTIONS"}, ALL, 405, "method_not_allowed"),
        (REST, {"models_list"}, 404, "unknown_url"),
        (URL | {"rawPath": "/v1/nothing"}, ALL, 404, "unknown_url"),
        (URL | {"rawPath": "/key/generate"}, {"chat_completions"}, 404, "unknown_url"),
        (URL | {"body": "a", "isBase64Encoded": True}, ALL, 400, None),
        (URL | {"body": "é", "isBase64Encoded": True}, ALL, 400, None),
        ({}, ALL, 404, "unknown_url"),
    ],
)
def test_what_is_not_served_is_refused_in_openais_shape(event, serves, status, code):
    reply = refused(event, serves)
    assert reply["statusCode"] == status
    error = json.loads(reply["body"])["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert reply["headers"]["content-type"] == "application/json"
    assert reply["headers"]["x-request-id"]


@pytest.mark.parametrize(("path", "member"), [("/v1/messages/nothing", "request_id"), ("/v1beta/files", "status")])
def test_what_is_not_served_is_refused_in_the_shape_of_its_api(path, member):
    error = json.loads(refused(REST | {"resource": "/{proxy+}", "path": path}, ALL)["body"])
    assert member in (error if member == "request_id" else error["error"])


@pytest.mark.parametrize("event", [REST, URL], ids=["rest", "url"])
@pytest.mark.parametrize(
    ("body", "text", "is_base64"),
    [
        (b"", "", False),
        ("é".encode(), "é", False),
        (b"\xff\x00", "/wA=", True),
        ((b"\xc3", b"\xa9"), "é", False),
        ((), "", False),
    ],
)
def test_a_whole_reply_is_text_or_base64(event, body, text, is_base64):
    sent = body if isinstance(body, bytes) else Body(*body)
    reply = LambdaHandler(Shown(Response(200, {"content-type": "text/plain"}, sent)), ALL)(event, Lasting())
    assert reply.pop("headers").keys() == {"content-type", "x-request-id", "request-id"}
    assert reply == {"statusCode": 200, "body": text, "isBase64Encoded": is_base64}
    assert getattr(sent, "closed", True)


def test_a_body_that_fails_is_closed():
    def pieces() -> Iterator[bytes]:
        yield b"x"
        raise LookupError

    body = pieces()
    with pytest.raises(LookupError):
        to_proxy_response(StreamedResponse(200, {}, body))
    assert list(body) == []


@pytest.mark.parametrize(("sam_local", "streamed"), [(False, True), (True, False)])
def test_a_streaming_function_streams_but_not_under_sam_local(sam_local, streamed):
    body = Body(b"a", b"b")
    gateway = Shown(Response(200, {}, body), Settings(sam_local=sam_local))
    reply = LambdaHandler(gateway, ALL, streams=True)(REST, Lasting())
    assert isinstance(reply, StreamedResponse) is streamed
    assert list(body) == ([b"a", b"b"] if streamed else [])
    assert body.closed == (not streamed)


@given(st.dictionaries(st.from_regex(r"[a-z-]{1,30}", fullmatch=True), st.text(), max_size=15), st.integers(1, 3_000))
def test_headers_fit_and_are_plain(headers, repeated):
    long = 'é\n"\\' * repeated
    headers = {**headers, "x-haimaker-model": long, "x-haimaker-dropped-params": long, "content-length": "3"}
    gateway = Shown(Response(200, headers, b""))
    reply = LambdaHandler(gateway, ALL, streams=True)(REST, Lasting())
    assert len(reply.prelude()) < 16 * 1024
    assert all(value.isascii() and (value == "" or value.isprintable()) for value in reply.headers.values())
    assert "content-length" not in reply.headers


HERE = {"origin": "https://here.example"}
ASKED = {"access-control-request-headers": "authorization,x-stainless-os"}


@pytest.mark.parametrize(
    ("allowed", "headers", "shown"),
    [
        ((), HERE, None),
        (("https://here.example",), HERE, "https://here.example"),
        (("https://other.example", "https://here.example"), HERE, "https://here.example"),
        (("https://other.example",), HERE, None),
        (("*",), HERE, "https://here.example"),
        (("*",), {}, None),
    ],
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_only_pages_of_an_allowed_origin_may_read(allowed, headers, shown, method):
    event = REST | {"multiValueHeaders": {}, "headers": headers | ASKED, "httpMethod": method}
    gateway = Shown(settings=Settings(allowed_origins=allowed))
    reply = LambdaHandler(gateway, ALL)(event, Lasting())
    assert reply["headers"].get("access-control-allow-origin") == shown
    assert (reply["headers"].get("vary") == "origin") is bool(shown)
    preflight = method == "OPTIONS" and shown
    assert reply["headers"].get("access-control-allow-headers") == ("authorization,x-stainless-os" if preflight else None)
    assert reply["statusCode"] == (405 if method == "OPTIONS" and not shown else 200)
    assert bool(gateway.operation) is (method == "POST")
