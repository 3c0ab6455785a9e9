"""Rows of the most used providers that speak OpenAI's format, each with its documentation beside it. Data only."""

from haimaker.provider import MAX_COMPLETION_TOKENS, MAX_TOKENS, OPENAI_REASONING, PENALTIES, REASONING, ModelRule, Provider

POPULAR: tuple[Provider, ...] = (
    # https://openrouter.ai/docs/use-cases/usage-accounting, …/features/prompt-caching; the headers name the client's app:
    # https://openrouter.ai/docs/app-attribution. Its own fallbacks would reach models that a key may not use.
    Provider(
        "openrouter",
        "https://openrouter.ai/api/v1",
        drop=("models", "route"),
        add={"usage": {"include": True}},
        values={"reasoning_effort": {"max": "xhigh"}},
        cache_control="parts",
        reports_cost=True,
        reasoning_field="reasoning",
        forwards=("http-referer", "x-openrouter-title", "x-title"),
    ),
    # https://console.groq.com/docs/openai
    Provider(
        "groq",
        "https://api.groq.com/openai/v1",
        single_choice=True,
        drop=("logprobs", "top_logprobs", "logit_bias"),
        strips_message_nulls=True,
        strips_message_names=True,
        strips_message_fields=REASONING,
        reasoning_field="reasoning",
    ),
    # https://docs.together.ai/reference/chat-completions-1
    Provider(
        "together_ai",
        "https://api.together.ai/v1",
        api_key_variables=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"),
        rename=MAX_TOKENS,
        reasoning_field="reasoning",
        completes=".*",
    ),
    # https://docs.fireworks.ai/api-reference/post-chatcompletions
    Provider(
        "fireworks_ai",
        "https://api.fireworks.ai/inference/v1",
        api_key_variables=("FIREWORKS_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"),
        rename=MAX_TOKENS,
        values={"tool_choice": {"required": "any"}},
        strips_tool_fields=("strict",),
        completes=".*",
    ),
    # https://api-docs.deepseek.com/api/create-chat-completion, …/guides/thinking_mode
    Provider(
        "deepseek",
        "https://api.deepseek.com/v1",
        single_choice=True,
        rename=MAX_TOKENS,
        flattens_content=True,
        thinking_switch=True,
        wants_reasoning_back=r"(?!deepseek-chat)",
    ),
    # https://docs.x.ai/docs/api-reference#chat-completions, …/docs/models
    Provider(
        "xai",
        "https://api.x.ai/v1",
        telemetry_name="x_ai",
        rename=MAX_TOKENS,
        strips_tool_fields=("strict", "additionalProperties"),
        strips_message_fields=("name",),
        whole_calls=True,
        reports_cost=True,
        model_rules=(
            ModelRule(r"grok-(?:4|code|build)(?!.*non-reasoning)", drop=PENALTIES, refuse=("stop",)),
            ModelRule(r"grok-3-mini", refuse=("stop",)),
        ),
    ),
    # https://docs.perplexity.ai/api-reference/chat-completions-post: it searches by itself, and calls nobody's functions.
    Provider(
        "perplexity",
        "https://api.perplexity.ai",
        single_choice=True,
        api_key_variables=("PERPLEXITYAI_API_KEY", "PPLX_API_KEY"),
        rename=MAX_TOKENS,
        drop=("seed", "logit_bias", "user", "parallel_tool_calls", "stream_options"),
        refuse=("tools", "tool_choice", "functions", "function_call", "logprobs", "top_logprobs"),
        reports_cost=True,
        asks_stream_usage=False,
    ),
    # https://inference-docs.cerebras.ai/resources/openai
    Provider(
        "cerebras",
        "https://api.cerebras.ai/v1",
        rename=MAX_TOKENS,
        drop=("logit_bias", *PENALTIES),
        strips_message_fields=REASONING,
        reasoning_field="reasoning",
        completes=".*",
    ),
    # https://docs.github.com/rest/models/inference
    Provider(
        "github",
        "https://models.github.ai/inference",
        rename=MAX_TOKENS,
        model_rules=(ModelRule(r"openai/(?:o\d|gpt-5)", rename=MAX_COMPLETION_TOKENS), *OPENAI_REASONING[1:]),
    ),
    # https://huggingface.co/docs/inference-providers
    Provider("huggingface", "https://router.huggingface.co/v1", ("HF_TOKEN",), rename=MAX_TOKENS),
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
    # https://deepinfra.com/docs/openai_api
    Provider(
        "deepinfra",
        "https://api.deepinfra.com/v1/openai",
        ("DEEPINFRA_TOKEN",),
        rename=MAX_TOKENS,
        completes=".*",
        reports_cost=True,
    ),
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
    # https://platform.minimax.io/docs/api-reference/text-openai-api
    Provider("minimax", "https://api.minimax.io/v1", rename=MAX_TOKENS),
    # https://help.aliyun.com/zh/model-studio
    Provider("dashscope", "https://dashscope.aliyuncs.com/compatible-mode/v1", rename=MAX_TOKENS),
)
