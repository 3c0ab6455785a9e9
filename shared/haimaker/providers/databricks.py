"""Databricks."""

from dataclasses import replace

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

# https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
OPEN_MODELS = Provider(
    "databricks",
    endpoint=Endpoint("{DATABRICKS_HOST}/serving-endpoints", base_url_variables=("DATABRICKS_API_BASE",)),
    auth=Auth(key_variables=("DATABRICKS_TOKEN",)),
    dialect=Dialect(rename=MAX_TOKENS, strips_tool_fields=("strict",)),
    limits=Limits(single_choice=True),
)

PROVIDER = replace(
    OPEN_MODELS,
    families={
        "claude": replace(
            OPEN_MODELS,
            adapter="databricks",
            endpoint=replace(OPEN_MODELS.endpoint, base_url=""),
            dialect=replace(OPEN_MODELS.dialect, cache_control="keep"),
        )
    },
)
