"""Builds whole responses: of a JSON body, or of an error."""

from haimaker.http.errors import APIError
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, Response


def error_response(error: APIError, body: JSON | None = None) -> Response:
    """The response for an error, with OpenAI's body or with that of the client's format."""
    return Response(error.status, {"content-type": "application/json", **error.headers}, dumps(body or error.body()))


def json_response(body: JSON | list[JSON]) -> Response:
    return Response(200, {"content-type": "application/json"}, dumps(body))
