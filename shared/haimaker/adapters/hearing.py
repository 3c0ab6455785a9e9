"""What a form of OpenAI's says to those who have another one: what they take, what can be left out, and what can't. Pure."""

import base64
from collections.abc import Collection
from typing import Any

from haimaker.http.errors import BadGatewayError, BadRequestError, RequestTooLargeError
from haimaker.http.values import JSON
from haimaker.operations.transcriptions import TranscriptionRequest

OPENAI = frozenset(
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
SERVED = frozenset({"model", "response_format", "stream", "diarize", "timestamp_granularities"})
"""What the gateway sees to itself."""
MAX_INLINE_BYTES = 40_000_000
HARMLESS = frozenset({"chunking_strategy", "keywords", "known_speaker_names", "languages", "prompt", "temperature", "user"})
"""Hints, without which the same is heard."""


def split_fields(request: TranscriptionRequest, taken: Collection[str]) -> tuple[JSON, tuple[str, ...]]:
    """The fields that OpenAI does not have, which pass, and the names of those that are lost. Raises BadRequestError."""
    passed: JSON = {}
    lost: dict[str, None] = {}
    for name, value in request.body.items():
        root = name.partition("[")[0]
        if root not in OPENAI:
            passed[name] = value
        elif root not in SERVED and root not in taken and value not in ("", []):
            if root not in HARMLESS and not request.fields.drop_params:
                message = f"The model does not support the parameter '{root}'. Leave it out, or send \"drop_params\": true."
                raise BadRequestError(message, param=root, code="unsupported_parameter")
            lost[root] = None
    return passed, tuple(lost)


def read_list(request: TranscriptionRequest, name: str) -> list[str]:
    """The values of a field that may come several times."""
    found = request.body.get(f"{name}[]", request.body.get(name, []))
    return [each for each in (found if isinstance(found, list) else [found]) if each]


def flat(body: JSON) -> list[tuple[str, str]]:
    """As fields of a form or of a query."""
    return [(name, str(each)) for name, value in body.items() for each in (value if isinstance(value, list) else [value])]


def inline(request: TranscriptionRequest) -> str:
    """The sound as base64, for who takes it in JSON. Raises RequestTooLargeError for more than a function could hold so often."""
    data = request.file.data
    if len(data) > MAX_INLINE_BYTES:
        raise RequestTooLargeError(f"The model takes at most {MAX_INLINE_BYTES} bytes of sound.", param="file")
    return base64.b64encode(data).decode()


def words_of(value: Any) -> str:
    """The text that an answer has to have, which may be empty. Raises BadGatewayError."""
    if not isinstance(value, str | None):
        raise BadGatewayError("The provider's answer has no transcript.", code="invalid_provider_response")
    return (value or "").strip()
