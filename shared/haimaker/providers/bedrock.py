"""Amazon Bedrock.

https://docs.aws.amazon.com/general/latest/gr/bedrock.html; a key of Bedrock's own, or a signature with the account's.
"""

from haimaker.providers import anthropic
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, NativeBatches, Provider

# https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html, https://aws.amazon.com/bedrock/pricing: at half price,
# of models that have a price for batches. https://docs.aws.amazon.com/general/latest/gr/bedrock.html#limits_bedrock: 100 to 50,000
# records and 1 GB. The bucket is in the same region.
BATCHES = NativeBatches(
    "bedrock",
    ("/converse",),
    least_lines=100,
    # Of Converse, a record with tools fails.
    lacks=(
        *("toolConfig", "outputConfig", "guardrailConfig", "performanceConfig"),
        *("serviceTier", "promptVariables", "requestMetadata"),
    ),
    needs=("bucket", "role"),
    needs_signature=True,
    hosts={
        "control": Provider(
            "bedrock", endpoint=Endpoint("https://bedrock.{AWS_REGION}.amazonaws.com"), auth=Auth(signs_as="bedrock")
        ),
        "storage": Provider("bedrock", endpoint=Endpoint("https://s3.{AWS_REGION}.amazonaws.com"), auth=Auth(signs_as="s3")),
    },
)

# https://docs.aws.amazon.com/bedrock/latest/userguide/guardrails-use-independent-api.html
MODERATION = Provider(
    "bedrock",
    adapter="bedrock",
    auth=Auth(signs_as="bedrock"),
    limits=Limits(inlines_images=True),
    catalog=Catalog(reports_cost=True),
)

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_agent-runtime_Rerank.html
RERANK = Provider(
    "bedrock",
    adapter="bedrock",
    endpoint=Endpoint("https://bedrock-agent-runtime.{AWS_REGION}.amazonaws.com"),
    auth=Auth(signs_as="bedrock"),
    limits=Limits(max_inputs=1_000),
)

PROVIDER = Provider(
    "bedrock",
    adapter="bedrock",
    endpoint=Endpoint("https://bedrock-runtime.{AWS_REGION}.amazonaws.com"),
    auth=Auth(key_variables=("AWS_BEARER_TOKEN_BEDROCK",), signs_as="bedrock"),
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InferenceConfiguration.html
    dialect=Dialect(ranges={"temperature": (0, 1)}),
    limits=Limits(tool_prompt_tokens=anthropic.PROVIDER.limits.tool_prompt_tokens, inlines_images=True, single_choice=True),
    catalog=Catalog(
        telemetry_name="aws.bedrock",
        prefixes=("converse/", "invoke/"),
        known_as={"guardrail/": "guardrail"},
        unlisted=("/", "guardrail"),
        fees={"guardrail_cost_per_microusd": "0.000001"},
    ),
    operations={
        "moderations": MODERATION,
        "rerank": RERANK,
    },
    batches=BATCHES,
)
