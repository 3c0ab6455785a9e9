"""BigModel: Z.ai's API in China.

https://docs.bigmodel.cn/api-reference/模型-api/对话补全
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers import zai
from haimaker.providers.provider import Endpoint

PROVIDER = replace(zai.PROVIDER, name="bigmodel", endpoint=Endpoint("https://open.bigmodel.cn/api/paas/v4"), operations={})
