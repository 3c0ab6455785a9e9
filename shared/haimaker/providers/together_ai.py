"""Together AI.

https://docs.together.ai/reference/chat-completions-1
"""

from haimaker.providers.common import GPT_IMAGE_ONLY, MAX_TOKENS, for_images
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, NativeBatches, Provider
from haimaker.providers.responses_format import responses_at

# https://docs.together.ai/reference/post-images-generations; its answers name no bytes but as base64.
IMAGES = Provider(
    "together_ai",
    adapter="together",
    dialect=Dialect(drop=(*GPT_IMAGE_ONLY, "quality", "style", "user"), values={"response_format": {"b64_json": "base64"}}),
    limits=Limits(max_images=4),
)

# https://docs.together.ai/docs/inference/responses, …/responses-api: without state, in beta; most models answer malformed, or with
# their reasoning in the text, so that a chat is asked for unless a server of tools is to be called.
RESPONSES = responses_at(
    "together_ai",
    tool_types=("function", "mcp"),
    native_with=("mcp",),
    ignores=("include", "truncation", "safety_identifier", "prompt_cache_key"),
    lacks=("top_logprobs", "max_tool_calls"),
)

PROVIDER = Provider(
    "together_ai",
    endpoint=Endpoint("https://api.together.ai/v1"),
    auth=Auth(key_variables=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN")),
    dialect=Dialect(rename=MAX_TOKENS, counts_logprobs=True, narrows_tools=True),
    catalog=Catalog(completes="all"),
    operations={"responses": RESPONSES, **for_images(IMAGES)},
    # https://docs.together.ai/docs/inference/batch/overview#discounted-models: 50,000 lines and 100 MB, half of the price for few
    # models. For others that cost less the deployer gives a price in gateway.toml.
    batches=NativeBatches(
        "openai",
        ("/chat/completions",),
        percent=50,
        models=("meta-llama/Llama-3.3-70B-Instruct-Turbo",),
        upload="/files/upload",
        purpose="batch-api",
        lines_have_url=False,
    ),
)
