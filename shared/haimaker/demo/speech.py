"""Speech of the `demo/` models: one short tone a letter, its height by the letter, silence for what is none. A real WAV, no voice.

https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

import base64
import json
import math
import struct
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from haimaker.demo import no_such_model
from haimaker.http.sse import dumps, encode_error
from haimaker.http.values import JSON, UpstreamRequest, UpstreamResponse

MODELS = ("speech",)
RATE = 24_000
LETTER_S = 0.06
FADE_S = 0.01
LOWEST_HZ = 220.0
LOUDNESS = 0.3
SEMITONES = 24
FORMATS = ("wav", "pcm")


def send(request: UpstreamRequest, request_id: str, created_s: int) -> UpstreamResponse:
    body: JSON = json.loads(request.body)
    if body["model"] not in MODELS:
        return no_such_model(body["model"], MODELS)
    sound = body["response_format"]
    if sound not in FORMATS:
        refused = dumps({"error": {"message": f"The demo has no {sound!r}, only wav and pcm.", "param": "response_format"}})
        return UpstreamResponse(400, {"content-type": "application/json"}, iter([refused]))
    letter_samples = max(1, int(RATE * LETTER_S / (body.get("speed") or 1)))
    begin = [header(len(body["input"]) * letter_samples * 2)] if sound == "wav" else []
    return UpstreamResponse(200, {"content-type": "text/event-stream"}, _events(begin, body["input"], letter_samples))


def _events(begin: list[bytes], text: str, letter_samples: int) -> Iterator[bytes]:
    tones = (tone(ord(letter) % SEMITONES if letter.isalnum() else None, letter_samples) for letter in text)
    for piece in chain(begin, tones):
        yield encode_error({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
    words = len(text.split())
    used = {"input_tokens": words, "output_tokens": len(text), "total_tokens": words + len(text)}
    yield encode_error({"type": "speech.audio.done", "usage": used})


def header(sample_bytes: int) -> bytes:
    """http://soundfile.sapp.org/doc/WaveFormat/"""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", sample_bytes + 36, b"WAVE") + form + struct.pack("<4sI", b"data", sample_bytes)


@lru_cache(maxsize=64)
def tone(semitone: int | None, samples: int) -> bytes:
    """16-bit samples of one channel, silence where there is no tone."""
    if semitone is None:
        return bytes(2 * samples)
    step = 2 * math.pi * LOWEST_HZ * 2 ** (semitone / 12) / RATE
    fade = min(int(RATE * FADE_S), samples // 2) or 1
    loud = (min(1.0, at / fade, (samples - 1 - at) / fade) for at in range(samples))
    return struct.pack(f"<{samples}h", *(int(32_767 * LOUDNESS * each * math.sin(step * at)) for at, each in enumerate(loud)))
