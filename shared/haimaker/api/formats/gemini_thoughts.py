"""What a model wants to be told again of its own thinking, for clients of Google's API: in the `thoughtSignature` of a part, which
every one of them echoes. Pure.

https://ai.google.dev/gemini-api/docs/thought-signatures. Google's own signatures pass as they are. What another vendor signed is
carried in a signature that is marked as ours, which no provider is ever shown: bytes in base64, `MARK` and compressed JSON.
A chat has both behind the id of a call (`<id>__thought__<signature>` is Google's, any other mark is another's) or in a field of
the message.
"""

import base64
import json
import zlib
from typing import Any

from haimaker.adapters.gemini.signatures import OURS
from haimaker.api.formats import reasoning_details
from haimaker.http.values import JSON

MARK = base64.b64decode(OURS)
GOOGLES = "__thought__"
CARRIED = ("thinking_blocks", reasoning_details.FIELD)
"""Fields of a message that its maker wants back."""
LARGEST = 8_000_000
"""Bytes of a signature, unpacked."""


def from_call_id(identifier: str) -> tuple[str, str | None]:
    """The id of a call without what it carries, and the signature that carries it instead."""
    own, mark, carried = _cut(identifier)
    if mark == GOOGLES:
        return own, carried
    return own, pack(mark + carried) if mark else None


def to_call_id(identifier: str, signature: Any) -> str:
    """The id of a chat's call from those of a `functionCall`."""
    if not isinstance(signature, str) or not signature:
        return identifier
    carried = unpack(signature)
    if carried is None:
        return f"{identifier}{GOOGLES}{signature}"
    return identifier + carried if isinstance(carried, str) else identifier


def from_answer(message: JSON, *, calls: bool) -> str | None:
    """The signature of a message as a whole; of one with calls the ids carry what Google and Anthropic signed."""
    extra = message.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    own = google.get("thought_signature") if isinstance(google, dict) else None
    if isinstance(own, str) and own and not calls:
        return own
    kept = {name: message[name] for name in ((reasoning_details.FIELD,) if calls else CARRIED) if message.get(name)}
    if reasoning_details.FIELD in kept:
        kept[reasoning_details.FIELD] = reasoning_details.merge(kept[reasoning_details.FIELD])
    return pack(kept) if kept else None


def to_message_fields(signature: Any) -> JSON:
    """The fields of a chat's message from the signature of a part that is no call."""
    if not isinstance(signature, str) or not signature:
        return {}
    carried = unpack(signature)
    if carried is None:
        return {"extra_content": {"google": {"thought_signature": signature}}}
    return {name: carried[name] for name in CARRIED if name in carried} if isinstance(carried, dict) else {}


def pack(carried: Any) -> str:
    packed = zlib.compress(json.dumps(carried, separators=(",", ":")).encode(), 9)
    return base64.b64encode(MARK + packed).decode()


def unpack(signature: str) -> Any:
    """What a signature of ours carries, an empty text where it can't be read; None where it is none of ours.

    Google's SDK writes base64 in the alphabet for links."""
    try:
        raw = base64.b64decode(signature.replace("-", "+").replace("_", "/") + "=" * (-len(signature) % 4))
    except ValueError:
        return None
    if not raw.startswith(MARK):
        return None
    try:
        return json.loads(zlib.decompressobj().decompress(raw[len(MARK) :], LARGEST))
    except (ValueError, RecursionError, zlib.error):
        return ""


def _cut(identifier: str) -> tuple[str, str, str]:
    """The id, the mark of what it carries, and that."""
    for mark in (GOOGLES, "__thinking__"):
        own, found, carried = identifier.partition(mark)
        if found:
            return own, mark, carried
    return identifier, "", ""
