"""`POST /v1/audio/speech`: what is asked, the most that it may cost, and sound as OpenAI's events. Pure.

https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

import base64
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from haimaker.http.errors import BadRequestError
from haimaker.http.json import parse_json
from haimaker.http.values import JSON, Request, StreamEvent
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.lean_pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr, ValidationError
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import CommonFields, raise_validation_error, with_model
from haimaker.operations.operation import OperationRequest, ResponseKind
from haimaker.pricing import usage
from haimaker.pricing.usage import Usage
from haimaker.validation.bounds import MAX_NAME, SomeText, Text

SLOWEST, FASTEST = 0.25, 4.0
TEXT_TOKENS = 64
"""What a provider may add to the text and the instructions."""
TOKENS_PER_BYTE = 8
"""No voice needs more: 20 to 25 tokens are a second, in which a slow one says five letters."""
PAUSE_TOKENS = 1_500
"""A minute of silence that instructions may ask for."""
LIKELY_TOKENS_PER_10_BYTES = 14
"""20 tokens a second, 14 letters a second. https://platform.openai.com/docs/guides/realtime-costs"""
ESCAPED = "&<>\"'"
ESCAPE_CHARACTERS = 5
"""How much longer one of these gets where a provider takes markup."""

Voice = Annotated[StrictStr, Field(min_length=1, max_length=MAX_NAME)]
Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]


class CustomVoice(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Voice


class SpeechFields(CommonFields):
    """The fields that are read here."""

    input: SomeText
    voice: Voice | CustomVoice | None = None
    instructions: Text | None = None
    response_format: Format | None = None
    speed: Annotated[StrictInt | StrictFloat, Field(ge=SLOWEST, le=FASTEST)] | None = None
    stream_format: Literal["sse", "audio"] | None = None


@dataclass(frozen=True, slots=True)
class SpeechRequest(OperationRequest):
    """A text to be spoken."""

    fields: SpeechFields

    @property
    def operation(self) -> str:
        return "audio_speech"

    @property
    def streams(self) -> bool:
        return self.fields.stream_format == "sse"

    @property
    def response(self) -> ResponseKind:
        return "events" if self.streams else "bytes"

    def check_length(self, most_characters: int | None) -> None:
        """Raises BadRequestError for a text that is too long for a target."""
        if most_characters and len(self.fields.input) > most_characters:
            message = f"The model speaks at most {most_characters:,} characters at once; `input` has {len(self.fields.input):,}."
            raise BadRequestError(message, param="input", code="string_above_max_length")

    def max_usage(self, attempt: Attempt, default_output_tokens: int = 0) -> Usage:
        """Nobody counts more characters than there are bytes; sound has a bound only by how slow a voice can be."""
        text = self.fields.input
        characters = usage.utf8_length(text) + ESCAPE_CHARACTERS * sum(map(text.count, ESCAPED))
        if not attempt.model_info.priced:
            return Usage(characters=characters)
        longest = attempt.model_info.max_output_tokens
        bound = int(usage.utf8_length(text) * TOKENS_PER_BYTE / min(1, self.fields.speed or 1)) + PAUSE_TOKENS
        sound = min(bound, longest) if longest else bound
        return Usage(input=self._text_bytes + TEXT_TOKENS, output_audio=sound, characters=characters)

    def estimate_usage(self, attempt: Attempt, sent_bytes: int = 0) -> Usage:
        """The usage estimated by the text: how long sound is can't be told from the bytes of most formats."""
        if not attempt.model_info.priced:
            return self.characters
        sound = -(-usage.utf8_length(self.fields.input) * LIKELY_TOKENS_PER_10_BYTES // 10)
        most = self.max_usage(attempt)
        likely = Usage(input=usage.estimate_tokens(self._text_bytes), output_audio=min(sound, most.output_audio))
        return replace(likely, characters=len(self.fields.input))

    @property
    def characters(self) -> Usage:
        """What those bill who count them as they are sent."""
        return Usage(characters=len(self.fields.input))

    def billed_usage(self, attempt: Attempt, said: Any = None, characters: int = 0) -> Usage | None:
        """What was used: as `said` in a usage object, and the characters; None where a model bills what nobody has said."""
        tokens = self.usage_from(said) if isinstance(said, dict) else Usage()
        if attempt.model_info.priced and not (tokens.prompt or tokens.completion):
            return None
        return replace(tokens, characters=characters or len(self.fields.input))

    def usage_from(self, used: JSON) -> Usage:
        """All that is made is sound, whatever the details say."""
        tokens = usage.from_openai(used)
        return replace(tokens, output_audio=tokens.completion, output=0, reasoning=0, output_image=0)

    def usage_object(self, tokens: Usage) -> JSON:
        """The usage with the characters that were billed in place of tokens, so that a cost can be understood."""
        counted = {"characters": tokens.characters} if tokens.characters else {}
        total = tokens.prompt + tokens.completion
        return {"input_tokens": tokens.prompt, "output_tokens": tokens.completion, "total_tokens": total, **counted}

    def events_from_bytes(self, pieces: Iterator[bytes]) -> Iterator[StreamEvent]:
        for piece in pieces:
            yield StreamEvent({"type": "speech.audio.delta", "audio": base64.b64encode(piece).decode()})
        yield StreamEvent({"type": "speech.audio.done"})

    @property
    def _text_bytes(self) -> int:
        return usage.utf8_length(self.fields.input) + usage.utf8_length(self.fields.instructions or "")


def parse(request: Request) -> SpeechRequest:
    """Raises BadRequestError."""
    body = with_model(parse_json(request.body), request.path.get("model"))
    try:
        return SpeechRequest(SpeechFields.model_validate(body), body, len(request.body))
    except ValidationError as error:
        raise_validation_error(error)
