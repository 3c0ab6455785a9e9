"""What the adapters for speech have in common: a request in the terms of a dialect, formats of sound, and answers in base64. Pure.

A dialect says which formats its provider has, the default first, and which voices are meant by OpenAI's names.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from haimaker.adapters.openai.requests import drop_unsupported, rename_fields
from haimaker.http import errors
from haimaker.http.errors import BadGatewayError, BadRequestError, missing_parameter
from haimaker.http.json import read_or_none, to_whole_number
from haimaker.http.values import JSON, ErrorFields, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS
from haimaker.operations.operation import ByteStream
from haimaker.operations.speech import SpeechRequest
from haimaker.pricing.usage import Usage
from haimaker.providers.provider import Dialect

CONTENT_TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
"""Opus comes inside Ogg: https://www.rfc-editor.org/rfc/rfc7845#section-9"""
USUAL_FORMAT = "mp3"
PCM_RATE = 24_000
"""Of bare samples, 16 bits of one channel: https://platform.openai.com/docs/guides/text-to-speech#supported-output-formats"""
SAMPLE_BYTES = 2
MP3_KBIT_S = 128
MP3_QUALITY = 5
"""Of 2, the best, to 7, the fastest: https://github.com/chrisstaite/lameenc"""
UNKNOWN_BYTES = 0xFFFF_FFFF
"""The size in the header of a wav whose end is not known yet, as OpenAI writes it."""
OUR_FIELDS = OURS | {"stream_format"}
OPENAI_FIELDS = frozenset({"input", "instructions", "model", "response_format", "speed", "stream", "user", "voice"})


class PreparedSpeech(NamedTuple):
    """A request in a provider's terms."""

    body: JSON
    """The client's fields under the provider's names, without those that it does not take."""
    voice: str | None
    format: str
    """The format that the client gets, in OpenAI's terms."""
    dropped: tuple[str, ...]


def prepare(request: SpeechRequest, attempt: Attempt) -> PreparedSpeech:
    """Raises BadRequestError."""
    dialect, limits = attempt.provider.dialect, attempt.provider.limits
    forced = bool(request.body.get("drop_params"))
    request.check_length(limits.max_characters)
    sound, lost = _format(request, dialect, forced=forced)
    if limits.speeds and not limits.speeds[0] <= (request.fields.speed or 1) <= limits.speeds[1]:
        if not forced:
            message = f"The model speaks {limits.speeds[0]} to {limits.speeds[1]} times as fast as usual, no slower and no faster."
            raise BadRequestError(message, param="speed", code="unsupported_value")
        lost = (*lost, "speed")
    sent = {name: value for name, value in request.body.items() if name not in OUR_FIELDS and name not in lost}
    body, dropped = drop_unsupported(rename_fields(sent, dialect.rename), dialect, forced=forced)
    body = {**dialect.add, **{name: value for name, value in body.items() if value is not None}, "model": attempt.model}
    for name, spellings in dialect.values.items():
        if isinstance(body.get(name), str):
            body[name] = spellings.get(body[name], body[name])
    return PreparedSpeech(body, _voice(body), sound, (*dropped, *lost))


def _format(request: SpeechRequest, dialect: Dialect, *, forced: bool) -> tuple[str, tuple[str, ...]]:
    wanted, has = request.fields.response_format, dialect.audio_formats
    if wanted is None or not has or wanted in has:
        return wanted or next(iter(has), USUAL_FORMAT), ()
    if forced:
        return has[0], ("response_format",)
    message = f"The model does not give sound as '{wanted}', only as {', '.join(has)}."
    raise BadRequestError(message, param="response_format", code="unsupported_value")


def _voice(body: JSON) -> str | None:
    """The voice that is asked for: its name, or the id of one of the client's own."""
    voice = body.get("voice")
    found = voice.get("id") if isinstance(voice, dict) else voice
    return found if isinstance(found, str) else None


def voice_of(asked: PreparedSpeech) -> str:
    """Raises BadRequestError where none is named, and the dialect has none for such."""
    if asked.voice is None:
        raise missing_parameter("voice")
    if asked.voice in (".", ".."):  # in an address they would lead elsewhere
        raise BadRequestError("There is no such voice.", param="voice", code="invalid_value")
    return asked.voice


def vendor_fields(body: JSON) -> JSON:
    """The fields that OpenAI does not have, for a provider that may."""
    return {name: value for name, value in body.items() if name not in OPENAI_FIELDS}


def to_byte_stream(
    answer: UpstreamResponse,
    request: SpeechRequest,
    attempt: Attempt,
    read_error: Callable[[object], ErrorFields],
    counted: str = "",
) -> ByteStream:
    """The sound of a provider that sends nothing but its bytes; the header `counted` has the characters that it bills."""
    characters = to_whole_number(answer.headers.get(counted, "")) or 0
    pieces = _bytes(answer, request.billed_usage(attempt, characters=characters), read_error)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return ByteStream(kind if kind in CONTENT_TYPES.values() else CONTENT_TYPES[prepare(request, attempt).format], pieces)


def _bytes(answer: UpstreamResponse, used: Usage | None, read_error: Callable[[object], ErrorFields]) -> Iterator[bytes | Usage]:
    if not is_sound(answer):
        raise errors.from_upstream(502, read_error(read_object(answer)), {})
    if used:
        yield used
    yield from answer.pieces


def read_object(answer: UpstreamResponse) -> JSON:
    """The answer as a JSON object. Raises BadGatewayError for any other."""
    body = read_or_none(b"".join(answer.pieces))
    if not isinstance(body, dict):
        raise no_sound_error()
    return body


def is_sound(answer: UpstreamResponse) -> bool:
    """Whether the content type says so, or says nothing."""
    kind = answer.headers.get("content-type", "")
    return kind.startswith(("audio/", "application/octet-stream", "binary/")) or not kind


def decode_sound(text: object) -> bytes:
    """Sound in base64, with or without its padding. Raises BadGatewayError."""
    if not isinstance(text, str):
        raise no_sound_error()
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadGatewayError("The provider's sound is not in base64.", code="invalid_provider_response") from None


def no_sound_error() -> BadGatewayError:
    return BadGatewayError("The provider's answer has no sound.", code="invalid_provider_response")


def cut_sound_error() -> BadGatewayError:
    return BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")


def to_wav(sound: ByteStream, rate: int = PCM_RATE) -> ByteStream:
    """Samples of 16 bits and one channel behind the header that makes them a file."""
    return ByteStream(CONTENT_TYPES["wav"], _behind_header(sound.pieces, rate))


def _behind_header(pieces: Iterator[bytes | Usage], rate: int) -> Iterator[bytes | Usage]:
    begun = False
    for piece in pieces:
        if isinstance(piece, bytes) and piece and not begun:
            begun, piece = True, wav_header(rate) + piece
        yield piece


def to_mp3(sound: ByteStream, rate: int = PCM_RATE) -> ByteStream:
    """The same samples, encoded while they come."""
    return ByteStream(CONTENT_TYPES["mp3"], _encoded(sound.pieces, rate))


def _encoded(pieces: Iterator[bytes | Usage], rate: int) -> Iterator[bytes | Usage]:
    from lameenc import Encoder  # few providers give nothing but samples

    encoder = Encoder()
    encoder.set_in_sample_rate(rate)
    encoder.set_channels(1)
    encoder.set_bit_rate(MP3_KBIT_S)
    encoder.set_quality(MP3_QUALITY)
    encoder.silence()
    left = b""
    for piece in pieces:
        if isinstance(piece, Usage):
            yield piece
            continue
        left += piece
        whole = len(left) - len(left) % SAMPLE_BYTES
        yield bytes(encoder.encode(left[:whole]))
        left = left[whole:]
    yield bytes(encoder.flush())


def wav_header(rate: int) -> bytes:
    """http://soundfile.sapp.org/doc/WaveFormat/"""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", UNKNOWN_BYTES, b"WAVE") + form + struct.pack("<4sI", b"data", UNKNOWN_BYTES)
