"""The length of WebM and Matroska, by the header or by the start of the last block. Pure.

https://www.rfc-editor.org/rfc/rfc8794 for elements, https://www.rfc-editor.org/rfc/rfc9559 for what they mean. Browsers record
without a duration, and without the sizes of what they have not finished yet.
"""

from collections.abc import Iterator
from struct import unpack
from typing import NamedTuple

from haimaker.media.audio import Length, UnreadableAudio, take_at_most, truncated_error

SEGMENT, INFO, TRACKS, TRACK, AUDIO, CLUSTER, GROUP = 0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE1, 0x1F43B675, 0xA0
SCALE, DURATION, TRACK_TYPE, CHANNELS, TIME, SIMPLE_BLOCK, BLOCK = 0x2AD7B1, 0x4489, 0x83, 0x9F, 0xE7, 0xA3, 0xA1
CONTAINERS = (SEGMENT, INFO, TRACKS, TRACK, AUDIO, CLUSTER, GROUP)
AUDIO_TRACK = 2
DEFAULT_SCALE_NS = 1_000_000
LAST_BLOCK_S = 0.12
"""The longest that a block of Opus lasts."""
MAX_ELEMENTS = 200_000
"""The elements of an hour in blocks of 20 ms; browsers write blocks of 60 ms."""


class _Element(NamedTuple):
    id: int
    start: int
    end: int


def probe(data: bytes) -> Length:
    """The length of a file of WebM or Matroska. Raises UnreadableAudio."""
    scale_ns, duration, cluster, last, channels = DEFAULT_SCALE_NS, 0.0, 0, -1, 1
    has_sound = False
    for element in take_at_most(_elements(data), MAX_ELEMENTS):
        content = data[element.start : element.end] if element.id not in CONTAINERS else b""
        if element.id == SCALE:
            scale_ns = int.from_bytes(content, "big")
        elif element.id == DURATION:
            duration = unpack(">d" if len(content) == 8 else ">f", content)[0]
        elif element.id == TRACK_TYPE:
            has_sound = has_sound or int.from_bytes(content, "big") == AUDIO_TRACK
        elif element.id == CHANNELS:
            channels = int.from_bytes(content, "big")
        elif element.id == CLUSTER and duration > 0:
            break
        elif element.id == TIME:
            cluster = int.from_bytes(content, "big")
        elif element.id in (SIMPLE_BLOCK, BLOCK):
            offset = _width(content[0])  # behind the number of its track is its time, relative to its cluster
            last = max(last, cluster + int.from_bytes(content[offset : offset + 2], "big", signed=True))
    if not has_sound or (last < 0 and not duration):
        raise UnreadableAudio("holds no sound")
    return Length(duration * scale_ns / 1e9 if duration > 0 else last * scale_ns / 1e9 + LAST_BLOCK_S, channels)


def _elements(data: bytes) -> Iterator[_Element]:
    """All elements, each before those inside it. Raises UnreadableAudio if the file ends within one."""
    offset = 0
    while offset < len(data):
        name, start = _number(data, offset, marked=True)
        size, start = _number(data, start, marked=False)
        unknown = size == (1 << 7 * (start - offset - _width(data[offset]))) - 1
        end = len(data) if unknown else start + size
        if end > len(data):
            raise truncated_error(len(data), end)
        yield _Element(name, start, end)
        offset = start if name in CONTAINERS else end


def _number(data: bytes, offset: int, *, marked: bool) -> tuple[int, int]:
    """A number of variable width and the offset behind it. `marked` keeps the bit that marks the width, as ids do."""
    width = _width(data[offset])
    value = int.from_bytes(data[offset : offset + width], "big")
    return value if marked else value & (1 << 7 * width) - 1, offset + width


def _width(first: int) -> int:
    if not first:
        raise UnreadableAudio("is damaged")
    return 9 - first.bit_length()
