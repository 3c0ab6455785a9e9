"""Rows of servers of one's own, on when their base URL is set; a key is sent only if there is one. Data only."""

from haimaker.providers.provider import MAX_TOKENS, Provider

SERVERS: tuple[Provider, ...] = (
    # https://docs.vllm.ai/en/latest/features/reasoning_outputs/
    Provider(
        "hosted_vllm",
        base_url_variables=("HOSTED_VLLM_API_BASE",),
        strips_tool_fields=("strict", "additionalProperties"),
        flattens_assistant_content=True,
        operations={"rerank": Provider("hosted_vllm", document_fields=("content",))},
        models=("*",),
        completes=".*",
    ),
    # https://docs.ollama.com/api/openai-compatibility: `tool_choice` is not among what it takes, an image only as base64.
    Provider(
        "ollama",
        single_choice=True,
        rename=MAX_TOKENS,
        drop=("logit_bias", "user", "parallel_tool_calls"),
        refuse=("tool_choice",),
        inlines_images=True,
        models=("*",),
        completes=".*",
    ),
    # https://github.com/ggml-org/llama.cpp/tree/master/tools/server
    Provider("llamafile", base_url_variables=("LLAMAFILE_API_BASE",), rename=MAX_TOKENS, models=("*",), completes=".*"),
    # https://lmstudio.ai/docs/developer/openai-compat/chat-completions
    Provider("lm_studio", base_url_variables=("LM_STUDIO_API_BASE",), rename=MAX_TOKENS, models=("*",), completes=".*"),
    # https://inference.readthedocs.io/en/latest/getting_started/using_xinference.html
    Provider("xinference", base_url_variables=("XINFERENCE_API_BASE",), rename=MAX_TOKENS, models=("*",), completes=".*"),
    Provider("lemonade", models=("*",), completes=".*"),  # https://lemonade-server.ai/docs/server/server_spec/
    # https://docs.litellm.ai/docs/proxy/user_keys
    Provider(
        "litellm_proxy", keeps_call_ids=True, drop=("fallbacks", "context_window_fallbacks"), cache_control="keep", models=("*",)
    ),
    Provider("openai_compatible", models=("*",), completes=".*"),
)
