"""SambaNova.

https://docs.sambanova.ai/docs/en/features/openai-compatibility
"""

from haimaker.providers.common import MAX_TOKENS, PENALTIES
from haimaker.providers.provider import Dialect, Endpoint, Limits, MessageRules, Provider

PROVIDER = Provider(
    "sambanova",
    endpoint=Endpoint("https://api.sambanova.ai/v1"),
    dialect=Dialect(
        rename=MAX_TOKENS,
        drop=("logit_bias", "seed", *PENALTIES),
        refuse=("logprobs", "top_logprobs"),
        messages=MessageRules(flattens_content=True),
    ),
    limits=Limits(single_choice=True),
)
