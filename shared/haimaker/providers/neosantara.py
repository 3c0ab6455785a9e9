"""Neosantara.

https://docs.neosantara.xyz/api-reference/sdk/openai-compatible: what it does not take, it ignores.
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "neosantara",
    endpoint=Endpoint("https://api.neosantara.xyz/v1"),
    dialect=Dialect(
        rename=MAX_TOKENS,
        drop=("seed", "logit_bias", "user", "store", "metadata", "service_tier"),
        refuse=("logprobs", "top_logprobs"),
    ),
    limits=Limits(single_choice=True),
)
