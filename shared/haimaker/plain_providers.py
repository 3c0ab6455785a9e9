"""Rows of providers whose dialect of OpenAI's format has little to it but an address, each with its own documentation beside it.

`providers.py` has all others and puts them together. Data only.
"""

from haimaker.provider import MAX_TOKENS, Provider

PLAIN: tuple[Provider, ...] = (
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
    Provider("chutes", "https://llm.chutes.ai/v1", rename=MAX_TOKENS, completes=".*"),  # https://chutes.ai/docs
    # https://docs.clarifai.com
    Provider("clarifai", "https://api.clarifai.com/v2/ext/openai/v1", ("CLARIFAI_PAT",), rename=MAX_TOKENS),
    Provider("cometapi", "https://api.cometapi.com/v1", ("COMETAPI_KEY",)),  # https://api.cometapi.com/doc
    Provider("compactifai", "https://api.compactif.ai/v1", rename=MAX_TOKENS),  # https://docs.compactif.ai
    Provider("cortecs", "https://api.cortecs.ai/v1", rename=MAX_TOKENS),  # https://docs.cortecs.ai
    # https://docs.crusoecloud.com/managed-inference
    Provider("crusoe", "https://api.inference.crusoecloud.com/v1", rename=MAX_TOKENS),
    # https://help.aliyun.com/zh/model-studio
    Provider("dashscope", "https://dashscope.aliyuncs.com/compatible-mode/v1", rename=MAX_TOKENS),
    # https://featherless.ai/docs
    Provider("featherless_ai", "https://api.featherless.ai/v1", ("FEATHERLESS_API_KEY",), rename=MAX_TOKENS, completes=".*"),
    # https://friendli.ai/docs
    Provider("friendliai", "https://api.friendli.ai/serverless/v1", ("FRIENDLI_TOKEN",), rename=MAX_TOKENS, completes=".*"),
    Provider("galadriel", "https://api.galadriel.com/v1", rename=MAX_TOKENS),  # https://docs.galadriel.com
    Provider("gmi", "https://api.gmi-serving.com/v1", ("GMI_CLOUD_API_KEY",), rename=MAX_TOKENS),  # https://docs.gmicloud.ai
    # https://docs.digitalocean.com/products/gradient-ai-platform
    Provider("gradient_ai", "https://inference.do-ai.run/v1", ("MODEL_ACCESS_KEY",), rename=MAX_TOKENS),
    Provider("helicone", "https://ai-gateway.helicone.ai"),  # https://docs.helicone.ai/gateway/overview
    # https://huggingface.co/docs/inference-providers
    Provider("huggingface", "https://router.huggingface.co/v1", ("HF_TOKEN",), rename=MAX_TOKENS),
    Provider("hyperbolic", "https://api.hyperbolic.xyz/v1", rename=MAX_TOKENS, completes=".*"),  # https://docs.hyperbolic.xyz
    Provider("inception", "https://api.inceptionlabs.ai/v1", rename=MAX_TOKENS),  # https://docs.inceptionlabs.ai
    # https://docs.lambda.ai
    Provider("lambda_ai", "https://api.lambda.ai/v1", ("LAMBDA_API_KEY",), rename=MAX_TOKENS, completes=".*"),
    Provider("libertai", "https://api.libertai.io/v1", rename=MAX_TOKENS),  # https://docs.libertai.io
    # https://llama.developer.meta.com/docs/features/compatibility
    Provider("meta_llama", "https://api.llama.com/compat/v1", ("LLAMA_API_KEY",)),
    # https://platform.minimax.io/docs/api-reference/text-openai-api
    Provider("minimax", "https://api.minimax.io/v1", rename=MAX_TOKENS),
    # https://www.modelscope.cn/docs/model-service/API-Inference
    Provider("modelscope", "https://api-inference.modelscope.cn/v1", ("MODELSCOPE_SDK_TOKEN",), rename=MAX_TOKENS),
    Provider("morph", "https://api.morphllm.com/v1", rename=MAX_TOKENS),  # https://docs.morphllm.com
    Provider("nano_gpt", "https://nano-gpt.com/api/v1", ("NANOGPT_API_KEY",), rename=MAX_TOKENS),  # https://docs.nano-gpt.com
    # https://docs.tokenfactory.nebius.com
    Provider("nebius", "https://api.studio.nebius.ai/v1", rename=MAX_TOKENS, completes=".*"),
    Provider("novita", "https://api.novita.ai/v3/openai", rename=MAX_TOKENS, completes=".*"),  # https://novita.ai/docs
    # https://docs.nscale.com
    Provider("nscale", "https://inference.api.nscale.com/v1", ("NSCALE_SERVICE_TOKEN",), rename=MAX_TOKENS),
    # https://help.ovhcloud.com/csm/en-public-cloud-ai-endpoints
    Provider("ovhcloud", "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", ("OVH_AI_ENDPOINTS_ACCESS_TOKEN",), rename=MAX_TOKENS),
    Provider("parasail", "https://api.parasail.io/v1", rename=MAX_TOKENS),  # https://docs.parasail.io
    # https://creator.poe.com/docs/external-applications/openai-compatible-api
    Provider("poe", "https://api.poe.com/v1", rename=MAX_TOKENS),
    # https://www.alibabacloud.com/help/en/model-studio
    Provider("qwencloud", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", rename=MAX_TOKENS),
    Provider("reka", "https://api.reka.ai/v1", rename=MAX_TOKENS),  # https://docs.reka.ai
    # https://www.scaleway.com/en/docs/generative-apis
    Provider("scaleway", "https://api.scaleway.ai/v1", ("SCW_SECRET_KEY",), rename=MAX_TOKENS),
    Provider("scx_ai", "https://api.scx.ai/v1", ("SCX_API_KEY",), rename=MAX_TOKENS),  # https://docs.scx.ai
    Provider("synthetic", "https://api.synthetic.new/openai/v1", rename=MAX_TOKENS),  # https://dev.synthetic.new/docs
    # https://www.tencentcloud.com/document
    Provider("tencent", "https://tokenhub-intl.tencentcloudmaas.com/v1", rename=MAX_TOKENS),
    Provider("v0", "https://api.v0.dev/v1"),  # https://v0.app/docs/api/model
    # https://docs.venice.ai
    Provider("veniceai", "https://api.venice.ai/api/v1", ("VENICE_AI_API_KEY", "VENICE_API_KEY"), rename=MAX_TOKENS),
    Provider("wandb", "https://api.inference.wandb.ai/v1", rename=MAX_TOKENS),  # https://docs.wandb.ai/inference
)

SERVERS: tuple[Provider, ...] = (
    # https://docs.vllm.ai/en/latest/features/reasoning_outputs/
    Provider(
        "hosted_vllm",
        reasoning_field="reasoning",
        strips_tool_fields=("strict", "additionalProperties"),
        flattens_assistant_content=True,
        models=("*",),
        completes=".*",
    ),
    # https://docs.ollama.com/api/openai-compatibility: `tool_choice` is not among what it takes.
    Provider("ollama", refuse=("tool_choice",), reasoning_field="reasoning", models=("*",), completes=".*"),
    Provider("llamafile", models=("*",), completes=".*"),  # https://github.com/ggml-org/llama.cpp/tree/master/tools/server
    Provider("lm_studio", models=("*",), completes=".*"),  # https://lmstudio.ai/docs/developer/openai-compat
    # https://inference.readthedocs.io/en/latest/getting_started/using_xinference.html
    Provider("xinference", models=("*",), completes=".*"),
    Provider("lemonade", models=("*",), completes=".*"),  # https://lemonade-server.ai/docs/server/server_spec/
    # https://devcenter.heroku.com/articles/heroku-inference-api-v1-chat-completions
    Provider("heroku", api_key_variables=("INFERENCE_KEY",), rename=MAX_TOKENS, models=("*",)),
    # https://docs.litellm.ai/docs/proxy/user_keys
    Provider("litellm_proxy", drop=("fallbacks", "context_window_fallbacks"), cache_control="keep", models=("*",)),
    Provider("openai_compatible", models=("*",), completes=".*"),
)
"""Of one's own: on when their base URL is set; a key is sent only if there is one."""
