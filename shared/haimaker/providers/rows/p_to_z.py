"""Rows of providers that speak OpenAI's format, from P to Z, each with its documentation beside it. Data only."""

from haimaker.providers.provider import MAX_COMPLETION_TOKENS, MAX_TOKENS, PENALTIES, ModelRule, Provider

P_TO_Z: tuple[Provider, ...] = (
    Provider("parasail", "https://api.parasail.io/v1", rename=MAX_TOKENS),  # https://docs.parasail.io
    Provider(
        "pinstripes", "https://api.pinstripes.io/v1", single_choice=True, rename=MAX_TOKENS
    ),  # https://www.pinstripes.io/docs/chat/completions/
    # https://creator.poe.com/docs/external-applications/openai-compatible-api
    Provider(
        "poe",
        "https://api.poe.com/v1",
        single_choice=True,
        rename=MAX_TOKENS,
        drop=("logit_bias", "seed", *PENALTIES),
        refuse=("logprobs", "top_logprobs"),
    ),
    # https://docs.publicai.co/
    Provider("publicai", "https://api.publicai.co/v1", rename=MAX_TOKENS, flattens_content=True),
    # `dashscope` by another name, and the same outside of China: https://www.alibabacloud.com/help/en/model-studio
    Provider(
        "qwen_ai_platform",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ("DASHSCOPE_API_KEY",),
        single_choice=True,
        rename=MAX_TOKENS,
        drop=("frequency_penalty", "logit_bias", "reasoning_effort"),
        thinking_flag="enable_thinking",
        cache_control="parts",
        priced_as="dashscope",
    ),
    Provider(
        "qwencloud",
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        ("DASHSCOPE_API_KEY",),
        single_choice=True,
        rename=MAX_TOKENS,
        drop=("frequency_penalty", "logit_bias", "reasoning_effort"),
        thinking_flag="enable_thinking",
        cache_control="parts",
    ),
    Provider(
        "reka", "https://api.reka.ai/v1", single_choice=True, rename=MAX_TOKENS
    ),  # https://docs.reka.ai/research/api-reference
    # https://docs.sarvam.ai/api-reference-docs/chat/chat-completions
    Provider("sarvam", "https://api.sarvam.ai/v1", key_header="api-subscription-key", rename=MAX_TOKENS),
    # https://www.scaleway.com/en/docs/generative-apis/api-cli/using-chat-api/
    Provider(
        "scaleway",
        "https://api.scaleway.ai/v1",
        ("SCW_SECRET_KEY",),
        single_choice=True,
        rename=MAX_TOKENS,
        drop=("frequency_penalty", "logit_bias", "user"),
        refuse=("top_logprobs",),
    ),
    Provider("scx_ai", "https://api.scx.ai/v1", ("SCX_API_KEY",), rename=MAX_TOKENS),  # https://docs.scx.ai
    # https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions
    Provider("siliconflow", "https://api.siliconflow.com/v1", rename=MAX_TOKENS),
    # https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api
    Provider(
        "snowflake",
        "https://{SNOWFLAKE_ACCOUNT}.snowflakecomputing.com/api/v2/cortex/v1",
        ("SNOWFLAKE_TOKEN", "SNOWFLAKE_JWT"),
        single_choice=True,
        rename=MAX_COMPLETION_TOKENS,
        strips_tool_fields=("strict",),
        model_rules=(ModelRule(r"(?!claude|openai-)", refuse=("tools",)),),
    ),
    # https://www.streamlake.com/document/WANQING
    Provider(
        "streamlake",
        "https://vanchin.streamlake.ai/api/gateway/v1/endpoints",
        rename=MAX_COMPLETION_TOKENS,
        cache_control="keep",
    ),
    Provider(
        "synthetic", "https://api.synthetic.new/openai/v1", rename=MAX_TOKENS, completes=".*"
    ),  # https://dev.synthetic.new/docs
    # https://www.tencentcloud.com/document
    Provider("tencent", "https://tokenhub-intl.tencentcloudmaas.com/v1", rename=MAX_TOKENS),
    # https://docs.tensormesh.ai/api-reference/serverless
    Provider(
        "tensormesh",
        "https://serverless.tensormesh.ai/v1",
        ("TENSORMESH_INFERENCE_API_KEY",),
        rename=MAX_TOKENS,
        completes=".*",
    ),
    Provider("v0", "https://api.v0.dev/v1"),  # https://v0.app/docs/api/model
    # https://docs.venice.ai/api-reference/endpoint/chat/completions
    Provider(
        "veniceai",
        "https://api.venice.ai/api/v1",
        ("VENICE_AI_API_KEY", "VENICE_API_KEY"),
        rename=MAX_COMPLETION_TOKENS,
        keeps_developer=True,
    ),
    # https://vercel.com/docs/ai-gateway/openai-compat: as with others, its own list of fallbacks is not passed on.
    Provider(
        "vercel_ai_gateway",
        "https://ai-gateway.vercel.sh/v1",
        ("AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN"),
        drop=("models", "providerOptions"),
        cache_control="keep",
        reports_cost=True,
    ),
    # https://www.volcengine.com/docs/82379/1494384
    Provider(
        "volcengine",
        "https://ark.cn-beijing.volces.com/api/v3",
        ("ARK_API_KEY",),
        single_choice=True,
        rename=MAX_TOKENS,
        thinking_switch=True,
        drop=("reasoning_effort",),
        # Of these, `max_tokens` does not count the reasoning.
        model_rules=(ModelRule("doubao-seed", rename=MAX_COMPLETION_TOKENS),),
    ),
    # https://docs.wandb.ai/inference
    Provider("wandb", "https://api.inference.wandb.ai/v1", rename=MAX_TOKENS, forwards=("openai-project",)),
    # https://platform.xiaomimimo.com/docs/en-US/api/chat/openai-api
    Provider(
        "xiaomi_mimo",
        "https://api.xiaomimimo.com/v1",
        ("MIMO_API_KEY",),
        single_choice=True,
        rename=MAX_COMPLETION_TOKENS,
        thinking_switch=True,
        drop=("reasoning_effort",),
        wants_reasoning_back=".*",
    ),
)
