"""The first chunk of an answer: whether it has content yet; and the body of an error. Pure."""

import json

from haimaker.http.values import JSON

CONTENT_FIELDS = ("content", "reasoning_content", "reasoning", "refusal", "tool_calls", "function_call", "audio", "images", "text")
MAX_ERROR_LETTERS = 2_000


def has_content(chunk: JSON) -> bool:
    """Whether a chunk has a part of the answer, its end or its usage. OpenAI's streams begin with a role alone, after which an
    error may come; until something is said another provider may be asked instead."""
    choices = chunk.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if not isinstance(choice, dict) or choice.get("finish_reason") or choice.get("text"):
            return True
        delta = choice.get("delta")
        if isinstance(delta, dict) and any(delta.get(name) for name in CONTENT_FIELDS):
            return True
    return not isinstance(choices, list) or bool(chunk.get("usage"))


def read_error_body(raw: bytes | bytearray) -> object:
    """The body of an error as JSON, else as text of at most 2,000 characters; None for an HTML page."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        text = bytes(raw).decode("utf-8", "replace").strip()
        return None if text.startswith("<") else text[:MAX_ERROR_LETTERS]
