"""The content type of an image, and the size of a PNG, by the image's bytes. Pure.

https://en.wikipedia.org/wiki/List_of_file_signatures, https://www.w3.org/TR/png-3/#11IHDR
"""

import base64
import binascii

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
SVG_STARTS = (b"<svg", b"<?xml")
DEFAULT_TYPE = "image/png"


def sniff_type(data: bytes) -> str | None:
    """The content type by the first bytes; None for anything but an image that browsers show."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data.lstrip()[:5].startswith(SVG_STARTS) and b"<svg" in data[:4_096]:
        return "image/svg+xml"
    return next((kind for signature, kind in SIGNATURES.items() if data.startswith(signature)), None)


def png_size(data: bytes) -> tuple[int, int] | None:
    """The width and height of a PNG in pixels; None for anything else."""
    if sniff_type(data) != "image/png" or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def from_base64(text: str) -> bytes | None:
    """Decodes base64, also behind the `data:…,` of a data URL; None for anything else."""
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except (binascii.Error, ValueError):
        return None


def to_data_url(data: bytes) -> str:
    return f"data:{sniff_type(data) or DEFAULT_TYPE};base64,{base64.b64encode(data).decode()}"
