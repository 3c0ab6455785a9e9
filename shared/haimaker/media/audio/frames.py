"""The length of WAV, FLAC and AAC, by the samples that are there. Pure.

http://soundfile.sapp.org/doc/WaveFormat/, https://www.rfc-editor.org/rfc/rfc9639, https://wiki.multimedia.cx/index.php/ADTS
"""

import re
from collections.abc import Iterator
from struct import unpack_from

from haimaker.media.audio import Length, UnreadableAudio, is_truncated, tag_bytes

UNKNOWN_SIZE = 0x7FFF0000
"""A size from here on, or none, is written by who does not know it yet: all that follows is then sound."""
AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
AAC_SAMPLES = 1024
LAST_FRAMES_BYTES = 1 << 20
"""Bytes at the end of a FLAC file that hold a whole frame for sure."""
FRAME_START = re.compile(rb"\xff[\xf8\xf9]")


def wav(data: bytes) -> Length:
    per_second, channels = 0, 1
    for name, start, size in _chunks(data):
        if name == b"fmt ":
            channels, _, per_second = unpack_from("<HII", data, start + 2)
        elif name == b"data":
            there = len(data) - start
            if size >= UNKNOWN_SIZE or (size == 0 and there):
                size = there
            if size > there:
                raise is_truncated(there, size)
            return Length(size / per_second, channels) if per_second else tag_bytes(data)
    raise UnreadableAudio("is cut off before its sound begins")


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and size of each chunk of a RIFF file."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], at + 8, size
        at += 8 + size + size % 2


def aac(data: bytes) -> Length:
    """The length of ADTS: frames with headers of their own, one after the other."""
    at, frames = 0, 0
    rate = AAC_RATES[data[2] >> 2 & 15]
    channels = (data[2] & 1) << 2 | data[3] >> 6
    while at + 7 <= len(data) and data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0:
        at += max(7, (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5)
        frames += 1
    if at > len(data):
        raise is_truncated(len(data), at)
    return Length(frames * AAC_SAMPLES / rate, channels)


def flac(data: bytes) -> Length:
    """The length by the header; the last frame shows whether all of it is there, and gives the length where the header does not."""
    largest_block, packed = unpack_from(">H", data, 10)[0], unpack_from(">Q", data, 18)[0]
    rate, channels, total = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    begun = _last_begun(data, largest_block)
    if begun is None:
        raise UnreadableAudio("is cut off before its sound begins")
    if begun + largest_block < total:
        raise UnreadableAudio(f"is cut off: it has {(begun + largest_block) / rate:.1f} s of {total / rate:.1f}")
    return Length((total or begun + largest_block) / rate, channels)


def _last_begun(data: bytes, block: int) -> int | None:
    """The number of the sample with which the last frame begins; None without a frame."""
    first = max(0, len(data) - LAST_FRAMES_BYTES)
    for found in reversed(list(FRAME_START.finditer(data, first))):
        if (number := _frame_number(data, found.start())) is not None:
            return number if data[found.start() + 1] & 1 else number * block
    return None


def _frame_number(data: bytes, at: int) -> int | None:
    """The number of a frame, or of its first sample, in the coding of UTF-8; None where no frame begins."""
    head = data[at : at + 16]
    if len(head) < 6 or head[2] >> 4 == 0 or head[2] & 15 == 15 or head[3] & 1:
        return None
    more = max(0, 8 - (head[4] ^ 0xFF).bit_length() - 1)
    number = head[4] & (0x7F >> more)
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    end = 5 + more + {6: 1, 7: 2}.get(head[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    return number if end < len(head) and _crc8(head[:end]) == head[end] else None


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc
