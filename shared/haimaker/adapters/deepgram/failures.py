"""What Deepgram says of a failure, in its older and in its newer shape. https://developers.deepgram.com/docs/errors"""

from collections.abc import Mapping

from haimaker.http.values import ErrorFields

CODES: Mapping[str, str] = {
    "ASR_PAYMENT_REQUIRED": "insufficient_quota",
    "INVALID_AUTH": "invalid_api_key",
    "PAYMENT_REQUIRED": "insufficient_quota",
    "TOO_MANY_REQUESTS": "rate_limit_exceeded",
}
MESSAGES = ("err_msg", "message", "details", "reason", "error")


def read_error(body: object) -> ErrorFields:
    if not isinstance(body, Mapping):
        return ErrorFields(body if isinstance(body, str) else "")
    message = next((text for name in MESSAGES if isinstance(text := body.get(name), str) and text), "")
    named = body.get("err_code") or body.get("category")
    return ErrorFields(message, CODES.get(named, named) if isinstance(named, str) else None)
