"""How providers judge what is said, where that is not in OpenAI's format at their usual address. Data only."""

from dataclasses import replace

from haimaker.providers.provider import Provider

# https://learn.microsoft.com/rest/api/contentsafety/; the place is a part of every Foundry resource.
AZURE_AI = Provider(
    "azure_ai",
    adapter="content_safety",
    key_header="ocp-apim-subscription-key",
    paths={"*": "/contentsafety{path}?api-version=2024-09-01"},
    inlines_images=True,
)
# A resource of its own: https://learn.microsoft.com/azure/ai-services/content-safety/quickstart-text
AZURE_CONTENT_SAFETY = Provider(
    "azure_content_safety",
    "{CONTENT_SAFETY_ENDPOINT}",
    ("CONTENT_SAFETY_KEY",),
    adapter="",
    priced_as="azure_ai",
    known_as={r".*": "content-safety"},
    token_variables=("AZURE_CONTENT_SAFETY_AD_TOKEN",),
    operations={"moderations": replace(AZURE_AI, name="azure_content_safety")},
)
# https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails-use-independent-api.html
BEDROCK = Provider("bedrock", adapter="bedrock", signs_as="bedrock", inlines_images=True, reports_cost=True)
