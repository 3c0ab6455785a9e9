"""Azure AI Content Safety as a resource of its own.

https://learn.microsoft.com/azure/ai-services/content-safety/quickstart-text
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers import azure_ai
from haimaker.providers.provider import Auth, Catalog, Endpoint, Provider

PROVIDER = Provider(
    "azure_content_safety",
    adapter="",
    endpoint=Endpoint("{CONTENT_SAFETY_ENDPOINT}"),
    auth=Auth(key_variables=("CONTENT_SAFETY_KEY",), token_variables=("AZURE_CONTENT_SAFETY_AD_TOKEN",)),
    catalog=Catalog(priced_as="azure_ai", known_as={"*": "content-safety"}),
    operations={"moderations": replace(azure_ai.MODERATION, name="azure_content_safety")},
)
