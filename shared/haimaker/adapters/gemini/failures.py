"""What Google's error bodies say, and the errors that come inside a 200. https://ai.google.dev/gemini-api/docs/troubleshooting"""

import re
from collections.abc import Mapping

from haimaker.http import errors
from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.values import JSON, ErrorFields

CODES: Mapping[str, str] = {
    "RESOURCE_EXHAUSTED": "rate_limit_exceeded",
    "UNAUTHENTICATED": "invalid_api_key",
    "UNAVAILABLE": "overloaded",
    "DEADLINE_EXCEEDED": "timeout",
}
"""google.rpc.Code: https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto"""
REASONS: Mapping[str, str] = {
    "API_KEY_INVALID": "invalid_api_key",
    "API_KEY_EXPIRED": "invalid_api_key",
    "BILLING_DISABLED": "insufficient_quota",
}
STATUSES: Mapping[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
PHRASES: tuple[tuple[str, str], ...] = (
    (r"input token count is \d+ but the model only supports", "context_length_exceeded"),
    (r"credits are depleted", "insufficient_quota"),
    (
        r"exceeds? the (maximum|max) (number of|allowed)|token count \(?\d+\)? exceeds|exceeds the context",
        "context_length_exceeded",
    ),
    (r"api key (not valid|expired|not found)", "invalid_api_key"),
    (r"user location is not supported", "unsupported_country_region_territory"),
    (r"(publisher )?models?\b.* (is|was) not found|model.* not supported for generatecontent", "model_not_found"),
    (
        r"prohibited_content|responsible ai practices|blocked by .*(safety|policy|policies)|violat\w+ .*(policy|policies)",
        "content_policy_violation",
    ),
)
"""Most refusals are only INVALID_ARGUMENT, and say what is wrong in words."""
DELAY = re.compile(r"(\d{1,6}(?:\.\d+)?)s")


def read_error(body: object) -> ErrorFields:
    found = _error_of(body)
    if isinstance(found, str):
        return ErrorFields(found, _code({}, found))
    error = as_object(found)
    message = as_text(error.get("message")) or as_text(error.get("error_description"))
    return ErrorFields(message, _code(error, message), retry_after_s=_retry_after_s(error))


def from_body(body: object) -> errors.APIError:
    """An error object that came with status 200, whole or in a stream."""
    error = as_object(_error_of(body))
    code, named = error.get("code"), as_text(error.get("status"))
    status = code if type(code) is int and 400 <= code <= 599 else STATUSES.get(named, 502)
    return errors.from_upstream(status, read_error(body), {})


def _error_of(body: object) -> object:
    """The error object inside, also in the list that a stream without SSE is."""
    if isinstance(body, list):
        body = body[0] if body else {}
    if isinstance(body, Mapping) and body.get("error"):
        return body["error"]
    return body


def _code(error: JSON, message: str) -> str | None:
    for detail in as_objects(error.get("details")):
        if reason := REASONS.get(as_text(detail.get("reason"))):
            return reason
    text = message.lower()
    said = next((code for pattern, code in PHRASES if re.search(pattern, text)), None)
    status = as_text(error.get("status"))
    return said or CODES.get(status) or ("model_not_found" if status == "NOT_FOUND" and "model" in text else None)


def _retry_after_s(error: JSON) -> float | None:
    """https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto: `retryDelay` is like `34.4s`."""
    delays = [as_text(detail.get("retryDelay")) for detail in as_objects(error.get("details"))]
    return next((float(match[1]) for match in map(DELAY.fullmatch, delays) if match), None)
