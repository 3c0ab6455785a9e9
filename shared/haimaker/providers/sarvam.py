"""Sarvam.

https://docs.sarvam.ai/api-reference-docs/chat/chat-completions
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Provider

PROVIDER = Provider(
    "sarvam",
    endpoint=Endpoint("https://api.sarvam.ai/v1"),
    auth=Auth(key_header="api-subscription-key"),
    dialect=Dialect(rename=MAX_TOKENS),
)
