"""Volcano Engine (Ark).

https://www.volcengine.com/docs/82379/1494384
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "volcengine",
    endpoint=Endpoint("https://ark.cn-beijing.volces.com/api/v3"),
    auth=Auth(key_variables=("ARK_API_KEY",)),
    dialect=Dialect(
        rename=MAX_TOKENS,
        thinking_switch=True,
        drop=("reasoning_effort",),
    ),
    limits=Limits(single_choice=True),
)
