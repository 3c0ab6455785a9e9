"""How long a file of sound is, read from the file itself. Pure.

A request is priced by this before it is sent, so what is cut off, or no sound at all, is refused here. MP3, AIFF and WMA are left
to https://github.com/tinytag/tinytag; the others also come in forms that it does not read: streamed, in fragments, cut.
"""

import math
from collections.abc import Callable, Mapping
from io import BytesIO
from struct import error as TooShort
from typing import NamedTuple

MAX_DURATION_S = 7 * 24 * 3600
"""No provider takes more; a header that says so is broken."""
SHORTEST_FRAME = 24
COMPLETE_SHARE = 0.95
"""Of the bytes that a header promises: tags and a last frame may be missing, a part of the sound not."""


class UnreadableAudio(Exception):
    """What is wrong with a file of sound, in words for its owner."""


class Length(NamedTuple):
    seconds: float
    channels: int
    bits_per_s: float = 0.0


class AudioInfo(NamedTuple):
    kind: str
    """Its usual ending, without the dot."""
    duration_ms: int
    channels: int

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES[self.kind]


CONTENT_TYPES: Mapping[str, str] = {
    "aac": "audio/aac",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "webm": "audio/webm",
    "wma": "audio/x-ms-wma",
}
FORMATS = "flac, mp3, mp4, mpeg, mpga, m4a, ogg, opus, wav, webm, aac, aiff and wma"
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")


def probe(data: bytes) -> AudioInfo:
    """The kind, length and channels of a file of sound. Raises UnreadableAudio."""
    kind = sniff_kind(data)
    if kind is None:
        raise UnreadableAudio(f"is no sound in a format that is known; these are {FORMATS}")
    try:
        seconds, channels, _ = _reader(kind)(data)
    except (IndexError, ValueError, ArithmeticError, RecursionError, TooShort) as error:
        raise UnreadableAudio("is damaged") from error
    if not 0 < seconds <= MAX_DURATION_S:
        raise UnreadableAudio("holds no sound" if seconds <= 0 else "is damaged: its header says that it lasts for weeks")
    return AudioInfo(kind, math.ceil(seconds * 1000), max(1, channels))


def sniff_kind(data: bytes) -> str | None:
    """The kind of a file by its first bytes: https://en.wikipedia.org/wiki/List_of_file_signatures"""
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return "wav"
    if data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if data[4:8] == b"ftyp":
        return "m4a"
    for start, kind in ((b"OggS", "ogg"), (b"fLaC", "flac"), (b"\x1a\x45\xdf\xa3", "webm"), (ASF, "wma"), (b"ID3", "mp3")):
        if data.startswith(start):
            return kind
    if data[:1] == b"\xff" and len(data) > 1 and data[1] & 0xE0 == 0xE0:
        return "aac" if data[1] & 0xF6 == 0xF0 else "mp3"
    return None


def _reader(kind: str) -> Callable[[bytes], Length]:
    from haimaker.media.audio import frames, mp4, ogg, webm  # only uploads of sound need them

    readers: Mapping[str, Callable[[bytes], Length]] = {
        "aac": frames.aac,
        "flac": frames.flac,
        "m4a": mp4.probe,
        "ogg": ogg.probe,
        "wav": frames.wav,
        "webm": webm.probe,
    }
    return readers.get(kind, probe_compressed if kind in ("mp3", "wma") else tag_bytes)


def tag_bytes(data: bytes) -> Length:
    """The length of a file of a kind that tinytag reads, by its tags and headers."""
    from tinytag import TinyTag, TinyTagException

    try:
        tag = TinyTag.get(file_obj=BytesIO(data), tags=False)
    except TinyTagException as error:
        raise UnreadableAudio("is damaged") from error
    if not tag.duration:
        raise UnreadableAudio("holds no sound")
    return Length(tag.duration, tag.channels or 1, (tag.bitrate or 0) * 1000)


def probe_compressed(data: bytes) -> Length:
    """The length by tags and headers, where the bytes that the header promises are there. Raises UnreadableAudio."""
    length = tag_bytes(data)
    promised = length.bits_per_s / 8 * length.seconds
    if len(data) < COMPLETE_SHARE * promised - SHORTEST_FRAME:
        raise is_truncated(len(data), int(promised))
    return length


def is_truncated(has: int, should_have: int) -> UnreadableAudio:
    return UnreadableAudio(f"is cut off: it has {has} bytes of {should_have}")
