"""What a row of the table of providers may say: an address, credentials, and the small rules of its dialect. Data only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MAX_TOKENS = {"max_completion_tokens": "max_tokens"}
MAX_COMPLETION_TOKENS = {"max_tokens": "max_completion_tokens"}
PENALTIES = ("presence_penalty", "frequency_penalty")
OPENAI_ALONE = ("metadata", "store", "service_tier", "prompt_cache_key", "safety_identifier", "verbosity")
"""Parameters that do no harm when they are left out, and that a strict provider refuses."""
REASONING = ("reasoning_content", "reasoning", "annotations")
"""What a message of an earlier answer may still carry, and a strict provider refuses."""


@dataclass(frozen=True, slots=True)
class ModelRule:
    """A rule that holds for the models whose name matches `pattern`, in addition to the provider's own."""

    pattern: str
    thinks_unasked: str = ""
    """A pattern of further models for which it holds unless the request's effort is `none`."""
    thinks_asked: str = ""
    """A pattern of further models for which it holds where the request names an effort other than `none`."""
    rename: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    cache_control: str | None = None
    answer_tool: tuple[str, ...] = ()
    search_tool: str = ""

    def holds(self, model: str, effort: object = None) -> bool:
        """Whether it holds for a model that is asked to think with this effort; None where the request names none."""
        patterns = [self.pattern]
        if effort != "none":
            patterns += [self.thinks_unasked, self.thinks_asked if effort is not None else ""]
        return any(pattern and re.match(pattern, model) for pattern in patterns)


# https://platform.openai.com/docs/guides/structured-outputs: older models know JSON mode only.
BEFORE_SCHEMAS = ModelRule(
    r"(?:\w+/)?(?:gpt-3\.?5|gpt-4(?:$|-(?:turbo|32k|vision|0314|0613|1106|0125))|gpt-4o-2024-05-13)", answer_tool=("schema",)
)
THINKS_ASKED = r"(?:\w+/)?gpt-5\.[1-4](?!\d)(?!.*chat)"
THINKS_UNASKED = r"(?:\w+/)?gpt-(?:5\.(?:[5-9]|\d\d)|[6-9]|[12]\d)(?!.*chat)"
"""Models that no pattern knows are taken for newer ones, which think unless they are told not to."""
# https://platform.openai.com/docs/guides/latest-model#parameter-compatibility: since GPT-5.1 a model samples as it is told while it
# does not think, which is the default up to GPT-5.4.
OPENAI_REASONING = (
    ModelRule(r"(?:\w+/)?(?:o\d|gpt-(?!3|4)\d)", rename=MAX_COMPLETION_TOKENS),
    ModelRule(
        r"(?:\w+/)?(?:o\d|gpt-5(?:$|-(?!chat)))",
        THINKS_UNASKED,
        THINKS_ASKED,
        drop=("temperature", "top_p", "logit_bias", *PENALTIES),
        refuse=("logprobs", "top_logprobs"),
    ),
    # https://platform.openai.com/docs/api-reference/chat/create#chat_create-stop; GPT-5 says so itself:
    # https://github.com/huggingface/smolagents/issues/1671
    ModelRule(r"(?:\w+/)?(?:o3(?:$|-(?!mini))|o4-mini|gpt-5(?:$|-(?!chat)))", THINKS_UNASKED, THINKS_ASKED, refuse=("stop",)),
)
# https://platform.openai.com/docs/guides/function-calling#parallel-function-calling: they call one tool at a time.
ONE_TOOL_AT_A_TIME = ModelRule(r"(?:\w+/)?(?:o1|o3-mini)", drop=("parallel_tool_calls",))


@dataclass(frozen=True, slots=True)
class Provider:
    """One row. Parameters are named as the client sends them, in OpenAI's terms."""

    name: str
    """The prefix of its models; in capitals, of its environment variables."""
    base_url: str = ""
    """Up to, not including, the operation; `{NAME}` stands for a variable of the environment, without which it is off.
    Empty: it has no public address and is on when `<NAME>_BASE_URL` is set."""
    api_key_variables: tuple[str, ...] = ()
    """The vendors' own variables, accepted besides `<NAME>_API_KEY`."""
    base_url_variables: tuple[str, ...] = ()
    """The vendors' own variables for the whole address, accepted besides `<NAME>_BASE_URL`."""
    token_variables: tuple[str, ...] = ()
    """Variables with a token, sent as a bearer where there is no key, whatever `key_header` says."""
    adapter: str = "openai"
    """Of chat, and of the other operations that have one of this name. Empty: it serves only what its `operations` say."""
    key_header: str = "authorization"
    """Where its key goes: as a bearer token, or as it is in a header of this name."""
    signs_as: str | None = None
    """The AWS service as which a call is signed where there is no key."""
    families: Mapping[str, "Provider"] = field(default_factory=dict)
    """By a pattern of their names, models that it serves in another way: the fields that say how."""
    operations: Mapping[str, "Provider"] = field(default_factory=dict)
    """By name, operations that it serves in another way, or elsewhere: the row for these, with an address of its own if that is
    another one. An address that the deployer gives holds for all of them."""
    priced_as: str | None = None
    """The provider under whose name the table has its prices, if not its own."""
    takes_google_tokens: bool = False
    """Whether it is entered with tokens of a Google Cloud account, where there is no key."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Its host by location, `*` for all others, where the address has a `{HOST}`; `<NAME>_LOCATION` says which."""
    default_location: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Where an operation is under the address, by version of the API, `*` for all others; `<NAME>_API_VERSION` says which.
    In it `{path}` is the operation, `{model}` the model, `{version}` the version."""
    place: str = ""
    """Where a family is under the address, if not where its provider's other models are; as one of the `paths`."""
    streamed_place: str = ""
    """The same for streams, where they have a place of their own."""
    default_version: str = ""
    version_variables: tuple[str, ...] = ()
    """The vendors' own variables for the version."""
    most_inputs: int = 0
    """How many documents it takes in one call; 0 where that is more than anybody sends. More are asked for in several."""
    document_fields: tuple[str, ...] = ()
    """Fields of a document to be ranked, such as an image, with one of which it is sent as the object it is, not as its text."""
    inlines_images: bool = False
    """Whether it takes images only inside the request, so that the gateway has to fetch those that are links."""
    completes: str = ""
    """A pattern of its models that have legacy completions; those of all others are made of chat."""
    single_prompt: bool = False
    """Whether a legacy completion is of one prompt, so that several are as many calls."""
    single_choice: bool = False
    """Whether it gives one answer to a request, so that `n` choices are n calls."""
    most_images: int = 10
    """How many images it makes in one call, in OpenAI's format."""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    """Parameters it refuses and whose loss does no harm; named to the client in a header."""
    refuse: tuple[str, ...] = ()
    """Parameters it does not take and whose loss would change the meaning: the client is told, unless it asks to drop them."""
    rename: Mapping[str, str] = field(default_factory=dict)
    add: Mapping[str, Any] = field(default_factory=dict)
    """Constant fields of every request, unless the client sent them."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Values of a parameter that it spells differently."""
    formats: tuple[str, ...] = ()
    """Of sound, in OpenAI's terms, that it gives, the usual one first; empty where it has all of OpenAI's."""
    most_characters: int | None = None
    """Of a text to be spoken."""
    speeds: tuple[float, float] | None = None
    """How slow and how fast it speaks, if not as OpenAI does."""
    known_as: Mapping[str, str] = field(default_factory=dict)
    """By a pattern of their names, models that the table of prices has under one name together."""
    key_scheme: str = "Bearer"
    """The word before a key in the header `authorization`."""
    asks_stream_usage: bool = True
    """Whether usage in a stream has to be asked for with `stream_options`; False where it always comes, and they are not sent."""
    keeps_developer: bool = False
    """Whether it knows the role `developer`, which is `system` to all others."""
    keeps_call_ids: bool = False
    """Whether the ids of tool calls go back as they came: from a gateway to others, which carries reasoning behind them."""
    keeps_functions: bool = False
    """Whether it knows `functions`, which tools have replaced, and custom tools; to all others these are functions of today."""
    cache_control: str = "strip"
    """What becomes of `cache_control`: `strip`, `keep`, or `parts` where it may stand on parts of a message only."""
    strips_tool_fields: tuple[str, ...] = ()
    """Fields of a function that it refuses; `additionalProperties` anywhere in its parameters."""
    strips_message_fields: tuple[str, ...] = ()
    """Fields of a message that it refuses."""
    flattens_content: bool = False
    """Whether a message's content must be a string, not a list of parts."""
    flattens_assistant_content: bool = False
    """Whether that is so for what the assistant said."""
    strips_message_nulls: bool = False
    strips_message_names: bool = False
    tool_prompt_tokens: int = 0
    """The most that it adds to the prompt of a request with tools, besides the tools themselves."""
    thinking_switch: bool = False
    """Whether thinking is switched with `thinking: {type}`, to which `reasoning_effort` is then translated."""
    thinking_flag: str = ""
    """The parameter, true or false, that switches thinking instead."""
    schema_in_words: bool = False
    """Whether it can answer in JSON, but not by a schema, which is then put into words."""
    counts_logprobs: bool = False
    """Whether `logprobs` is a number, of the likely tokens that it tells at each step."""
    answer_tool: tuple[str, ...] = ()
    """When an answer in JSON is asked for by way of a tool: `schema` where it is to follow one, `tools` beside the client's."""
    search_tool: str = ""
    """The type of its own tool with which a model searches the web; `web_search_options` ask for it."""
    whole_with: tuple[str, ...] = ()
    """Parameters with which it streams nothing: it is then asked for a whole answer, of which a stream is made."""
    wants_reasoning_back: str = ""
    """A pattern of its models that refuse an assistant's tool calls without the reasoning that led to them."""
    reasoning_history: str | None = None
    """Where it reads the reasoning of earlier turns, if not in `reasoning_content`."""
    reports_cost: bool = False
    """Whether the cost in its usage is what it charges."""
    least_sound_ms: int = 0
    """What it bills of a sound that is shorter."""
    family: str = ""
    """The family to which all of its models belong, whatever their names say."""
    traits: Mapping[str, Any] = field(default_factory=dict)
    """Traits of models that differ here from what they are elsewhere: see `models/traits.py`."""
    model_rules: tuple[ModelRule, ...] = ()
    forwards: tuple[str, ...] = ()
    """Headers of the client that are passed on."""
    models: tuple[str, ...] = ()
    """Models to list that the table of prices does not know."""
    modes: Mapping[str, str] = field(default_factory=dict)
    """What those are for that are not for chat, in the table's words."""
    telemetry_name: str = ""
    """OpenTelemetry's name of it, where that is another: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/"""
    unlisted: str = ""
    """A pattern of names in the table of prices that are not listed: prices by place, and models that it serves in a format
    that there is no adapter for."""
    prices: Mapping[str, str] = field(default_factory=dict)
    """Prices of models that the table does not know."""
    offline: bool = False
    """Answered inside the gateway, without credentials or a network."""

    def placed(self, *, streamed: bool) -> str:
        """Where a family is under the address; empty where the provider's other models are."""
        return (streamed and self.streamed_place) or self.place

    def for_model(self, model: str, effort: object = None) -> "Provider":
        """The row with the rules of a model merged into it, as they hold for a request with this effort."""
        row = self
        for rule in self.model_rules:
            if rule.holds(model, effort):
                kept = {name: new for name, new in row.rename.items() if name not in rule.rename.values()}
                row = replace(
                    row,
                    rename={**kept, **rule.rename},
                    drop=row.drop + rule.drop,
                    refuse=row.refuse + rule.refuse,
                    cache_control=rule.cache_control or row.cache_control,
                    answer_tool=row.answer_tool + rule.answer_tool,
                    search_tool=rule.search_tool or row.search_tool,
                )
        return row
