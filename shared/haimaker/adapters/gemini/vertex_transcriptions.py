"""Transcriptions by Gemini on Vertex AI: the same, under the publisher's name."""

from haimaker.adapters.gemini import transcriptions
from haimaker.adapters.gemini.transcriptions import from_stream, from_upstream, read_error
from haimaker.http.values import UpstreamRequest
from haimaker.lean_dataclasses import replace
from haimaker.operations.attempt import Attempt
from haimaker.operations.transcriptions import TranscriptionRequest

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]


def to_upstream(request: TranscriptionRequest, attempt: Attempt) -> UpstreamRequest:
    call = transcriptions.to_upstream(request, attempt)
    return replace(call, path=f"/publishers/google{call.path}")
