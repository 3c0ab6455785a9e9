"""Alibaba Cloud's Model Studio in China.

https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-openai-chat-completions, …/context-cache
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Catalog, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "dashscope",
    endpoint=Endpoint("https://dashscope.aliyuncs.com/compatible-mode/v1"),
    dialect=Dialect(
        rename=MAX_TOKENS,
        drop=("frequency_penalty", "logit_bias", "reasoning_effort"),
        thinking_flag="enable_thinking",
        cache_control="parts",
    ),
    limits=Limits(single_choice=True),
    catalog=Catalog(
        unlisted=("qwen-media",),  # not in this format
    ),
)
