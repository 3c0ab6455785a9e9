"""Featherless AI.

https://featherless.ai/docs/completions
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Provider

PROVIDER = Provider(
    "featherless_ai",
    endpoint=Endpoint("https://api.featherless.ai/v1"),
    auth=Auth(key_variables=("FEATHERLESS_API_KEY",)),
    dialect=Dialect(rename=MAX_TOKENS, forwards=("http-referer", "x-title")),
    catalog=Catalog(completes="all"),
)
