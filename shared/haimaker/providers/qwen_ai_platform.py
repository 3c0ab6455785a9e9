"""Alibaba Cloud's Model Studio in China by its other name.

https://www.alibabacloud.com/help/en/model-studio
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers import dashscope
from haimaker.providers.provider import Auth, Catalog

PROVIDER = replace(
    dashscope.PROVIDER,
    name="qwen_ai_platform",
    auth=Auth(key_variables=("DASHSCOPE_API_KEY",)),
    catalog=Catalog(priced_as="dashscope"),
)
