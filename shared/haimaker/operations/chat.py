"""`POST /v1/chat/completions`: what is asked, and the most that it may use. The fields it reads are checked here, all others pass
to the provider untouched. What chat has in common with legacy completions is here as well. Pure.

https://platform.openai.com/docs/api-reference/chat/create
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Self

from haimaker.http.errors import missing_parameter
from haimaker.http.json import as_object, parse_json
from haimaker.http.sse import dumps
from haimaker.http.values import JSON, StreamEvent
from haimaker.lean_dataclasses import dataclass, replace
from haimaker.lean_pydantic import ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError
from haimaker.models.names import AUTO, bills_turns_of_tools, reads_search_for_free
from haimaker.operations import splitting, stream_usage
from haimaker.operations.attempt import Attempt
from haimaker.operations.fields import OURS, CheckedFields, CommonFields, raise_validation_error, with_model
from haimaker.operations.operation import OperationRequest, Original, Result, trusted_usage
from haimaker.operations.server_tools import (
    LARGEST_INPUT_TOKENS,
    LONGEST_ANSWER_TOKENS,
    OwnTools,
    asked_latency,
    asks_to_search,
    max_advice,
    max_fees,
    max_guardrail_microusd,
    own_tools,
)
from haimaker.operations.server_tools import NONE as NO_TOOLS
from haimaker.pricing import costs, usage
from haimaker.pricing.guardrails import TOKEN_CHARACTERS
from haimaker.pricing.usage import Usage
from haimaker.validation import field_types
from haimaker.validation.bounds import MAX_ITEMS, MAX_NAME, Name, Objects, Parts, Text
from haimaker.validation.links import check_parts
from haimaker.validation.shapes import check_shape

MAX_CHOICES = 128
MAX_TOKENS = 10**9
"""More than any model writes; keeps a cost within what the store counts."""
MESSAGE_TOKENS = 16
TOOL_TOKENS = 64
"""What providers add around a message and a tool, besides their text; seen are 3 to 12 and 9 to 40."""
BRINGS_TOOLS = ("tools", "functions", "response_format", "web_search_options")
"""Parameters with which a request has tools, for an answer in JSON may be asked for by way of one."""
IMAGE_TOKENS = 50_000
"""The dearest known: gpt-4o-mini bills 2,833 + 5,667 a tile, up to 8 tiles. https://platform.openai.com/docs/guides/images-vision"""
ANSWER_RESERVE_TOKENS = 4_096
"""The most of the tokens per minute that is taken for an answer."""
INLINE_DATA = {"image_url": "url", "file": "file_data", "input_audio": "data"}
"""The path to the data of a content part, by its type."""

Count = Annotated[StrictInt, Field(ge=1, le=MAX_TOKENS)]
Number = StrictInt | StrictFloat


class Message(CheckedFields):
    role: Annotated[StrictStr, Field(min_length=1, max_length=MAX_NAME)]
    content: Text | Parts | None = None
    name: Name | None = None
    tool_calls: Parts | None = None


class StreamOptions(CheckedFields):
    include_usage: StrictBool | None = None


class TextFields(CommonFields):
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


class ChatFields(TextFields):
    model_config = ConfigDict(defer_build=False)

    model: Annotated[StrictStr, Field(min_length=1, max_length=512)] = AUTO

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)]
    tools: Objects | None = None
    response_format: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TextRequest(OperationRequest):
    """A request for text that a model writes."""

    fields: TextFields

    @property
    def is_text(self) -> bool:
        return True

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

    @abstractmethod
    def max_prompt_tokens(self, attempt: Attempt) -> int:
        """No fewer tokens than the prompt has: a token is at least one byte of the JSON that holds it."""

    def max_usage(self, attempt: Attempt, default_output_tokens: int = 0) -> Usage:
        return Usage(
            input=self.max_prompt_tokens(attempt),
            output=self._output_bound(attempt, default_output_tokens) * self.choices,
            service_tier=self.fields.service_tier,
        )

    def output_limit(self, attempt: Attempt, default: int, affordable: int | None) -> int:
        """What to limit the answer to, where the client does not and there is a budget to keep."""
        return min(limit for limit in (attempt.model_info.max_output_tokens, default, affordable) if limit)

    def estimate_usage(self, attempt: Attempt, sent_bytes: int = 0) -> Usage:
        return Usage(input=self.estimate_prompt_tokens(), output=usage.estimate_tokens(sent_bytes))

    def estimate_prompt(self, attempt: Attempt) -> int:
        return self.estimate_prompt_tokens()

    def estimate_rate_tokens(self, attempt: Attempt, default_output_tokens: int) -> int:
        return self.estimate_prompt_tokens() + min(self._output_bound(attempt, default_output_tokens), ANSWER_RESERVE_TOKENS)

    def is_priced(self, attempt: Attempt) -> bool:
        return attempt.model_info.priced and costs.has_max_cost(self.max_usage(attempt), attempt.model_info)

    def read_usage(self, body: Any, attempt: Attempt) -> Usage | None:
        said = body.get("usage") if isinstance(body, dict) else None
        if not usage.is_plausible(said):
            return None
        return trusted_usage(usage.from_openai(said, body.get("service_tier")), attempt)

    def measure(self, result: Result) -> int:
        return stream_usage.text_bytes(result.body, "message")

    def usage_object(self, tokens: Usage) -> JSON:
        return usage.to_openai(tokens)

    def split(self, attempt: Attempt, at_once: int | None = None) -> Sequence[Self]:
        """One request, unless the target gives one choice at a time."""
        if not attempt.provider.limits.single_choice or self.fields.n is None:
            return [self]
        return [self._for_one_choice] * self.fields.n

    @cached_property
    def _for_one_choice(self) -> Self:
        return self.with_fields({"n": None})

    def merge(self, results: Sequence[Result]) -> Result:
        return Result(splitting.merge_responses([result.body for result in results]))

    def merge_streams(self, parts: Sequence[OperationRequest], streams: Iterable[Iterator[StreamEvent]]) -> Iterator[StreamEvent]:
        width = getattr(parts[0].fields, "n", None) or 1
        return splitting.concat_streams(streams, [part.estimate_prompt_tokens() for part in parts], width)

    def stream_usage(self) -> "stream_usage.StreamUsage":
        return stream_usage.TextUsage(self, self.wants_usage)

    def as_events(self, result: Result) -> Iterator[StreamEvent]:
        from haimaker.operations.text_chunks import text_chunks  # few providers need it

        return text_chunks(result.body)

    def with_fields(self, fields: JSON) -> Self:
        """The request with other values of some fields, and without those that are None."""
        body = {name: value for name, value in {**self.body, **fields}.items() if name not in fields or value is not None}
        return replace(self, body=body, fields=self.fields.model_copy(update=fields))

    def _output_bound(self, attempt: Attempt, default: int) -> int:
        """The most output tokens of one choice."""
        most = attempt.model_info.max_output_tokens
        asked = attempt.max_output_tokens if self.max_output_tokens is None else self.max_output_tokens
        if asked is None:
            return most or default
        return min(asked, most) if most else asked


@dataclass(frozen=True, slots=True)
class ChatRequest(TextRequest):
    """A chat: messages, the last of which is to be answered."""

    fields: ChatFields

    @property
    def operation(self) -> str:
        return "chat_completions"

    def body_for(self, attempt: Attempt) -> JSON:
        """What says what a target may do on its own account: what the client sent, where the target speaks that format, else the
        translation, which leaves out what the target does not have."""
        original = self.original
        return original.body if original and attempt.provider.adapter in original.spoken_by else self.body

    def max_prompt_tokens(self, attempt: Attempt) -> int:
        """What tools that the provider runs itself bring into the prompt, only its limit bounds."""
        model_info, messages, sent = attempt.model_info, self._messages, self.body_for(attempt)
        tools = sent.get("tools") or ()
        bound = self.size + MESSAGE_TOKENS * messages.number + TOOL_TOKENS * len(tools)
        has_tools = any(self.body.get(name) or sent.get(name) for name in BRINGS_TOOLS)
        if has_tools or messages.have_results:
            bound += attempt.provider.limits.tool_prompt_tokens
        searches = asks_to_search(self.body) and not reads_search_for_free(model_info.model)
        kept = sent.get("previous_response_id") is not None or sent.get("thread") is not None
        # What is found, and what the provider has of the conversation, only its limit bounds.
        if searches or kept or messages.have_other_media or self._own_tools_for(attempt).within().fills_prompt:
            return model_info.max_input_tokens or LARGEST_INPUT_TOKENS
        bound += IMAGE_TOKENS * messages.images - messages.inline_bytes
        return min(bound, model_info.max_input_tokens or bound)

    def max_usage(self, attempt: Attempt, default_output_tokens: int = 0) -> Usage:
        """The most that it may use, with what the provider may do by itself: searches, further passes over the prompt, other
        models."""
        limits = attempt.target, attempt.max_tool_calls
        if limits not in self._max_beside:
            self._max_beside[limits] = self._max_usage_beside(attempt)
        output = self._output_bound(attempt, default_output_tokens) * self.choices
        guarded = self._guardrail_microusd(attempt, output * TOKEN_CHARACTERS)
        return replace(self._max_beside[limits], output=output, guardrail_microusd=guarded)

    def estimate_usage(self, attempt: Attempt, sent_bytes: int = 0) -> Usage:
        guarded = self._guardrail_microusd(attempt, sent_bytes)
        return replace(TextRequest.estimate_usage(self, attempt, sent_bytes), guardrail_microusd=guarded)

    def read_usage(self, body: Any, attempt: Attempt) -> Usage | None:
        tokens = TextRequest.read_usage(self, body, attempt)
        if tokens is None or tokens.reported_units is not None or not self._may_cost_uncounted(attempt):
            return tokens
        return replace(tokens, is_estimated=True)

    def _may_cost_uncounted(self, attempt: Attempt) -> bool:
        """Whether a target's tools may cost what no answer tells: uses that it does not count, or whose price is not known."""
        tools, info = self._own_tools_for(attempt), attempt.model_info
        fees = () if attempt.provider.offline else tools._replace(searches=None).within().fees
        return tools.may_cost_uncounted or any(info.rate(costs.FEE_RATES[fee]) is None for fee in fees)

    def _guardrail_microusd(self, attempt: Attempt, answer_characters: int) -> int:
        images = self._messages.images
        return max_guardrail_microusd(self.body, attempt.model_info, self.size, images, answer_characters)

    @cached_property
    def _max_beside(self) -> dict[tuple[str, int | None], Usage]:
        """What was found for a target with a limit of its tools: asked for its price, and for its bound."""
        return {}

    def _max_usage_beside(self, attempt: Attempt) -> Usage:
        """All but what the answer itself has."""
        body, model_info = self.body_for(attempt), attempt.model_info
        own = self._own_tools_for(attempt)
        tools = NO_TOOLS if attempt.provider.offline else own.within(attempt.max_tool_calls)  # a demonstration has none
        limits = attempt.provider.limits
        geo = body.get("inference_geo")
        most = Usage(
            input=self.max_prompt_tokens(attempt),
            service_tier=self.fields.service_tier or asked_latency(body),
            **max_fees(model_info, tools),
            speed="fast" if body.get("speed") == "fast" else None,
            inference_geo=geo if isinstance(geo, str) else "us",  # without, the workspace says where
        )
        bills_turns = limits.takes_max_tool_calls or bills_turns_of_tools(model_info.model)
        if not bills_turns or not (tools.uses or tools.compacts or tools.advisors):
            return most
        largest = model_info.max_input_tokens or LARGEST_INPUT_TOKENS
        window = Usage(
            input=min(largest, limits.search_window_tokens or largest) if tools.only_searches else largest,
            service_tier=most.service_tier,
            speed=most.speed,
            inference_geo=most.inference_geo,
        )
        summary = replace(window, output=model_info.max_output_tokens or LONGEST_ANSWER_TOKENS)
        beside = [summary] * (tools.uses + 1) if tools.compacts else []
        for name, uses in tools.advisors:
            beside += [max_advice(model_info.served_as(name), name, most)] * uses
        return replace(most, input=window.input * (tools.uses + 1), beside=tuple(beside))

    def tool_calls(self, attempt: Attempt) -> int:
        """How many calls of the provider's own tools may follow one another, where it takes a limit of them; else 0."""
        limits, own = attempt.provider.limits, self._own_tools_for(attempt)
        takes_limit = limits.takes_max_tool_calls or (limits.takes_max_uses and own.takes_max_uses)
        return own.within(attempt.max_tool_calls).uses if takes_limit else 0

    def estimate_prompt_tokens(self) -> int:
        return usage.estimate_tokens(max(0, self.size - self._messages.inline_bytes))

    def has_own_tools(self, attempt: Attempt) -> bool:
        """Whether a target may use tools of its own."""
        return bool(self._own_tools_for(attempt).within().uses)

    @cached_property
    def _messages(self) -> "Messages":
        return _measure(self.body["messages"])

    @cached_property
    def _own_tools(self) -> OwnTools:
        return own_tools(self.body)

    @cached_property
    def _original_tools(self) -> OwnTools:
        return own_tools(self.original.body) if self.original else self._own_tools

    def _own_tools_for(self, attempt: Attempt) -> OwnTools:
        original = self.original
        return self._original_tools if original and attempt.provider.adapter in original.spoken_by else self._own_tools

    def with_inline_images(self, data_url: Callable[[str, str], str]) -> Self:
        from haimaker.operations.image_links import with_data_urls  # few requests have images

        messages = with_data_urls(self.body["messages"], data_url)
        return self if messages is None else replace(self, body={**self.body, "messages": messages})


def parse_chat(raw: bytes, model: str | None = None) -> ChatRequest:
    """The body of a chat completion; `model` is the one that the path names, if it does. Raises BadRequestError."""
    body = with_model(parse_json(raw), model)
    request = check_chat(body, len(raw))
    check_shape(body, field_types.CHAT)
    choice, wanted = as_object(body.get("tool_choice")), as_object(body.get("response_format"))
    if choice.get("type") == "function" and not as_object(choice.get("function")).get("name"):
        raise missing_parameter("tool_choice.function.name")
    if wanted.get("type") == "json_schema" and wanted.get("json_schema") is None:
        raise missing_parameter("response_format.json_schema")
    return request


def translated_chat(chat: JSON, raw: bytes, original: Original) -> ChatRequest:
    """A chat that is the translation of `raw`, which is in another format; what the body says to the gateway itself stays. Raises
    BadRequestError."""
    chat = {**{name: original.body[name] for name in OURS if name in original.body}, **chat}
    return replace(check_chat(chat, max(len(raw), len(dumps(chat)))), original=original)


def check_chat(body: JSON, size: int) -> ChatRequest:
    """Raises BadRequestError."""
    try:
        request = ChatRequest(ChatFields.model_validate(body), body, size)
    except ValidationError as error:
        raise_validation_error(error)
    for index, message in enumerate(body["messages"]):
        check_parts(message.get("content"), f"messages[{index}].content")
    return request


class Messages(NamedTuple):
    """What the size of a prompt is reckoned from: counted once, and asked for each target."""

    number: int
    have_results: bool
    """Whether a tool's is among them."""
    images: int
    have_other_media: bool
    inline_bytes: int
    """The bytes of all media that the request holds itself."""


def _measure(messages: Sequence[JSON]) -> Messages:
    images = others = inline_bytes = 0
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = part.get("type")
            if kind != "text" and kind is not None:
                images += kind == "image_url"
                others += kind != "image_url"
                inline_bytes += _inline_bytes(part, kind) if isinstance(kind, str) else 0
    have_results = any(message.get("role") == "tool" for message in messages)
    return Messages(len(messages), have_results, images, bool(others), inline_bytes)


def _inline_bytes(part: JSON, kind: str) -> int:
    held: Any = part.get(kind)
    data = held.get(INLINE_DATA.get(kind, "")) if isinstance(held, dict) else held
    return len(data) if isinstance(data, str) else 0
