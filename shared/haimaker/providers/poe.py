"""Poe.

https://creator.poe.com/docs/external-applications/openai-compatible-api
"""

from haimaker.providers.common import MAX_TOKENS, PENALTIES
from haimaker.providers.provider import Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "poe",
    endpoint=Endpoint("https://api.poe.com/v1"),
    dialect=Dialect(rename=MAX_TOKENS, drop=("logit_bias", "seed", *PENALTIES), refuse=("logprobs", "top_logprobs")),
    limits=Limits(single_choice=True),
)
