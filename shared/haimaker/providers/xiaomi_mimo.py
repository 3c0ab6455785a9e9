"""Xiaomi MiMo.

https://platform.xiaomimimo.com/docs/en-US/api/chat/openai-api
"""

from haimaker.providers.common import MAX_COMPLETION_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, MessageRules, Provider

PROVIDER = Provider(
    "xiaomi_mimo",
    endpoint=Endpoint("https://api.xiaomimimo.com/v1"),
    auth=Auth(key_variables=("MIMO_API_KEY",)),
    dialect=Dialect(
        rename=MAX_COMPLETION_TOKENS,
        thinking_switch=True,
        drop=("reasoning_effort",),
        messages=MessageRules(wants_reasoning_back=True),
    ),
    limits=Limits(single_choice=True),
)
