"""Parts of a message's content as Converse's blocks. Bytes stay base64, as the JSON of the call holds them.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from haimaker.adapters.repairs import cache_mark
from haimaker.http.errors import invalid_parameter
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field

IMAGE_FORMATS = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "gif": "gif", "webp": "webp"}
DOCUMENT_FORMATS = {
    "application/msword": "doc",
    "application/pdf": "pdf",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/json": "txt",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
}
DOCUMENT_ENDINGS = frozenset({"pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"})
VIDEO_FORMATS = {
    "3gpp": "three_gp",
    "mp4": "mp4",
    "mpeg": "mpeg",
    "mpg": "mpg",
    "quicktime": "mov",
    "mov": "mov",
    "webm": "webm",
    "x-flv": "flv",
    "x-matroska": "mkv",
    "mkv": "mkv",
    "x-ms-wmv": "wmv",
}
OF_DOCUMENTS = ("citations", "context")
"""Fields of a document that OpenAI does not have: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html"""
AUDIO_FORMATS = frozenset({"mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "m4a", "mpeg", "mpga", "pcm", "webm"})

DATA_URL = re.compile(r"data:(?P<media>[^;,]*)(?:;[^,]*)?;base64,(?P<data>[A-Za-z0-9+/=_\-\s]*)\Z", re.IGNORECASE)
BASE64 = re.compile(r"[A-Za-z0-9+/=]+\Z")

CACHE_TIMES = ("1h",)
"""Named where it is not the ordinary time, which older models don't know by name."""


@dataclass(slots=True)
class Blocks:
    """Makes blocks of parts. Documents get neutral names, as the model reads them, unique in a request and stable over turns."""

    caches: bool
    """Whether the model knows cache points; without that they are left out."""
    documents: int = field(default=0)

    def of(self, content: Any, param: str) -> list[JSON]:
        """The blocks of a string or a list of parts; text that is blank, which Converse refuses, makes none."""
        if content is None:
            return []
        if isinstance(content, str):
            return [{"text": content}] if content.strip() else []
        if not isinstance(content, list):
            raise invalid_parameter(param, "it must be a string or a list of parts")
        return [block for index, part in enumerate(content) for block in self._part(part, f"{param}[{index}]")]

    def cache_point(self, holder: Mapping[str, Any]) -> list[JSON]:
        """A cache point where the client marked one: https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html"""
        marked = cache_mark(holder)
        if not self.caches or marked is None:
            return []
        ttl = {"ttl": marked["ttl"]} if str(marked.get("ttl")) in CACHE_TIMES else {}
        return [{"cachePoint": {"type": "default", **ttl}}]

    def _part(self, part: Any, param: str) -> Iterator[JSON]:
        if not isinstance(part, dict):
            raise invalid_parameter(param, "it must be an object")
        kind = part.get("type")
        if kind in ("text", "refusal"):
            text = part.get(kind)
            if not isinstance(text, str):
                raise invalid_parameter(f"{param}.{kind}", "it must be a string")
            yield from [{"text": text}] if text.strip() else []
        elif isinstance(kind, str) and kind in PARTS:
            yield PARTS[kind](self, part, param)
        else:
            raise invalid_parameter(f"{param}.type", "this model's provider does not take such a part")
        yield from self.cache_point(part)

    def image(self, part: JSON, param: str) -> JSON:
        media, source = _source(part, "image_url", param)
        return _image(media, source, param)

    def video(self, part: JSON, param: str) -> JSON:
        media, source = _source(part, "video_url", param)
        return _video(media, source, param)

    def audio(self, part: JSON, param: str) -> JSON:
        audio = part.get("input_audio")
        data, kind = (audio.get("data"), audio.get("format")) if isinstance(audio, dict) else (None, None)
        if not isinstance(data, str) or not BASE64.match(data):
            raise invalid_parameter(f"{param}.input_audio.data", "it must be base64")
        if not isinstance(kind, str) or kind not in AUDIO_FORMATS:
            raise invalid_parameter(f"{param}.input_audio.format", "this model's provider does not take such audio")
        return {"audio": {"format": kind, "source": {"bytes": data}}}

    def file(self, part: JSON, param: str) -> JSON:
        """A document, or an image or video that was sent as a file."""
        file = part.get("file")
        if not isinstance(file, dict) or not isinstance(file.get("file_data"), str):
            raise invalid_parameter(f"{param}.file.file_data", "this model's provider takes files only with their data")
        data, name = file["file_data"], file.get("filename")
        ending = name.rpartition(".")[2].lower() if isinstance(name, str) else ""
        media, source = _from_url(data) or ("", {"bytes": data} if BASE64.match(data) else None)
        if source is None:
            raise invalid_parameter(f"{param}.file.file_data", "it must be a data URL with base64")
        if media.startswith("image/"):
            return _image(media, source, param)
        if media.startswith("video/"):
            return _video(media, source, param)
        kind = DOCUMENT_FORMATS.get(media) or (ending if ending in DOCUMENT_ENDINGS else None)
        if kind is None:
            raise invalid_parameter(f"{param}.file", "this model's provider does not take documents of this kind")
        self.documents += 1
        options = {name: holder[name] for holder in (part, file) for name in OF_DOCUMENTS if name in holder}
        return {"document": {"format": kind, "name": f"document-{self.documents}", "source": source, **options}}

    def guarded(self, part: JSON, param: str) -> JSON:
        """Text that a guardrail looks at: https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails-use-converse-api.html"""
        if not isinstance(part.get("text"), str):
            raise invalid_parameter(f"{param}.text", "it must be a string")
        return {"guardContent": {"text": {"text": part["text"]}}}


PARTS: Mapping[Any, Callable[[Blocks, JSON, str], JSON]] = {
    "image_url": Blocks.image,
    "video_url": Blocks.video,
    "input_audio": Blocks.audio,
    "file": Blocks.file,
    "guarded_text": Blocks.guarded,
}


def _source(part: JSON, name: str, param: str) -> tuple[str, JSON]:
    holder = part.get(name)
    url = holder.get("url") if isinstance(holder, dict) else holder
    found = _from_url(url) if isinstance(url, str) else None
    if found is None:
        raise invalid_parameter(f"{param}.{name}.url", "it must be a data URL with base64, or s3://")
    return found


def _from_url(url: str) -> tuple[str, JSON] | None:
    """Media type and source of a data URL, or of an object in S3, whose name tells its type."""
    if url.startswith("s3://"):
        ending = url.rpartition(".")[2].lower()
        kind = "image" if ending in IMAGE_FORMATS else "video" if ending in VIDEO_FORMATS else "file"
        return f"{kind}/{ending}", {"s3Location": {"uri": url}}
    found = DATA_URL.match(url)
    if found is None or not found["data"]:
        return None
    data = "".join(found["data"].split()).translate(str.maketrans("-_", "+/"))
    return found["media"].lower(), {"bytes": data}


def _image(media: str, source: JSON, param: str) -> JSON:
    kind = IMAGE_FORMATS.get(media.removeprefix("image/"))
    if kind is None:
        raise invalid_parameter(param, "an image must be PNG, JPEG, GIF or WebP")
    return {"image": {"format": kind, "source": source}}


def _video(media: str, source: JSON, param: str) -> JSON:
    kind = VIDEO_FORMATS.get(media.removeprefix("video/"))
    if kind is None:
        raise invalid_parameter(param, "this model's provider does not take such video")
    return {"video": {"format": kind, "source": source}}
