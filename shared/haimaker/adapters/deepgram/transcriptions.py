"""Transcriptions of Deepgram: the file is the body, everything else is in the query.

https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded
"""

from urllib.parse import urlencode

from haimaker.adapters.deepgram.failures import read_error
from haimaker.adapters.transcription_fields import read_list, read_transcript, split_fields, to_form_fields
from haimaker.http.errors import BadGatewayError
from haimaker.http.json import as_object, as_objects
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.transcriptions import TranscriptionRequest
from haimaker.operations.transcripts import Transcript, merge_channels, read_spoken

__all__ = ["from_upstream", "read_error", "to_upstream"]


def to_upstream(request: TranscriptionRequest, attempt: Attempt) -> UpstreamRequest:
    passed, lost = split_fields(request, ("language", "keywords"))
    fields = request.fields
    query: JSON = {"model": attempt.model, "smart_format": "true"}
    query |= {"language": fields.language} if fields.language else {"detect_language": "true"}
    if request.wants_times:
        query["utterances"] = "true"
    if request.wants_speakers:
        query["diarize"] = "true"
    if words := read_list(request, "keywords"):
        query["keyterm" if "deepgram-nova-3" in attempt.traits.families else "keywords"] = words
    path = f"/listen?{urlencode(to_form_fields({**query, **passed}))}"
    return UpstreamRequest(path, request.file.data, {"content-type": request.sound.content_type}, dropped=lost)


def from_upstream(answer: UpstreamBody, request: TranscriptionRequest, attempt: Attempt) -> Result:
    body = answer.object()
    found = as_object(body.get("results"))
    channels = as_objects(found.get("channels"))
    if not isinstance(found.get("channels"), list):
        raise BadGatewayError("The provider's answer has no transcript.", code="invalid_provider_response")
    best = [next(iter(as_objects(channel.get("alternatives"))), {}) for channel in channels]
    words = merge_channels([read_spoken(each.get("words"), "punctuated_word", "word") for each in best])
    metadata = as_object(body.get("metadata"))
    transcript = Transcript(
        "\n".join(read_transcript(each.get("transcript")) for each in best),
        read_spoken(found.get("utterances"), "transcript"),
        words,
        next((str(each["detected_language"]) for each in channels if each.get("detected_language")), request.fields.language),
        metadata.get("duration") if isinstance(metadata.get("duration"), int | float) else None,
    )
    return request.build_result(transcript, request.billed_usage(None, metadata.get("duration"), attempt))
