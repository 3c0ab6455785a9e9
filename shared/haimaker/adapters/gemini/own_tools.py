"""Parts of the tools that Google runs itself: not for the client to run, but to be told again in the next turn.

https://ai.google.dev/gemini-api/docs/tool-combination: calls and results go back as they came, signatures and all. They travel in
`extra_content.google.tool_parts` of the message; a client that keeps only what OpenAI's format has goes without them.
"""

from typing import Any

from haimaker.http.json import as_object, as_objects
from haimaker.http.values import JSON

FIELD = "tool_parts"
KINDS = ("toolCall", "toolResponse", "executableCode", "codeExecutionResult")


def is_own(part: JSON) -> bool:
    return any(isinstance(part.get(kind), dict) for kind in KINDS)


def read(message: JSON) -> list[JSON]:
    """The parts that a message of the client's carries, with nothing else in them."""
    google = as_object(as_object(message.get("extra_content")).get("google"))
    return [_clean(part) for part in as_objects(google.get(FIELD)) if is_own(part)]


def _clean(part: JSON) -> JSON:
    signature: Any = part.get("thoughtSignature")
    kept = {kind: part[kind] for kind in KINDS if isinstance(part.get(kind), dict)}
    return {**kept, **({"thoughtSignature": signature} if isinstance(signature, str) else {})}
