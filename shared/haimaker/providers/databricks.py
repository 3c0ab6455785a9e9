"""Databricks."""

from dataclasses import replace

from haimaker.providers.common import MAX_TOKENS, OPENAI_FAMILIES
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, MessageRules, Provider

# https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
OPEN_MODELS = Provider(
    "databricks",
    endpoint=Endpoint("{DATABRICKS_HOST}/serving-endpoints", base_url_variables=("DATABRICKS_API_BASE",)),
    auth=Auth(key_variables=("DATABRICKS_TOKEN",)),
    dialect=Dialect(rename=MAX_TOKENS, strips_tool_fields=("strict",)),
    limits=Limits(single_choice=True),
)

CLAUDE = replace(
    OPEN_MODELS,
    adapter="databricks",
    endpoint=replace(OPEN_MODELS.endpoint, base_url=""),
    dialect=replace(OPEN_MODELS.dialect, cache_control="keep"),
)

# https://docs.databricks.com/aws/en/machine-learning/model-serving/query-openai-responses: of OpenAI's models.
RESPONSES = Provider(
    "databricks",
    adapter="responses",
    dialect=Dialect(
        carries_chats=True, keeps_custom_tools=True, messages=MessageRules(keeps_developer=True, keeps_reasoning_details=True)
    ),
    limits=Limits(single_choice=True),
)

CHAT = replace(OPEN_MODELS, families={"claude": CLAUDE})
WITH_RESPONSES = replace(
    OPEN_MODELS,
    endpoint=Endpoint(),
    families={"claude": CLAUDE, **dict.fromkeys(OPENAI_FAMILIES, RESPONSES)},
)
PROVIDER = replace(CHAT, operations={"responses": WITH_RESPONSES})
