"""Snowflake Cortex.

https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api
"""

from haimaker.models.matching import OTHERS
from haimaker.providers.common import MAX_COMPLETION_TOKENS
from haimaker.providers.family_rules import FamilyRule
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "snowflake",
    endpoint=Endpoint("https://{SNOWFLAKE_ACCOUNT}.snowflakecomputing.com/api/v2/cortex/v1"),
    auth=Auth(key_variables=("SNOWFLAKE_TOKEN", "SNOWFLAKE_JWT")),
    dialect=Dialect(
        rename=MAX_COMPLETION_TOKENS,
        strips_tool_fields=("strict",),
        family_rules={
            **dict.fromkeys(("claude", "gpt", "gpt-4", "gpt-oss", "o-series"), FamilyRule()),
            OTHERS: FamilyRule(refuse=("tools",)),
        },
    ),
    limits=Limits(single_choice=True),
)
