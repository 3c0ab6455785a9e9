"""Parts of a message's content, as Gemini's parts: text, images, audio, video and documents, inside or by reference.

https://ai.google.dev/api/caching#Part. Nothing here reads a link.
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from haimaker.adapters.gemini.shapes import refuse, required_name, required_object, required_text
from haimaker.http.json import as_object, as_objects
from haimaker.http.values import JSON

RESOLUTION: Mapping[str, str] = {
    "low": "MEDIA_RESOLUTION_LOW",
    "medium": "MEDIA_RESOLUTION_MEDIUM",
    "high": "MEDIA_RESOLUTION_HIGH",
}
"""https://ai.google.dev/gemini-api/docs/media-resolution: for the whole request; by part it is experimental, in v1alpha only."""
LINKED: Mapping[str, str | None] = {
    "image_url": "image/jpeg",
    "video_url": "video/mp4",
    "audio_url": "audio/mp3",
    "document_url": "application/pdf",
}
"""Parts that hold a link under their own name, and the type of one that does not show it."""
AUDIO: Mapping[str, str] = {"pcm16": "audio/pcm"}
TYPES: Mapping[str, str] = {
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "avif": "image/avif",
    "csv": "text/csv",
    "flac": "audio/flac",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "html": "text/html",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "md": "text/markdown",
    "mov": "video/quicktime",
    "mp3": "audio/mp3",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "ogg": "audio/ogg",
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
}


def to_parts(content: Any, param: str) -> list[JSON]:
    """The parts of a content that is a text, a list of parts or none; empty texts are left out, which Gemini refuses."""
    if content is None or isinstance(content, str):
        return [{"text": content}] if content else []
    parts = []
    for index, part in enumerate(content):
        parts += _part(required_object(part, f"{param}[{index}]"), f"{param}[{index}]")
    return parts


def resolution(messages: list[JSON]) -> JSON:
    """The setting for the `detail` on which all images agree."""
    parts = [part for message in messages for part in as_objects(message.get("content"))]
    details = [as_object(part.get("image_url")).get("detail") for part in parts if part.get("type") == "image_url"]
    agreed = next((name for name in RESOLUTION if details and all(detail == name for detail in details)), None)
    return {"mediaResolution": RESOLUTION[agreed]} if agreed else {}


def from_link(link: str, param: str, mime_type: str | None = None) -> JSON:
    """A `data:` URL as its bytes, any other as a reference."""
    if link[:5].lower() != "data:":
        known = mime_type or TYPES.get(_path(link).rpartition(".")[2].lower())
        return {"fileData": {**({"mimeType": known} if known else {}), "fileUri": link}}
    head, comma, data = link[5:].partition(",")
    if not comma:
        refuse(param, "it is not a data: URL")
    kind, *parameters = head.split(";")
    if "base64" not in [parameter.strip().lower() for parameter in parameters]:
        data = base64.b64encode(unquote_to_bytes(data.encode("utf-8", "replace"))).decode()
    return {"inlineData": {"mimeType": kind.strip() or mime_type or "text/plain", "data": data}}


def _path(link: str) -> str:
    try:
        return urlsplit(link).path
    except ValueError:
        return ""


def _part(part: JSON, param: str) -> list[JSON]:
    kind = part.get("type", "text" if "text" in part else None)
    if kind in ("text", "input_text", "output_text"):
        text = required_text(part.get("text"), f"{param}.text")
        return [{"text": text}] if text else []
    if kind == "refusal":
        text = required_text(part.get("refusal"), f"{param}.refusal")
        return [{"text": text}] if text else []
    if isinstance(kind, str) and kind in LINKED:
        return [_linked(part.get(kind), kind, f"{param}.{kind}")]
    if kind == "input_audio":
        return [_audio(required_object(part.get(kind), f"{param}.{kind}"), f"{param}.{kind}")]
    if kind == "file":
        return [_file(required_object(part.get(kind), f"{param}.{kind}"), f"{param}.{kind}")]
    if kind in ("thinking", "redacted_thinking", "reasoning"):
        return []  # another provider's, which means nothing to this one
    return refuse(f"{param}.type", "the model takes no such part")


def _linked(value: Any, kind: str, param: str) -> JSON:
    found = {"url": value} if isinstance(value, str) else required_object(value, param)
    link = required_name(found.get("url"), f"{param}.url")
    named = found.get("format") or found.get("mime_type")
    part = from_link(link, f"{param}.url", named if isinstance(named, str) else None)
    if "fileData" in part:
        part["fileData"].setdefault("mimeType", LINKED[kind])
    return part


def _audio(audio: JSON, param: str) -> JSON:
    data = required_name(audio.get("data"), f"{param}.data")
    name = required_name(audio.get("format", "wav"), f"{param}.format").lower()
    if data[:5].lower() == "data:":
        return from_link(data, f"{param}.data")
    return {"inlineData": {"mimeType": AUDIO.get(name, f"audio/{name}"), "data": data}}


def _file(file: JSON, param: str) -> JSON:
    named = file.get("format") or file.get("mime_type")
    ending = file["filename"].rpartition(".")[2].lower() if isinstance(file.get("filename"), str) else ""
    mime_type = named if isinstance(named, str) else TYPES.get(ending)
    if file.get("file_data") is None:
        return from_link(required_name(file.get("file_id"), f"{param}.file_id"), f"{param}.file_id", mime_type)
    data = required_name(file["file_data"], f"{param}.file_data")
    if data[:5].lower() == "data:" or "://" in data[:16]:
        return from_link(data, f"{param}.file_data", mime_type)
    return {"inlineData": {"mimeType": mime_type or "application/pdf", "data": data}}
