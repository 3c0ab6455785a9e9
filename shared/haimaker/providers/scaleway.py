"""Scaleway.

https://www.scaleway.com/en/docs/generative-apis/api-cli/using-chat-api/
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "scaleway",
    endpoint=Endpoint("https://api.scaleway.ai/v1"),
    auth=Auth(key_variables=("SCW_SECRET_KEY",)),
    dialect=Dialect(rename=MAX_TOKENS, drop=("frequency_penalty", "logit_bias", "user"), refuse=("top_logprobs",)),
    limits=Limits(single_choice=True),
)
