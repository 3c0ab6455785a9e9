"""Data in base64 that comes in pieces. Pure."""

import base64
import binascii
from collections.abc import Sequence


def join_base64(pieces: Sequence[str]) -> str:
    """Pieces that are each base64 as one that is: each may end in padding, which can't stand in the middle."""
    pieces = [piece for piece in pieces if piece]
    try:
        return base64.b64encode(b"".join(map(base64.b64decode, pieces))).decode() if len(pieces) > 1 else "".join(pieces)
    except (binascii.Error, ValueError):
        return "".join(pieces)
