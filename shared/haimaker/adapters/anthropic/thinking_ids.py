"""Thinking blocks inside the id of the tool call that follows them, for clients that send back only what OpenAI's format has.

Anthropic wants the thinking before a tool use back unchanged, signature and all, when the tool's result is sent
(https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks), and OpenAI's messages have no
place for it but the id, which clients must echo. Such an id is the provider's own, `MARK`, and compressed JSON in base64url:

    [at, [at, thinking, signature], [at, data], ...]

`at` is how much of the message's text came before: first for the call, then for each thinking and redacted block.
"""

import base64
import json
import zlib
from typing import Any

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass

MARK = "__thinking__"
MAX_BYTES = 8_000_000
"""The size of a client's id, unpacked."""


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A thinking block, and the place in the message's text, in characters, where it stood."""

    at: int
    block: JSON


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call's id, unpacked: the provider's id, the thinking before the call, and the call's place in the text."""

    id: str
    at: int | None = None
    thinking: tuple[PlacedBlock, ...] = ()


def pack(call: Call) -> str:
    """The id that the client gets: the provider's, and behind it the thinking, if there is some."""
    if not call.thinking:
        return call.id
    fields = [call.at, *([placed.at, *_fields(placed.block)] for placed in call.thinking)]
    packed = zlib.compress(json.dumps(fields, separators=(",", ":")).encode(), 9)
    return call.id + MARK + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def unpack(identifier: str) -> Call:
    """The parts of an id that a client sent back; an id that was cut or made up has no thinking."""
    own, mark, packed = identifier.partition(MARK)
    if not mark:
        return Call(identifier)
    try:
        raw = base64.urlsafe_b64decode(packed.encode() + b"=" * (-len(packed) % 4))
        at, *blocks = json.loads(zlib.decompressobj().decompress(raw, MAX_BYTES))
        return Call(own, at if type(at) is int else None, tuple(_place_block(*fields) for fields in blocks))
    except (ValueError, TypeError, RecursionError, zlib.error):
        return Call(own)


def clean_block(block: Any) -> JSON | None:
    """A thinking block with the fields that belong to it, or nothing if it is not one."""
    if isinstance(block, dict) and block.get("type") == "thinking" and isinstance(block.get("signature"), str):
        return {"type": "thinking", "thinking": str(block.get("thinking") or ""), "signature": block["signature"]}
    if isinstance(block, dict) and block.get("type") == "redacted_thinking" and isinstance(block.get("data"), str):
        return {"type": "redacted_thinking", "data": block["data"]}
    return None


def _fields(block: JSON) -> list[str]:
    return [block["data"]] if block["type"] == "redacted_thinking" else [block["thinking"], block["signature"]]


def _place_block(at: int, *fields: str) -> PlacedBlock:
    names = ("thinking", "signature") if len(fields) == 2 else ("data",)
    kind = "thinking" if len(fields) == 2 else "redacted_thinking"
    block = clean_block({"type": kind, **dict(zip(names, fields, strict=True))})
    if type(at) is not int or block is None:
        raise ValueError("not a thinking block")
    return PlacedBlock(max(0, at), block)
