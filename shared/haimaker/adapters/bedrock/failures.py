"""What Bedrock says of a failure, in a body or as an event of a stream.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors
"""

from collections.abc import Mapping

from haimaker.adapters.events import json_object
from haimaker.adapters.openai.failures import CONTEXT_PHRASES, POLICY_PHRASES
from haimaker.http import errors
from haimaker.http.values import ErrorFields, Event

STATUS = {
    "internalServerException": 500,
    "modelErrorException": 502,
    "modelNotReadyException": 503,
    "modelStreamErrorException": 502,
    "modelTimeoutException": 408,
    "resourceNotFoundException": 404,
    "serviceQuotaExceededException": 429,
    "serviceUnavailableException": 503,
    "throttlingException": 429,
    "validationException": 400,
    "accessDeniedException": 403,
}
"""Of the exceptions that come as events; their own status 424 would blame the client for a model that failed."""

CODE = {
    "resourceNotFoundException": "model_not_found",
    "serviceQuotaExceededException": "insufficient_quota",
    "throttlingException": "rate_limit_exceeded",
}
TOO_LONG = (*CONTEXT_PHRASES, "too many input tokens", "input tokens exceeded", "context window")
REFUSED = (*POLICY_PHRASES, "content filter", "content filtering")
UNKNOWN_MODEL = ("model identifier is invalid", "could not resolve the foundation model")
NO_ACCESS = ("access to the model",)
"""Words of a 403 that is about a model and not about the credentials as such."""

MESSAGE_FIELDS = ("message", "Message", "originalMessage", "errorMessage", "detail")


def read_error(body: object) -> ErrorFields:
    """The fields of an error body; its type stands in `__type`, behind a namespace, if it is in the body at all."""
    if not isinstance(body, Mapping):
        return ErrorFields(body if isinstance(body, str) else "")
    kind = body.get("__type")
    name = kind.rpartition("#")[2] if isinstance(kind, str) else ""
    return _fields(name, body)


def from_event(event: Event) -> errors.APIError:
    """An exception that came as an event of a stream that began well."""
    body = json_object(event)
    name = _lower_first(event.name)
    original = body.get("originalStatusCode")
    status = original if type(original) is int and 400 <= original < 600 else STATUS.get(name, 502)
    return errors.from_upstream(status, _fields(name, body), {})


def is_exception(event: Event) -> bool:
    return event.name.endswith(("Exception", "Error", "error"))


def _fields(name: str, body: Mapping[str, object]) -> ErrorFields:
    message = next((text for field in MESSAGE_FIELDS if isinstance(text := body.get(field), str) and text), "")
    return ErrorFields(message, _code(_lower_first(name), message.lower()))


def _code(name: str, message: str) -> str | None:
    for phrases, code in (
        (TOO_LONG, "context_length_exceeded"),
        (REFUSED, "content_policy_violation"),
        (UNKNOWN_MODEL, "model_not_found"),
        (NO_ACCESS, "model_not_allowed"),
    ):
        if any(phrase in message for phrase in phrases):
            return code
    return CODE.get(name)


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
