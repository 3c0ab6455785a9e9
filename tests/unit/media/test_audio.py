"""How long files of sound are: each format as it comes, streamed, cut, and in the hands of somebody who means harm."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from haimaker.media import audio
from haimaker.media.audio import UnreadableAudio
from tests.support import sounds
from tests.support.sounds import FORMATS

FRAME_MS = 65
"""The longest frame of any format here: lengths are whole numbers of them."""


@pytest.mark.parametrize("seconds", [0.3, 2.0, 21.0])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_says_how_long_it_is(kind: str, seconds: float) -> None:
    found = audio.probe(FORMATS[kind](seconds))
    assert found.kind == kind
    assert abs(found.duration_ms - seconds * 1000) <= FRAME_MS
    assert found.content_type.startswith("audio/")


@pytest.mark.parametrize(
    ("data", "seconds", "channels"),
    [
        (sounds.wav(1.5, channels=2), 1.5, 2),
        (sounds.wav(1.5, size=sounds.SIZES_UNKNOWN), 1.5, 1),
        (sounds.wav(1.5, size=0x7FFFFFFF), 1.5, 1),
        (sounds.wav(1.5, size=0), 1.5, 1),
        (sounds.flac(1.5, total=False), 1.5, 1),
        (sounds.ogg(1.5, codec="vorbis"), 1.5, 1),
        (sounds.ogg(1.5, codec="speex"), 1.5, 1),
        (sounds.ogg(1.5, codec="flac"), 1.5, 1),
        (sounds.webm(1.5, duration=False), 1.6, 2),
        (sounds.m4a(1.5, fragments=True), 1.5, 2),
        (sounds.m4a(1.5, version=1), 1.5, 2),
        (b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + sounds.mp3(1.5), 1.5, 1),
    ],
    ids=lambda value: "",
)
def test_forms_of_formats(data: bytes, seconds: float, channels: int) -> None:
    found = audio.probe(data)
    assert abs(found.duration_ms - seconds * 1000) <= 40
    assert found.channels == channels


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("mp3", "aiff")])
def test_a_file_that_is_cut_off_is_refused(kind: str) -> None:
    """MP3 has no end that could be missed, unless its first frame tells of it."""
    whole = FORMATS[kind](3.0)
    with pytest.raises(UnreadableAudio, match=r"cut off|damaged"):
        audio.probe(whole[: len(whole) * 2 // 3])


def test_an_mp3_that_tells_how_long_it_is_may_be_cut() -> None:
    frames, size = 100, 100 * 208
    first = b"\xff\xfb\x50\xc4" + bytes(17) + b"Xing" + struct.pack(">III", 3, frames, size) + bytes(204)
    assert audio.probe(first[:208] + sounds.mp3(2.6)).duration_ms == 2613
    with pytest.raises(UnreadableAudio, match="cut off"):
        audio.probe(first[:208] + sounds.mp3(1.0))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        b"hello, this is a text",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b'{"file": "not a file"}',
        b"RIFF\x24\0\0\0WAVE",
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\x04\0\0\0abcd",
        sounds.wav(0),
        sounds.m4a(1.0, kind=b"vide"),
        b"ID3" + bytes(1000),
        b"OggS" + bytes(100),
        b"fLaC" + bytes(100),
        b"\x1a\x45\xdf\xa3" + bytes(100),
        b"\0\0\0\x08ftyp" + b"\0\0\0\x08moov" * 5_000,
        struct.pack(">I4s", 40_000, b"ftyp") * 5_000,
        b"\0\0\0\x08ftyp" + b"".join(struct.pack(">I4s", 8 * left, b"moov") for left in range(3_000, 0, -1)),
    ],
    ids=lambda value: "",
)
def test_what_is_no_sound_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableAudio):
        audio.probe(data)


STARTS = [data[:length] for build in FORMATS.values() for data in (build(0.3),) for length in (12, 48, 200, len(data))]


@given(st.sampled_from(STARTS), st.binary(max_size=300), st.integers(0, 400), st.binary(max_size=4))
@example(b"\xff\xf1", b"", 0, b"")
def test_no_bytes_break_it(start: bytes, rest: bytes, at: int, other: bytes) -> None:
    data = start[:at] + other + start[at + len(other) :] + rest
    try:
        found = audio.probe(data)
    except UnreadableAudio:
        return
    assert 0 < found.duration_ms <= audio.MAX_DURATION_S * 1000
    assert found.channels >= 1


@pytest.mark.parametrize("data", [sounds.flac(0.1) + b"\xff\xf8" * 500_000, b"fLaC\0\0\0\x22" + b"\xff\xf9" * 500_000])
def test_a_file_that_is_all_beginnings_of_frames_is_read_once(data: bytes) -> None:
    """It would take hours if the search for the last frame began anew at each."""
    try:
        assert audio.probe(data).duration_ms == 100
    except UnreadableAudio:
        assert not data.startswith(sounds.flac(0.1)[:40])
