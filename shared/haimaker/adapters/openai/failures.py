"""What error bodies in OpenAI's format say, in the dialects of the servers that speak it.

https://platform.openai.com/docs/guides/error-codes; vLLM and Mistral put the fields at the top, some send only a text.
"""

from collections.abc import Mapping
from typing import Any

from haimaker import errors
from haimaker.wire import JSON, ErrorFields

CONTEXT_PHRASES = (
    "maximum context length",
    "context length exceeded",
    "context_length_exceeded",
    "exceed context limit",
    "exceeds the model's context",
    "longer than the model's context length",
    "exceeds the available context size",
    "input tokens exceed the configured limit",
    "exceeds the maximum number of tokens allowed",
    "reduce the length of the messages",
    "prompt is too long",
    "input is too long",
    "too large for model with",
    "maximum input length is",
    "`inputs` tokens + `max_new_tokens` must be",
)
"""Servers that have no code for a prompt that is too long say so in these words."""

POLICY_PHRASES = (
    "content_policy_violation",
    "content management policy",
    "responsibleaipolicyviolation",
    "rejected as a result of our safety system",
    "content policy",
)
POLICY_CODES = {"content_filter", "content_policy_violation", "invalid_prompt"}
DEFAULT_STREAM_STATUS = 502


def read_error(body: object) -> ErrorFields:
    """The fields of an error body of whatever shape; a code in OpenAI's vocabulary where its words or its code tell."""
    found = _error_of(body)
    if not isinstance(found, Mapping):
        text = found if isinstance(found, str) else ""
        return ErrorFields(text, _known_code(text, None))
    message = next((found[name] for name in ("message", "detail", "error") if isinstance(found.get(name), str)), _invalid(found))
    code = found.get("code")
    said = code if isinstance(code, str) and code else None
    param = found.get("param")
    return ErrorFields(message, _known_code(message, said) or said or _inner_code(found), param if isinstance(param, str) else None)


def from_body(body: JSON) -> errors.APIError:
    """An error object that came with status 200, whole or in a stream; its numeric code is the status it would have had."""
    found = _error_of(body)
    status: Any = None
    if isinstance(found, Mapping):
        status = next((found[name] for name in ("code", "status", "status_code") if _is_status(found.get(name))), None)
    said = read_error(body)
    if status is None and said.code in errors.BY_CODE:
        status = 400
    if status is None and said.code == "rate_limit_exceeded":
        status = 429
    return errors.from_upstream(int(status or DEFAULT_STREAM_STATUS), said, {})


def _error_of(body: object) -> object:
    """The error object inside: under `error`, in a list of one, or the body itself."""
    if isinstance(body, list):
        body = body[0] if body else {}
    if isinstance(body, Mapping) and body.get("error"):
        return body["error"]
    return body


def _invalid(found: Mapping[str, Any]) -> str:
    """The first complaint of a server that lists them with their places, as FastAPI does."""
    inner = found.get("message")
    details = inner.get("detail") if isinstance(inner, Mapping) else found.get("detail")
    first = details[0] if isinstance(details, list) and details else None
    if not isinstance(first, Mapping) or not isinstance(first.get("msg"), str):
        return ""
    place = first.get("loc")
    return ".".join(map(str, place)) + ": " + first["msg"] if isinstance(place, list) else str(first["msg"])


def _known_code(message: str, code: str | None) -> str | None:
    text = message.lower()
    if code == "context_length_exceeded" or any(phrase in text for phrase in CONTEXT_PHRASES):
        return "context_length_exceeded"
    if code in POLICY_CODES or any(phrase in text for phrase in POLICY_PHRASES):
        return "content_policy_violation"
    return None


def _inner_code(found: Mapping[str, Any]) -> str | None:
    """OpenAI leaves `code` null at times and says it in `type`, which is more telling than nothing."""
    kind = found.get("type")
    return kind if isinstance(kind, str) and kind not in ("invalid_request_error", "error") else None


def _is_status(value: object) -> bool:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text.isascii() and text.isdigit() and len(text) == 3 and 400 <= int(text) <= 599
