"""AssemblyAI's LLM gateway.

https://www.assemblyai.com/docs/api-reference/llm-gateway/create-chat-completion: usage in Anthropic's names; its own fallbacks
would reach models that a key may not use.
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Dialect, Endpoint, Provider

PROVIDER = Provider(
    "assemblyai",
    endpoint=Endpoint("https://llm-gateway.assemblyai.com/v1"),
    dialect=Dialect(rename=MAX_TOKENS, drop=("fallbacks", "fallback_config")),
)
