"""What the adapters for speech have in common: a request in the terms of a row, formats of sound, and answers in base64. Pure.

A row says which formats its provider has, the usual one first, and which voices are meant by OpenAI's names.
"""

import base64
import binascii
import re
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from haimaker.adapters.openai.requests import renamed, taken
from haimaker.adapters.parameters import OURS
from haimaker.errors import BadGatewayError, BadRequestError
from haimaker.provider import Provider
from haimaker.tasks.speech import SpeechRequest
from haimaker.wire import JSON, Attempt, UpstreamResponse

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
UNKNOWN_BYTES = 0xFFFF_FFFF
"""In the header of a wav whose end is not known yet, as OpenAI has it."""
HEADER_BYTES = 36
OUR_FIELDS = OURS | {"stream_format"}


class Order(NamedTuple):
    """A request in the terms of a row."""

    body: JSON
    """The client's fields under the provider's names, without those that it does not take."""
    voice: str | None
    format: str
    """In OpenAI's terms, of what the client gets."""
    dropped: tuple[str, ...]


def order(request: SpeechRequest, attempt: Attempt) -> Order:
    """Raises BadRequestError."""
    row, forced = attempt.provider.for_model(attempt.facts.model), bool(request.body.get("drop_params"))
    request.check_length(row.most_characters)
    sound, lost = _format(request, row, forced=forced)
    sent = {name: value for name, value in request.body.items() if name not in OUR_FIELDS and name not in lost}
    body, dropped = taken(renamed(sent, row.rename), row, forced=forced)
    body = {**row.add, **{name: value for name, value in body.items() if value is not None}, "model": attempt.model}
    for name, spellings in row.values.items():
        if isinstance(body.get(name), str):
            body[name] = spellings.get(body[name], body[name])
    return Order(body, _voice(body), sound, (*dropped, *lost))


def _format(request: SpeechRequest, row: Provider, *, forced: bool) -> tuple[str, tuple[str, ...]]:
    wanted, has = request.fields.response_format, row.formats
    if wanted is None or not has or wanted in has:
        return wanted or next(iter(has), USUAL_FORMAT), ()
    if forced:
        return has[0], ("response_format",)
    message = f"The model does not give sound as '{wanted}', only as {', '.join(has)}."
    raise BadRequestError(message, param="response_format", code="unsupported_value")


def _voice(body: JSON) -> str | None:
    """By its name, or by the id of one of the client's own."""
    voice = body.get("voice")
    found = voice.get("id") if isinstance(voice, dict) else voice
    return found if isinstance(found, str) else None


def is_sound(answer: UpstreamResponse) -> bool:
    """Whether the content type says so, or says nothing."""
    kind = answer.headers.get("content-type", "")
    return kind.startswith(("audio/", "application/octet-stream", "binary/")) or not kind


def decoded(text: object) -> bytes:
    """Sound in base64, with or without its padding. Raises BadGatewayError."""
    if not isinstance(text, str):
        raise no_sound()
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadGatewayError("The provider's sound is not in base64.", code="invalid_provider_response") from None


def no_sound() -> BadGatewayError:
    return BadGatewayError("The provider's answer has no sound.", code="invalid_provider_response")


def cut() -> BadGatewayError:
    return BadGatewayError("The provider's stream ended before the answer was complete.", code="stream_interrupted")


def as_wav(pieces: Iterator[bytes], rate: int = PCM_RATE) -> Iterator[bytes]:
    """Samples of 16 bits and one channel behind the header that makes them a file: http://soundfile.sapp.org/doc/WaveFormat/"""
    first = next(pieces, None)
    if first is not None:
        yield wav_header(rate) + first
        yield from pieces


def wav_header(rate: int, sample_bytes: int = UNKNOWN_BYTES) -> bytes:
    size = min(sample_bytes + HEADER_BYTES, UNKNOWN_BYTES)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", size, b"WAVE") + form + struct.pack("<4sI", b"data", sample_bytes)


def rate_of(content_type: str) -> int:
    """Of samples, as `audio/L16;codec=pcm;rate=24000` says it."""
    found = re.search(r"rate=(\d{4,6})\b", content_type)
    return int(found[1]) if found else PCM_RATE
