"""Names and ids that Anthropic refuses, in letters that it takes. Pure, and the names reversible without a map.

https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools: `^[a-zA-Z0-9_-]{1,128}$`.
A name with other letters is sent as `ENCODED` + its bytes, those that are not letters, digits or hyphens as `_` and two hex digits.
"""

import re

from haimaker.http.errors import invalid_parameter

LONGEST = 128
ANSWER_TOOL = "json_answer__"
"""The tool whose input is the answer, where a model can't be given a schema for it."""
ENCODED = "enc__"

UNESCAPED = b"-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PLAIN = re.compile(r"[a-zA-Z0-9_-]{1,128}")
ESCAPED = re.compile(rf"{ENCODED}((?:[a-zA-Z0-9-]|_[0-9A-F]{{2}})+)")
NOT_ID = re.compile(r"[^a-zA-Z0-9_-]")


def encode(name: object, param: str) -> str:
    if not isinstance(name, str) or not name:
        raise invalid_parameter(param, "a tool needs a name")
    if PLAIN.fullmatch(name) and name != ANSWER_TOOL and not name.startswith(ENCODED):
        return name
    letters = (chr(byte) if byte in UNESCAPED else f"_{byte:02X}" for byte in name.encode("utf-8", "surrogatepass"))
    encoded = ENCODED + "".join(letters)
    if len(encoded) > LONGEST:
        raise invalid_parameter(param, "the provider can't take such a long name")
    return encoded


def decode(name: str) -> str:
    """The client's name of a tool; a name that `encode` did not make is what it is."""
    found = ESCAPED.fullmatch(name)
    if not found:
        return name
    raw = re.sub(rb"_(..)", lambda escape: bytes.fromhex(escape[1].decode()), found[1].encode())
    return raw.decode("utf-8", "surrogatepass") if _is_text(raw) else name


def call_id(identifier: str) -> str:
    """An id of a tool call, perhaps another provider's, in letters that are taken; the same one each time."""
    return NOT_ID.sub("_", identifier) or "_"


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True
