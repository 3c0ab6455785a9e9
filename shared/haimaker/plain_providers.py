"""Rows of providers whose dialect of OpenAI's format has a rule or two, or none at all, each with its documentation beside it.

`providers.py` has all others and puts them together. Data only.
"""

from haimaker.provider import MAX_COMPLETION_TOKENS, MAX_TOKENS, ModelRule, Provider

COMPATIBLE: tuple[Provider, ...] = (
    # https://docs.aws.amazon.com/bedrock/latest/userguide/bedrock-mantle.html: Bedrock's own surface in OpenAI's format.
    Provider("bedrock_mantle", "https://bedrock-mantle.{AWS_REGION}.api.aws/v1", api_key_variables=("AWS_BEARER_TOKEN_BEDROCK",)),
    # https://docs.sambanova.ai/cloud/api-reference/endpoints/chat
    Provider(
        "sambanova",
        "https://api.sambanova.ai/v1",
        single_choice=True,
        rename=MAX_TOKENS,
        drop=("logit_bias", "seed", "presence_penalty", "frequency_penalty"),
        flattens_content=True,
    ),
    # https://docs.api.nvidia.com/nim/reference/llm-apis
    Provider("nvidia_nim", "https://integrate.api.nvidia.com/v1", ("NVIDIA_API_KEY",), rename=MAX_TOKENS),
    # https://deepinfra.com/docs/openai_api
    Provider(
        "deepinfra",
        "https://api.deepinfra.com/v1/openai",
        ("DEEPINFRA_TOKEN",),
        rename=MAX_TOKENS,
        completes=".*",
        reports_cost=True,
    ),
    # https://platform.moonshot.ai/docs/api/chat
    Provider("moonshot", "https://api.moonshot.ai/v1", rename=MAX_TOKENS, thinking_switch=True, drop=("reasoning_effort",)),
    # https://docs.z.ai/api-reference/llm/chat-completion
    Provider(
        "zai",
        "https://api.z.ai/api/paas/v4",
        single_choice=True,
        rename=MAX_TOKENS,
        thinking_switch=True,
        drop=("reasoning_effort",),
    ),
    # https://docs.bigmodel.cn/api-reference
    Provider(
        "bigmodel",
        "https://open.bigmodel.cn/api/paas/v4",
        single_choice=True,
        rename=MAX_TOKENS,
        thinking_switch=True,
        drop=("reasoning_effort",),
    ),
    # https://www.volcengine.com/docs/82379/1494384
    Provider(
        "volcengine",
        "https://ark.cn-beijing.volces.com/api/v3",
        ("ARK_API_KEY",),
        rename=MAX_TOKENS,
        thinking_switch=True,
        drop=("reasoning_effort",),
    ),
    # https://platform.xiaomimimo.com/#/docs/api/text-generation/openai-api
    Provider(
        "xiaomi_mimo",
        "https://api.xiaomimimo.com/v1",
        rename=MAX_TOKENS,
        thinking_switch=True,
        drop=("reasoning_effort",),
    ),
    # https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
    Provider(
        "databricks",
        "{DATABRICKS_HOST}/serving-endpoints",
        api_key_variables=("DATABRICKS_TOKEN",),
        base_url_variables=("DATABRICKS_API_BASE",),
        rename=MAX_TOKENS,
        strips_tool_fields=("strict",),
        model_rules=(ModelRule(".*claude", cache_control="keep"),),
    ),
    # https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/
    Provider(
        "cloudflare",
        "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        ("CLOUDFLARE_API_TOKEN",),
        rename=MAX_TOKENS,
    ),
    # https://vercel.com/docs/ai-gateway/openai-compat: as with others, its own list of fallbacks is not passed on.
    Provider(
        "vercel_ai_gateway",
        "https://ai-gateway.vercel.sh/v1",
        ("AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
        drop=("models", "providerOptions"),
        cache_control="keep",
        reasoning_field="reasoning",
    ),
    # https://docs.publicai.co/
    Provider("publicai", "https://api.publicai.co/v1", rename=MAX_TOKENS, flattens_content=True),
    # https://docs.sarvam.ai/api-reference-docs/chat/chat-completions
    Provider("sarvam", "https://api.sarvam.ai/v1", key_header="api-subscription-key", rename=MAX_TOKENS),
    # https://www.streamlake.com/document/WANQING
    Provider(
        "streamlake",
        "https://vanchin.streamlake.ai/api/gateway/v1/endpoints",
        rename=MAX_COMPLETION_TOKENS,
        cache_control="keep",
    ),
)

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
    Provider("ollama", single_choice=True, refuse=("tool_choice",), reasoning_field="reasoning", models=("*",), completes=".*"),
    Provider("llamafile", models=("*",), completes=".*"),  # https://github.com/ggml-org/llama.cpp/tree/master/tools/server
    Provider("lm_studio", models=("*",), completes=".*"),  # https://lmstudio.ai/docs/developer/openai-compat
    # https://inference.readthedocs.io/en/latest/getting_started/using_xinference.html
    Provider("xinference", models=("*",), completes=".*"),
    Provider("lemonade", models=("*",), completes=".*"),  # https://lemonade-server.ai/docs/server/server_spec/
    # https://devcenter.heroku.com/articles/heroku-inference-api-v1-chat-completions
    Provider("heroku", api_key_variables=("INFERENCE_KEY",), rename=MAX_TOKENS, models=("*",)),
    # https://docs.litellm.ai/docs/proxy/user_keys
    Provider(
        "litellm_proxy", keeps_call_ids=True, drop=("fallbacks", "context_window_fallbacks"), cache_control="keep", models=("*",)
    ),
    Provider("openai_compatible", models=("*",), completes=".*"),
)
"""Of one's own: on when their base URL is set; a key is sent only if there is one."""
