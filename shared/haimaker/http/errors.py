"""Every error a client can meet, and the two mappings: an upstream's answer to ours, and ours to OpenAI's body.

    APIError
    ├── BadRequestError 400
    │   ├── ContextWindowExceededError      code context_length_exceeded
    │   └── ContentPolicyViolationError     code content_policy_violation
    ├── AuthenticationError 401
    ├── BudgetExceededError 402             never retried by the SDK
    ├── PermissionDeniedError 403
    ├── NotFoundError 404
    ├── APITimeoutError 408, 504
    ├── MethodNotAllowedError 405
    ├── ConflictError 409
    ├── RequestTooLargeError 413
    ├── UnprocessableEntityError 422
    ├── RateLimitError 429
    │   └── GatewayBusyError                a bound of the gateway itself is reached, not one of a key or a provider
    └── InternalServerError 500
        ├── ProviderAuthError 502           the deployer's credentials are wrong, not the client's
        ├── BadGatewayError 502             an upstream that can't be reached or understood
        ├── ServiceUnavailableError 503
        └── OverloadedError 529

Classes are named as in the official SDK (https://github.com/openai/openai-python#handling-errors) where it has one.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from haimaker.http.values import JSON, ErrorFields

OF_PROVIDER = "The provider"


class APIError(Exception):
    """An answer that is an error: `status`, and the fields of OpenAI's error object."""

    status = 500
    type = "api_error"
    code: str | None = None
    final = False
    """Whether the provider says itself that a retry is of no use."""
    of_gateway = False
    """Whether the gateway itself is the cause, so that a fallback to another target is of no use."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int | None = None,
        type: str | None = None,
        headers: Mapping[str, str] | None = None,
        usage: JSON | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.code
        self.status = status or self.status
        self.type = type or self.type
        self.headers = dict(headers or {})
        self.attempts: Sequence[JSON] = ()
        self.usage = usage
        """What a generation that failed has used, in the shape of the operation's usage, where its provider says so."""

    def name_provider(self, name: str) -> None:
        """Says whose answer it is about: in a header, and in a sentence of ours, which begins with "The provider". What the
        provider itself says stays as it is."""
        self.headers["x-haimaker-provider"] = name
        if self.message.startswith(OF_PROVIDER):
            self.message = name + self.message.removeprefix(OF_PROVIDER)

    def body(self) -> JSON:
        """OpenAI's error body; `attempts` is added where several upstream calls led here."""
        error: JSON = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        if self.attempts:
            error["attempts"] = list(self.attempts)
        return {"error": error}


class BadRequestError(APIError):
    status = 400
    type = "invalid_request_error"


def invalid_parameter(param: str, why: str) -> BadRequestError:
    """The error for a parameter whose value can't be taken."""
    return BadRequestError(f"Invalid value for '{param}': {why}.", param=param, code="invalid_value")


def invalid_value(param: str, expected: str) -> BadRequestError:
    """The error for a parameter whose value is not what is `expected`."""
    return invalid_parameter(param, f"it must be {expected}")


def unknown_parameter(param: str) -> BadRequestError:
    """The error for a parameter that nobody knows, where each of them has to be known."""
    return BadRequestError(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")


def missing_parameter(param: str) -> BadRequestError:
    """The error for a parameter that has to be there."""
    return BadRequestError(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


class ContextWindowExceededError(BadRequestError):
    code = "context_length_exceeded"


class ContentPolicyViolationError(BadRequestError):
    code = "content_policy_violation"


class AuthenticationError(APIError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class BudgetExceededError(APIError):
    status = 402
    type = "budget_exceeded"
    code = "budget_exceeded"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.headers["x-should-retry"] = "false"


class PermissionDeniedError(APIError):
    status = 403
    type = "permission_error"


class NotFoundError(APIError):
    status = 404
    type = "invalid_request_error"


class MethodNotAllowedError(APIError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class APITimeoutError(APIError):
    status = 504
    type = "timeout_error"
    code = "timeout"


class ConflictError(APIError):
    status = 409
    type = "invalid_request_error"


class RequestTooLargeError(APIError):
    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class UnprocessableEntityError(APIError):
    status = 422
    type = "invalid_request_error"


class RateLimitError(APIError):
    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class GatewayBusyError(RateLimitError):
    """The gateway is at its limit of something that it does at once, such as fetching images."""

    code = "gateway_busy"
    of_gateway = True

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.headers.setdefault("retry-after", "1")


class InternalServerError(APIError):
    status = 500
    type = "server_error"


class BadGatewayError(InternalServerError):
    status = 502
    code = "bad_gateway"


class ProviderAuthError(InternalServerError):
    status = 502
    code = "provider_auth_failed"

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.headers["x-should-retry"] = "false"


class ServiceUnavailableError(InternalServerError):
    status = 503
    code = "service_unavailable"


class OverloadedError(InternalServerError):
    status = 529
    type = "overloaded_error"
    code = "overloaded"


BY_STATUS: Mapping[int, type[APIError]] = {
    400: BadRequestError,
    404: NotFoundError,
    408: APITimeoutError,
    409: ConflictError,
    413: RequestTooLargeError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    500: InternalServerError,
    502: BadGatewayError,
    503: ServiceUnavailableError,
    504: APITimeoutError,
    529: OverloadedError,
}
BY_CODE: Mapping[str, type[APIError]] = {
    "context_length_exceeded": ContextWindowExceededError,
    "content_policy_violation": ContentPolicyViolationError,
}
EXPLAINED_REFUSALS = {"content_policy_violation", "insufficient_quota", "model_not_allowed", "model_not_found"}
EXPLAINED_REFUSALS |= {"unsupported_country_region_territory"}
"""Codes with which a provider's 403 is not about the deployer's credentials."""

RETRYABLE = {408, 429}
NO_CREDIT = "insufficient_quota"
"""A 429 that does not pass: https://platform.openai.com/docs/guides/error-codes#api-errors"""
MESSAGE_LENGTH = 2_000
ACCOUNT_IDS = re.compile(r"\b(?:org-|proj_)[A-Za-z0-9]{8,64}\b")
"""Ids of the deployer's organisation and project, which OpenAI names in its messages; clients must not see them."""
NAME_LENGTH = 200
"""Characters of a code or a parameter, which are kept with the request's record."""


def from_upstream(status: int, error_fields: ErrorFields, headers: Mapping[str, str], now_s: float = 0) -> APIError:
    """The error that a client gets for a provider's answer that is not a success. `now_s`, of the epoch, reads a `retry-after` that
    is a date."""
    error = _for_status(status, error_fields, headers, now_s)
    error.final = headers.get("x-should-retry") == "false" or error.code == NO_CREDIT
    return error


def _for_status(status: int, error_fields: ErrorFields, headers: Mapping[str, str], now_s: float) -> APIError:
    code = error_fields.code[:NAME_LENGTH] if error_fields.code else None
    if status == 401 or code == "invalid_api_key" or (status == 403 and code not in EXPLAINED_REFUSALS):
        return ProviderAuthError("The provider refused the gateway's credentials. Ask the gateway's administrator to renew them.")
    message = _printable(error_fields.message) or f"The provider answered with status {status} and no explanation."
    kept = _retry_headers(headers, now_s, error_fields.retry_after_s)
    param = error_fields.param[:NAME_LENGTH] if error_fields.param else None
    fields: dict[str, Any] = {"code": code, "param": param, "headers": kept}
    if 400 <= status < 500 and status not in RETRYABLE and code is not None and code in BY_CODE:
        return BY_CODE[code](message, **fields)
    if status == 429 and code == NO_CREDIT:
        kept["x-should-retry"] = "false"
        return RateLimitError(message, type=NO_CREDIT, **fields)
    if status in BY_STATUS:
        return BY_STATUS[status](message, status=status, **fields)
    if status == 403:
        return PermissionDeniedError(message, **fields)
    if status == 402:
        kept["x-should-retry"] = "false"
        return APIError(message, status=402, type=NO_CREDIT, **{**fields, "code": code or NO_CREDIT})
    if 400 <= status < 500:
        return BadRequestError(message, status=status, **fields)
    if status >= 500:
        return InternalServerError(message, status=status if status < 600 else 502, **fields)
    return BadGatewayError(f"The provider answered with status {status}, which is not an answer.")


def allows_retry(error: APIError) -> bool:
    """Whether the same request may succeed at the same target a moment later."""
    lasts = isinstance(error, ProviderAuthError) or error.of_gateway
    return not error.final and not lasts and (error.status in RETRYABLE or error.status >= 500)


def allows_fallback(error: APIError) -> bool:
    """Whether another target may succeed. A refusal that is about one target or its account allows it, one that is about the
    request does not."""
    elsewhere = isinstance(error, ProviderAuthError) or error.status in (402, 403, 404, 410, *RETRYABLE)
    return not error.of_gateway and (elsewhere or error.status >= 500)


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """What `retry-after-ms` or `retry-after` (seconds or a date, RFC 9110 10.2.3) ask for; None if neither can be read."""
    try:
        if "retry-after-ms" in headers:
            seconds = float(headers["retry-after-ms"]) / 1000
        else:
            value = headers["retry-after"]
            seconds = float(value) if value[:1].isdigit() else _http_date_to_s(value) - now_s
    except (KeyError, ValueError, OverflowError):
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _retry_headers(headers: Mapping[str, str], now_s: float, said_s: float | None) -> dict[str, str]:
    kept = {name: headers[name] for name in ("x-should-retry",) if headers.get(name) in ("true", "false")}
    wait_s = retry_after_s(headers, now_s)
    wait_s = said_s if wait_s is None else wait_s
    if wait_s is not None:
        kept["retry-after"] = str(math.ceil(wait_s))
    return kept


def _http_date_to_s(date: str) -> float:
    from email.utils import parsedate_to_datetime  # rarely needed, and slow to import

    return parsedate_to_datetime(date).timestamp()


def _printable(message: str) -> str:
    shown = "".join(letter for letter in message[:MESSAGE_LENGTH] if letter.isprintable() or letter == "\n").strip()
    return ACCOUNT_IDS.sub("***", shown)
