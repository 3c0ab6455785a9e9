"""The length of MP4, M4A, MOV and 3GP, by the header or by the sum of the fragments. Pure.

https://developer.apple.com/documentation/quicktime-file-format; fragments: ISO/IEC 14496-12, 8.8
"""

from collections.abc import Iterator, Sequence
from struct import unpack_from
from typing import NamedTuple

from haimaker.media.audio import Length, UnreadableAudio, take_at_most, truncated_error

CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex")
AUDIO_CODECS = (b"mp4a", b"alac", b"Opus", b"fLaC", b"ac-3", b"ec-3", b"samr", b"sawb")
UNKNOWN_DURATIONS = (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
HAS_BASE, HAS_DESCRIPTION, HAS_DURATION = 0x01, 0x02, 0x08
RUN_OFFSET, RUN_FLAGS, RUN_DURATIONS = 0x01, 0x04, 0x100
RUN_FIELDS = (0x100, 0x200, 0x400, 0x800)
MAX_BOXES, MAX_DEPTH = 200_000, 16
"""More boxes than a day in fragments of two seconds has, and more levels of them than any file."""


class _Box(NamedTuple):
    name: bytes
    start: int
    """The offset of its content, behind its header."""
    end: int


class _Track(NamedTuple):
    id: int
    scale: int
    """Units of its durations in a second."""
    seconds: float
    """The length by the header; 0 where the header has none."""


def probe(data: bytes) -> Length:
    """The length of the longest track with sound. Raises UnreadableAudio."""
    found = list(take_at_most(_boxes(data, 0, len(data)), MAX_BOXES))
    if not any(box.name == b"moov" for box in found):
        raise UnreadableAudio("is cut off: the list of its tracks is missing")
    tracks = list(_tracks(data, found))
    if not tracks:
        raise UnreadableAudio("holds no sound")
    seconds = max(track.seconds for track in tracks) or _in_fragments(data, found, tracks[0])
    return Length(seconds, _channels(data, found))


def _boxes(data: bytes, offset: int, end: int, depth: int = 0) -> Iterator[_Box]:
    """All boxes, each before those inside it. Raises UnreadableAudio if the file ends within one."""
    while offset + 8 <= end:
        size, name = unpack_from(">I4s", data, offset)
        start = offset + 8
        if size == 1:
            size, start = unpack_from(">Q", data, start)[0], start + 8
        size = size or end - offset
        if offset + size > end or size < start - offset:
            if not depth:
                raise truncated_error(len(data), offset + size)
            return
        yield _Box(name, start, offset + size)
        if name in CONTAINERS and depth < MAX_DEPTH:
            yield from _boxes(data, start, offset + size, depth + 1)
        offset += size


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
    """The most channels of any track, from the descriptions of samples (`stsd`)."""
    described = [box.start + 32 for box in found if box.name == b"stsd" and data[box.start + 12 : box.start + 16] in AUDIO_CODECS]
    return max((unpack_from(">H", data, offset)[0] for offset in described), default=1)


def _in_fragments(data: bytes, found: Sequence[_Box], track: _Track) -> float:
    """The seconds of a track's fragments. A sample's duration is in its run (`trun`), else in its fragment (`tfhd`), else in
    its track (`trex`)."""
    total, track_duration, fragment_duration, is_wanted = 0, 0, 0, False
    for box in found:
        name, start, _ = box
        if name == b"trex" and unpack_from(">I", data, start + 4)[0] == track.id:
            track_duration = unpack_from(">I", data, start + 12)[0]
        elif name == b"tfhd":
            flags, number = unpack_from(">II", data, start)
            offset = start + 8 + 8 * bool(flags & HAS_BASE) + 4 * bool(flags & HAS_DESCRIPTION)
            fragment_duration = unpack_from(">I", data, offset)[0] if flags & HAS_DURATION else track_duration
            is_wanted = number == track.id
        elif name == b"trun" and is_wanted:
            total += _run_duration(data, box, fragment_duration)
    return total / track.scale


def _run_duration(data: bytes, box: _Box, default: int) -> int:
    """The duration of a run of samples, in units of its track; `default` is that of a sample that has none of its own."""
    flags, samples = unpack_from(">II", data, box.start)
    if not flags & RUN_DURATIONS:
        return int(samples * default)
    offset = box.start + 8 + 4 * bool(flags & RUN_OFFSET) + 4 * bool(flags & RUN_FLAGS)
    step = 4 * sum(bool(flags & field) for field in RUN_FIELDS)
    return sum(unpack_from(">I", data, each)[0] for each in range(offset, min(offset + step * samples, box.end - 3), step))
