"""Meta's model API.

https://dev.meta.ai/docs/protocols/chat-completions: it always reasons, and chooses tools by itself.
"""

from haimaker.providers.common import MAX_COMPLETION_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "meta",
    endpoint=Endpoint("https://api.meta.ai/v1"),
    auth=Auth(key_variables=("MODEL_API_KEY", "META_MODEL_API_KEY")),
    dialect=Dialect(rename=MAX_COMPLETION_TOKENS, refuse=("tool_choice", "stop")),
    limits=Limits(single_choice=True),
)
