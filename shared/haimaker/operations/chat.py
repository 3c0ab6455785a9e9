"""Requests that the gateway accepts. The fields it reads are checked here, all others pass to the provider untouched.

https://platform.openai.com/docs/api-reference/chat/create
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from haimaker.http.errors import BadRequestError
from haimaker.http.json import parse_json
from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass
from haimaker.models.names import AUTO
from haimaker.operations.attempt import Attempt
from haimaker.validation.bounds import MAX_ITEMS, MAX_NAME, Name, Objects, Parts, Text, TokenIds
from haimaker.validation.links import check_parts

if TYPE_CHECKING:
    from haimaker.pricing.usage import Usage

MAX_CHOICES = 128
MAX_PROMPTS = 2_048
MAX_TOKENS = 10**9
"""More than any model writes; keeps a cost within what the store counts."""

Count = Annotated[StrictInt, Field(ge=1, le=MAX_TOKENS)]
Number = StrictInt | StrictFloat


class _Checked(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Message(_Checked):
    role: Annotated[StrictStr, Field(min_length=1, max_length=MAX_NAME)]
    content: Text | Parts | None = None
    name: Name | None = None
    tool_calls: Parts | None = None


class StreamOptions(_Checked):
    include_usage: StrictBool | None = None


class CommonFields(_Checked):
    """What every operation has. A validator takes time to build, so a function builds that of its own operation only, when it is
    first used."""

    model_config = ConfigDict(defer_build=True)

    model: Annotated[StrictStr, Field(min_length=1, max_length=512)]
    stream: StrictBool | None = None
    user: Name | None = None


class SharedFields(CommonFields):
    """What both forms of text generation have."""

    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    n: Annotated[StrictInt, Field(ge=1, le=MAX_CHOICES)] | None = None
    temperature: Number | None = None
    top_p: Number | None = None
    presence_penalty: Number | None = None
    frequency_penalty: Number | None = None
    seed: StrictInt | None = None
    stop: Text | Annotated[list[Text], Field(max_length=MAX_ITEMS, fail_fast=True)] | None = None
    service_tier: Name | None = None


class ChatFields(SharedFields):
    model_config = ConfigDict(defer_build=False)

    model: Annotated[StrictStr, Field(min_length=1, max_length=512)] = AUTO

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)]
    tools: Objects | None = None
    response_format: dict[str, Any] | None = None


Texts = Annotated[list[Text], Field(min_length=1, max_length=MAX_PROMPTS, fail_fast=True)]
ManyTokenIds = Annotated[list[TokenIds], Field(min_length=1, max_length=MAX_PROMPTS, fail_fast=True)]


class CompletionFields(SharedFields):
    prompt: Text | Texts | TokenIds | ManyTokenIds
    max_tokens: Annotated[StrictInt, Field(ge=0, le=MAX_TOKENS)] | None = None
    """None of its own is of use with `echo` and `logprobs`: the prompt's are then all that is asked for."""
    best_of: Annotated[StrictInt, Field(ge=1, le=MAX_CHOICES)] | None = None


Form = Literal["json", "events", "raw"]
"""Of an answer: a JSON body, server-sent events, or bytes and text that nothing may be put between."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A checked request: `fields` are what the gateway reads, `body` is all that the client sent, `size` its bytes."""

    fields: CommonFields
    body: JSON
    size: int

    @property
    def endpoint(self) -> str:
        """Under which name adapters and rows know the operation."""
        raise NotImplementedError

    @property
    def operation(self) -> str:
        """OpenTelemetry's `gen_ai.operation.name`, or one like it."""
        return self.endpoint

    @property
    def model(self) -> str:
        return self.fields.model

    @property
    def streams(self) -> bool:
        return bool(self.fields.stream)

    @property
    def form(self) -> Form:
        return "events" if self.streams else "json"

    def most(self, attempt: Attempt) -> "Usage":
        """No less than a target may bill for it, whatever it counts; of a text, billing/estimates.py says it."""
        raise NotImplementedError

    def estimate(self, attempt: Attempt, answer_bytes: int = 0) -> "Usage":
        """About what a target bills, where it does not say; `answer_bytes` of its answer came. Of a text, estimates.py says it."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Asked(Accepted):
    """A request for text."""

    fields: SharedFields

    @property
    def endpoint(self) -> str:
        return "chat"

    @property
    def operation(self) -> str:
        return "chat"

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with usage; a whole answer always has it."""
        options = self.fields.stream_options
        return bool(options and options.include_usage)

    @property
    def choices(self) -> int:
        """How many answers are written, and paid for."""
        return self.fields.n or 1

    @property
    def max_output_tokens(self) -> int | None:
        """The client's own limit for one choice; the larger where it sent two, since providers differ in which one counts."""
        return max(self.fields.max_completion_tokens or 0, self.fields.max_tokens or 0) or None


@dataclass(frozen=True, slots=True)
class ChatRequest(Asked):
    """A chat: messages, the last of which is to be answered."""

    fields: ChatFields


@dataclass(frozen=True, slots=True)
class CompletionRequest(Asked):
    """A legacy completion: one or more prompts, each a text or the ids of its tokens."""

    fields: CompletionFields

    @property
    def endpoint(self) -> str:
        return "completions"

    @property
    def operation(self) -> str:
        return "text_completion"

    @property
    def prompts(self) -> list[str] | list[list[int]]:
        prompt: Any = self.fields.prompt
        one = isinstance(prompt, str) or isinstance(prompt[0], int)
        return [prompt] if one else prompt

    @property
    def choices(self) -> int:
        return len(self.prompts) * max(self.fields.n or 1, self.fields.best_of or 1)

    @property
    def max_output_tokens(self) -> int | None:
        """May be 0."""
        return max((most for most in (self.fields.max_tokens, self.fields.max_completion_tokens) if most is not None), default=None)


def parse_completion(raw: bytes, model: str | None = None) -> CompletionRequest:
    """The body of a legacy completion. Raises BadRequestError."""
    body = with_model(parse_json(raw), model)
    try:
        request = CompletionRequest(CompletionFields.model_validate(body), body, len(raw))
    except ValidationError as error:
        refuse(error)
    if request.choices > MAX_PROMPTS:
        message = f"A request may have at most {MAX_PROMPTS} choices over all its prompts."
        raise BadRequestError(message, param="n", code="invalid_value")
    return request


def parse_chat(raw: bytes, model: str | None = None) -> ChatRequest:
    """The body of a chat completion; `model` is the one that the path names, if it does. Raises BadRequestError."""
    body = with_model(parse_json(raw), model)
    try:
        request = ChatRequest(ChatFields.model_validate(body), body, len(raw))
    except ValidationError as error:
        refuse(error)
    for index, message in enumerate(body["messages"]):
        check_parts(message.get("content"), f"messages[{index}].content")
    return request


def with_model(body: JSON, model: str | None) -> JSON:
    return body if model is None else {**body, "model": model}


def refuse(error: ValidationError) -> NoReturn:
    """Raises the first thing that is wrong as a BadRequestError whose `param` names it as OpenAI does: `messages[0].role`."""
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    param = _path(first["loc"])
    if first["type"] == "missing":
        raise BadRequestError(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    alternatives = dict.fromkeys(other["msg"] for other in others if _path(other["loc"]) == param and other["msg"] != first["msg"])
    said = " or ".join((first["msg"], *(message.removeprefix("Input should be ") for message in alternatives)))
    raise BadRequestError(f"Invalid value for '{param}': {said}.", param=param, code="invalid_value")


def _path(location: tuple[int | str, ...]) -> str:
    """Pydantic's location without the names of union members, which follow the field they belong to."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and part not in ("str", "int", "float", "bool"):
            path += f".{part}" if path else part
    return path


OURS = frozenset({"drop_params"})
"""Fields of a body that are for the gateway and never sent."""
