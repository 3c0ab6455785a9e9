"""Claude on Amazon Bedrock in Anthropic's own format.

Claude in Anthropic's own format, for what Converse has no place for.
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers import anthropic, bedrock
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider

# …/userguide/model-parameters-anthropic-claude-messages-request-response.html: `anthropic_beta` of the body.
BETAS = {
    **anthropic.BETAS_ELSEWHERE,
    "effort-2025-11-24": "effort-2025-11-24",
    "fine-grained-tool-streaming-2025-05-14": "fine-grained-tool-streaming-2025-05-14",
}
PROVIDER = Provider(
    "bedrock_invoke",
    adapter="anthropic_bedrock",
    family="claude",
    endpoint=Endpoint("https://bedrock-runtime.{AWS_REGION}.amazonaws.com"),
    dialect=Dialect(betas=BETAS),
    auth=Auth(key_variables=("AWS_BEARER_TOKEN_BEDROCK",), signs_as="bedrock"),
    limits=Limits(tool_prompt_tokens=anthropic.PROVIDER.limits.tool_prompt_tokens, single_choice=True, inlines_images=True),
    catalog=Catalog(telemetry_name="aws.bedrock", priced_as="bedrock"),
    batches=replace(bedrock.BATCHES, takes=("/invoke",), lacks=("stream",)),
)
