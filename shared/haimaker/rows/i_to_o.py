"""Rows of providers that speak OpenAI's format, from I to O, each with its documentation beside it. Data only."""

from haimaker.provider import MAX_TOKENS, Provider

I_TO_O: tuple[Provider, ...] = (
    Provider("inception", "https://api.inceptionlabs.ai/v1", rename=MAX_TOKENS),  # https://docs.inceptionlabs.ai
    # https://docs.lambda.ai
    Provider("lambda_ai", "https://api.lambda.ai/v1", ("LAMBDA_API_KEY",), rename=MAX_TOKENS, completes=".*"),
    Provider("libertai", "https://api.libertai.io/v1", rename=MAX_TOKENS),  # https://docs.libertai.io
    # https://llama.developer.meta.com/docs/features/compatibility
    Provider("meta_llama", "https://api.llama.com/compat/v1", ("LLAMA_API_KEY",)),
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
)
