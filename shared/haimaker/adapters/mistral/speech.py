"""Speech of Mistral: events as OpenAI has them, or all of it in base64; its bare samples are floats, which become integers.

https://docs.mistral.ai/api/endpoint/audio/speech
"""

import array
import sys
from collections.abc import Iterator

from haimaker.adapters.openai import speech
from haimaker.adapters.openai.speech import read_error
from haimaker.adapters.prepared_speech import prepare
from haimaker.http.sse import dumps
from haimaker.http.values import UpstreamRequest, UpstreamResponse
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import ByteStream
from haimaker.operations.speech import SpeechRequest
from haimaker.pricing.usage import Usage

__all__ = ["from_bytes", "read_error", "to_upstream"]

FLOAT_BYTES = 4
LOUDEST = 32_767


def to_upstream(request: SpeechRequest, attempt: Attempt) -> UpstreamRequest:
    asked = prepare(request, attempt)
    body = {"stream": True, **asked.body, "response_format": asked.format}
    return UpstreamRequest(speech.PATH, dumps(body), {"content-type": "application/json"}, dropped=asked.dropped)


def from_bytes(answer: UpstreamResponse, request: SpeechRequest, attempt: Attempt) -> ByteStream:
    sound = speech.from_bytes(answer, request, attempt)
    return sound._replace(pieces=_as_integers(sound.pieces)) if prepare(request, attempt).format == "pcm" else sound


def _as_integers(pieces: Iterator[bytes | Usage]) -> Iterator[bytes | Usage]:
    """Samples of 32 bits as OpenAI's of 16, however they are split."""
    left = b""
    for piece in pieces:
        if isinstance(piece, Usage):
            yield piece
            continue
        left += piece
        whole = len(left) - len(left) % FLOAT_BYTES
        floats, left = array.array("f", left[:whole]), left[whole:]
        if sys.byteorder == "big":
            floats.byteswap()
        loud = (LOUDEST if not sample <= 1 else -LOUDEST if sample < -1 else round(sample * LOUDEST) for sample in floats)
        samples = array.array("h", loud)
        if sys.byteorder == "big":
            samples.byteswap()
        yield samples.tobytes()
