import re
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http import errors
from haimaker.http.errors import APIError, allows_fallback, allows_retry, from_upstream, retry_after_s
from haimaker.http.values import ErrorFields

NOW_S = 1_445_412_400.0
CLASSES = sorted(
    {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, APIError)},
    key=lambda kind: kind.__name__,
)
SDK = {400: "BadRequestError", 401: "AuthenticationError", 403: "PermissionDeniedError", 404: "NotFoundError", 409: "ConflictError",
       422: "UnprocessableEntityError", 429: "RateLimitError"}  # fmt: skip


def said(code: str | None = None, message: str = "No.", param: str | None = None) -> ErrorFields:
    return ErrorFields(message, code, param)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_is_the_class_of_the_official_sdk_that_fits_it(kind: type[APIError]) -> None:
    error = kind("No.", param="model")
    client = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:9")
    answer = httpx.Response(error.status, json=error.body(), request=httpx.Request("POST", "http://127.0.0.1:9"))
    caught = client._make_status_error_from_response(answer)
    assert type(caught).__name__ == SDK.get(error.status, "InternalServerError" if error.status >= 500 else "APIStatusError")
    assert caught.body == {"message": "No.", "type": error.type, "param": "model", "code": error.code}


@pytest.mark.parametrize(
    ("status", "fields", "kind", "ours", "code"),
    [
        (400, said(), "BadRequestError", 400, None),
        (400, said("context_length_exceeded"), "ContextWindowExceededError", 400, "context_length_exceeded"),
        (413, said("context_length_exceeded"), "ContextWindowExceededError", 400, "context_length_exceeded"),
        (400, said("content_policy_violation"), "ContentPolicyViolationError", 400, "content_policy_violation"),
        (403, said("content_policy_violation"), "ContentPolicyViolationError", 400, "content_policy_violation"),
        (400, said("made_up"), "BadRequestError", 400, "made_up"),
        (401, said("invalid_api_key"), "ProviderAuthError", 502, "provider_auth_failed"),
        (402, said(), "APIError", 402, "insufficient_quota"),
        (403, said(), "ProviderAuthError", 502, "provider_auth_failed"),
        (403, said("model_not_found"), "PermissionDeniedError", 403, "model_not_found"),
        (404, said("model_not_found"), "NotFoundError", 404, "model_not_found"),
        (405, said(), "BadRequestError", 405, None),
        (408, said(), "APITimeoutError", 408, "timeout"),
        (409, said(), "ConflictError", 409, None),
        (413, said(), "RequestTooLargeError", 413, "request_too_large"),
        (422, said(), "UnprocessableEntityError", 422, None),
        (429, said(), "RateLimitError", 429, "rate_limit_exceeded"),
        (429, said("context_length_exceeded"), "RateLimitError", 429, "context_length_exceeded"),
        (500, said(), "InternalServerError", 500, None),
        (502, said(), "BadGatewayError", 502, "bad_gateway"),
        (503, said(), "ServiceUnavailableError", 503, "service_unavailable"),
        (504, said(), "APITimeoutError", 504, "timeout"),
        (520, said(), "InternalServerError", 520, None),
        (529, said(), "OverloadedError", 529, "overloaded"),
        (599, said(), "InternalServerError", 599, None),
        (999, said(), "InternalServerError", 502, None),
        (302, said(), "BadGatewayError", 502, "bad_gateway"),
        (101, said(), "BadGatewayError", 502, "bad_gateway"),
    ],
)
def test_an_upstreams_answer_is_one_of_our_errors(status: int, fields: ErrorFields, kind: str, ours: int, code: str | None) -> None:
    error = from_upstream(status, fields, {})
    assert (type(error).__name__, error.status, error.code) == (kind, ours, code)


@given(st.integers(100, 999), st.text() | st.none(), st.text(), st.none() | st.text())
def test_any_answer_is_an_error_that_can_be_sent(status: int, code: str | None, message: str, param: str | None) -> None:
    error = from_upstream(status, ErrorFields(message, code, param), {"retry-after": message, "x-should-retry": message})
    assert 400 <= error.status <= 599
    assert error.message.strip()
    assert not (allows_retry(error) and not allows_fallback(error))
    assert all(value.isascii() and value.isprintable() for value in error.headers.values())


@pytest.mark.parametrize(
    ("status", "code", "again", "following"),
    [
        (400, None, False, False),
        (400, "context_length_exceeded", False, False),
        (401, None, False, True),
        (402, None, False, True),
        (403, None, False, True),
        (403, "model_not_found", False, True),
        (404, None, False, True),
        (404, "model_not_found", False, True),
        (410, None, False, True),
        (408, None, True, True),
        (413, None, False, False),
        (422, None, False, False),
        (429, None, True, True),
        (500, None, True, True),
        (502, None, True, True),
        (503, None, True, True),
        (529, None, True, True),
    ],
)
def test_what_is_tried_again_and_what_elsewhere(status: int, code: str | None, again: bool, following: bool) -> None:
    error = from_upstream(status, said(code), {})
    assert (allows_retry(error), allows_fallback(error)) == (again, following)
    told_not_to = from_upstream(status, said(code), {"x-should-retry": "false"})
    assert (allows_retry(told_not_to), allows_fallback(told_not_to)) == (False, following)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "x"}, None),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after-ms": "-1"}, 0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 1_445_412_480 - NOW_S),
        ({"retry-after": "Wed, 21 Oct 2009 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
    ],
)
def test_how_long_a_provider_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW_S) == seconds


@pytest.mark.parametrize(
    ("status", "headers", "kept"),
    [
        (429, {"retry-after": "1.2", "x-secret": "s", "set-cookie": "c"}, {"retry-after": "2"}),
        (500, {"x-should-retry": "false"}, {"x-should-retry": "false"}),
        (500, {"x-should-retry": "false\r\nx: y"}, {}),
        (402, {"retry-after": "2"}, {"retry-after": "2", "x-should-retry": "false"}),
        (401, {"retry-after": "2"}, {"x-should-retry": "false"}),
    ],
)
def test_only_what_helps_a_client_to_retry_is_kept_of_the_headers(
    status: int, headers: dict[str, str], kept: dict[str, str]
) -> None:
    assert from_upstream(status, said(), headers).headers == kept


@pytest.mark.parametrize(("message", "shown"), [("a\x1b[31mb\nc", "a[31mb\nc"), ("x" * 9_999, "x" * 2_000), (" \x00 ", None)])
def test_a_providers_words_are_made_fit_to_print(message: str, shown: str | None) -> None:
    assert from_upstream(400, said(message=message), {}).message == (
        shown or "The provider answered with status 400 and no explanation."
    )


def test_the_attempts_are_told_if_there_were_any() -> None:
    error: Any = APIError("No.")
    assert "attempts" not in error.body()["error"]
    error.attempts = [{"target": "openai/gpt-4o"}]
    assert error.body()["error"]["attempts"] == [{"target": "openai/gpt-4o"}]


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("Rate limit reached in organization org-AbCdEfGh12345678 on tokens", "Rate limit reached in organization *** on tokens"),
        ("Project `proj_AbCdEfGh12345678` does not have access", "Project `***` does not have access"),
        ("org-wide limits; proj_x", "org-wide limits; proj_x"),
    ],
)
def test_the_deployers_account_is_masked(message: str, shown: str) -> None:
    assert from_upstream(400, ErrorFields(message), {}).message == shown


ROOT = Path(__file__).parents[3]
KINDS = {f"{kind}_{what}" for kind in ("key", "team", "user") for what in ("blocked", "not_found")}
"""Codes that are made of the kind of an account."""


def test_the_page_of_endpoints_has_every_code_of_ours_and_no_other() -> None:
    page = (ROOT / "docs" / "endpoints.md").read_text("utf-8").partition("The codes of the gateway's own errors")[2]
    told = set(re.findall(r"`([a-z_]+)`", page.partition("\n\nAfter the first byte")[0]))
    sources = [*(ROOT / "shared" / "haimaker").rglob("*.py"), *(ROOT / "local").rglob("*.py")]
    found = {code for source in sources for code in re.findall(r'\bcode ?= ?"([a-z_]+)"', source.read_text("utf-8"))}
    others = {"provider_unreachable"}  # of the two codes of one expression
    assert told == found | KINDS | others
