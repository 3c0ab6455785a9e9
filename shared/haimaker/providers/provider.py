"""A provider's definition: where it is, how it lets callers in, how its dialect differs, what it limits, which models it lists.

Each provider is a module of this package with one `PROVIDER`, or a row in `openai_compatible.py`. Data, and pure
functions over answers; no code asks for a provider's name. Parameters are named as the client sends them, in OpenAI's terms.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from haimaker.http.values import JSON
from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.matching import OTHERS
from haimaker.models.traits import Traits
from haimaker.providers.family_rules import NO_RULE, FamilyRules


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider is reached."""

    base_url: str = ""
    """Up to, not including, the operation. `{NAME}` stands for a variable of the environment, without which the provider is off.
    Empty: it has no public address and is on when `<NAME>_BASE_URL` is set."""
    base_url_variables: tuple[str, ...] = ()
    """The vendor's own variables for the whole address, accepted besides `<NAME>_BASE_URL`."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Its host by location, `*` for all others, where the address has a `{HOST}`; `<NAME>_LOCATION` says which location."""
    default_location: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Path templates under the address by version of the API, `*` for all others; `<NAME>_API_VERSION` says which version.
    `{path}` is the operation's path, `{model}` the model, `{version}` the version."""
    default_version: str = ""
    version_variables: tuple[str, ...] = ()
    """The vendor's own variables for the version."""
    path: str = ""
    """The path template of a model family that is elsewhere than the provider's other models."""
    only_at_vendor: bool = False
    """Whether an operation is served at this address alone: where a deployer names another one for the provider, a request in this
    client format is translated."""
    streamed_path: str = ""
    """The path template of that family's streams, if that is another one."""

    def path_for(self, *, streamed: bool) -> str:
        """The path template of a family; empty where it has none of its own."""
        return (streamed and self.streamed_path) or self.path


@dataclass(frozen=True, slots=True)
class Auth:
    """Which credentials a provider takes, and how it gets them."""

    key_variables: tuple[str, ...] = ()
    """The vendor's own variables for the key, accepted besides `<NAME>_API_KEY`."""
    token_variables: tuple[str, ...] = ()
    """Variables with a token, sent as a bearer token where there is no key, whatever `key_header` says."""
    key_header: str = "authorization"
    """The header of the key; in `authorization` it follows `key_scheme`."""
    key_scheme: str = "Bearer"
    signs_as: str | None = None
    """The AWS service for which a call is signed where there is no key."""
    takes_google_tokens: bool = False
    """Whether it takes tokens of a Google Cloud account where there is no key."""


@dataclass(frozen=True, slots=True)
class MessageRules:
    """How a request's messages are edited for a provider."""

    keeps_developer: bool = False
    """Whether it knows the role `developer`, which is sent as `system` to all others."""
    keeps_reasoning_details: bool = False
    """Whether it takes back `reasoning_details`, OpenRouter's form of reasoning, encrypted or not."""
    keeps_call_ids: bool = False
    """Whether ids of tool calls go back unchanged: a gateway to other providers carries reasoning in them."""
    takes_unmended: tuple[str, ...] = ()
    """Repairs of `adapters/repairs.py` that others of its format need, and it does not."""
    strips_fields: tuple[str, ...] = ()
    """Fields of a message that it refuses."""
    strips_nulls: bool = False
    """Whether it refuses fields that are null."""
    strips_names: bool = False
    """Whether it refuses `name` on messages that are no tool's result."""
    flattens_content: bool = False
    """Whether a message's content must be a string, not a list of parts."""
    flattens_assistant_content: bool = False
    """Whether that holds for the assistant's messages only."""
    wants_reasoning_back: bool = False
    """Whether models whose traits say so get the reasoning that led to an assistant's tool calls."""
    reasoning_history: str | None = None
    """The field in which it reads the reasoning of earlier turns, if not `reasoning_content`."""


@dataclass(frozen=True, slots=True)
class AnswerRules:
    """How a provider's answers differ from OpenAI's, whole and in each event of a stream.

    What many providers do is mended for all of them, in `adapters/openai/answers.py`.
    """

    finish_reasons: Mapping[str, str] = field(default_factory=dict)
    """Its own finish reasons, in lower case, and what they are at OpenAI; one that nobody knows is `stop`."""
    failures: frozenset[str] = frozenset()
    """Those of its finish reasons, in lower case, with which a generation has failed."""
    service_tiers: Mapping[str, str] = field(default_factory=dict)
    """Its own service tiers, and what they are at OpenAI; one that nobody knows is not told."""
    mend: Callable[[JSON], JSON] | None = None
    """A pure function of the provider's module for what the fields above can't say: it gets the body of a whole answer or of an
    event, changes nothing in it, and returns it in OpenAI's shape; the same object where there is nothing to mend."""


LONGEST_EFFORT, MODELS_KEPT = 16, 64
"""Characters of an effort's name, and how many dialects of models are remembered."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a provider's requests and answers differ from the format of its adapter."""

    drop: tuple[str, ...] = ()
    """Parameters that it refuses and whose loss does no harm; the client is told in a header."""
    refuse: tuple[str, ...] = ()
    """Parameters that it lacks and whose loss would change the meaning: an error, unless the client sends `drop_params`. In the
    client's own format a request with one of them is translated."""
    rename: Mapping[str, str] = field(default_factory=dict)
    """By the parameter's name at OpenAI, its name at the provider."""
    add: Mapping[str, Any] = field(default_factory=dict)
    """Constant fields of every request, unless the client sent them."""
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By parameter, the least and the most of a number that it takes; others are left out, and the client is told."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By parameter, its values that the provider spells differently; an empty spelling leaves the parameter out."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Constant headers of every request."""
    forwards: tuple[str, ...] = ()
    """Headers of the client that are passed on."""
    betas: Mapping[str, str] | None = None
    """Of Anthropic's unfinished features, by the name in its own API: those that the provider has, and as what. It refuses requests
    with others. None where it takes all."""
    whole_with: tuple[str, ...] = ()
    """Parameters with which it streams nothing: it is asked for a whole answer, of which a stream is made."""
    asks_stream_usage: bool = True
    """Whether a stream's usage is asked for with `stream_options`; False where it comes unasked, and they are not sent."""
    messages: MessageRules = MessageRules()
    answers: AnswerRules = AnswerRules()
    keeps_custom_tools: bool = False
    """Whether it knows custom tools, which are sent as function tools to all others."""
    keeps_functions: bool = False
    """Whether it knows the old `functions`, which are sent as function tools to all others."""
    strips_tool_fields: tuple[str, ...] = ()
    """Fields of a function that it refuses; `additionalProperties` anywhere in its parameters."""
    tool_types: tuple[str, ...] = ()
    """Types of tools that it takes in the client's own format, where that is not every one: a request with another is translated,
    which says it otherwise or leaves it out."""
    native_with: tuple[str, ...] = ()
    """Types of tools one of which a request has to have to pass in the client's own format, where the provider's own answers to
    others are poorer than the translation."""
    input_types: tuple[str, ...] = ()
    """Types of a conversation's items, and of their parts, that it takes in the client's own format, where that is not every
    one."""
    carries_chats: bool = False
    """Whether its Responses serve the chats that its chat completions can't: those of models that have Responses alone, and of
    models that think beside functions. False where its chat completions serve them all."""
    narrows_tools: bool = False
    """Whether it lacks the choice of `allowed_tools`, in whose place it gets these tools only, and the choice among them."""
    marks_thinking: bool = False
    """Whether its thinking, in Anthropic's format, is signed for it alone: it gets back its own, and nobody else does."""
    search_tool: str = ""
    """The type of the provider's own tool that searches the web; `web_search_options` ask for it."""
    answer_tool: tuple[str, ...] = ()
    """When an answer in JSON is asked for by way of a tool: `schema` where it has a schema, `tools` beside the client's tools."""
    schema_in_words: bool = False
    """Whether it answers in JSON but takes no schema, which is then put into words."""
    counts_logprobs: bool = False
    """Whether its `logprobs` is a number: how many likely tokens it tells at each step."""
    thinking_switch: bool = False
    """Whether thinking is switched with `thinking: {type}`, to which `reasoning_effort` is translated."""
    thinking_flag: str = ""
    """The parameter, true or false, that switches thinking, where that is no object `thinking`."""
    cache_control: str = "strip"
    """What becomes of `cache_control`: `strip`, `keep`, or `parts` where it may stand on parts of a message only."""
    takes_breakpoints: bool = False
    """Whether it knows OpenAI's `prompt_cache_breakpoint` on parts of a message."""
    document_fields: tuple[str, ...] = ()
    """Fields of a document to be ranked, such as an image: a document with one of them is sent as an object, not as text."""
    audio_formats: tuple[str, ...] = ()
    """Formats of speech that it makes, in OpenAI's terms, the default first; empty where it has all of OpenAI's."""
    tools_end_thinking: bool = False
    """Whether its chat completions take functions only with the effort that the model's trait `effort_with_tools` names."""
    family_rules: FamilyRules = field(default_factory=dict)
    """What it wants otherwise of some families of models."""

    def for_model(self, traits: Traits, effort: object = None) -> "Dialect":
        """The dialect with what the provider wants otherwise of the model's family, and with what the model itself does not take
        in a request with this effort."""
        if not isinstance(effort, str | None) or len(effort or "") > LONGEST_EFFORT:
            return self._make_for_model(traits, effort)
        found = self._of_models.get((id(traits), effort))
        if found is None:
            if len(self._of_models) >= MODELS_KEPT:
                self._of_models.clear()
            found = self._of_models[id(traits), effort] = self._make_for_model(traits, effort), traits
        return found[0]

    @cached_property
    def _of_models(self) -> dict[tuple[int, str | None], tuple["Dialect", Traits]]:
        """Those made lately, each with its traits, which must not make room for others with their id."""
        return {}

    def _make_for_model(self, traits: Traits, effort: object) -> "Dialect":
        rule = traits.look_up(self.family_rules) or self.family_rules.get(OTHERS, NO_RULE)
        limit = {"max_tokens": traits.limit_name} if traits.limit_name else {}
        kept = {name: new for name, new in self.rename.items() if new not in limit}
        return replace(
            self,
            rename={**kept, **limit},
            drop=self.drop + rule.drop + traits.dropped(effort),
            refuse=tuple(name for name in self.refuse if name not in rule.drop) + rule.refuse + traits.refused(effort),
            answer_tool=self.answer_tool + rule.answer_tool,
            search_tool=rule.search_tool or self.search_tool,
            thinking_switch=rule.thinking_switch or self.thinking_switch,
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a provider takes or gives in one call."""

    single_choice: bool = False
    """Whether it gives one answer to a request, so that `n` choices are n calls."""
    single_prompt: bool = False
    """Whether a legacy completion has one prompt, so that several prompts are as many calls."""
    max_inputs: int = 0
    """Documents to rank in one call; more are sent in several calls. 0: no limit."""
    max_images: int = 10
    """Images made in one call, in OpenAI's format."""
    max_characters: int | None = None
    """Characters of a text to be spoken."""
    speeds: tuple[float, float] | None = None
    """The slowest and the fastest speech, if not OpenAI's."""
    inlines_images: bool = False
    """Whether it takes images inside the request only, so that the gateway fetches those that are links."""
    edits_by_reference: bool = False
    """Whether it edits images that are links, or its own files, named in JSON."""
    tool_prompt_tokens: int = 0
    """The most tokens that it adds to the prompt of a request with tools, besides the tools themselves."""
    takes_max_tool_calls: bool = False
    """Whether it takes `max_tool_calls`, and counts each pass over the prompt that a tool of its own leads to."""
    takes_max_uses: bool = False
    """Whether it takes `max_uses` of each of the tools that it runs itself."""
    keeps_responses: bool = True
    """Whether it may keep responses; else it is asked for those alone in their own format that nobody wants to be kept."""
    compacts_responses: bool = False
    """Whether it makes a conversation of Responses shorter itself."""
    runs_in_background: bool = False
    """Whether it makes responses while nobody waits for them, and is asked for them later."""
    search_window_tokens: int | None = None
    """The largest prompt that it searches the web for, where that is smaller than the model's."""
    min_audio_ms: int = 0
    """The least that it bills for audio."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Which models a provider lists, and how they are priced and named."""

    models: tuple[str, ...] = ()
    """Models to list that the table of prices does not know; `*` where it may have any model."""
    modes: Mapping[str, str] = field(default_factory=dict)
    """The mode of those that are not for chat, in the table's words."""
    unlisted: tuple[str, ...] = ()
    """Selectors of names in the table of prices that are not listed: prices by region, models in a format without an adapter."""
    completes: str = ""
    """Which of its models have legacy completions: `all`, or `some`, those whose traits say so. Of others they are made of chat."""
    priced_as: str | None = None
    """The provider under whose name the table has its prices, if not its own."""
    prefixes: tuple[str, ...] = ()
    """What others write before the names of its models, and it does not."""
    known_as: Mapping[str, str] = field(default_factory=dict)
    """By a selector, models that the table of prices has under one name together."""
    prices: Mapping[str, str] = field(default_factory=dict)
    """Prices of all models that the table does not know, in USD as text, by the names that the table has for rates."""
    fees: Mapping[str, str] = field(default_factory=dict)
    """Prices of its own tools, likewise, for models of which the table names none."""
    reports_cost: bool = False
    """Whether it tells in `usage` what it charges; that is then the cost."""
    telemetry_name: str = ""
    """OpenTelemetry's name of it, if another: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/"""


class BatchAccount(NamedTuple):
    """What a deployer names in gateway.toml for a provider's batches, as far as the provider needs it."""

    bucket: str = ""
    """Where lines and answers are; what follows a slash begins the names of all objects, such as `my-bucket/haimaker`."""
    role: str = ""
    """The role as which the provider reads and writes the bucket."""
    account: str = ""
    """The id of the account at the provider."""


@dataclass(frozen=True, slots=True)
class NativeBatches:
    """Batches of a provider's own, which cost less than as many requests and take longer."""

    format: str
    """Of `adapters/batch_formats.py`: how one is asked for, followed and fetched."""
    takes: tuple[str, ...]
    """How the paths end of the calls that may be in one."""
    percent: int = 0
    """How much of the ordinary prices of tokens it charges, where the table has no prices of batches. 0: only models that have such
    prices, in the table or in gateway.toml, are sent so."""
    models: tuple[str, ...] = ()
    """The models for which `percent` holds, if that is not every one."""
    cached_as_input: bool = False
    """Whether what is cached costs as much as all input of a batch."""
    least_lines: int = 1
    most_lines: int = 10_000
    most_bytes: int = 32 * 1024 * 1024
    """Of one batch; of a larger one there are several. Never more than the vendor takes, and no more than is easily held."""
    most_inputs: int = 0
    """Texts of embeddings in one batch, of which a line may have many; 0: as many as its lines have."""
    lacks: tuple[str, ...] = ()
    """Fields of a call's body that none may have."""
    alike: tuple[str, ...] = ()
    """Fields of a call's body, and of its objects, which all lines of one batch have to have alike."""
    needs_deployment: bool = False
    """Whether batches need deployments of their own, which the deployer names."""
    needs: tuple[str, ...] = ()
    """What else the deployer has to name: fields of `BatchAccount`."""
    needs_signature: bool = False
    """Whether its calls are signed with credentials: a key opens no bucket."""
    hosts: "Mapping[str, Provider]" = field(default_factory=dict)
    """By the name that its format has for them, other hosts that calls about batches go to: address and credentials. An address
    that the deployer gives for the provider holds for all of them."""
    path: str = ""
    """The path template of its calls under the address, if it is not that of the provider's operations."""
    upload: str = "/files"
    purpose: str = "batch"
    """Of an uploaded file, and where it is uploaded."""
    files_last_s: int = 0
    """Seconds after which files that are uploaded, and those with the answers, are deleted there. 0: it can't be asked for."""
    files_take_time: bool = False
    """Whether what is uploaded can't be used at once: it is asked for until it can."""
    lines_have_url: bool = True
    """Whether each line says its method and path, and which one follows `url_prefix`."""
    url_prefix: str = "/v1"


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider; or one of its operations or model families that is served differently."""

    name: str
    """The prefix of its models; in capitals, of its environment variables."""
    adapter: str = "openai"
    """The wire format of chat, and of the other operations that have one of this name. Empty: only `operations` are served."""
    endpoint: Endpoint = Endpoint()
    auth: Auth = Auth()
    dialect: Dialect = Dialect()
    limits: Limits = Limits()
    catalog: Catalog = Catalog()
    operations: Mapping[str, "Provider"] = field(default_factory=dict)
    """By name, operations that are served differently, or elsewhere: the definition for these, with an address of its own if that
    is another one. An address that the deployer gives holds for all of them."""
    families: Mapping[str, "Provider"] = field(default_factory=dict)
    """By a selector of `models/matching.py`, such as a family's name, models that are served differently."""
    family: str = ""
    """The model family to which all of its models belong, whatever their names say."""
    traits: Mapping[str, Any] = field(default_factory=dict)
    """Traits of models that differ here from what they are elsewhere: see `models/traits.py`."""
    batches: NativeBatches | None = None
    """Its own batches; None where it has none, or none that cost less."""
    offline: bool = False
    """Whether the gateway itself answers, without credentials or a network."""

    def named(self, name: str) -> "Provider":
        """The definition, and those of its operations and families, under another name, which has credentials of its own."""
        operations = {operation: definition.named(name) for operation, definition in self.operations.items()}
        families = {pattern: definition.named(name) for pattern, definition in self.families.items()}
        return replace(self, name=name, operations=operations, families=families)
