"""What ElevenLabs says of a failure: `detail` with a status and a message, or a list of what is wrong with the fields.

https://elevenlabs.io/docs/eleven-api/resources/errors
"""

from collections.abc import Mapping

from haimaker.http.values import ErrorFields

CODES: Mapping[str, str] = {
    "invalid_api_key": "invalid_api_key",
    "max_character_limit_exceeded": "string_above_max_length",
    "model_not_found": "model_not_found",
    "quota_exceeded": "insufficient_quota",
    "rate_limit_exceeded": "rate_limit_exceeded",
    "system_busy": "rate_limit_exceeded",
    "too_many_concurrent_requests": "rate_limit_exceeded",
}


def read_error(body: object) -> ErrorFields:
    detail = body.get("detail") if isinstance(body, Mapping) else body
    if isinstance(detail, list) and detail and isinstance(detail[0], Mapping):
        place = detail[0].get("loc")
        param = str(place[-1]) if isinstance(place, list) and place else None
        return ErrorFields(str(detail[0].get("msg") or ""), None, param)
    if not isinstance(detail, Mapping):
        return ErrorFields(detail if isinstance(detail, str) else "")
    message, named = detail.get("message"), detail.get("code") or detail.get("status")
    code = CODES.get(named, named) if isinstance(named, str) else None
    param = detail.get("param")
    return ErrorFields(message if isinstance(message, str) else "", code, param if isinstance(param, str) else None)
