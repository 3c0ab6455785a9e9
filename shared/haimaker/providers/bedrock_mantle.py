"""Amazon Bedrock's surface in the makers' own formats: OpenAI's, and for Claude Anthropic's.

https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html, …/endpoints.html, …/inference-responses-api.html: at
which path a model is its card says, and at another one it is refused.
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers import anthropic, bedrock_invoke
from haimaker.providers.common import OPENAI_FAMILIES
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, MessageRules, Provider

AUTH = Auth(key_variables=("AWS_BEARER_TOKEN_BEDROCK",))
AT_OPENAI = Endpoint(path="/openai/v1{path}")

# …/inference-messages-api.html: it has none of Anthropic's own tools, and no batches.
CLAUDE = replace(
    anthropic.PROVIDER,
    name="bedrock_mantle",
    endpoint=Endpoint(path="/anthropic/v1{path}"),
    auth=AUTH,
    dialect=replace(anthropic.PROVIDER.dialect, refuse=("web_search_options",), betas=bedrock_invoke.BETAS),
    limits=replace(anthropic.PROVIDER.limits, takes_max_uses=False),
    batches=None,
)
# https://developers.openai.com/api/docs/guides/amazon-bedrock: of OpenAI's models.
RESPONSES = Provider(
    "bedrock_mantle",
    adapter="responses",
    endpoint=AT_OPENAI,
    auth=AUTH,
    dialect=Dialect(
        carries_chats=True,
        keeps_custom_tools=True,
        takes_breakpoints=True,
        tool_types=("function", "mcp", "custom", "namespace", "tool_search", "web_search"),
        messages=MessageRules(keeps_developer=True, keeps_reasoning_details=True),
    ),
    limits=Limits(single_choice=True),
)
OPEN_MODELS = Provider(
    "bedrock_mantle",
    endpoint=Endpoint(
        "https://bedrock-mantle.{AWS_REGION}.api.aws",
        paths={"openai": "/openai/v1{path}", "v1": "/v1{path}", "*": "/v1{path}"},
        default_version="v1",
    ),
    auth=AUTH,
    catalog=Catalog(telemetry_name="aws.bedrock", unlisted=("/",)),
)
# …/model-cards-openai.html, …/model-cards-google.html, …/model-cards-xai.html
FAMILIES = {
    "claude": CLAUDE,
    **dict.fromkeys(("gpt", "gemma", "grok"), replace(OPEN_MODELS, endpoint=AT_OPENAI)),
    "gemma-3": OPEN_MODELS,
}
PROVIDER = replace(
    OPEN_MODELS,
    families=FAMILIES,
    operations={
        "responses": replace(OPEN_MODELS, endpoint=Endpoint(), families={**FAMILIES, **dict.fromkeys(OPENAI_FAMILIES, RESPONSES)})
    },
)
