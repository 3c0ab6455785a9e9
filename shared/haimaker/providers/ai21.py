"""AI21.

https://docs.ai21.com/reference/jamba-1-6-api-ref: content is a string, an answer in JSON has no schema.
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Dialect, Endpoint, MessageRules, Provider

PROVIDER = Provider(
    "ai21",
    endpoint=Endpoint("https://api.ai21.com/studio/v1"),
    dialect=Dialect(rename=MAX_TOKENS, schema_in_words=True, messages=MessageRules(flattens_content=True)),
)
