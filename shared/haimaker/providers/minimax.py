"""MiniMax.

https://platform.minimax.io/docs/api-reference/text-openai-api
"""

from haimaker.providers.anthropic_format import messages_at
from haimaker.providers.common import MAX_COMPLETION_TOKENS, PENALTIES
from haimaker.providers.provider import Catalog, Dialect, Endpoint, Limits, MessageRules, Provider

# https://platform.minimax.io/docs/api-reference/text-anthropic-api
MESSAGES = messages_at(
    "minimax",
    "https://api.minimax.io/anthropic/v1",
    ignores=("container", "context_management", "mcp_servers", "service_tier", "stop_sequences", "top_k"),
)

PROVIDER = Provider(
    "minimax",
    endpoint=Endpoint("https://api.minimax.io/v1"),
    dialect=Dialect(
        rename=MAX_COMPLETION_TOKENS,
        drop=("logit_bias", *PENALTIES),
        add={"reasoning_split": True},  # without it reasoning stands in the text as well, between tags
        messages=MessageRules(keeps_reasoning_details=True),
    ),
    limits=Limits(single_choice=True),
    catalog=Catalog(
        unlisted=("speech",),  # not in this format
    ),
    operations={"messages": MESSAGES},
)
