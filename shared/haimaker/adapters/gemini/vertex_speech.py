"""Speech of Gemini's models on Vertex AI: the same body, under the publisher's name.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/speech/text-to-speech
"""

from haimaker.adapters.gemini import speech
from haimaker.adapters.gemini.speech import from_bytes, read_error
from haimaker.http.values import UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.speech import SpeechRequest

__all__ = ["from_bytes", "read_error", "to_upstream"]


def to_upstream(request: SpeechRequest, attempt: Attempt) -> UpstreamRequest:
    call = speech.to_upstream(request, attempt)
    return replace(call, path=f"/publishers/google{call.path}")
