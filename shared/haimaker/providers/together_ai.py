"""Together AI.

https://docs.together.ai/reference/chat-completions-1
"""

from haimaker.providers.common import GPT_IMAGE_ONLY, MAX_TOKENS, for_images
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider

# https://docs.together.ai/reference/post-images-generations; its answers name no bytes but as base64.
IMAGES = Provider(
    "together_ai",
    adapter="together",
    dialect=Dialect(drop=(*GPT_IMAGE_ONLY, "quality", "style", "user"), values={"response_format": {"b64_json": "base64"}}),
    limits=Limits(max_images=4),
)

PROVIDER = Provider(
    "together_ai",
    endpoint=Endpoint("https://api.together.ai/v1"),
    auth=Auth(key_variables=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN")),
    dialect=Dialect(rename=MAX_TOKENS, counts_logprobs=True, narrows_tools=True),
    catalog=Catalog(completes=".*"),
    operations=for_images(IMAGES),
)
