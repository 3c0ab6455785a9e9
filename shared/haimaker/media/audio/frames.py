"""The length of WAV, FLAC and AAC, by the samples that the file has. Pure.

http://soundfile.sapp.org/doc/WaveFormat/, https://www.rfc-editor.org/rfc/rfc9639, https://wiki.multimedia.cx/index.php/ADTS
"""

import re
from collections.abc import Iterator
from struct import unpack_from

from haimaker.media.audio import Length, UnreadableAudio, probe_with_tinytag, take_at_most, truncated_error

UNKNOWN_SIZE = 0x7FFF0000
"""A program that streams a WAV does not know the size of its sound, and writes 0, or a size from this one on. The rest of the
file is then sound."""
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""Samples per second, by the index in an ADTS header."""
AAC_SAMPLES = 1024
"""The samples of a frame of AAC."""
MAX_FRAMES, MAX_CHUNKS = 1_500_000, 10_000
"""The frames of nine hours of AAC, and more chunks than any WAV has."""
LAST_FRAMES_BYTES = 1 << 20
"""The end of a FLAC file that is searched for its last frame: no frame is longer."""
FRAME_START = re.compile(rb"\xff[\xf8\xf9]")
"""The sync code of a frame of FLAC: https://www.rfc-editor.org/rfc/rfc9639#section-9.1"""


def probe_wav(data: bytes) -> Length:
    """The length of a WAV, by the size of its sound. Raises UnreadableAudio."""
    per_second, channels = 0, 1
    for name, start, size in take_at_most(_chunks(data), MAX_CHUNKS):
        if name == b"fmt ":
            channels, _, per_second = unpack_from("<HII", data, start + 2)
        elif name == b"data":
            present = len(data) - start
            if size >= UNKNOWN_SIZE or (size == 0 and present):
                size = present
            if size > present:
                raise truncated_error(present, size)
            return Length(size / per_second, channels) if per_second else probe_with_tinytag(data)
    raise UnreadableAudio("is cut off before its sound begins")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and size of each chunk of a RIFF file."""
    offset = 12
    while offset + 8 <= len(data):
        size = int.from_bytes(data[offset + 4 : offset + 8], "little")
        yield data[offset : offset + 4], offset + 8, size
        offset += 8 + size + size % 2


def probe_aac(data: bytes) -> Length:
    """The length of AAC in ADTS, by the number of its frames. Raises UnreadableAudio."""
    offset, frames = 0, 0
    rate = AAC_RATES[data[2] >> 2 & 15]
    channels = (data[2] & 1) << 2 | data[3] >> 6
    while offset + 7 <= len(data) and data[offset] == 0xFF and data[offset + 1] & 0xF6 == 0xF0:
        offset += max(7, (data[offset + 3] & 3) << 11 | data[offset + 4] << 3 | data[offset + 5] >> 5)
        frames += 1
        if frames > MAX_FRAMES:
            raise UnreadableAudio("has too many frames to be measured; another format has fewer")
    if offset > len(data):
        raise truncated_error(len(data), offset)
    return Length(frames * AAC_SAMPLES / rate, channels)


def probe_flac(data: bytes) -> Length:
    """The length of a FLAC, by its header, or by its last frame where the header has none. The last frame also shows whether
    the file is truncated. Raises UnreadableAudio."""
    largest_block, packed = unpack_from(">H", data, 10)[0], unpack_from(">Q", data, 18)[0]
    rate, channels, total = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    last_start = _find_last_start(data, largest_block)
    if last_start is None:
        raise UnreadableAudio("is cut off before its sound begins")
    if last_start + largest_block < total:
        raise UnreadableAudio(f"is cut off: it has {(last_start + largest_block) / rate:.1f} s of {total / rate:.1f}")
    return Length((total or last_start + largest_block) / rate, channels)


def _find_last_start(data: bytes, block: int) -> int | None:
    """The number of the sample with which the last frame starts; None if there is no frame. `block` is the samples of a frame."""
    first = max(0, len(data) - LAST_FRAMES_BYTES)
    for found in reversed(list(FRAME_START.finditer(data, first))):
        if (number := _frame_number(data, found.start())) is not None:
            return number if data[found.start() + 1] & 1 else number * block
    return None


def _frame_number(data: bytes, offset: int) -> int | None:
    """The number in a frame's header, which is coded as UTF-8 is: of the frame, or of its first sample. None if no header is at the
    offset. https://www.rfc-editor.org/rfc/rfc9639#section-9.1.5"""
    head = data[offset : offset + 16]
    if len(head) < 6 or head[2] >> 4 == 0 or head[2] & 15 == 15 or head[3] & 1:
        return None
    more = max(0, 8 - (head[4] ^ 0xFF).bit_length() - 1)
    number = head[4] & (0x7F >> more)
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    end = 5 + more + {6: 1, 7: 2}.get(head[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    return number if end < len(head) and _crc8(head[:end]) == head[end] else None


def _crc8(data: bytes) -> int:
    """The checksum of a frame's header: https://www.rfc-editor.org/rfc/rfc9639#section-9.1.8"""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc
