"""Venice AI.

https://docs.venice.ai/api-reference/endpoint/chat/completions
"""

from haimaker.providers.common import MAX_COMPLETION_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, MessageRules, Provider

PROVIDER = Provider(
    "veniceai",
    endpoint=Endpoint("https://api.venice.ai/api/v1"),
    auth=Auth(key_variables=("VENICE_AI_API_KEY", "VENICE_API_KEY")),
    dialect=Dialect(rename=MAX_COMPLETION_TOKENS, messages=MessageRules(keeps_developer=True)),
)
