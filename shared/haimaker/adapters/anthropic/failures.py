"""What Anthropic's errors say, in OpenAI's vocabulary: bodies of failures and events of a stream.

https://platform.claude.com/docs/en/api/errors. Google and AWS, who serve the same models, have errors of their own.
"""

import re
from collections.abc import Mapping

from haimaker.http import errors
from haimaker.http.values import JSON, ErrorFields

STATUS: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
CODE: Mapping[str, str] = {
    "billing_error": "insufficient_quota",
    "not_found_error": "model_not_found",
    "request_too_large": "request_too_large",
    "rate_limit_error": "rate_limit_exceeded",
    "timeout_error": "timeout",
    "overloaded_error": "overloaded",
    "NOT_FOUND": "model_not_found",
    "RESOURCE_EXHAUSTED": "rate_limit_exceeded",
    "REQUEST_LIMIT_EXCEEDED": "rate_limit_exceeded",
    "UNAVAILABLE": "overloaded",
}
"""By Anthropic's `type`, Google's `status`, or Databricks' `error_code`."""
PHRASES: Mapping[str, tuple[str, ...]] = {
    "context_length_exceeded": (
        "prompt is too long",
        "input is too long",
        "input length and `max_tokens` exceed",
        "exceed context limit",
        "exceeds the context window",
        "too many tokens",
        "too many total text bytes",
    ),
    "content_policy_violation": ("content filtering policy", "violates our usage policy", "content policy"),
    "insufficient_quota": ("credit balance is too low", "reached your specified api usage limits"),
}
"""Words of the message, where the type says no more than that the request is invalid."""
PARAM = re.compile(r"([a-z_]+)(?:\.[\w-]+)*: ")
DEFAULT_STREAM_STATUS = 502


def read_error(body: object) -> ErrorFields:
    found = _error_of(body)
    message = next((str(found[name]) for name in ("message", "Message", "error") if isinstance(found.get(name), str)), "")
    kind = next((found[name] for name in ("type", "status", "error_code") if isinstance(found.get(name), str)), "")
    text = message.lower()
    phrased = next((code for code, phrases in PHRASES.items() if any(phrase in text for phrase in phrases)), None)
    param = PARAM.match(message)
    named = param[1] if param and kind == "invalid_request_error" else None
    return ErrorFields(message, CODE.get(str(kind), phrased), named)


def from_body(body: JSON) -> errors.APIError:
    """An error that came with status 200, as a body or an event."""
    found = _error_of(body)
    kind = found.get("type")
    code = found.get("code")
    status = STATUS.get(kind, DEFAULT_STREAM_STATUS) if isinstance(kind, str) else DEFAULT_STREAM_STATUS
    if type(code) is int and 400 <= code <= 599:
        status = code
    return errors.from_upstream(status, read_error(body), {})


def _error_of(body: object) -> Mapping[str, object]:
    if isinstance(body, list):
        body = body[0] if body else {}
    error = body.get("error") if isinstance(body, Mapping) else None
    found = error if isinstance(error, Mapping) else body
    return found if isinstance(found, Mapping) else {"message": found}
