"""The table of providers: who they are, where they live, which credentials they take and which small rules they have.

A provider is a row, an adapter is code: one wire format, in a folder of `adapters/`. Many providers share an adapter, so adding
one of a known format is a row here and a recorded case in `tests/wire/`. Data only; nothing here acts, and no code
anywhere asks for a provider's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ModelRule:
    """A rule that holds for the models whose name matches `pattern`, in addition to the provider's own."""

    pattern: str
    rename: Mapping[str, str] = field(default_factory=dict)


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
    adapter: str = "openai"
    key_header: str = "authorization"
    """Where its key goes: as a bearer token, or as it is in a header of this name."""
    signs_as: str | None = None
    """The AWS service as which a call is signed where there is no key."""
    takes_google_tokens: bool = False
    """Whether it is entered with tokens of a Google Cloud account, where there is no key."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Its host by location, `*` for all others, where the address has a `{HOST}`; `<NAME>_LOCATION` says which."""
    default_location: str = ""
    inlines_images: bool = False
    """Whether it takes images only inside the request, so that the gateway has to fetch those that are links."""
    completes: str = ""
    """A pattern of its models that have legacy completions; those of all others are made of chat."""
    single_choice: bool = False
    """Whether it gives one answer to a request, so that `n` choices are n calls."""
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    """Parameters it refuses and whose loss does no harm; named to the client in a header."""
    rename: Mapping[str, str] = field(default_factory=dict)
    add: Mapping[str, Any] = field(default_factory=dict)
    """Constant fields of every request, unless the client sent them."""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Values of a parameter that it spells differently."""
    asks_stream_usage: bool = True
    """Whether usage in a stream has to be asked for with `stream_options`; False where it always comes."""
    flattens_content: bool = False
    """Whether a message's content must be a string, not a list of parts."""
    strips_message_nulls: bool = False
    strips_message_names: bool = False
    reasoning_field: str | None = None
    """Where its messages hold what others call `reasoning_content`."""
    reports_cost: bool = False
    """Whether the cost in its usage is what it charges."""
    model_rules: tuple[ModelRule, ...] = ()
    forwards: tuple[str, ...] = ()
    """Headers of the client that are passed on."""
    models: tuple[str, ...] = ()
    """Models to list that the table of prices does not know."""
    prices: Mapping[str, str] = field(default_factory=dict)
    """Prices of models that the table does not know."""
    offline: bool = False
    """Answered inside the gateway, without credentials or a network."""


MAX_TOKENS = {"max_completion_tokens": "max_tokens"}
MAX_COMPLETION_TOKENS = {"max_tokens": "max_completion_tokens"}

PROVIDERS: tuple[Provider, ...] = (
    # https://platform.openai.com/docs/api-reference/chat: reasoning models refuse `max_tokens`.
    Provider(
        "openai",
        "https://api.openai.com/v1",
        model_rules=(ModelRule(r"(?:o\d|gpt-5)", rename=MAX_COMPLETION_TOKENS),),
        completes=r"(?:gpt-3\.5-turbo-instruct|davinci-002|babbage-002)",
        forwards=("openai-organization", "openai-project", "openai-beta"),
    ),
    # https://openrouter.ai/docs/use-cases/usage-accounting; the headers name the client's app: https://openrouter.ai/docs/app-attribution
    Provider(
        "openrouter",
        "https://openrouter.ai/api/v1",
        add={"usage": {"include": True}},
        reports_cost=True,
        reasoning_field="reasoning",
        forwards=("http-referer", "x-openrouter-title", "x-title"),
    ),
    # https://console.groq.com/docs/openai
    Provider(
        "groq",
        "https://api.groq.com/openai/v1",
        drop=("logprobs", "top_logprobs", "logit_bias"),
        strips_message_nulls=True,
        strips_message_names=True,
        reasoning_field="reasoning",
    ),
    # https://docs.together.ai/reference/chat-completions-1
    Provider(
        "together_ai",
        "https://api.together.ai/v1",
        api_key_variables=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"),
        rename=MAX_TOKENS,
        reasoning_field="reasoning",
    ),
    # https://api-docs.deepseek.com/api/create-chat-completion
    Provider("deepseek", "https://api.deepseek.com/v1", rename=MAX_TOKENS, flattens_content=True),
    # https://docs.mistral.ai/api/: unknown fields are refused, usage comes with the last chunk unasked.
    Provider(
        "mistral",
        "https://api.mistral.ai/v1",
        rename={**MAX_TOKENS, "seed": "random_seed"},
        drop=("user", "logit_bias", "logprobs", "top_logprobs", "store", "metadata", "service_tier", "stream_options"),
        values={"tool_choice": {"required": "any"}},
        asks_stream_usage=False,
        strips_message_names=True,
    ),
    # https://platform.claude.com/docs/en/api/overview
    Provider(
        "anthropic",
        "https://api.anthropic.com/v1",
        adapter="anthropic",
        key_header="x-api-key",
        single_choice=True,
        headers={"anthropic-version": "2023-06-01"},
        forwards=("anthropic-beta",),
    ),
    # https://ai.google.dev/gemini-api/docs/api-key
    Provider(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        api_key_variables=("GOOGLE_API_KEY",),
        adapter="gemini",
        key_header="x-goog-api-key",
        inlines_images=True,
    ),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference: the same, but for one field.
    # Locations: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations
    Provider(
        "vertex_ai",
        "https://{HOST}/v1/projects/{VERTEX_AI_PROJECT}/locations/{LOCATION}/publishers/google",
        api_key_variables=("VERTEX_AI_ACCESS_TOKEN",),
        adapter="gemini",
        takes_google_tokens=True,
        hosts={
            "global": "aiplatform.googleapis.com",
            "us": "aiplatform.us.rep.googleapis.com",
            "eu": "aiplatform.eu.rep.googleapis.com",
            "*": "{location}-aiplatform.googleapis.com",
        },
        default_location="us-central1",
        drop=("includeServerSideToolInvocations",),
    ),
    # https://docs.aws.amazon.com/general/latest/gr/bedrock.html; a key of Bedrock's own, or a signature with the account's.
    Provider(
        "bedrock",
        "https://bedrock-runtime.{AWS_REGION}.amazonaws.com",
        api_key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
        adapter="bedrock",
        signs_as="bedrock",
        inlines_images=True,
        single_choice=True,
    ),
    # https://docs.cohere.com/reference/chat; the cost is what it invoices, which is less than what its models read.
    Provider(
        "cohere",
        "https://api.cohere.com/v2",
        api_key_variables=("CO_API_KEY",),
        adapter="cohere",
        single_choice=True,
        reports_cost=True,
    ),
    # Servers of one's own: on when their base URL is set; a key is sent only if there is one.
    # https://docs.vllm.ai/en/latest/features/reasoning_outputs/
    Provider("hosted_vllm", reasoning_field="reasoning", models=("*",)),
    Provider("ollama", models=("*",), completes=".*"),
    Provider("llamafile", models=("*",), completes=".*"),
    Provider("lm_studio", models=("*",), completes=".*"),
    Provider("openai_compatible", models=("*",), completes=".*"),
    Provider(
        "demo",
        models=("count", "echo", "tool"),
        prices={"input_cost_per_token": "0", "output_cost_per_token": "0"},
        offline=True,
    ),
)

BY_NAME: Mapping[str, Provider] = {provider.name: provider for provider in PROVIDERS}
