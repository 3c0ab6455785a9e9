"""Transcriptions of xAI: a form without a model, the file last. https://docs.x.ai/developers/model-capabilities/audio/speech-to-text"""

from haimaker.adapters.openai.failures import read_error
from haimaker.adapters.transcription_fields import read_answer, read_list, read_transcript, split_fields, to_form_fields
from haimaker.http import multipart
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.transcriptions import TranscriptionRequest
from haimaker.operations.transcripts import Transcript, read_spoken

__all__ = ["from_upstream", "read_error", "to_upstream"]

PATH = "/stt"


def to_upstream(request: TranscriptionRequest, attempt: Attempt) -> UpstreamRequest:
    passed, lost = split_fields(request, ("language", "keywords"))
    body: JSON = {}
    if request.fields.language:
        body["language"] = request.fields.language
    if request.wants_speakers:
        body["diarize"] = "true"
    if words := read_list(request, "keywords"):
        body["keyterm"] = words
    content_type, raw = multipart.encode(to_form_fields({**body, **passed}), [("file", request.file)])
    return UpstreamRequest(PATH, raw, {"content-type": content_type}, dropped=lost)


def from_upstream(answer: UpstreamBody, request: TranscriptionRequest, attempt: Attempt) -> Result:
    body = read_answer(answer)
    seconds = body.get("duration")
    transcript = Transcript(
        read_transcript(body["text"]),
        (),
        read_spoken(body.get("words"), "text"),
        str(body.get("language") or "") or request.fields.language,
        seconds if isinstance(seconds, int | float) else None,
    )
    return request.build_result(transcript, request.billed_usage(None, seconds, attempt))
