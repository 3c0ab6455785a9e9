"""The length of Ogg: the position that its last page has. Pure. https://www.rfc-editor.org/rfc/rfc3533, rfc7845 for Opus."""

from struct import unpack_from

from haimaker.media.audio import Length, UnreadableAudio, is_truncated

HEADER_BYTES = 27
NO_POSITION = -1


def probe(data: bytes) -> Length:
    stream, rate, channels = _begin(data)
    at, last = 0, 0
    while data[at : at + 4] == b"OggS":
        if at + HEADER_BYTES > len(data):
            raise is_truncated(len(data), at + HEADER_BYTES)
        position, serial = unpack_from("<qI", data, at + 6)
        segments = data[at + HEADER_BYTES : at + HEADER_BYTES + data[at + 26]]
        at += HEADER_BYTES + data[at + 26] + sum(segments)
        if serial == stream and position != NO_POSITION:
            last = max(last, position)
        if at > len(data):
            raise is_truncated(len(data), at)
    return Length(last / rate, channels)


def _begin(data: bytes) -> tuple[int, int, int]:
    """Serial number, rate and channels of the stream with sound, which the first packets name."""
    at = 0
    while data[at : at + 4] == b"OggS":
        serial = unpack_from("<I", data, at + 14)[0]
        start = at + HEADER_BYTES + data[at + 26]
        packet = data[start : start + 64]
        if packet.startswith(b"OpusHead"):
            return serial, 48_000, packet[9]
        if packet.startswith(b"\x01vorbis"):
            return serial, unpack_from("<I", packet, 12)[0], packet[11]
        if packet.startswith(b"Speex   "):
            return serial, unpack_from("<I", packet, 36)[0], unpack_from("<I", packet, 48)[0]
        if packet.startswith(b"\x7fFLAC"):
            return serial, unpack_from(">Q", packet, 27)[0] >> 44, (packet[29] >> 1 & 7) + 1
        at = start + sum(data[at + HEADER_BYTES : start])
    raise UnreadableAudio("holds no sound that is known: Opus, Vorbis, Speex and FLAC are")
