"""Databricks."""

from haimaker.lean_dataclasses import replace
from haimaker.providers import anthropic
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

# https://docs.databricks.com/aws/en/machine-learning/model-serving/query-anthropic-messages; the newest take an effort and a schema
# in this format only: …/query-reason-models, …/structured-outputs. It has none of Anthropic's own tools.
CLAUDE = replace(
    anthropic.PROVIDER,
    name="databricks",
    endpoint=Endpoint(path="/anthropic/v1{path}"),
    auth=OPEN_MODELS.auth,
    dialect=Dialect(headers=anthropic.PROVIDER.dialect.headers, refuse=("web_search_options",)),
    limits=replace(anthropic.PROVIDER.limits, takes_max_uses=False),
)
# It takes schemas for Claude 5.5 alone: …/query-anthropic-messages
BEFORE_SCHEMAS = replace(CLAUDE, traits={"schema": False})
CLAUDES = {
    "claude": CLAUDE,
    **dict.fromkeys(("claude-3", "claude-4", "claude-5", "claude-mythos-5", "claude-mythos-preview"), BEFORE_SCHEMAS),
}

# https://docs.databricks.com/aws/en/machine-learning/model-serving/query-openai-responses: of OpenAI's models.
RESPONSES = Provider(
    "databricks",
    adapter="responses",
    dialect=Dialect(
        carries_chats=True, keeps_custom_tools=True, messages=MessageRules(keeps_developer=True, keeps_reasoning_details=True)
    ),
    limits=Limits(single_choice=True),
)

CHAT = replace(OPEN_MODELS, families=CLAUDES)
WITH_RESPONSES = replace(
    OPEN_MODELS,
    endpoint=Endpoint(),
    families={**CLAUDES, **dict.fromkeys(OPENAI_FAMILIES, RESPONSES)},
)
PROVIDER = replace(CHAT, operations={"responses": WITH_RESPONSES})
