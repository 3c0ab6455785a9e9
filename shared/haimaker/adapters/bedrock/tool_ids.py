"""Ids of tool calls, which carry the signed reasoning before the call to the next turn; and tool names that Bedrock refuses.

Claude wants the reasoning that led to a tool call again with the tool's result, signed
(https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html). Many clients send back nothing
but what OpenAI's format has, so a tool call's id holds the blocks that came before it: `<id>__thinking__<base64url of zlib>`.
"""

import json
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from haimaker.http.sse import dumps
from haimaker.http.values import JSON

MARK = "__thinking__"
MAX_BYTES = 2**20

TOOL_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
SHORT_TOOL_ID = re.compile(r"[a-zA-Z0-9]{9}")

REFUSED_LETTER = re.compile(r"[^a-zA-Z0-9_-]|_(?=x[0-9a-f]{1,6}_)")
ESCAPE = re.compile(r"_x([0-9a-f]{1,6})_")
MAX_NAME_LETTERS = 64
"""https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolSpecification.html"""


def with_blocks(tool_id: str, family: str, blocks: Sequence[JSON]) -> str:
    """The id with these reasoning blocks in it; without blocks it stays as it is."""
    if not blocks:
        return tool_id
    packed = zlib.compress(dumps({"family": family, "blocks": list(blocks)}), 9)
    return tool_id + MARK + urlsafe_b64encode(packed).decode().rstrip("=")


def without_blocks(tool_id: str, family: str) -> tuple[str, list[JSON]]:
    """The id that Bedrock gave, and the blocks, if they are this family's."""
    plain, mark, packed = tool_id.partition(MARK)
    if not mark:
        return tool_id, []
    try:
        raw = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        packet: Any = json.loads(zlib.decompressobj().decompress(raw, MAX_BYTES))
    except (ValueError, zlib.error, RecursionError):
        return plain, []
    if not isinstance(packet, dict) or packet.get("family") != family or not isinstance(packet.get("blocks"), list):
        return plain, []
    return plain, keep_signed(packet["blocks"])


def keep_signed(blocks: Iterable[Any]) -> list[JSON]:
    """The reasoning blocks that are signed or redacted, which Bedrock wants back, without fields of other kinds."""
    kept: list[JSON] = []
    for block in blocks:
        content = block.get("reasoningContent") if isinstance(block, dict) else None
        text, redacted = (
            (content.get("reasoningText"), content.get("redactedContent")) if isinstance(content, dict) else (None, None)
        )
        if isinstance(redacted, str):
            kept.append({"reasoningContent": {"redactedContent": redacted}})
        elif isinstance(text, dict) and isinstance(text.get("text"), str) and isinstance(text.get("signature"), str):
            fields = {"text": text["text"], "signature": text["signature"]}
            kept.append({"reasoningContent": {"reasoningText": fields}})
    return kept


def to_tool_id(tool_id: str, *, short: bool) -> str:
    """An id in the vendor's alphabet; one from elsewhere becomes a digest, the same for a call and its result."""
    if (SHORT_TOOL_ID if short else TOOL_ID).fullmatch(tool_id):
        return tool_id
    digest = sha256(tool_id.encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:9] if short else f"call_{digest[:32]}"


def to_name(name: str) -> str:
    """A tool's name in the vendor's alphabet: `a.b` is `a_x2e_b`. Reversible, as no state connects an answer to its request."""
    return REFUSED_LETTER.sub(lambda found: f"_x{ord(found[0]):x}_", name)


def from_name(name: str) -> str:
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)) if int(found[1], 16) <= 0x10FFFF else found[0], name)
