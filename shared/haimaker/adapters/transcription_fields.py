"""The fields of a transcription for providers whose API is not OpenAI's: those they take, drop or have to refuse. Pure."""

import base64
from collections.abc import Collection
from typing import Any

from haimaker.adapters.openai.failures import from_body, is_failure
from haimaker.http.errors import BadGatewayError, BadRequestError, RequestTooLargeError
from haimaker.http.values import JSON
from haimaker.operations.operation import UpstreamBody
from haimaker.operations.transcriptions import TranscriptionRequest

OPENAI_FIELDS = frozenset(
    {
        "chunking_strategy",
        "diarize",
        "include",
        "keywords",
        "known_speaker_names",
        "known_speaker_references",
        "language",
        "languages",
        "model",
        "prompt",
        "response_format",
        "stream",
        "temperature",
        "timestamp_granularities",
        "user",
    }
)
"""https://platform.openai.com/docs/api-reference/audio/createTranscription, and `diarize`, which many others have."""
GATEWAY_FIELDS = frozenset({"model", "response_format", "stream", "diarize", "timestamp_granularities"})
"""Those that the gateway or the adapter takes care of."""
MAX_INLINE_BYTES = 40_000_000
HARMLESS = frozenset({"chunking_strategy", "keywords", "known_speaker_names", "languages", "prompt", "temperature", "user"})
"""Hints, without which the transcript is the same in meaning: they are dropped without asking."""


def split_fields(request: TranscriptionRequest, accepted: Collection[str]) -> tuple[JSON, tuple[str, ...]]:
    """The fields that OpenAI does not have, which pass, and the names of OpenAI's that are dropped, as the provider does not have
    them among those `accepted`. Raises BadRequestError for one that changes the answer, unless the client sent `drop_params`."""
    passed: JSON = {}
    lost: dict[str, None] = {}
    for name, value in request.body.items():
        root = name.partition("[")[0]
        if root not in OPENAI_FIELDS:
            passed[name] = value
        elif root not in GATEWAY_FIELDS and root not in accepted and value not in ("", []):
            if root not in HARMLESS and not request.fields.drop_params:
                message = f"The model does not support the parameter '{root}'. Leave it out, or send \"drop_params\": true."
                raise BadRequestError(message, param=root, code="unsupported_parameter")
            lost[root] = None
    return passed, tuple(lost)


def read_list(request: TranscriptionRequest, name: str) -> list[str]:
    """The values of a form field that may be repeated, also as `name[]`."""
    found = request.body.get(f"{name}[]", request.body.get(name, []))
    return [each for each in (found if isinstance(found, list) else [found]) if each]


def to_form_fields(body: JSON) -> list[tuple[str, str]]:
    """A body as the fields of a form or a query; a list repeats its field."""
    return [(name, str(each)) for name, value in body.items() for each in (value if isinstance(value, list) else [value])]


def encode_file(request: TranscriptionRequest) -> str:
    """The audio file in base64, to be sent in JSON. Raises RequestTooLargeError for more than a function has memory for."""
    data = request.file.data
    if len(data) > MAX_INLINE_BYTES:
        raise RequestTooLargeError(f"The model takes at most {MAX_INLINE_BYTES} bytes of sound.", param="file")
    return base64.b64encode(data).decode()


def read_answer(answer: UpstreamBody) -> JSON:
    """An answer with a `text`. Raises APIError for an error in a 200, BadGatewayError for what is no transcript."""
    body = answer.object()
    if "text" not in body:
        if is_failure(body):
            raise from_body(body)
        raise BadGatewayError("The provider's answer has no transcript.", code="invalid_provider_response")
    return body


def read_transcript(value: Any) -> str:
    """The transcript in an answer, which may be empty. Raises BadGatewayError where there is no text."""
    if not isinstance(value, str | None):
        raise BadGatewayError("The provider's answer has no transcript.", code="invalid_provider_response")
    return (value or "").strip()
