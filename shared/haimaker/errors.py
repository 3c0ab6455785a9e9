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
    ├── ConflictError 409
    ├── RequestTooLargeError 413
    ├── UnprocessableEntityError 422
    ├── RateLimitError 429
    └── InternalServerError 500
        ├── ProviderAuthError 502           the deployer's credentials are wrong, not the client's
        ├── BadGatewayError 502             an upstream that can't be reached or understood
        ├── ServiceUnavailableError 503
        └── OverloadedError 529

Classes are named as in the official SDK (https://github.com/openai/openai-python#handling-errors) where it has one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from haimaker.wire import JSON


class APIError(Exception):
    """An answer that is an error: `status`, and the fields of OpenAI's error object."""

    status = 500
    type = "api_error"
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int | None = None,
        type: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.code
        self.status = status or self.status
        self.type = type or self.type
        self.headers = dict(headers or {})
        self.attempts: Sequence[JSON] = ()

    def body(self) -> JSON:
        """OpenAI's error body; `attempts` is added where several upstream calls led here."""
        error: JSON = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        if self.attempts:
            error["attempts"] = list(self.attempts)
        return {"error": error}


class BadRequestError(APIError):
    status = 400
    type = "invalid_request_error"


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
