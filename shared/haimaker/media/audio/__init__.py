"""The length of an audio file, read from the file itself. Pure.

A request is priced by it before it is sent, so a file that is truncated, or holds no sound, is refused here. MP3, AIFF and WMA are
read by https://github.com/tinytag/tinytag. The other formats have modules here, since they come in forms that tinytag does not
read: streamed, in fragments, truncated.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from struct import error as TooShort
from typing import NamedTuple, TypeVar

T = TypeVar("T")

MAX_DURATION_S = 7 * 24 * 3600
"""No provider takes a longer file; a header that says so is damaged."""
SHORTEST_FRAME = 24
"""The bytes of the shortest frame of an MP3."""
COMPLETE_SHARE = 0.95
"""The share of the bytes that a header promises which has to be there: tags and a last frame may be missing."""


class UnreadableAudio(Exception):
    """Why the length of a file can't be read. The message is for the file's owner, and follows its name: "is damaged"."""


class Length(NamedTuple):
    """What a reader of one format returns."""

    seconds: float
    channels: int
    bits_per_s: float = 0.0
    """As the header has it; 0 where the reader does not read it."""


class AudioInfo(NamedTuple):
    """The format, length and channels of an audio file."""

    kind: str
    """The format, as a file extension without the dot."""
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
"""The GUID that a file of WMA begins with."""


def probe(data: bytes) -> AudioInfo:
    """The format, length and channels of an audio file. Raises UnreadableAudio."""
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
    """The format of a file by its first bytes, None if it is unknown: https://en.wikipedia.org/wiki/List_of_file_signatures"""
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
        "aac": frames.probe_aac,
        "flac": frames.probe_flac,
        "m4a": mp4.probe,
        "ogg": ogg.probe,
        "wav": frames.probe_wav,
        "webm": webm.probe,
    }
    return readers.get(kind, probe_complete if kind in ("mp3", "wma") else probe_with_tinytag)


def probe_with_tinytag(data: bytes) -> Length:
    """The length as tinytag reads it from tags and headers. Raises UnreadableAudio."""
    from tinytag import TinyTag, TinyTagException

    try:
        tag = TinyTag.get(file_obj=BytesIO(data), tags=False)
    except TinyTagException as error:
        raise UnreadableAudio("is damaged") from error
    if not tag.duration:
        raise UnreadableAudio("holds no sound")
    return Length(tag.duration, tag.channels or 1, (tag.bitrate or 0) * 1000)


def probe_complete(data: bytes) -> Length:
    """The length as tinytag reads it, of a file that has the bytes that its header promises. Raises UnreadableAudio."""
    length = probe_with_tinytag(data)
    promised = length.bits_per_s / 8 * length.seconds
    if len(data) < COMPLETE_SHARE * promised - SHORTEST_FRAME:
        raise truncated_error(len(data), int(promised))
    return length


def take_at_most(items: Iterator[T], most: int) -> Iterator[T]:
    """Yields the items. Raises UnreadableAudio after `most` of them: no real file has so many, and one that does takes seconds to
    read."""
    for number, item in enumerate(items):
        if number >= most:
            raise UnreadableAudio("has too many parts to be measured; another format has fewer")
        yield item


def truncated_error(has: int, should_have: int) -> UnreadableAudio:
    """The error for a file of `has` bytes that should have more."""
    return UnreadableAudio(f"is cut off: it has {has} bytes of {should_have}")
