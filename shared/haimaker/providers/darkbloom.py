"""Darkbloom.

https://docs.darkbloom.dev/reference/chat-completions
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Dialect, Endpoint, MessageRules, Provider

PROVIDER = Provider(
    "darkbloom",
    endpoint=Endpoint("https://api.darkbloom.dev/v1"),
    dialect=Dialect(rename=MAX_TOKENS, messages=MessageRules(flattens_content=True)),
)
