"""Amazon Bedrock's surface in OpenAI's format.

https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html: Bedrock's own surface in OpenAI's format.
"""

from haimaker.providers.provider import Auth, Catalog, Endpoint, Provider

PROVIDER = Provider(
    "bedrock_mantle",
    endpoint=Endpoint("https://bedrock-mantle.{AWS_REGION}.api.aws/v1"),
    auth=Auth(key_variables=("AWS_BEARER_TOKEN_BEDROCK",)),
    catalog=Catalog(telemetry_name="aws.bedrock"),
)
