"""Links that a client names in a part of a message, checked for every provider and operation that takes them. Pure.

What a link leads to is read by a provider, or by `upstream/image_fetcher.py`: a file of its machine, or an address that two readers
understand differently, is refused here with words.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from haimaker.http.errors import BadRequestError
from haimaker.http.values import JSON

SCHEMES = frozenset({"http", "https", "gs", "s3"})
"""Of the web, and of the clouds whose providers read from their own storage."""
PARTS = ("image_url", "input_image", "image", "video_url", "audio_url", "document_url", "file")
FIELDS = ("url", "file_data", "file_url")
LONGEST = 8_192
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{64}")
"""What begins with so many letters of its alphabet is data: that of a JPEG begins with `/9j/`, that of an MP3 with `//`."""
_STRANGE = re.compile(r"[\x00-\x20\x7f\\\\]")


def check_parts(parts: Any, param: str) -> None:
    """Raises BadRequestError for the first link among these parts that is none."""
    for index, part in enumerate(parts if isinstance(parts, list) else ()):
        if isinstance(part, dict):
            for value, place in _links(part):
                check_link(value, f"{param}[{index}].{place}")


def check_link(link: str, param: str) -> None:
    """A text that is no link at all, such as the id of a file or base64, passes. Raises BadRequestError."""
    start = link[:96].lstrip()
    if start[:5].lower() == "data:" or _BASE64.match(start):
        return
    scheme = _SCHEME.match(start)
    if scheme is None and not start.startswith(("/", "\\")):
        return
    if scheme is None or scheme[1].lower() not in SCHEMES or not _names_host(link):
        message = (
            f"Invalid value for '{param}': a link begins with https:// or http:// and names a host; data is given as a data: URL."
        )
        raise BadRequestError(message, param=param, code="invalid_url")


def _names_host(link: str) -> bool:
    try:
        return len(link) <= LONGEST and not _STRANGE.search(link) and bool(urlsplit(link).hostname) and "://" in link[:8]
    except ValueError:
        return False


def _links(part: JSON) -> Iterable[tuple[str, str]]:
    for name in PARTS:
        value = part.get(name)
        if isinstance(value, str):
            yield value, name
        elif isinstance(value, dict):
            yield from ((value[field], f"{name}.{field}") for field in FIELDS if isinstance(value.get(field), str))
