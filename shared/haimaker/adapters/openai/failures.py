"""What error bodies in OpenAI's format say, in the dialects of the servers that speak it.

https://platform.openai.com/docs/guides/error-codes; vLLM and Mistral put the fields at the top, some send only a text.
"""

import json
from collections.abc import Mapping
from typing import Any

from haimaker.http import errors
from haimaker.http.values import JSON, ErrorFields

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
    "maximum prompt length is",  # xAI
    "exceeded max context length",  # Ollama
)
"""Servers that have no code for a prompt that is too long say so in these words."""

POLICY_PHRASES = (
    "content_policy_violation",
    "content management policy",
    "responsibleaipolicyviolation",
    "as a result of our safety system",
    "content policy",
)
POLICY_CODES = {"content_filter", "content_policy_violation", "invalid_prompt"}
CODES: Mapping[str, str] = {
    # Azure and GitHub: https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter
    "deploymentnotfound": "model_not_found",
    "ratelimitreached": "rate_limit_exceeded",
    "tokens_limit_reached": "context_length_exceeded",
    "unknown_model": "model_not_found",
    # Databricks: https://docs.databricks.com/api/workspace/servingendpoints
    "endpoint_not_found": "model_not_found",
    "request_limit_exceeded": "rate_limit_exceeded",
    "resource_does_not_exist": "model_not_found",
    # Together, Moonshot, xAI and DashScope
    "arrearage": "insufficient_quota",
    "datainspectionfailed": "content_policy_violation",
    "data_inspection_failed": "content_policy_violation",
    "exceeded_current_quota_error": "insufficient_quota",
    "model_not_available": "model_not_found",
    "rate_limit_error": "rate_limit_exceeded",
    "rate_limit_reached_error": "rate_limit_exceeded",
    "resource_not_found_error": "model_not_found",
    "responsibleaipolicyviolation": "content_policy_violation",
    # OpenAI's images: https://platform.openai.com/docs/guides/image-generation#content-moderation
    "contentfilter": "content_policy_violation",
    "moderation_blocked": "content_policy_violation",
    # https://docs.sarvam.ai/api-reference-docs/chat/chat-completions
    "insufficient_quota_error": "insufficient_quota",
    "rate_limit_exceeded_error": "rate_limit_exceeded",
    # https://docs.z.ai/api-reference/api-code, https://platform.minimax.io/docs/api-reference/errorcode
    "1113": "insufficient_quota",
    "1211": "model_not_found",
    "1261": "context_length_exceeded",
    "1301": "content_policy_violation",
    "1302": "rate_limit_exceeded",
    "1303": "rate_limit_exceeded",
    "1305": "rate_limit_exceeded",
    "1002": "rate_limit_exceeded",
    "1008": "insufficient_quota",
    "1026": "content_policy_violation",
    "1039": "context_length_exceeded",
    # https://docs.siliconflow.com/en/faqs/error-code, https://novita.ai/docs/api-reference/api-reference-error-code,
    # https://docs.oracle.com/en-us/iaas/Content/API/References/apierrors.htm
    "20012": "model_not_found",
    "not_enough_balance": "insufficient_quota",
    "model_not_found": "model_not_found",
    "notauthorizedornotfound": "model_not_found",
    # https://docs.perplexity.ai/api-reference/chat-completions-post
    "too_many_prompt_tokens": "context_length_exceeded",
}
"""Codes of others, in lower case, in OpenAI's vocabulary."""
MESSAGES = ("message", "detail", "error", "error_message", "status_msg", "faultstring", "description", "title")
WRAPPERS = ("error", "errors", "base_resp", "fault")
STATUS_OBJECT = "status"
"""Clarifai's wrapper, https://docs.clarifai.com/resources/api-overview/error-codes; elsewhere that is a number or a word."""
STATUS: Mapping[str, int] = {"insufficient_quota": 429, "model_not_found": 404, "rate_limit_exceeded": 429}
DEFAULT_STREAM_STATUS = 502


def read_error(body: object) -> ErrorFields:
    """The fields of an error body of whatever shape; a code in OpenAI's vocabulary where its words or its code tell."""
    found = _error_of(body)
    if not isinstance(found, Mapping):
        texts = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
        text = found if isinstance(found, str) else "; ".join(texts)
        outer = body.get("code") if isinstance(body, Mapping) else None
        return ErrorFields(text, _known_code(text, outer if isinstance(outer, str) else None))
    if (inside := _quoted(found.get("details"))) is not None:
        return inside
    message = next((found[name] for name in MESSAGES if found.get(name) and isinstance(found[name], str)), _invalid(found))
    said = _code(found)
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
    status = status or STATUS.get(said.code or "")
    return errors.from_upstream(int(status or DEFAULT_STREAM_STATUS), said, {})


def is_failure(body: JSON) -> bool:
    """Whether a body that came with status 200 is an error: one in OpenAI's way, or Cloudflare's or MiniMax's."""
    if body.get("error") or body.get("errors") or failed_choice(body):
        return True
    base = body.get("base_resp")
    return isinstance(base, Mapping) and bool(base.get("status_code"))


def _error_of(body: object) -> object:
    """The error object inside: under a name, in a list of one, or the body itself."""
    if isinstance(body, list):
        body = body[0] if body else {}
    if not isinstance(body, Mapping):
        return body
    listed, detail = body.get("errors"), body.get("detail")
    if isinstance(listed, list) and listed:
        return listed[0]
    if isinstance(detail, Mapping):
        return _error_of(detail)
    inner = next((body[name] for name in WRAPPERS if body.get(name)), failed_choice(body) or body)
    return body[STATUS_OBJECT] if inner is body and isinstance(body.get(STATUS_OBJECT), Mapping) else inner


def failed_choice(body: Mapping[str, Any]) -> object:
    """The error that OpenRouter has in a choice: https://openrouter.ai/docs/api-reference/errors"""
    choices = body.get("choices")
    failed = (choice for choice in choices if isinstance(choice, Mapping)) if isinstance(choices, list) else ()
    return next((choice["error"] for choice in failed if choice.get("error")), None)


def _invalid(found: Mapping[str, Any]) -> str:
    """The first complaint of a server that lists them with their places, as FastAPI does."""
    inner = found.get("message")
    details = inner.get("detail") if isinstance(inner, Mapping) else found.get("detail")
    first = details[0] if isinstance(details, list) and details else None
    if not isinstance(first, Mapping) or not isinstance(first.get("msg"), str):
        return ""
    place = first.get("loc")
    return ".".join(map(str, place)) + ": " + first["msg"] if isinstance(place, list) else str(first["msg"])


def _quoted(details: Any) -> ErrorFields | None:
    """The error of the server behind, which GMI Cloud quotes as JSON in a text; None where there is none."""
    try:
        body = json.loads(details) if isinstance(details, str) and details.startswith("{") else {}
    except (ValueError, RecursionError):
        body = {}
    said = read_error(body) if isinstance(body, dict) and body.get("error") else ErrorFields()
    return said if said.message else None


def _known_code(message: str, code: str | None) -> str | None:
    text = message.lower()
    if code == "context_length_exceeded" or any(phrase in text for phrase in CONTEXT_PHRASES):
        return "context_length_exceeded"
    if code in POLICY_CODES or any(phrase in text for phrase in POLICY_PHRASES):
        return "content_policy_violation"
    return None


def _code(found: Mapping[str, Any]) -> str | None:
    """Its code, where that is more than the status once again."""
    inner = found.get("innererror")
    names = [found.get(name) for name in ("reason", "code", "error_code", "status_code")]
    if isinstance(inner, Mapping):
        names.insert(0, inner.get("code"))
    for code in (str(name) for name in names if isinstance(name, str | int)):
        if code.lower() in CODES:
            return CODES[code.lower()]
    return next((name for name in names if isinstance(name, str) and name), None)


def _inner_code(found: Mapping[str, Any]) -> str | None:
    """OpenAI leaves `code` null at times and says it in `type`, which is more telling than nothing."""
    kind = found.get("type")
    if not isinstance(kind, str) or kind in ("invalid_request_error", "error"):
        return None
    return CODES.get(kind.lower(), kind)


def _is_status(value: object) -> bool:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return text.isascii() and text.isdigit() and len(text) == 3 and 400 <= int(text) <= 599
