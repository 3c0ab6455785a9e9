"""Streamlake.

https://www.streamlake.com/document/WANQING
"""

from haimaker.providers.common import MAX_COMPLETION_TOKENS
from haimaker.providers.provider import Dialect, Endpoint, Provider

PROVIDER = Provider(
    "streamlake",
    endpoint=Endpoint("https://vanchin.streamlake.ai/api/gateway/v1/endpoints"),
    dialect=Dialect(rename=MAX_COMPLETION_TOKENS, cache_control="keep"),
)
