"""Rows of providers that speak OpenAI's format, from I to O, each with its documentation beside it. Data only."""

from haimaker.providers.provider import MAX_COMPLETION_TOKENS, MAX_TOKENS, Provider

I_TO_O: tuple[Provider, ...] = (
    # https://docs.inceptionlabs.ai
    Provider(
        "inception",
        "https://api.inceptionlabs.ai/v1",
        rename=MAX_TOKENS,
        values={"reasoning_effort": {"none": "instant", "minimal": "instant"}},
    ),
    Provider("infermatic", "https://api.totalgpt.ai/v1", rename=MAX_TOKENS, completes=".*"),  # https://infermatic.ai/docs/overview
    Provider(
        "kyma", "https://kymaapi.com/v1", single_choice=True, rename=MAX_TOKENS
    ),  # https://docs.kymaapi.com/api-reference/chat-completions
    # https://docs.lambda.ai
    Provider("lambda_ai", "https://api.lambda.ai/v1", ("LAMBDA_API_KEY",), rename=MAX_TOKENS, completes=".*"),
    Provider("libertai", "https://api.libertai.io/v1", rename=MAX_TOKENS),  # https://docs.libertai.io
    Provider("llamagate", "https://api.llamagate.dev/v1", single_choice=True, rename=MAX_TOKENS),  # https://llamagate.dev/docs
    # https://dev.meta.ai/docs/protocols/chat-completions: it always reasons, and chooses tools by itself.
    Provider(
        "meta",
        "https://api.meta.ai/v1",
        ("MODEL_API_KEY", "META_MODEL_API_KEY"),
        single_choice=True,
        rename=MAX_COMPLETION_TOKENS,
        refuse=("tool_choice", "stop"),
    ),
    # https://llama.developer.meta.com/docs/features/compatibility
    Provider("meta_llama", "https://api.llama.com/compat/v1", ("LLAMA_API_KEY",), single_choice=True, rename=MAX_COMPLETION_TOKENS),
    # https://www.modelscope.cn/docs/model-service/API-Inference
    Provider("modelscope", "https://api-inference.modelscope.cn/v1", ("MODELSCOPE_SDK_TOKEN",), rename=MAX_TOKENS),
    Provider("morph", "https://api.morphllm.com/v1", rename=MAX_TOKENS),  # https://docs.morphllm.com
    Provider("nadir", "https://api.getnadir.com/v1"),  # https://getnadir.com/llms-full.txt
    # https://docs.nano-gpt.com/api-reference/endpoint/chat-completion
    Provider("nano_gpt", "https://nano-gpt.com/api/v1", ("NANOGPT_API_KEY",), rename=MAX_TOKENS),
    # https://docs.tokenfactory.nebius.com/api-reference/inference/create-chat-completion
    Provider("nebius", "https://api.tokenfactory.nebius.com/v1", rename=MAX_TOKENS, completes=".*"),
    # https://docs.neosantara.xyz/api-reference/sdk/openai-compatible: what it does not take, it ignores.
    Provider(
        "neosantara",
        "https://api.neosantara.xyz/v1",
        single_choice=True,
        rename=MAX_TOKENS,
        drop=("seed", "logit_bias", "user", "store", "metadata", "service_tier"),
        refuse=("logprobs", "top_logprobs"),
    ),
    # https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion
    Provider("novita", "https://api.novita.ai/openai/v1", rename=MAX_TOKENS, completes=".*"),
    # https://docs.nscale.com
    Provider("nscale", "https://inference.api.nscale.com/v1", ("NSCALE_SERVICE_TOKEN",), rename=MAX_TOKENS),
    # https://docs.oracle.com/en-us/iaas/Content/generative-ai/openai-compatible-api.htm
    Provider("oci", "https://inference.generativeai.{OCI_REGION}.oci.oraclecloud.com/openai/v1", ("OCI_GENAI_API_KEY",)),
    Provider(
        "opencode_go", "https://opencode.ai/zen/go/v1", ("OPENCODE_API_KEY",), rename=MAX_TOKENS
    ),  # https://opencode.ai/docs/go
    # https://www.ovhcloud.com/en/public-cloud/ai-endpoints/catalog/
    Provider(
        "ovhcloud",
        "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        ("OVH_AI_ENDPOINTS_ACCESS_TOKEN",),
        rename=MAX_TOKENS,
    ),
)
