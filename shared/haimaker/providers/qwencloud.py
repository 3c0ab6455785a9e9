"""Alibaba Cloud's Model Studio outside of China.

https://www.alibabacloud.com/help/en/model-studio
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers import dashscope
from haimaker.providers.provider import Auth, Catalog, Endpoint

PROVIDER = replace(
    dashscope.PROVIDER,
    name="qwencloud",
    endpoint=Endpoint("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    auth=Auth(key_variables=("DASHSCOPE_API_KEY",)),
    catalog=Catalog(unlisted=("qwen-media",)),  # not in this format
)
