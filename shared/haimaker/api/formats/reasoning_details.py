"""What a model wants to be told again of its own thinking, which a chat has in `reasoning_details`, behind the mark that the other
formats have in place of a signature. Pure.

https://openrouter.ai/docs/use-cases/reasoning-tokens#reasoning_details-api-shape; OpenAI's encrypted reasoning has the same shape.
Clients send a signature back as it came, and no provider is ever shown one of ours.
"""

import base64
import json
import zlib
from collections.abc import Iterable
from typing import Any

from haimaker.http.json import as_objects
from haimaker.http.values import JSON
from haimaker.operations.operation import OUR_SIGNATURE

FIELD = "reasoning_details"
CARRIES = f"{OUR_SIGNATURE}."
"""How a signature begins that carries details."""
GROWING = ("text", "summary", "data", "signature")
"""Fields that come in pieces."""
LARGEST = 8_000_000
"""Bytes of a signature, unpacked."""


def sign(details: list[JSON]) -> str:
    """The signature of thinking that the gateway shows, with these details, if there are any."""
    if not details:
        return OUR_SIGNATURE
    packed = zlib.compress(json.dumps(details, separators=(",", ":")).encode(), 9)
    return CARRIES + base64.b64encode(packed).decode()


def is_ours(signature: Any) -> bool:
    return isinstance(signature, str) and signature.startswith(OUR_SIGNATURE)


def unsign(signature: Any) -> list[JSON]:
    """The details that a signature carries; none of one that can't be read."""
    if not isinstance(signature, str) or not signature.startswith(CARRIES):
        return []
    try:
        packed = base64.b64decode(signature.removeprefix(CARRIES))
        return as_objects(json.loads(zlib.decompressobj().decompress(packed, LARGEST)))
    except (ValueError, RecursionError, zlib.error):
        return []


def merge(pieces: Iterable[Any]) -> list[JSON]:
    """Details, each whole, of pieces of them: those with one place and one type are one. What is encrypted comes whole, and what is
    no object is left out."""
    made: dict[tuple[str, ...], JSON] = {}
    for piece in as_objects([*pieces]):
        own = str(piece.get("id")) if piece.get("type") == "reasoning.encrypted" else ""
        known = made.setdefault((str(piece.get("index")), str(piece.get("type")), own), {})
        for name, value in piece.items():
            grows = name in GROWING and isinstance(value, str) and isinstance(known.get(name), str)
            known[name] = known[name] + value if grows else known.get(name) if value is None else value
    return list(made.values())
