"""The length of MP4 and its kin, m4a, mov and 3gp: as the header has it, or as its fragments add up. Pure.

https://developer.apple.com/documentation/quicktime-file-format; fragments: ISO/IEC 14496-12, 8.8
"""

from collections.abc import Iterator, Sequence
from struct import unpack_from
from typing import NamedTuple

from haimaker.media.audio import Length, UnreadableAudio, is_truncated

CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex")
AUDIO_CODECS = (b"mp4a", b"alac", b"Opus", b"fLaC", b"ac-3", b"ec-3", b"samr", b"sawb")
UNKNOWN_DURATIONS = (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
HAS_BASE, HAS_DESCRIPTION, HAS_DURATION = 0x01, 0x02, 0x08
RUN_OFFSET, RUN_FLAGS, RUN_DURATIONS = 0x01, 0x04, 0x100
RUN_FIELDS = (0x100, 0x200, 0x400, 0x800)


class _Box(NamedTuple):
    name: bytes
    start: int
    """Of what it holds."""
    end: int


class _Track(NamedTuple):
    id: int
    scale: int
    seconds: float


def probe(data: bytes) -> Length:
    """The length of the longest track with sound. Raises UnreadableAudio."""
    found = list(_boxes(data, 0, len(data), top=True))
    if not any(box.name == b"moov" for box in found):
        raise UnreadableAudio("is cut off: the list of its tracks is missing")
    tracks = list(_tracks(data, found))
    if not tracks:
        raise UnreadableAudio("holds no sound")
    seconds = max(track.seconds for track in tracks) or _in_fragments(data, found, tracks[0])
    return Length(seconds, _channels(data, found))


def _boxes(data: bytes, at: int, end: int, *, top: bool = False) -> Iterator[_Box]:
    """All boxes, each before those inside it."""
    while at + 8 <= end:
        size, name = unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:
            size, start = unpack_from(">Q", data, start)[0], start + 8
        size = size or end - at
        if at + size > end or size < start - at:
            if top:
                raise is_truncated(len(data), at + size)
            return
        yield _Box(name, start, at + size)
        if name in CONTAINERS:
            yield from _boxes(data, start, at + size)
        at += size


def _tracks(data: bytes, found: Sequence[_Box]) -> Iterator[_Track]:
    """The tracks with sound."""
    number, scale, length = 0, 0, 0
    for name, start, _ in found:
        if name == b"tkhd":
            number = unpack_from(">I", data, start + (20 if data[start] else 12))[0]
        elif name == b"mdhd":
            scale, length = unpack_from(">IQ", data, start + 20) if data[start] else unpack_from(">II", data, start + 12)
        elif name == b"hdlr" and data[start + 8 : start + 12] == b"soun":
            yield _Track(number, scale, 0.0 if length in UNKNOWN_DURATIONS else length / scale)


def _channels(data: bytes, found: Sequence[_Box]) -> int:
    """The most that any track has: in the first description of its samples, where one with sound has them."""
    described = [box.start + 32 for box in found if box.name == b"stsd" and data[box.start + 12 : box.start + 16] in AUDIO_CODECS]
    return max((unpack_from(">H", data, at)[0] for at in described), default=1)


def _in_fragments(data: bytes, found: Sequence[_Box], track: _Track) -> float:
    total, usual, default, counts = 0, 0, 0, False
    for box in found:
        name, start, _ = box
        if name == b"trex" and unpack_from(">I", data, start + 4)[0] == track.id:
            usual = unpack_from(">I", data, start + 12)[0]
        elif name == b"tfhd":
            flags, number = unpack_from(">II", data, start)
            at = start + 8 + 8 * bool(flags & HAS_BASE) + 4 * bool(flags & HAS_DESCRIPTION)
            default = unpack_from(">I", data, at)[0] if flags & HAS_DURATION else usual
            counts = number == track.id
        elif name == b"trun" and counts:
            total += _run(data, box, default)
    return total / track.scale


def _run(data: bytes, box: _Box, default: int) -> int:
    flags, samples = unpack_from(">II", data, box.start)
    if not flags & RUN_DURATIONS:
        return int(samples * default)
    at = box.start + 8 + 4 * bool(flags & RUN_OFFSET) + 4 * bool(flags & RUN_FLAGS)
    step = 4 * sum(bool(flags & field) for field in RUN_FIELDS)
    return sum(unpack_from(">I", data, each)[0] for each in range(at, min(at + step * samples, box.end - 3), step))
