"""The table of providers: who they are, where they live, which credentials they take and which small rules they have.

A provider is a row, an adapter is code: one wire format, in a folder of `adapters/`. Many providers share an adapter, so adding
one of a known format is a row and a case in `tests/wire/`. Here are those whose formats have an adapter, in `rows/` the many that
speak OpenAI's. A bare model name goes to the first that has it. Data only; nothing here acts, and no code anywhere asks for a
provider's name.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from haimaker.providers.provider import (
    BEFORE_SCHEMAS,
    MAX_TOKENS,
    ONE_TOOL_AT_A_TIME,
    OPENAI_REASONING,
    REASONING,
    ModelRule,
    Provider,
)
from haimaker.providers.rows import moderations, rerank
from haimaker.providers.rows.a_to_h import A_TO_H
from haimaker.providers.rows.hearing import AZURE_HEARS, OPENAI_HEADERS, OPENAI_HEARS, VERTEX_HEARS
from haimaker.providers.rows.i_to_o import I_TO_O
from haimaker.providers.rows.images import AZURE_IMAGES, RECRAFT, for_all
from haimaker.providers.rows.p_to_z import P_TO_Z
from haimaker.providers.rows.popular import POPULAR
from haimaker.providers.rows.servers import SERVERS
from haimaker.providers.rows.special import SPECIAL
from haimaker.providers.rows.speech import AZURE_SPEECH, DEMO_SPEECH, GEMINI_SPEECH, MISTRAL_SPEECH, OPENAI_SPEECH, VERTEX_SPEECH
from haimaker.providers.rows.voices import VOICES

__all__ = ["BY_NAME", "PROVIDERS", "ModelRule", "Provider"]

MISTRAL_HAS_NOT = ("user", "logit_bias", "store", "service_tier", "safety_identifier", "verbosity")

# https://docs.mistral.ai/api/: unknown fields are refused, usage comes with the last chunk unasked.
MISTRAL = Provider(
    "mistral",
    "https://api.mistral.ai/v1",
    telemetry_name="mistral_ai",
    adapter="mistral",
    unlisted=r".*realtime",
    operations={
        "audio_speech": MISTRAL_SPEECH,
        "embeddings": Provider("mistral", rename={"dimensions": "output_dimension"}, drop=("user",)),
    },
    rename={**MAX_TOKENS, "seed": "random_seed"},
    drop=MISTRAL_HAS_NOT,
    refuse=("web_search_options", "audio"),
    values={"tool_choice": {"required": "any"}},
    asks_stream_usage=False,
    strips_message_names=True,
    strips_message_fields=(*REASONING, "refusal", "audio"),
    model_rules=(ModelRule("magistral", drop=("reasoning_effort",)),),
)
# https://platform.claude.com/docs/en/api/overview, …/about-claude/pricing#tool-use-pricing; up to 796 tokens with tools were seen.
ANTHROPIC = Provider(
    "anthropic",
    "https://api.anthropic.com/v1",
    adapter="anthropic",
    key_header="x-api-key",
    single_choice=True,
    headers={"anthropic-version": "2023-06-01"},
    tool_prompt_tokens=1_024,
    forwards=("anthropic-beta",),
)
# Models of other vendors on Vertex AI: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/use-partner-models
ON_VERTEX: Mapping[str, Provider] = {
    # https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
    "claude": Provider(
        "vertex_ai",
        adapter="anthropic_vertex",
        single_choice=True,
        inlines_images=True,
        tool_prompt_tokens=ANTHROPIC.tool_prompt_tokens,
        forwards=("anthropic-beta",),
    ),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/mistral
    "mistral-|codestral-": replace(
        MISTRAL,
        name="vertex_ai",
        base_url="",
        place="/publishers/mistralai/models/{model}:rawPredict",
        streamed_place="/publishers/mistralai/models/{model}:streamRawPredict",
    ),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/ai21
    "jamba-": Provider(
        "vertex_ai",
        place="/publishers/ai21/models/{model}:rawPredict",
        streamed_place="/publishers/ai21/models/{model}:streamRawPredict",
        rename=MAX_TOKENS,
        strips_message_fields=REASONING,
    ),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/maas/call-open-model-apis
    r"[\w-]+/": Provider(
        "vertex_ai", place="/endpoints/openapi{path}", rename=MAX_TOKENS, strips_message_fields=REASONING, inlines_images=True
    ),
}

PROVIDERS: tuple[Provider, ...] = (
    # https://platform.openai.com/docs/api-reference/chat: reasoning models refuse `max_tokens`.
    Provider(
        "openai",
        "https://api.openai.com/v1",
        keeps_developer=True,
        keeps_functions=True,
        strips_message_fields=REASONING,
        model_rules=(*OPENAI_REASONING, BEFORE_SCHEMAS, ONE_TOOL_AT_A_TIME),
        completes=r"(?:ft:)?(?:gpt-3\.5-turbo-instruct|davinci-002|babbage-002)",
        operations={"audio_speech": OPENAI_SPEECH, "audio_transcriptions": OPENAI_HEARS},
        unlisted=r"ft:|computer-use|gpt-live|gpt-realtime-whisper",  # fine-tuned models have longer names; others speak live
        forwards=OPENAI_HEADERS,
    ),
    # https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle; a model is a deployment of the resource.
    Provider(
        "azure",
        "{AZURE_OPENAI_ENDPOINT}",
        telemetry_name="azure.ai.openai",
        api_key_variables=("AZURE_OPENAI_API_KEY",),
        base_url_variables=("AZURE_API_BASE",),
        token_variables=("AZURE_AD_TOKEN", "AZURE_OPENAI_AD_TOKEN"),
        key_header="api-key",
        paths={
            "v1": "/openai/v1{path}",
            "preview": "/openai/v1{path}?api-version=preview",
            "*": "/openai/deployments/{model}{path}?api-version={version}",
        },
        default_version="2024-10-21",
        version_variables=("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"),
        keeps_developer=True,
        keeps_functions=True,
        strips_message_fields=REASONING,
        model_rules=(*OPENAI_REASONING, BEFORE_SCHEMAS, ONE_TOOL_AT_A_TIME),
        completes=r"gpt-3\.?5-turbo-instruct",
        operations={"audio_speech": AZURE_SPEECH, "audio_transcriptions": AZURE_HEARS, **for_all(AZURE_IMAGES)},
        unlisted=r"[\w-]+/|computer-use|gpt-live|gpt-realtime-whisper",
    ),
    # https://learn.microsoft.com/azure/ai-foundry/foundry-models/concepts/endpoints: the models of others.
    Provider(
        "azure_ai",
        "{AZURE_AI_ENDPOINT}",
        telemetry_name="azure.ai.inference",
        api_key_variables=("AZURE_INFERENCE_CREDENTIAL",),
        base_url_variables=("AZURE_AI_API_BASE", "AZURE_INFERENCE_ENDPOINT"),
        token_variables=("AZURE_AI_AD_TOKEN",),
        key_header="api-key",
        paths={"v1": "/openai/v1{path}", "*": "/models{path}?api-version={version}"},
        default_version="2024-05-01-preview",
        headers={"extra-parameters": "pass-through"},
        rename=MAX_TOKENS,
        strips_tool_fields=("strict",),
        strips_message_fields=REASONING,
        model_rules=OPENAI_REASONING,
        operations={
            "moderations": moderations.AZURE_AI,
            "rerank": rerank.AZURE_AI,
            **for_all(replace(AZURE_IMAGES, name="azure_ai", version_variables=())),
        },
        families={
            # https://platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry
            "claude": replace(ANTHROPIC, name="azure_ai", base_url="", place="/anthropic/v1{path}"),
        },
    ),
    MISTRAL,
    # https://docs.mistral.ai/capabilities/code_generation/: the same at an address of its own.
    replace(MISTRAL, name="codestral", base_url="https://codestral.mistral.ai/v1", model_rules=()),
    ANTHROPIC,
    # https://ai.google.dev/gemini-api/docs/api-key
    Provider(
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        telemetry_name="gcp.gemini",
        api_key_variables=("GOOGLE_API_KEY",),
        adapter="gemini",
        key_header="x-goog-api-key",
        operations={"audio_speech": GEMINI_SPEECH},
        inlines_images=True,
        unlisted=r"deep-research|lyria|.*transcribe-live",
    ),
    # https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference: the same, but for one field.
    # Locations: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations
    Provider(
        "vertex_ai",
        "https://{HOST}/v1/projects/{VERTEX_AI_PROJECT}/locations/{LOCATION}",
        telemetry_name="gcp.vertex_ai",
        api_key_variables=("VERTEX_AI_ACCESS_TOKEN",),
        adapter="gemini_vertex",
        families=ON_VERTEX,
        operations={
            "audio_speech": VERTEX_SPEECH,
            "audio_transcriptions": VERTEX_HEARS,
            "rerank": rerank.VERTEX_AI,
        },
        takes_google_tokens=True,
        hosts={
            "global": "aiplatform.googleapis.com",
            "us": "aiplatform.us.rep.googleapis.com",
            "eu": "aiplatform.eu.rep.googleapis.com",
            "*": "{location}-aiplatform.googleapis.com",
        },
        default_location="us-central1",
        known_as={r"chirp": "chirp"},
        unlisted=r".*@|.*transcribe-live|deep-research|gemma|lyria|medlm|mistralai/|text-",
        drop=("includeServerSideToolInvocations",),
    ),
    # https://docs.aws.amazon.com/general/latest/gr/bedrock.html; a key of Bedrock's own, or a signature with the account's.
    Provider(
        "bedrock",
        "https://bedrock-runtime.{AWS_REGION}.amazonaws.com",
        telemetry_name="aws.bedrock",
        api_key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
        adapter="bedrock",
        signs_as="bedrock",
        operations={
            "moderations": moderations.BEDROCK,
            "rerank": rerank.BEDROCK,
        },
        tool_prompt_tokens=ANTHROPIC.tool_prompt_tokens,
        known_as={"guardrail/": "guardrail"},
        unlisted=r".+/|guardrail",
        inlines_images=True,
        single_choice=True,
    ),
    # Claude in Anthropic's own format, for what Converse has no place for.
    # https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
    Provider(
        "bedrock_invoke",
        "https://bedrock-runtime.{AWS_REGION}.amazonaws.com",
        telemetry_name="aws.bedrock",
        api_key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
        adapter="anthropic_bedrock",
        priced_as="bedrock",
        signs_as="bedrock",
        tool_prompt_tokens=ANTHROPIC.tool_prompt_tokens,
        single_choice=True,
        inlines_images=True,
    ),
    # https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html: Bedrock's own surface in OpenAI's format.
    Provider(
        "bedrock_mantle",
        "https://bedrock-mantle.{AWS_REGION}.api.aws/v1",
        telemetry_name="aws.bedrock",
        api_key_variables=("AWS_BEARER_TOKEN_BEDROCK",),
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
    *POPULAR,
    *A_TO_H,
    *I_TO_O,
    *P_TO_Z,
    *SERVERS,
    *SPECIAL,
    *VOICES,
    RECRAFT,
    Provider(
        "demo",
        models=("count", "echo", "tool", "embedding", "image", "moderation", "rerank", "speech", "transcription"),
        modes={
            "embedding": "embedding",
            "image": "image_generation",
            "moderation": "moderation",
            "rerank": "rerank",
            "speech": "audio_speech",
            "transcription": "audio_transcription",
        },
        operations={"audio_speech": DEMO_SPEECH},
        prices={"input_cost_per_token": "0", "output_cost_per_token": "0"},
        offline=True,
        single_choice=True,
    ),
)

BY_NAME: Mapping[str, Provider] = {provider.name: provider for provider in PROVIDERS}


def row_for(provider: str, model: str, operation: str = "chat_completions") -> Provider:
    """The row by which a provider serves a model in an operation."""
    return serving(BY_NAME[provider], model, operation)


def serving(row: Provider, model: str, operation: str = "chat_completions") -> Provider:
    """A provider's row, the one of the operation, or the one of the family that a model belongs to."""
    row = row.operations.get(operation, row)
    return next((family for pattern, family in row.families.items() if re.match(pattern, model)), row)
