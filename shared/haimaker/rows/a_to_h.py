"""Rows of providers that speak OpenAI's format, from A to H, each with its documentation beside it. Data only."""

from haimaker.provider import MAX_TOKENS, Provider

A_TO_H: tuple[Provider, ...] = (
    Provider("abliteration", "https://api.abliteration.ai/v1", rename=MAX_TOKENS),  # https://docs.abliteration.ai
    Provider("ai21", "https://api.ai21.com/studio/v1", rename=MAX_TOKENS),  # https://docs.ai21.com/reference/jamba-1-6-api-ref
    # The same by its other name.
    Provider("ai21_chat", "https://api.ai21.com/studio/v1", ("AI21_API_KEY",), rename=MAX_TOKENS, priced_as="ai21"),
    Provider("aihubmix", "https://aihubmix.com/v1"),  # https://docs.aihubmix.com/en/api/Aihubmix-Integration
    Provider("aiml", "https://api.aimlapi.com/v1"),  # https://docs.aimlapi.com
    Provider("amazon_nova", "https://api.nova.amazon.com/v1", rename=MAX_TOKENS),  # https://nova.amazon.com/dev/documentation
    # https://www.assemblyai.com/docs/llm-gateway
    Provider("assemblyai", "https://llm-gateway.assemblyai.com/v1", rename=MAX_TOKENS),
    Provider("baseten", "https://inference.baseten.co/v1", rename=MAX_TOKENS),  # https://docs.baseten.co/development/model-apis
    # https://docs.bigmodel.cn/api-reference
    Provider(
        "bigmodel",
        "https://open.bigmodel.cn/api/paas/v4",
        single_choice=True,
        rename=MAX_TOKENS,
        thinking_switch=True,
        drop=("reasoning_effort",),
    ),
    Provider("chutes", "https://llm.chutes.ai/v1", rename=MAX_TOKENS, completes=".*"),  # https://chutes.ai/docs
    # https://docs.clarifai.com
    Provider("clarifai", "https://api.clarifai.com/v2/ext/openai/v1", ("CLARIFAI_PAT",), rename=MAX_TOKENS),
    Provider("cometapi", "https://api.cometapi.com/v1", ("COMETAPI_KEY",)),  # https://api.cometapi.com/doc
    Provider("compactifai", "https://api.compactif.ai/v1", rename=MAX_TOKENS),  # https://docs.compactif.ai
    Provider("cortecs", "https://api.cortecs.ai/v1", rename=MAX_TOKENS),  # https://docs.cortecs.ai
    # https://docs.crusoecloud.com/managed-inference
    Provider("crusoe", "https://api.inference.crusoecloud.com/v1", rename=MAX_TOKENS),
    # https://featherless.ai/docs
    Provider("featherless_ai", "https://api.featherless.ai/v1", ("FEATHERLESS_API_KEY",), rename=MAX_TOKENS, completes=".*"),
    # https://friendli.ai/docs
    Provider("friendliai", "https://api.friendli.ai/serverless/v1", ("FRIENDLI_TOKEN",), rename=MAX_TOKENS, completes=".*"),
    Provider("galadriel", "https://api.galadriel.com/v1", rename=MAX_TOKENS),  # https://docs.galadriel.com
    Provider("gmi", "https://api.gmi-serving.com/v1", ("GMI_CLOUD_API_KEY",), rename=MAX_TOKENS),  # https://docs.gmicloud.ai
    # https://docs.digitalocean.com/products/gradient-ai-platform
    Provider("gradient_ai", "https://inference.do-ai.run/v1", ("MODEL_ACCESS_KEY",), rename=MAX_TOKENS),
    Provider("helicone", "https://ai-gateway.helicone.ai"),  # https://docs.helicone.ai/gateway/overview
    Provider("hyperbolic", "https://api.hyperbolic.xyz/v1", rename=MAX_TOKENS, completes=".*"),  # https://docs.hyperbolic.xyz
)
