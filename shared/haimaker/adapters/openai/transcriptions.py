"""Transcriptions and translations of OpenAI and of every provider that takes its form. Edits what must change, passes the rest.

https://platform.openai.com/docs/api-reference/audio/createTranscription; vLLM streams its own chunks:
https://docs.vllm.ai/en/latest/serving/openai_compatible_server/#transcriptions-api
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haimaker.adapters.events import json_object
from haimaker.adapters.openai.failures import from_body, is_failure, read_error
from haimaker.adapters.openai.requests import drop_unsupported, rename_fields
from haimaker.http import multipart
from haimaker.http.errors import BadGatewayError
from haimaker.http.values import JSON, Event, StreamEvent, UpstreamRequest
from haimaker.operations import transcripts
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS
from haimaker.operations.operation import Result, UpstreamBody
from haimaker.operations.transcriptions import TranscriptionRequest
from haimaker.operations.transcripts import TEXTS, Transcript, read_spoken

__all__ = ["from_stream", "from_upstream", "read_error", "to_upstream"]

PATHS: Mapping[str, str] = {"audio_transcriptions": "/audio/transcriptions", "audio_translations": "/audio/translations"}
DONE = b"[DONE]"


def to_upstream(request: TranscriptionRequest, attempt: Attempt) -> UpstreamRequest:
    dialect = attempt.provider.dialect
    body: JSON = {name: value for name, value in request.body.items() if name not in OURS}
    body, dropped = drop_unsupported(rename_fields(body, dialect.rename), dialect, forced=request.fields.drop_params)
    for name, spellings in dialect.values.items():
        if isinstance(body.get(name), str):
            body[name] = spellings.get(body[name], body[name])
    asked = {**dialect.add, **body, "model": attempt.model}
    fields = [(name, each) for name, value in asked.items() for each in (value if isinstance(value, list) else [value])]
    others = [(name, file) for name, file in request.files if name != "file"]
    content_type, raw = multipart.encode(
        [(name, value) for name, value in fields if isinstance(value, str) and value], [*others, ("file", request.file)]
    )
    return UpstreamRequest(PATHS[request.operation], raw, {"content-type": content_type, **dialect.headers}, dropped=dropped)


def from_upstream(answer: UpstreamBody, request: TranscriptionRequest, attempt: Attempt) -> Result:
    body = _body(answer)
    if isinstance(body, str):
        return _of_text(body, request, attempt)
    if isinstance(body, dict) and "text" not in body and is_failure(body):
        raise from_body(body)
    if not isinstance(body, dict) or not isinstance(body.get("text", 0), str | None):
        raise BadGatewayError("The provider's answer has no transcript.", code="invalid_provider_response")
    tokens = request.billed_usage(body.get("usage"), body.get("duration"), attempt)
    if request.fields.response_format in TEXTS:
        segments, words = read_spoken(body.get("segments"), "text"), read_spoken(body.get("words"), "word")
        return request.build_result(Transcript(body["text"] or "", segments, words), tokens)
    used = {"usage": _complete_usage(body["usage"])} if isinstance(body.get("usage"), dict) and body["usage"] else {}
    kept = {name: value for name, value in body.items() if name != "duration"}
    return Result({**kept, "text": body["text"] or "", **_head(body, request), **used}, tokens)


def from_stream(events: Iterable[Event], request: TranscriptionRequest, attempt: Attempt) -> Iterator[StreamEvent]:
    text, used = "", None
    for event in events:
        if event.data.strip() == DONE:
            yield StreamEvent(_ending(request.end_event(text, used), request, attempt))
            return
        body = json_object(event)
        if is_failure(body):
            raise from_body(body)
        kind, used = str(body.get("type")), body.get("usage") or used
        if kind == "transcript.text.done":
            yield StreamEvent(_ending(body, request, attempt))
            return
        if kind.startswith("transcript."):
            yield StreamEvent(body, event.data)
        elif delta := _delta(body):
            text += delta
            yield StreamEvent({"type": "transcript.text.delta", "delta": delta})


def _ending(body: JSON, request: TranscriptionRequest, attempt: Attempt) -> JSON:
    """The last event with what was used, as far as that is known."""
    if isinstance(body.get("usage"), dict) and body["usage"]:
        return {**body, "usage": _complete_usage(body["usage"])}
    tokens = request.billed_usage(None, None, attempt)
    return {**body, "usage": request.usage_object(tokens)} if tokens else body


def _body(answer: UpstreamBody) -> Any:
    """A JSON body, or a text, which a format such as `srt` is."""
    text = answer.raw.decode("utf-8", "replace")
    kind = answer.headers.get("content-type", "")
    if kind.startswith("text/html"):
        raise BadGatewayError("The provider's answer is a web page.", code="invalid_provider_response")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        if "json" in kind:
            raise BadGatewayError("The provider's answer is not JSON.", code="invalid_provider_response") from None
        return text
    return body if isinstance(body, dict) or "json" in kind else text


def _of_text(text: str, request: TranscriptionRequest, attempt: Attempt) -> Result:
    tokens = request.billed_usage(None, None, attempt)
    if request.streams or request.fields.response_format not in TEXTS:
        return request.build_result(Transcript(text.strip()), tokens)
    return Result(text, tokens)


def _head(body: JSON, request: TranscriptionRequest) -> JSON:
    """What a format with times has at its head, also where the server does not say it: the length is then that of the file."""
    language, said = body.get("language"), transcripts.to_seconds(body.get("duration"))
    if request.fields.response_format == "json":
        return {"duration": said} if said else {}
    speakers = request.fields.response_format == "diarized_json"
    named = {} if speakers else {"language": language if isinstance(language, str) else ""}
    return {**named, "duration": said or request.sound.duration_ms / 1000}


def _complete_usage(used: JSON) -> JSON:
    """The usage with its `type` and with OpenAI's names, which the SDK's types want."""
    if used.get("type"):
        return used
    if "prompt_tokens" in used:
        used = {"input_tokens": used["prompt_tokens"], "output_tokens": used.get("completion_tokens", 0), **used}
    return {"type": "tokens" if "input_tokens" in used else "duration", **used}


def _delta(body: JSON) -> str:
    """A piece in the way of vLLM's chat-like chunks, or a body with nothing but text."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    delta = first.get("delta")
    found = delta.get("content") if isinstance(delta, dict) else body.get("text")
    return found if isinstance(found, str) else ""
