"""Snowflake Cortex.

https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api
"""

from haimaker.providers.common import MAX_COMPLETION_TOKENS
from haimaker.providers.model_rules import ModelRule
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "snowflake",
    endpoint=Endpoint("https://{SNOWFLAKE_ACCOUNT}.snowflakecomputing.com/api/v2/cortex/v1"),
    auth=Auth(key_variables=("SNOWFLAKE_TOKEN", "SNOWFLAKE_JWT")),
    dialect=Dialect(
        rename=MAX_COMPLETION_TOKENS,
        strips_tool_fields=("strict",),
        model_rules=(ModelRule(r"(?!claude|openai-)", refuse=("tools",)),),
    ),
    limits=Limits(single_choice=True),
)
