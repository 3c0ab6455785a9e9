"""Transcriptions of ElevenLabs: a form with names of its own, an answer in words and in what is between them.

https://elevenlabs.io/docs/api-reference/speech-to-text/convert
"""

from haimaker.adapters.elevenlabs.failures import read_error
from haimaker.adapters.transcription_fields import read_list, read_transcript, split_fields, to_form_fields
from haimaker.http import multipart
from haimaker.http.errors import BadGatewayError
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.transcriptions import TranscriptionRequest
from haimaker.operations.transcripts import Transcript, merge_channels, read_spoken

__all__ = ["from_upstream", "read_error", "to_upstream"]

PATH = "/speech-to-text"


def to_upstream(request: TranscriptionRequest, attempt: Attempt) -> UpstreamRequest:
    passed, lost = split_fields(request, ("language", "temperature", "keywords"))
    fields = request.fields
    body: JSON = {"model_id": attempt.model}
    if fields.language:
        body["language_code"] = fields.language
    if fields.temperature is not None:
        body["temperature"] = fields.temperature
    if request.wants_speakers:
        body["diarize"] = "true"
    if words := read_list(request, "keywords"):
        body["keyterms"] = words
    content_type, raw = multipart.encode(to_form_fields({**body, **passed}), [("file", request.file)])
    return UpstreamRequest(PATH, raw, {"content-type": content_type}, dropped=lost)


def from_upstream(answer: UpstreamBody, request: TranscriptionRequest, attempt: Attempt) -> Result:
    """The transcript; where each channel has one of its own, all of them merged."""
    body = answer.object()
    channels = body["transcripts"] if isinstance(body.get("transcripts"), list) else [body]
    heard = [each for each in channels if isinstance(each, dict) and "text" in each]
    if not heard:
        raise BadGatewayError("The provider's answer has no transcript.", code="invalid_provider_response")
    words = merge_channels([read_spoken(each.get("words"), "text", speaker="speaker_id") for each in heard])
    seconds = body.get("audio_duration_secs")
    transcript = Transcript(
        "\n".join(read_transcript(each["text"]) for each in heard),
        (),
        words,
        next((str(each["language_code"]) for each in heard if each.get("language_code")), request.fields.language),
        seconds if isinstance(seconds, int | float) else None,
    )
    return request.build_result(transcript, request.billed_usage(None, seconds, attempt))
