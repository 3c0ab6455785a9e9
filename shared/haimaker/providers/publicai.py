"""Public AI.

https://docs.publicai.co/
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Dialect, Endpoint, MessageRules, Provider

PROVIDER = Provider(
    "publicai",
    endpoint=Endpoint("https://api.publicai.co/v1"),
    dialect=Dialect(rename=MAX_TOKENS, messages=MessageRules(flattens_content=True)),
)
