"""Azure AI Foundry: the models of others than OpenAI.

https://learn.microsoft.com/azure/ai-foundry/foundry-models/concepts/endpoints
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers import anthropic, azure
from haimaker.providers.common import MAX_TOKENS, OPENAI_FAMILIES, REASONING, for_images
from haimaker.providers.family_rules import FamilyRule
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, MessageRules, Provider

# https://learn.microsoft.com/rest/api/contentsafety/; the place is a part of every Foundry resource.
MODERATION = Provider(
    "azure_ai",
    adapter="content_safety",
    endpoint=Endpoint(paths={"*": "/contentsafety{path}?api-version=2024-09-01"}),
    auth=Auth(key_header="ocp-apim-subscription-key"),
    limits=Limits(inlines_images=True),
)

# https://learn.microsoft.com/azure/ai-foundry/how-to/deploy-models-cohere-rerank
RERANK = Provider(
    "azure_ai",
    adapter="cohere",
    endpoint=Endpoint(paths={"v1": "/v1{path}", "v2": "/v2{path}", "*": "/providers/cohere/v2{path}"}),
    dialect=Dialect(drop=("max_chunks_per_doc",)),
)

# https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses: of OpenAI's models.
RESPONSES = replace(azure.RESPONSES, name="azure_ai")

CHAT = Provider(
    "azure_ai",
    endpoint=Endpoint(
        "{AZURE_AI_ENDPOINT}",
        base_url_variables=("AZURE_AI_API_BASE", "AZURE_INFERENCE_ENDPOINT"),
        paths={"v1": "/openai/v1{path}", "*": "/models{path}?api-version={version}"},
        default_version="2024-05-01-preview",
    ),
    auth=Auth(key_variables=("AZURE_INFERENCE_CREDENTIAL",), token_variables=("AZURE_AI_AD_TOKEN",), key_header="api-key"),
    dialect=Dialect(
        headers={"extra-parameters": "pass-through"},
        rename=MAX_TOKENS,
        strips_tool_fields=("strict",),
        # Microsoft says nothing of their switch; it is that of the models' makers, which `extra-parameters` passes through to them:
        # https://api-docs.deepseek.com/guides/thinking_mode, https://platform.kimi.ai/docs/api/chat
        family_rules=dict.fromkeys(("deepseek", "kimi"), FamilyRule(thinking_switch=True)),
        messages=MessageRules(strips_fields=REASONING),
    ),
    catalog=Catalog(telemetry_name="azure.ai.inference"),
    families={
        # https://platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry
        "claude": replace(
            anthropic.PROVIDER,
            name="azure_ai",
            endpoint=Endpoint(path="/anthropic/v1{path}"),
        ),
    },
)

PROVIDER = replace(
    CHAT,
    operations={
        "moderations": MODERATION,
        "rerank": RERANK,
        "responses": replace(CHAT, endpoint=Endpoint(), families={**CHAT.families, **dict.fromkeys(OPENAI_FAMILIES, RESPONSES)}),
        **for_images(replace(azure.IMAGES, name="azure_ai", endpoint=replace(azure.IMAGES.endpoint, version_variables=()))),
    },
)
