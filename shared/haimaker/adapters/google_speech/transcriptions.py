"""Transcriptions of Chirp, by Google Cloud Speech-to-Text: up to a minute of sound in a call.

https://docs.cloud.google.com/speech-to-text/docs/reference/rest/v2/projects.locations.recognizers/recognize
"""

from haimaker.adapters.gemini.failures import from_body, read_error
from haimaker.adapters.transcription_fields import encode_file, split_fields
from haimaker.http.errors import BadGatewayError
from haimaker.http.json import as_object, as_objects, as_text
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, UpstreamRequest
from haimaker.operations.attempt import Attempt
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.transcriptions import TranscriptionRequest
from haimaker.operations.transcripts import Transcript, read_spoken, to_seconds

__all__ = ["from_upstream", "read_error", "to_upstream"]

PATH = "/recognizers/_:recognize"


def to_upstream(request: TranscriptionRequest, attempt: Attempt) -> UpstreamRequest:
    _, lost = split_fields(request, ("language", "languages"))
    languages = [request.fields.language] if request.fields.language else ["auto"]
    features: JSON = {"enableAutomaticPunctuation": True}
    if request.wants_times or request.wants_words:
        features["enableWordTimeOffsets"] = True
    if request.wants_speakers:
        features["diarizationConfig"] = {}
    config = {"model": attempt.model, "languageCodes": languages, "autoDecodingConfig": {}, "features": features}
    body = {"config": config, "content": encode_file(request)}
    return UpstreamRequest(PATH, dumps(body), {"content-type": "application/json"}, dropped=lost)


def from_upstream(answer: UpstreamBody, request: TranscriptionRequest, attempt: Attempt) -> Result:
    """A sound in which nothing is said has no results."""
    body = answer.object()
    if body.get("error"):
        raise from_body(body)
    if "results" not in body and "metadata" not in body:
        raise BadGatewayError("The provider's answer has no transcript.", code="invalid_provider_response")
    results = as_objects(body.get("results"))
    best = [as_objects(result.get("alternatives"))[:1] for result in results]
    heard = [as_object(alternatives[0] if alternatives else None) for alternatives in best]
    words = [
        word
        for each in heard
        for word in read_spoken(each.get("words"), "word", speaker="speakerLabel", start="startOffset", end="endOffset")
    ]
    text = " ".join(as_text(each.get("transcript")).strip() for each in heard).strip()
    language = next((as_text(result.get("languageCode")) for result in results if result.get("languageCode")), None)
    billed = to_seconds(as_object(body.get("metadata")).get("totalBilledDuration"))
    transcript = Transcript(text, (), words, language or request.fields.language)
    return request.build_result(transcript, request.billed_usage(None, billed, attempt))
