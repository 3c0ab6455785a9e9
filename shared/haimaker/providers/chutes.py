"""Chutes.

https://chutes.ai/llms.txt: where a request does not say whether it wants a stream, it gets one.
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Catalog, Dialect, Endpoint, Provider

PROVIDER = Provider(
    "chutes",
    endpoint=Endpoint("https://llm.chutes.ai/v1"),
    dialect=Dialect(rename=MAX_TOKENS, add={"stream": False}),
    catalog=Catalog(completes="all"),
)
