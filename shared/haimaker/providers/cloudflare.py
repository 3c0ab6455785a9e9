"""Cloudflare Workers AI.

https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "cloudflare",
    endpoint=Endpoint("https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1"),
    auth=Auth(key_variables=("CLOUDFLARE_API_TOKEN",)),
    dialect=Dialect(rename=MAX_TOKENS),
    limits=Limits(single_choice=True),
    catalog=Catalog(
        unlisted=("whisper",),  # not in this format
    ),
)
