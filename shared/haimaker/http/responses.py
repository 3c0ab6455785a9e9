"""Builds whole responses: of a JSON body, or of an error."""

from collections.abc import Iterable, Mapping

from haimaker.http.errors import APIError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Response
from haimaker.long_work import STEP, in_steps

MAX_NAMES_LENGTH = 4_000
"""The most characters of names in a header."""


def error_response(error: APIError, body: JSON | None = None) -> Response:
    """The response for an error, with OpenAI's body or with that of the client's format."""
    return Response(error.status, {"content-type": "application/json", **error.headers}, dumps(body or error.body()))


def origin_of(headers: Mapping[str, str]) -> str:
    """The address at which a request's client reaches this gateway, such as `http://127.0.0.1:8000`; empty where it does not
    say."""
    host = headers.get("host")
    scheme = headers.get("x-forwarded-proto", "http").partition(",")[0].strip().lower()
    return f"{scheme if scheme in ('http', 'https') else 'http'}://{host}" if host else ""


def json_response(body: JSON | list[JSON]) -> Response:
    return Response(200, {"content-type": "application/json"}, _encode(body))


def _encode(body: JSON | list[JSON]) -> bytes:
    """The JSON of a body, made in steps where a list is long: the encoder lets no other thread run before it has done."""
    if isinstance(body, list):
        return b"[" + b",".join(dumps(some)[1:-1] for some in in_steps(body)) + b"]"
    if all(not isinstance(value, list) or len(value) <= STEP for value in body.values()):
        return dumps(body)
    fields = (
        dumps({name: 0})[1:-2] + _encode(value) if isinstance(value, list) else dumps({name: value})[1:-1]
        for name, value in body.items()
    )
    return b"{" + b",".join(fields) + b"}"


def join_names(names: Iterable[str]) -> str:
    """Names as the value of a header, as many as clients take: a line of Python's may have 64 KB, all headers of Node's 16."""
    line = ",".join(names)
    return line if len(line) <= MAX_NAMES_LENGTH else line[:MAX_NAMES_LENGTH].rpartition(",")[0] + ",..."
