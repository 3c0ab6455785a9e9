"""Rows of providers that speak OpenAI's format, from A to H, each with its documentation beside it. Data only."""

from haimaker.providers.provider import MAX_COMPLETION_TOKENS, MAX_TOKENS, OPENAI_ALONE, ModelRule, Provider

BEFORE_EFFORTS = ModelRule(r"(?!glm-5\.[2-9])", drop=("reasoning_effort",))
"""Older versions of GLM think or do not: https://docs.z.ai/api-reference/llm/chat-completion"""

A_TO_H: tuple[Provider, ...] = (
    Provider("abliteration", "https://api.abliteration.ai/v1", rename=MAX_TOKENS),  # https://docs.abliteration.ai
    # https://docs.ai21.com/reference/jamba-1-6-api-ref: content is a string, an answer in JSON has no schema.
    Provider("ai21", "https://api.ai21.com/studio/v1", rename=MAX_TOKENS, flattens_content=True, schema_in_words=True),
    # The same by its other name.
    Provider(
        "ai21_chat",
        "https://api.ai21.com/studio/v1",
        ("AI21_API_KEY",),
        priced_as="ai21",
        rename=MAX_TOKENS,
        flattens_content=True,
        schema_in_words=True,
    ),
    Provider("aiand", "https://api.aiand.com/v1"),  # https://uni-docs-production.pages.dev/api/chat-completions
    Provider("aihubmix", "https://aihubmix.com/v1"),  # https://docs.aihubmix.com/en/api/Aihubmix-Integration
    Provider("aiml", "https://api.aimlapi.com/v1", ("AIMLAPI_API_KEY",)),  # https://docs.aimlapi.com
    Provider("amazon_nova", "https://api.nova.amazon.com/v1", rename=MAX_TOKENS),  # https://nova.amazon.com/dev/documentation
    # https://docs.apertis.ai/api/text-generation/chat-completions; it was called Stima.
    Provider("apertis", "https://api.apertis.ai/v1", ("STIMA_API_KEY",), rename=MAX_TOKENS),
    # https://www.assemblyai.com/docs/api-reference/llm-gateway/create-chat-completion: usage in Anthropic's names; its own
    # fallbacks would reach models that a key may not use.
    Provider("assemblyai", "https://llm-gateway.assemblyai.com/v1", rename=MAX_TOKENS, drop=("fallbacks", "fallback_config")),
    # https://docs.baseten.co/reference/inference-api/chat-completions: fields it does not know are refused.
    Provider("baseten", "https://inference.baseten.co/v1", single_choice=True, rename=MAX_TOKENS, drop=OPENAI_ALONE),
    # https://docs.bigmodel.cn/api-reference/模型-api/对话补全: it chooses tools by itself, and JSON has no schema.
    Provider(
        "bigmodel",
        "https://open.bigmodel.cn/api/paas/v4",
        single_choice=True,
        rename={**MAX_TOKENS, "user": "user_id"},
        refuse=("tool_choice",),
        schema_in_words=True,
        thinking_switch=True,
        model_rules=(BEFORE_EFFORTS,),
    ),
    # https://github.com/BerriAI/litellm/blob/main/litellm/llms/openai_like/providers.json
    Provider("charity_engine", "https://api.charityengine.services/remotejobs/v2/inference", rename=MAX_TOKENS),
    # https://chutes.ai/llms.txt: where a request does not say whether it wants a stream, it gets one.
    Provider("chutes", "https://llm.chutes.ai/v1", rename=MAX_TOKENS, add={"stream": False}, completes=".*"),
    # https://docs.clarifai.com/compute/inference/open-ai; a model is its URL.
    Provider("clarifai", "https://api.clarifai.com/v2/ext/openai/v1", ("CLARIFAI_PAT",), rename=MAX_TOKENS),
    Provider("cometapi", "https://api.cometapi.com/v1", ("COMETAPI_KEY",)),  # https://api.cometapi.com/doc
    Provider("compactifai", "https://api.compactif.ai/v1", rename=MAX_TOKENS),  # https://docs.compactif.ai
    # https://docs.cortecs.ai/serverless-inference/api/chat-completions
    Provider("cortecs", "https://api.cortecs.ai/v1", rename=MAX_TOKENS),
    # https://docs.crusoecloud.com/managed-inference
    Provider("crusoe", "https://api.inference.crusoecloud.com/v1", rename=MAX_TOKENS),
    # https://docs.darkbloom.dev/reference/chat-completions
    Provider("darkbloom", "https://api.darkbloom.dev/v1", rename=MAX_TOKENS, flattens_content=True),
    # https://www.edenai.co/docs/api-reference/chat/chat-completions: as with others, its own choice of models is not passed on.
    Provider("edenai", "https://api.edenai.run/v3", drop=("fallbacks", "router_candidates")),
    Provider("empiriolabs", "https://api.empiriolabs.ai/v1", rename=MAX_TOKENS),  # https://docs.empiriolabs.ai/compatibility
    # https://docs.empower.dev/api-reference/chat-completions/completions
    Provider("empower", "https://app.empower.dev/api/v1", rename=MAX_TOKENS),
    # https://featherless.ai/docs/completions
    Provider(
        "featherless_ai",
        "https://api.featherless.ai/v1",
        ("FEATHERLESS_API_KEY",),
        rename=MAX_TOKENS,
        completes=".*",
        forwards=("http-referer", "x-title"),
    ),
    # https://friendli.ai/docs/openapi/create-chat-completions
    Provider("friendliai", "https://api.friendli.ai/serverless/v1", ("FRIENDLI_TOKEN",), rename=MAX_TOKENS, completes=".*"),
    Provider("galadriel", "https://api.galadriel.com/v1", rename=MAX_TOKENS),  # https://docs.galadriel.com
    # https://docs.gmicloud.ai/inference-engine/api-reference/llm-api-reference
    Provider("gmi", "https://api.gmi-serving.com/v1", ("GMI_CLOUD_API_KEY",), rename=MAX_TOKENS),
    # https://docs.digitalocean.com/products/inference-hub/how-to/use-chat-completions-api/
    Provider(
        "gradient_ai",
        "https://inference.do-ai.run/v1",
        ("MODEL_ACCESS_KEY", "GRADIENT_MODEL_ACCESS_KEY"),
        rename=MAX_COMPLETION_TOKENS,
    ),
    Provider("helicone", "https://ai-gateway.helicone.ai"),  # https://docs.helicone.ai/rest/ai-gateway/post-v1-chat-completions
    # https://devcenter.heroku.com/articles/openai-compatibility-chat-completions
    Provider("heroku", "{INFERENCE_URL}/v1", ("INFERENCE_KEY",), single_choice=True, models=("*",)),
    # https://docs.hyperbolic.xyz/docs/rest-api, …/inference/text-apis: legacy completions are those of the base model.
    Provider(
        "hyperbolic",
        "https://api.hyperbolic.xyz/v1",
        rename=MAX_TOKENS,
        completes=r"meta-llama/Meta-Llama-3\.1-405B(?!-Instruct)",
    ),
)
