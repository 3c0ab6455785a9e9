"""Parts of a message as Anthropic's content blocks: text, images, files.

https://platform.claude.com/docs/en/build-with-claude/vision and …/pdf-support. A part that is Anthropic's own passes as it is.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from haimaker.adapters.repairs import cache_mark
from haimaker.http.errors import BadRequestError, invalid_parameter
from haimaker.http.values import JSON

NATIVE = frozenset(
    [
        "bash_code_execution_tool_result",
        "code_execution_tool_result",
        "compaction",
        "container_upload",
        "document",
        "image",
        "mcp_tool_result",
        "mcp_tool_use",
        "redacted_thinking",
        "search_result",
        "server_tool_use",
        "text_editor_code_execution_tool_result",
        "thinking",
        "tool_reference",
        "tool_result",
        "tool_search_tool_result",
        "tool_use",
        "web_fetch_tool_result",
        "web_search_tool_result",
    ]
)
SPELLINGS = {"image/jpg": "image/jpeg", "application/x-pdf": "application/pdf"}
PDF = "application/pdf"
TEXTS = ("text/", "application/json", "application/xml", "application/yaml", "application/x-yaml")
UNCACHED = frozenset({"thinking", "redacted_thinking"})
OF_DOCUMENTS = ("citations", "context", "title")


def to_blocks(content: Any, param: str) -> list[JSON]:
    """The blocks of a message's content; blank text, which Anthropic refuses, is none."""
    if content is None:
        return []
    if isinstance(content, str):
        return [text(content)] if content.strip() else []
    if not isinstance(content, list):
        raise invalid_parameter(param, "it must be a string or a list of parts")
    blocks = [_block(part, f"{param}[{index}]") for index, part in enumerate(content)]
    return [block for block in blocks if block.get("type") != "text" or str(block["text"]).strip()]


def text(content: str) -> JSON:
    return {"type": "text", "text": content}


def with_cache_control(blocks: list[JSON], message: JSON) -> list[JSON]:
    """The blocks with a message's own `cache_control` on the last that can have it."""
    control = message.get("cache_control")
    last = next((index for index in reversed(range(len(blocks))) if blocks[index].get("type") not in UNCACHED), None)
    if not isinstance(control, dict) or last is None or "cache_control" in blocks[last]:
        return blocks
    return [*blocks[:last], {**blocks[last], "cache_control": control}, *blocks[last + 1 :]]


def _block(part: Any, param: str) -> JSON:
    if isinstance(part, str):
        return text(part)
    if not isinstance(part, dict):
        raise invalid_parameter(param, "it must be an object")
    kind = part.get("type", "text")
    if isinstance(kind, str) and kind in NATIVE:
        return part
    if not isinstance(kind, str) or kind not in READERS:
        raise BadRequestError(
            f"The provider can't take a part of type {kind!r}.", param=f"{param}.type", code="unsupported_parameter"
        )
    block = READERS[kind](part, param)
    control = cache_mark(part)
    return {**block, "cache_control": control} if control else block


def _text_part(part: JSON, param: str) -> JSON:
    return text(_string(part, "text", param))


def _refusal(part: JSON, param: str) -> JSON:
    return text(_string(part, "refusal", param))


def _image(part: JSON, param: str) -> JSON:
    image = part.get("image_url")
    url = image if isinstance(image, str) else _string(image, "url", f"{param}.image_url")
    if url.startswith(("http://", "https://")):
        return {"type": "image", "source": {"type": "url", "url": url}}
    return _from_data_url(url, f"{param}.image_url.url")


def _file(part: JSON, param: str) -> JSON:
    """`file_data` as OpenAI has it, or `file_id` of Anthropic's Files API; `format` says the type of an id's file."""
    file = part.get("file")
    if not isinstance(file, dict):
        raise invalid_parameter(f"{param}.file", "it must be an object")
    if file.get("file_data") is not None:
        block = _file_data(_string(file, "file_data", f"{param}.file"), str(file.get("format") or PDF), f"{param}.file.file_data")
    else:
        block = _file_id(_string(file, "file_id", f"{param}.file"), str(file.get("format") or PDF))
    if block["type"] == "document":
        named = {"title": file["filename"]} if isinstance(file.get("filename"), str) and file["filename"] else {}
        block |= named | {name: holder[name] for holder in (part, file) for name in OF_DOCUMENTS if name in holder}
    return block


def _file_data(data: str, kind: str, param: str) -> JSON:
    if data.startswith("data:"):
        return _from_data_url(data, param)
    if data.startswith(("http://", "https://")):
        return {"type": "document", "source": {"type": "url", "url": data}}
    return _from_data_url(f"data:{kind};base64,{data}", param)


def _file_id(identifier: str, kind: str) -> JSON:
    if identifier.startswith(("http://", "https://")):
        return {"type": "document", "source": {"type": "url", "url": identifier}}
    if kind.startswith("image/"):
        return {"type": "image", "source": {"type": "file", "file_id": identifier}}
    if kind == PDF or kind.startswith(TEXTS):
        return {"type": "document", "source": {"type": "file", "file_id": identifier}}
    return {"type": "container_upload", "file_id": identifier}


def _from_data_url(url: str, param: str) -> JSON:
    """https://www.rfc-editor.org/rfc/rfc2397"""
    head, comma, data = url.partition(",")
    if not comma or not head.lower().startswith("data:"):
        raise invalid_parameter(param, "it must be a link or a data URL")
    kind, *options = head[len("data:") :].split(";")
    kind = SPELLINGS.get(kind.strip().lower(), kind.strip().lower())
    if "base64" not in (option.strip().lower() for option in options):
        data = base64.b64encode(unquote_to_bytes(data.encode("utf-8", "surrogatepass"))).decode()
    if kind.startswith("image/"):
        return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}
    if kind == PDF:
        return {"type": "document", "source": {"type": "base64", "media_type": PDF, "data": data}}
    if kind.startswith(TEXTS):
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": _decoded(data, param)}}
    raise invalid_parameter(param, f"the provider can't take files of type {kind!r}")


def _decoded(encoded: str, param: str) -> str:
    try:
        return base64.b64decode(encoded, validate=False).decode("utf-8-sig")
    except (binascii.Error, ValueError):
        raise invalid_parameter(param, "it must be UTF-8 text in base64") from None


def _string(holder: Any, name: str, param: str) -> str:
    value = holder.get(name) if isinstance(holder, dict) else None
    if not isinstance(value, str):
        raise invalid_parameter(f"{param}.{name}", "it must be a string")
    return value


READERS: Mapping[str, Callable[[JSON, str], JSON]] = {
    "text": _text_part,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
}
