"""An error that is made at a door has the shape of the API that was asked, whatever the error is and wherever it is made.

https://platform.openai.com/docs/guides/error-codes, https://platform.claude.com/docs/en/api/errors,
https://ai.google.dev/gemini-api/docs/troubleshooting
"""

import json
from collections.abc import Mapping

import pytest

from haimaker.api import formats, paths
from haimaker.http import errors
from haimaker.http.errors import APIError
from haimaker.http.values import JSON

REFUSALS: list[tuple[APIError, str, str]] = [
    (errors.BadRequestError("no"), "invalid_request_error", "INVALID_ARGUMENT"),
    (errors.AuthenticationError("no"), "authentication_error", "UNAUTHENTICATED"),
    (errors.BudgetExceededError("no"), "billing_error", "FAILED_PRECONDITION"),
    (errors.PermissionDeniedError("no"), "permission_error", "PERMISSION_DENIED"),
    (errors.NotFoundError("no"), "not_found_error", "NOT_FOUND"),
    (errors.MethodNotAllowedError("no", headers={"allow": "GET"}), "invalid_request_error", "INVALID_ARGUMENT"),
    (errors.RequestTooLargeError("no"), "request_too_large", "INVALID_ARGUMENT"),
    (APIError("no", status=415), "invalid_request_error", "INVALID_ARGUMENT"),
    (errors.RateLimitError("no", headers={"retry-after": "1"}), "rate_limit_error", "RESOURCE_EXHAUSTED"),
    (errors.ServiceUnavailableError("no"), "overloaded_error", "UNAVAILABLE"),
]
ASKED: list[tuple[str, Mapping[str, str], str]] = [
    ("/v1/messages", {}, "anthropic"),
    ("/v1/v1/messages", {}, "anthropic"),
    ("/messages/count_tokens", {}, "anthropic"),
    ("/v1/messages/batches", {}, "anthropic"),
    ("/v1/models", {"anthropic-version": "2023-06-01"}, "anthropic"),
    ("/nothing", {"anthropic-version": "2023-06-01"}, "anthropic"),
    ("/v1beta/models/openai/gpt-4o:generateContent", {}, "google"),
    ("/v1/models/gpt-4o:countTokens", {}, "google"),
    ("/v1/models/gpt-4o%3AstreamGenerateContent", {}, "google"),
    ("/v1/v1beta/models", {}, "google"),
    ("/nothing", {"x-goog-api-key": "k"}, "google"),
    ("/v1/chat/completions", {}, "openai"),
    ("/v1/responses", {}, "openai"),
    ("/v1/models/gpt-4o", {}, "openai"),
    ("/nothing", {}, "openai"),
    ("", {}, "openai"),
]


def shape(body: JSON) -> str:
    return "anthropic" if "request_id" in body else "google" if "status" in body["error"] else "openai"


@pytest.mark.parametrize(("path", "headers", "wanted"), ASKED)
def test_every_refusal_is_told_as_its_client_reads_it(path: str, headers: Mapping[str, str], wanted: str) -> None:
    for error, anthropic, google in REFUSALS:
        response = formats.refuse(error, "r", headers, path=path)
        assert isinstance(response.body, bytes)
        body = json.loads(response.body)
        assert (response.status, shape(body), response.headers.keys() >= error.headers.keys()) == (error.status, wanted, True)
        expected = {
            "anthropic": {"type": "error", "error": {"type": anthropic, "message": "no"}, "request_id": "r"},
            "google": {"error": {"code": error.status, "message": "no", "status": google}},
            "openai": error.body(),
        }
        assert {**body, "error": {name: body["error"][name] for name in expected[wanted]["error"]}} == expected[wanted]


def test_every_route_has_the_shape_of_its_api() -> None:
    """A path says as much as the operation that it leads to, so that who does not get that far reads the same."""
    error = errors.ServiceUnavailableError("no")
    for route in (*paths.ROUTES, *paths.LOCAL_ROUTES):
        for prefix in ("", "/v1"):
            path = f"{prefix}{route.template}".replace("{id+}", "m") + (f":{route.action}" if route.action else "")
            shapes = {
                shape(json.loads(formats.refuse(error, "r", {}, *asked).body))  # type: ignore[arg-type]
                for asked in ((route.operation, path), (route.operation, ""), ("", path))
                if asked != ("", path) or route.operation != "gemini_unserved"
            }
            assert len(shapes) == 1, (route, shapes)
