"""Azure OpenAI.

https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle; a model is a deployment of the resource.
"""

from haimaker.providers.common import REASONING, WITH_TOKENS, for_images
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, MessageRules, NativeBatches, Provider

# https://learn.microsoft.com/azure/ai-foundry/openai/reference-preview#create-speech: no version that is not a preview has it.
SPEECH = Provider(
    "azure",
    endpoint=Endpoint(
        paths={
            "v1": "/openai/v1{path}?api-version=preview",
            "preview": "/openai/v1{path}?api-version=preview",
            "*": "/openai/deployments/{model}{path}?api-version={version}",
        },
        default_version="2025-04-01-preview",
        version_variables=("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"),
    ),
    auth=Auth(key_header="api-key"),
    limits=Limits(max_characters=4_096),
)

# https://learn.microsoft.com/azure/ai-foundry/openai/reference#transcriptions---create; a deployment may have another name.
TRANSCRIPTION = Provider(
    "azure",
    auth=Auth(key_header="api-key"),
    families=dict.fromkeys(
        ("gpt", "gpt-4"), Provider("azure", auth=Auth(key_header="api-key"), dialect=Dialect(values=WITH_TOKENS))
    ),
)

# https://learn.microsoft.com/azure/ai-foundry/openai/how-to/dall-e: later models than dall-e-3 came with later versions.
IMAGES = Provider(
    "azure",
    endpoint=Endpoint(
        paths={
            "v1": "/openai/v1{path}",
            "preview": "/openai/v1{path}?api-version=preview",
            "*": "/openai/deployments/{model}{path}?api-version={version}",
        },
        default_version="2025-04-01-preview",
        version_variables=("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"),
    ),
    auth=Auth(key_header="api-key"),
)

# https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses: of the v1 surface only; …/responses#background-tasks.
RESPONSES = Provider(
    "azure",
    adapter="responses",
    endpoint=Endpoint(path="/openai/v1{path}"),
    auth=Auth(key_header="api-key"),
    dialect=Dialect(
        carries_chats=True,
        keeps_custom_tools=True,
        takes_breakpoints=True,
        messages=MessageRules(keeps_developer=True, keeps_reasoning_details=True),
    ),
    limits=Limits(single_choice=True, takes_max_tool_calls=True, compacts_responses=True, runs_in_background=True),
)

PROVIDER = Provider(
    "azure",
    endpoint=Endpoint(
        "{AZURE_OPENAI_ENDPOINT}",
        base_url_variables=("AZURE_API_BASE",),
        paths={
            "v1": "/openai/v1{path}",
            "preview": "/openai/v1{path}?api-version=preview",
            "*": "/openai/deployments/{model}{path}?api-version={version}",
        },
        default_version="2024-10-21",
        version_variables=("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"),
    ),
    auth=Auth(
        key_variables=("AZURE_OPENAI_API_KEY",), token_variables=("AZURE_AD_TOKEN", "AZURE_OPENAI_AD_TOKEN"), key_header="api-key"
    ),
    dialect=Dialect(
        keeps_custom_tools=True,
        keeps_functions=True,
        takes_breakpoints=True,
        messages=MessageRules(keeps_developer=True, takes_unmended=("refusals",), strips_fields=REASONING),
    ),
    catalog=Catalog(
        telemetry_name="azure.ai.openai",
        # https://azure.microsoft.com/pricing/details/azure-openai/
        fees={"file_search_cost_per_query": "0.0025", "container_cost_per_gb": "0.03"},
        completes="some",
        unlisted=("/", "computer-use", "live"),
    ),
    operations={"audio_speech": SPEECH, "audio_transcriptions": TRANSCRIPTION, "responses": RESPONSES, **for_images(IMAGES)},
    # https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch: 100,000 lines and 200 MB, at deployments of the type
    # Global Batch or Data Zone Batch, which serve nothing else; 500 files, but 10,000 that end after 14 to 30 days.
    batches=NativeBatches(
        "openai",
        ("/chat/completions",),
        lacks=("service_tier",),
        needs_deployment=True,
        files_last_s=14 * 86_400,
        # A batch of a file that is still "pending" is refused.
        # https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch#track-file-upload-status
        files_take_time=True,
        path="/openai/v1{path}",
        url_prefix="",
    ),
)
