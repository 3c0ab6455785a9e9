"""Small files of silence in every format that is read, made byte by byte: each lasts as long as it is asked to."""

import struct
from collections.abc import Callable, Mapping

SIZES_UNKNOWN = 0xFFFFFFFF


def wav(seconds: float = 0.5, *, rate: int = 8_000, channels: int = 1, size: int | None = None) -> bytes:
    """8 bits a sample. `size` is what the header says instead of the truth."""
    data = b"\x80" * (round(seconds * rate) * channels)
    size = len(data) if size is None else size
    about = struct.pack("<IHHIIHH", 16, 1, channels, rate, rate * channels, channels, 8)
    whole = 36 + size if size < 0x7FFF0000 else size
    return (
        b"RIFF"
        + struct.pack("<I", whole)
        + b"WAVEfmt "
        + about
        + b"LIST\x03\x00\x00\x00abc\x00data"
        + struct.pack("<I", size)
        + data
    )


def mp3(seconds: float = 0.5) -> bytes:
    """Frames of 26 ms each, 64 kbit/s, mono."""
    frames = round(seconds * 44_100 / 1_152)
    return (b"\xff\xfb\x50\xc4" + b"\0" * 204) * frames


def aac(seconds: float = 0.5) -> bytes:
    """ADTS, 16 kHz, mono; a frame has 64 ms and 32 bytes."""
    frame = bytes((0xFF, 0xF1, 0x60, 0x40, 0x04, 0x1F, 0xFC)) + b"\0" * 25
    return frame * round(seconds * 16_000 / 1_024)


def flac(seconds: float = 0.5, *, total: bool = True) -> bytes:
    """16 kHz, mono, frames of 1,600 samples."""
    frames = round(seconds * 10)
    packed = 16_000 << 44 | 15 << 36 | (frames * 1_600 if total else 0)
    about = struct.pack(">HH", 1_600, 1_600) + bytes(6) + struct.pack(">Q", packed) + bytes(16)
    return b"fLaC" + b"\x80" + len(about).to_bytes(3, "big") + about + b"".join(_flac_frame(number) for number in range(frames))


def _flac_frame(number: int) -> bytes:
    coded = bytes((number,)) if number < 0x80 else bytes((0xC0 | number >> 6, 0x80 | number & 0x3F))
    head = b"\xff\xf8\x75\x08" + coded + (1_599).to_bytes(2, "big")
    return head + bytes((_crc8(head),)) + b"\0" * 20


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 7) & 0xFF if crc & 0x80 else crc << 1
    return crc


def ogg(seconds: float = 0.5, *, codec: str = "opus") -> bytes:
    """Pages of 100 ms."""
    heads = {
        "opus": (48_000, b"OpusHead\x01\x01\x00\x00" + struct.pack("<I", 48_000) + b"\0\0\0"),
        "vorbis": (16_000, b"\x01vorbis" + struct.pack("<IBI", 0, 1, 16_000) + bytes(14)),
        "speex": (16_000, b"Speex   " + bytes(28) + struct.pack("<I", 16_000) + bytes(8) + struct.pack("<I", 1)),
        "flac": (16_000, b"\x7fFLAC\x01\x00\x00\x01fLaC" + bytes(4) + bytes(10) + struct.pack(">Q", 16_000 << 44) + bytes(16)),
    }
    rate, head = heads[codec]
    pages = [_page(0, head), *(_page(round((at + 1) * rate / 10), b"\0" * 20) for at in range(round(seconds * 10)))]
    return b"".join(pages)


def _page(position: int, packet: bytes) -> bytes:
    return b"OggS\0\0" + struct.pack("<qIIIB", position, 77, 0, 0, 1) + bytes((len(packet),)) + packet


def webm(seconds: float = 0.5, *, duration: bool = True) -> bytes:
    """Without `duration` as a browser records: sizes of what is not finished are unknown too."""
    told = _element("4489", struct.pack(">d", seconds * 1000)) if duration else b""
    info = _element("1549A966", _element("2AD7B1", (1_000_000).to_bytes(3, "big")) + told)
    tracks = _element("1654AE6B", _element("AE", _element("83", b"\x02") + _element("E1", _element("9F", b"\x02"))))
    blocks = b"".join(
        _element("A3", b"\x81" + (at * 20).to_bytes(2, "big") + b"\x80" + b"\0" * 9) for at in range(round(seconds * 50))
    )
    cluster = _element("1F43B675", _element("E7", b"\0") + blocks, known=duration)
    return _element("1A45DFA3", _element("4282", b"webm")) + _element("18538067", info + tracks + cluster, known=duration)


def _element(name: str, held: bytes, *, known: bool = True) -> bytes:
    size = (1 << 56 | len(held)).to_bytes(8, "big") if known else b"\x01" + b"\xff" * 7
    return bytes.fromhex(name) + size + held


def m4a(seconds: float = 0.5, *, fragments: bool = False, kind: bytes = b"soun", version: int = 0) -> bytes:
    """In `fragments`, as Safari records, the header does not know how long it is."""
    length = 0 if fragments else round(seconds * 1000)
    times = struct.pack(">QQIQ", 0, 0, 1000, length) if version else struct.pack(">IIII", 0, 0, 1000, length)
    entry = _box(b"mp4a", bytes(6) + b"\0\x01" + bytes(8) + struct.pack(">HH", 2, 16) + bytes(8))
    described = _box(b"stsd", bytes(4) + struct.pack(">I", 1) + entry)
    medium = _box(b"mdhd", bytes((version, 0, 0, 0)) + times + bytes(4)) + _box(b"hdlr", bytes(8) + kind + bytes(13))
    head = _box(b"tkhd", bytes(12) + struct.pack(">I", 7) + bytes(68))
    track = _box(b"trak", head + _box(b"mdia", medium + _box(b"minf", _box(b"stbl", described))))
    extends = _box(b"mvex", _box(b"trex", bytes(4) + struct.pack(">IIIII", 7, 1, 100, 0, 0))) if fragments else b""
    parts = b"".join(_fragment(flags) for flags in ((0, 0x100) * 500)[: round(seconds * 10)]) if fragments else b""
    return _box(b"ftyp", b"M4A \0\0\0\0") + _box(b"moov", track + extends) + parts + _box(b"mdat", b"\0" * 64)


def _fragment(flags: int) -> bytes:
    """100 ms in one sample: as long as all are, or as this one says."""
    run = struct.pack(">II", flags, 1) + (struct.pack(">I", 100) if flags else b"")
    return _box(b"moof", _box(b"traf", _box(b"tfhd", struct.pack(">II", 0, 7)) + _box(b"trun", run)))


def _box(name: bytes, held: bytes) -> bytes:
    return struct.pack(">I", 8 + len(held)) + name + held


def aiff(seconds: float = 0.5) -> bytes:
    frames = round(seconds * 8_000)
    rate = bytes.fromhex("400bfa00000000000000")
    about = b"COMM" + struct.pack(">IHIH", 18, 1, frames, 8) + rate
    sound = b"SSND" + struct.pack(">III", 8 + frames, 0, 0) + bytes(frames)
    return b"FORM" + struct.pack(">I", 4 + len(about) + len(sound)) + b"AIFF" + about + sound


FORMATS: Mapping[str, Callable[..., bytes]] = {
    "aac": aac,
    "aiff": aiff,
    "flac": flac,
    "m4a": m4a,
    "mp3": mp3,
    "ogg": ogg,
    "wav": wav,
    "webm": webm,
}
