"""`POST /v1/audio/transcriptions` and `/translations`: what is asked, the most that it may cost, the formats of an answer. Pure.

https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from haimaker.http import multipart
from haimaker.http.errors import BadRequestError, invalid_parameter, missing_parameter
from haimaker.http.multipart import UploadedFile
from haimaker.http.values import JSON, Request, StreamEvent
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.lean_pydantic import Field, StrictStr, ValidationError
from haimaker.media import audio
from haimaker.media.audio import AudioInfo
from haimaker.models.catalog import ModelInfo
from haimaker.operations import transcripts
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import CommonFields, raise_validation_error
from haimaker.operations.operation import OperationRequest, ResponseKind, Result
from haimaker.operations.transcripts import TEXTS, Transcript
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage
from haimaker.validation.bounds import Text

ENDINGS = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "oga", "opus", "wav", "webm", "aac", "aiff", "wma", "mov", "mkv")
"""Some providers go by a file's name alone."""
HEARD_TOKENS_PER_S, MAX_HEARD_TOKENS_PER_S = 10, 40
"""OpenAI counts 10, Gemini 32: https://ai.google.dev/gemini-api/docs/audio#technical-details"""
SAID_TOKENS_PER_S, MAX_SAID_TOKENS_PER_S = 4, 25
"""The quickest speakers, in the languages that take most tokens."""
PROMPT_TOKENS = 1_024
"""What may stand around the sound and the client's words."""
MAX_S = 10**7
UNHEARD = AudioInfo("wav", 0, 1)
LISTS = ("timestamp_granularities", "include", "known_speaker_names", "known_speaker_references", "keywords", "languages")
"""Fields with several values, which some clients send without brackets."""
BY_CHANNEL = ("multichannel", "use_multi_channel")
"""Parameters with which each channel is billed on its own."""


class TranscriptionFields(CommonFields):
    """The fields that are read here. In a form all of them are texts."""

    stream: bool | None = None
    language: Annotated[StrictStr, Field(max_length=64)] | None = None
    prompt: Text | None = None
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"] = "json"
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    timestamp_granularities: Annotated[tuple[Literal["word", "segment"], ...], Field(max_length=16, fail_fast=True)] = ()
    diarize: bool = False
    drop_params: bool = False


Files = tuple[tuple[str, UploadedFile], ...]


@dataclass(frozen=True, slots=True)
class TranscriptionRequest(OperationRequest):
    """A file of sound. `body` is the rest of the form as it came: texts, and lists of them."""

    fields: TranscriptionFields
    sound: AudioInfo = UNHEARD
    translates: bool = False

    @property
    def operation(self) -> str:
        return "audio_translations" if self.translates else "audio_transcriptions"

    @property
    def response(self) -> ResponseKind:
        if self.streams:
            return "events"
        return "bytes" if self.fields.response_format in TEXTS else "json"

    @property
    def file(self) -> UploadedFile:
        """Named by what it is, for those who go by the name."""
        given = next(file for name, file in self.files if name == "file")
        ending = given.name.rpartition(".")[2].lower()
        name = given.name if ending in ENDINGS else f"{given.name.rstrip('.') or 'sound'}.{self.sound.kind}"
        is_told = given.content_type.startswith(("audio/", "video/"))
        return UploadedFile(name, given.content_type if is_told else self.sound.content_type, given.data)

    @property
    def wants_speakers(self) -> bool:
        return self.fields.diarize or self.fields.response_format == "diarized_json"

    @property
    def wants_words(self) -> bool:
        return "word" in self.fields.timestamp_granularities

    @property
    def wants_times(self) -> bool:
        return self.fields.response_format in ("srt", "vtt", "verbose_json", "diarized_json")

    def max_usage(self, attempt: Attempt, default_output_tokens: int = 0) -> Usage:
        seconds = math.ceil(self._billed_ms(attempt) / 1000) + 1
        if not is_billed_by_token(attempt.model_info):
            return Usage(input_ms=1000 * seconds, variant=self._variant)
        said = max(MAX_SAID_TOKENS_PER_S * seconds + PROMPT_TOKENS, attempt.model_info.max_output_tokens or 0)
        heard = MAX_HEARD_TOKENS_PER_S * seconds
        return Usage(input_audio=heard, input=self._words_bytes() + PROMPT_TOKENS, output=said, input_ms=1000 * seconds)

    def estimate_usage(self, attempt: Attempt, sent_bytes: int = 0) -> Usage:
        if not is_billed_by_token(attempt.model_info):
            return Usage(input_ms=self._billed_ms(attempt), variant=self._variant)
        seconds = math.ceil(self.sound.duration_ms / 1000)
        said = usage.estimate_tokens(sent_bytes) or SAID_TOKENS_PER_S * seconds
        return Usage(input_audio=HEARD_TOKENS_PER_S * seconds, input=usage.estimate_tokens(self._words_bytes()), output=said)

    def usage_from(self, used: JSON) -> Usage:
        """OpenAI counts tokens or seconds here, and says which."""
        counted = usage.from_openai({"input_tokens_details": used.get("input_token_details"), **used})
        if used.get("type") != "duration" and (counted.prompt or counted.completion):
            return counted
        return Usage(input_ms=_ms(used.get("seconds")), reported_units=counted.reported_units)

    def billed_usage(self, used: Any, seconds: Any, attempt: Attempt) -> Usage | None:
        """The usage as the target bills it: by what it says was used, or by how long the sound is. None where it alone could
        know."""
        said = self.usage_from(used) if isinstance(used, dict) else Usage()
        if is_billed_by_token(attempt.model_info):
            return replace(said, input_ms=0) if said.prompt or said.completion or said.reported_units else None
        heard_ms = said.input_ms or _ms(seconds) * self._channels() or self._billed_ms(attempt)
        return replace(said, input_ms=max(heard_ms, attempt.provider.limits.min_audio_ms), variant=self._variant)

    def usage_object(self, tokens: Usage) -> JSON:
        """The usage by length where that is billed, and in `verbose_json`, whose type tells no tokens; else by tokens."""
        prompt, completion, is_verbose = tokens.prompt, tokens.completion, self.fields.response_format == "verbose_json"
        if tokens.input_ms or is_verbose or not (prompt or completion):
            seconds = (tokens.input_ms or (self.sound.duration_ms if is_verbose else 0)) / 1000
            return {"type": "duration", "seconds": int(seconds) if seconds == int(seconds) else seconds}
        heard = tokens.input_audio + tokens.cached_audio
        counts = {"input_tokens": prompt, "output_tokens": completion, "total_tokens": prompt + completion}
        return {"type": "tokens", **counts, "input_token_details": {"text_tokens": prompt - heard, "audio_tokens": heard}}

    def build_result(self, transcript: Transcript, tokens: Usage | None) -> Result:
        """The answer in the format that was asked for."""
        heard_s = transcripts.to_seconds(transcript.duration_s) or self.sound.duration_ms / 1000
        body = self._shown(replace(transcript, duration_s=heard_s))
        return Result({**body, "usage": self.usage_object(tokens)} if tokens and isinstance(body, dict) else body, tokens)

    def as_events(self, result: Result) -> Iterator[StreamEvent]:
        """One piece and the end; before them the segments, for a client that wants speakers."""
        body: JSON = result.body if isinstance(result.body, dict) else {"text": str(result.body)}
        text = body.get("text") or ""
        if self.fields.response_format == "diarized_json":
            yield from (StreamEvent({**each, "type": "transcript.text.segment"}) for each in body.get("segments") or ())
        elif text:
            yield StreamEvent({"type": "transcript.text.delta", "delta": text})
        yield StreamEvent(self.end_event(text, body.get("usage")))

    def end_event(self, text: str, used: Any) -> JSON:
        """The event that ends a stream."""
        return {"type": "transcript.text.done", "text": text, **({"usage": used} if used else {})}

    def _shown(self, transcript: Transcript) -> JSON | str:
        wanted = self.fields.response_format
        if self.streams and wanted in TEXTS:
            wanted = "json"
        if wanted == "text":
            return transcript.text.rstrip("\n") + "\n"
        if wanted == "diarized_json":
            return transcripts.to_diarized(transcript)
        if wanted == "verbose_json":
            task = "translate" if self.translates else "transcribe"
            return transcripts.to_verbose(transcript, task, self.fields.timestamp_granularities)
        if wanted in TEXTS:
            whole = [transcripts.TimedText(0.0, transcript.duration_s or 0.0, transcript.text)] if transcript.text.strip() else []
            cues = transcript.timed_segments() or whole
            return transcripts.to_srt(cues) if wanted == "srt" else transcripts.to_vtt(cues)
        return {"text": transcript.text}

    @property
    def _variant(self) -> str:
        """Some charge more where speakers are told apart."""
        return "diarized" if self.wants_speakers else "plain"

    def _billed_ms(self, attempt: Attempt) -> int:
        return max(self.sound.duration_ms * self._channels(), attempt.provider.limits.min_audio_ms)

    def _channels(self) -> int:
        return self.sound.channels if any(self.body.get(name) in ("true", "True", "1") for name in BY_CHANNEL) else 1

    def _words_bytes(self) -> int:
        """The bytes of what the client says besides the sound. A sound that was uploaded before is not in the request."""
        return max(0, self.size - len(self.file.data)) or self.size


def parse_transcription(request: Request) -> TranscriptionRequest:
    """Raises BadRequestError."""
    return _parse(request, translates=False)


def parse_translation(request: Request) -> TranscriptionRequest:
    """Raises BadRequestError."""
    return _parse(request, translates=True)


def is_billed_by_token(model_info: ModelInfo) -> bool:
    """Whether a model is billed by tokens: of those with a price by the second as well it is only about what these come to."""
    return "output_cost_per_token" in model_info.rates


def _parse(request: Request, *, translates: bool) -> TranscriptionRequest:
    form = multipart.decode(request.headers.get("content-type", ""), request.body)
    body = _body(form.fields)
    if "model" in request.path:
        body["model"] = request.path["model"]
    try:
        fields = TranscriptionFields.model_validate({name.removesuffix("[]"): value for name, value in body.items()})
    except ValidationError as error:
        raise_validation_error(error)
    files = _with_upload(form.files, body.pop("file_id", None), request)
    body.pop("drop_params", None)
    return TranscriptionRequest(fields, body, len(request.body), files, sound=_sound(files), translates=translates)


def _body(fields: tuple[tuple[str, str], ...]) -> JSON:
    """A name that is a list's, or comes several times, has a list."""
    body: JSON = {}
    for name, value in fields:
        if name.endswith("[]") or name in LISTS:
            body[name] = [*body.get(name, ()), value]
        else:
            body[name] = value
    return body


def _with_upload(files: Files, upload_id: Any, request: Request) -> Files:
    """A file that was uploaded before stands for an empty one, which the SDK has to send."""
    others = tuple((name, file) for name, file in files if name != "file")
    if not upload_id:
        return files
    if any(name == "file" and file.data for name, file in files):
        raise BadRequestError("Send a file or the id of one, not both.", param="file_id", code="invalid_value")
    try:
        data = request.upload(upload_id)
    except BadRequestError as error:
        error.param = "file_id"
        raise
    except LookupError:
        raise BadRequestError("Nothing can be uploaded for this.", param="file_id", code="upload_not_found") from None
    return (*others, ("file", UploadedFile("", "", data)))


def _sound(files: Files) -> AudioInfo:
    given = next((file for name, file in files if name == "file"), None)
    if given is None:
        raise missing_parameter("file")
    try:
        return audio.probe(given.data)
    except audio.UnreadableAudio as error:
        raise invalid_parameter("file", f"it {error}") from None


def _ms(seconds: Any) -> int:
    """None of what is no time."""
    try:
        value = float(seconds)
    except (TypeError, ValueError, OverflowError):
        return 0
    return math.ceil(value * 1000) if 0 < value <= MAX_S else 0
