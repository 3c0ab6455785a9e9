"""Thought signatures: what a model wants to be told again of its own thinking, opaque to everyone else.

Gemini 3 refuses a function call in the history without the signature that came with it, and many clients send back only what
OpenAI's format has. So a signature travels twice: in `extra_content.google.thought_signature`, as on Google's own
OpenAI-compatible surface, and behind the id of the tool call, `<id>__thought__<signature>`, which every client echoes.
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

import base64
import re
from typing import Any

from haimaker.adapters.repairs import plain_id
from haimaker.http.values import JSON

SEPARATOR = "__thought__"
NOT_CHECKED = "skip_thought_signature_validator"
"""Google's own stand-in for a call that another model made, or whose signature was lost."""
OURS = base64.b64encode(b"haimaker:").decode()
"""How a signature begins that a client of Google's API was shown in place of another vendor's: `api/formats/gemini_thoughts.py`."""
BASE64 = re.compile(r"[A-Za-z0-9+/_=-]+")


def to_call_id(call_id: str, signature: str | None) -> str:
    return f"{call_id}{SEPARATOR}{signature}" if signature else call_id


def from_call_id(call_id: Any) -> tuple[str | None, str | None]:
    """The id as Google knows it, and the signature behind it."""
    if not isinstance(call_id, str) or not call_id:
        return None, None
    base, _, signature = call_id.partition(SEPARATOR)
    return plain_id(base) or None, _valid(signature)


def from_extra_content(holder: JSON) -> str | None:
    """The signature that a message, a tool call or an image carries in its extra field."""
    extra = holder.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    return _valid(google.get("thought_signature")) if isinstance(google, dict) else None


def to_extra_content(signature: str | None) -> JSON:
    """The extra field, for the same three."""
    return {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}


def _valid(signature: Any) -> str | None:
    return signature if isinstance(signature, str) and BASE64.fullmatch(signature) else None
