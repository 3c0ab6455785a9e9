"""The length of Ogg, by the position in its last page. Pure.

https://www.rfc-editor.org/rfc/rfc3533, https://www.rfc-editor.org/rfc/rfc7845 for Opus
"""

from struct import unpack_from

from haimaker.media.audio import Length, UnreadableAudio, truncated_error

HEADER_BYTES = 27
MAX_PAGES = 500_000
"""Pages of hours, even if each packet has a page of its own."""
NO_POSITION = -1
"""The position of a page on which no packet ends."""


def probe(data: bytes) -> Length:
    """The length of the first stream with sound. Raises UnreadableAudio."""
    stream, rate, channels = _begin(data)
    offset, last, pages = 0, 0, 0
    while data[offset : offset + 4] == b"OggS":
        if offset + HEADER_BYTES > len(data):
            raise truncated_error(len(data), offset + HEADER_BYTES)
        pages += 1
        if pages > MAX_PAGES:
            raise UnreadableAudio("has too many pages to be measured; another format has fewer")
        position, serial = unpack_from("<qI", data, offset + 6)
        segments = data[offset + HEADER_BYTES : offset + HEADER_BYTES + data[offset + 26]]
        offset += HEADER_BYTES + data[offset + 26] + sum(segments)
        if serial == stream and position != NO_POSITION:
            last = max(last, position)
        if offset > len(data):
            raise truncated_error(len(data), offset)
    return Length(last / rate, channels)


def _begin(data: bytes) -> tuple[int, int, int]:
    """The serial number of the first stream with sound, its samples per second and its channels. Raises UnreadableAudio."""
    offset = 0
    while data[offset : offset + 4] == b"OggS":
        serial = unpack_from("<I", data, offset + 14)[0]
        start = offset + HEADER_BYTES + data[offset + 26]
        packet = data[start : start + 64]
        if packet.startswith(b"OpusHead"):
            return serial, 48_000, packet[9]
        if packet.startswith(b"\x01vorbis"):
            return serial, unpack_from("<I", packet, 12)[0], packet[11]
        if packet.startswith(b"Speex   "):
            return serial, unpack_from("<I", packet, 36)[0], unpack_from("<I", packet, 48)[0]
        if packet.startswith(b"\x7fFLAC"):
            return serial, unpack_from(">Q", packet, 27)[0] >> 44, (packet[29] >> 1 & 7) + 1
        offset = start + sum(data[offset + HEADER_BYTES : start])
    raise UnreadableAudio("holds no sound that is known: Opus, Vorbis, Speex and FLAC are")
