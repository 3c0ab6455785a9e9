"""Cerebras.

https://inference-docs.cerebras.ai/api-reference/chat-completions, …/capabilities/reasoning
"""

from haimaker.providers.common import MAX_COMPLETION_TOKENS, PENALTIES
from haimaker.providers.provider import Catalog, Dialect, Endpoint, Limits, MessageRules, Provider

PROVIDER = Provider(
    "cerebras",
    endpoint=Endpoint("https://api.cerebras.ai/v1"),
    dialect=Dialect(
        rename=MAX_COMPLETION_TOKENS,
        drop=("logit_bias", *PENALTIES),
        narrows_tools=True,
        messages=MessageRules(strips_fields=("annotations",), reasoning_history="reasoning"),
    ),
    limits=Limits(single_choice=True),
    catalog=Catalog(completes=".*"),
)
