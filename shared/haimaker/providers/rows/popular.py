"""Rows of the most used providers that speak OpenAI's format, each with its documentation beside it. Data only."""

from dataclasses import replace

from haimaker.providers.provider import (
    MAX_COMPLETION_TOKENS,
    MAX_TOKENS,
    OPENAI_ALONE,
    OPENAI_REASONING,
    PENALTIES,
    REASONING,
    ModelRule,
    Provider,
)
from haimaker.providers.rows import rerank
from haimaker.providers.rows.a_to_h import BEFORE_EFFORTS
from haimaker.providers.rows.hearing import FIREWORKS_HEARS, GROQ_HEARS, XAI_HEARS
from haimaker.providers.rows.images import TOGETHER_IMAGES, XAI_IMAGES, for_all
from haimaker.providers.rows.speech import GROQ_SPEECH, OPENROUTER_SPEECH

KIMI_THINKS = r"kimi-(?:k2\.|k[3-9]|k2-thinking|thinking)"

# https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference
DATABRICKS = Provider(
    "databricks",
    "{DATABRICKS_HOST}/serving-endpoints",
    api_key_variables=("DATABRICKS_TOKEN",),
    base_url_variables=("DATABRICKS_API_BASE",),
    single_choice=True,
    rename=MAX_TOKENS,
    strips_tool_fields=("strict",),
)
POPULAR: tuple[Provider, ...] = (
    # https://openrouter.ai/docs/use-cases/usage-accounting, …/features/prompt-caching; the headers name the client's app:
    # https://openrouter.ai/docs/app-attribution. Its own fallbacks would reach models that a key may not use.
    Provider(
        "openrouter",
        "https://openrouter.ai/api/v1",
        operations={"audio_speech": OPENROUTER_SPEECH},
        drop=("models", "route"),
        add={"usage": {"include": True}},
        values={"reasoning_effort": {"max": "xhigh"}},
        cache_control="parts",
        reports_cost=True,
        forwards=("http-referer", "x-openrouter-title", "x-title"),
    ),
    # https://console.groq.com/docs/openai, …/docs/api-reference#chat-create: fields it does not know are refused.
    Provider(
        "groq",
        "https://api.groq.com/openai/v1",
        operations={"audio_speech": GROQ_SPEECH, "audio_transcriptions": GROQ_HEARS, "audio_translations": GROQ_HEARS},
        single_choice=True,
        drop=("logit_bias", *(name for name in OPENAI_ALONE if name != "service_tier")),
        refuse=("logprobs", "top_logprobs"),
        values={"service_tier": {"default": "on_demand"}},
        strips_message_nulls=True,
        strips_message_names=True,
        strips_message_fields=REASONING,
        # …/docs/structured-outputs: no stream, no tools beside it, and few models that take a schema.
        whole_with=("response_format",),
        answer_tool=("tools",),
        model_rules=(
            ModelRule(r"(?!openai/gpt-oss|qwen/qwen3\.[5-9]|moonshotai/|meta-llama/llama-4)", answer_tool=("schema",)),
            # …/docs/browser-search, …/docs/compound: its systems search whenever they like.
            ModelRule("openai/gpt-oss", search_tool="browser_search"),
            ModelRule(r"(?:groq/)?compound", drop=("web_search_options",)),
            ModelRule(r"(?!openai/gpt-oss|(?:groq/)?compound)", refuse=("web_search_options",)),
        ),
    ),
    # https://docs.together.ai/reference/chat-completions-1
    Provider(
        "together_ai",
        "https://api.together.ai/v1",
        api_key_variables=("TOGETHER_API_KEY", "TOGETHERAI_API_KEY", "TOGETHER_AI_TOKEN"),
        operations=for_all(TOGETHER_IMAGES),
        rename=MAX_TOKENS,
        counts_logprobs=True,
        completes=".*",
    ),
    # https://docs.fireworks.ai/api-reference/post-chatcompletions
    Provider(
        "fireworks_ai",
        "https://api.fireworks.ai/inference/v1",
        unlisted=r".*/fireworks-asr",  # live
        api_key_variables=("FIREWORKS_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN"),
        rename=MAX_TOKENS,
        values={"tool_choice": {"required": "any"}, "reasoning_effort": {"minimal": "low"}},
        strips_tool_fields=("strict",),
        answer_tool=("tools",),  # it takes no format beside tools: https://github.com/ogx-ai/ogx/pull/3614
        completes=".*",
        operations={"audio_transcriptions": FIREWORKS_HEARS, "audio_translations": FIREWORKS_HEARS},
    ),
    # https://api-docs.deepseek.com/api/create-chat-completion, …/guides/thinking_mode, …/guides/json_mode
    Provider(
        "deepseek",
        "https://api.deepseek.com/v1",
        single_choice=True,
        rename=MAX_TOKENS,
        values={"reasoning_effort": {"minimal": "low", "xhigh": "max"}},
        schema_in_words=True,
        flattens_content=True,
        thinking_switch=True,
        wants_reasoning_back=r"(?!deepseek-chat)",
        model_rules=(ModelRule("deepseek-reasoner", refuse=("logprobs", "top_logprobs")),),
    ),
    # https://docs.x.ai/docs/api-reference#chat-completions, …/docs/models
    Provider(
        "xai",
        "https://api.x.ai/v1",
        telemetry_name="x_ai",
        operations={"audio_transcriptions": XAI_HEARS, **for_all(XAI_IMAGES)},
        known_as={"grok-stt": "grok-voice-transcribe-1.0"},
        rename=MAX_TOKENS,
        values={"reasoning_effort": {"minimal": "low"}},
        strips_tool_fields=("strict", "additionalProperties"),
        strips_message_fields=("name",),
        reports_cost=True,
        model_rules=(
            # https://docs.x.ai/docs/guides/reasoning
            ModelRule(r"grok-(?:3-mini|4|code|build)(?!.*non-reasoning)", drop=PENALTIES, refuse=("stop",)),
        ),
    ),
    # https://docs.perplexity.ai/api-reference/chat-completions-post: it searches by itself, and calls nobody's functions.
    Provider(
        "perplexity",
        "https://api.perplexity.ai",
        operations={"embeddings": Provider("perplexity", adapter="")},  # its vectors have whole numbers of 8 bits
        single_choice=True,
        api_key_variables=("PERPLEXITYAI_API_KEY", "PPLX_API_KEY"),
        rename=MAX_TOKENS,
        drop=("seed", "logit_bias", "user", "parallel_tool_calls"),
        refuse=("tools", "tool_choice", "logprobs", "top_logprobs"),
        reports_cost=True,
        asks_stream_usage=False,
    ),
    # https://inference-docs.cerebras.ai/api-reference/chat-completions, …/capabilities/reasoning
    Provider(
        "cerebras",
        "https://api.cerebras.ai/v1",
        single_choice=True,
        rename=MAX_COMPLETION_TOKENS,
        drop=("logit_bias", *PENALTIES),
        strips_message_fields=("annotations",),
        reasoning_history="reasoning",
        completes=".*",
    ),
    # https://docs.github.com/rest/models/inference
    Provider(
        "github",
        "https://models.github.ai/inference",
        ("GITHUB_TOKEN",),
        rename=MAX_TOKENS,
        model_rules=OPENAI_REASONING,
    ),
    # https://huggingface.co/docs/inference-providers/tasks/chat-completion: what it routes to, names reasoning differently.
    Provider(
        "huggingface",
        "https://router.huggingface.co/v1",
        ("HF_TOKEN",),
        operations={
            "embeddings": Provider(
                "huggingface", "https://router.huggingface.co/hf-inference", adapter="huggingface", drop=("user",)
            ),
            "rerank": replace(rerank.TEI, name="huggingface"),  # at an address of one's own: its Inference Endpoints
        },
        single_choice=True,
        rename=MAX_TOKENS,
    ),
    replace(DATABRICKS, families={".*claude": replace(DATABRICKS, base_url="", adapter="databricks", cache_control="keep")}),
    # https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/
    Provider(
        "cloudflare",
        "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        ("CLOUDFLARE_API_TOKEN",),
        unlisted=r"@cf/openai/whisper",  # not in this format
        single_choice=True,
        rename=MAX_TOKENS,
    ),
    # https://docs.deepinfra.com/chat/overview, …/apis/completions
    Provider(
        "deepinfra",
        "https://api.deepinfra.com/v1/openai",
        ("DEEPINFRA_TOKEN",),
        paths={"openai": "/openai{path}", "*": "{path}"},
        operations={"rerank": rerank.DEEPINFRA},
        single_prompt=True,
        rename=MAX_TOKENS,
        completes=".*",
        reports_cost=True,
    ),
    # https://docs.sambanova.ai/docs/en/features/openai-compatibility
    Provider(
        "sambanova",
        "https://api.sambanova.ai/v1",
        single_choice=True,
        rename=MAX_TOKENS,
        drop=("logit_bias", "seed", *PENALTIES),
        refuse=("logprobs", "top_logprobs"),
        flattens_content=True,
    ),
    # https://docs.api.nvidia.com/nim/reference/llm-apis: only what a user says may be a list of parts.
    # https://docs.nvidia.com/nim/nemo-retriever/text-embedding/latest/reference.html
    Provider(
        "nvidia_nim",
        "https://integrate.api.nvidia.com/v1",
        ("NVIDIA_API_KEY",),
        operations={
            "embeddings": Provider("nvidia_nim", add={"input_type": "passage"}),
            "rerank": rerank.NVIDIA_NIM,
        },
        rename=MAX_TOKENS,
        flattens_content=True,
    ),
    # https://platform.kimi.ai/docs/api/chat, …/docs/api/models-overview: what samples is fixed in models that think, which also
    # want their reasoning back with their calls; an image can't be a link.
    Provider(
        "moonshot",
        "https://api.moonshot.ai/v1",
        ("MOONSHOTAI_API_KEY", "KIMI_API_KEY"),
        single_choice=True,
        rename=MAX_COMPLETION_TOKENS,
        thinking_switch=True,
        wants_reasoning_back=KIMI_THINKS,
        inlines_images=True,
        model_rules=(
            ModelRule(KIMI_THINKS, drop=("temperature", "top_p", *PENALTIES)),
            ModelRule(r"(?!kimi-k[3-9])", drop=("reasoning_effort",)),
        ),
    ),
    # https://docs.z.ai/api-reference/llm/chat-completion
    Provider(
        "zai",
        "https://api.z.ai/api/paas/v4",
        single_choice=True,
        rename={**MAX_TOKENS, "user": "user_id"},
        thinking_switch=True,
        refuse=("tool_choice",),
        schema_in_words=True,
        model_rules=(BEFORE_EFFORTS,),
    ),
    # https://platform.minimax.io/docs/api-reference/text-openai-api
    Provider(
        "minimax",
        "https://api.minimax.io/v1",
        unlisted="speech-",  # not in this format
        single_choice=True,
        rename=MAX_COMPLETION_TOKENS,
        drop=("logit_bias", *PENALTIES),
        add={"reasoning_split": True},  # without it reasoning stands in the text as well, between tags
    ),
    # https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-openai-chat-completions, …/context-cache
    Provider(
        "dashscope",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        unlisted=r"qwen.*-tts|qwen-image",  # not in this format
        single_choice=True,
        rename=MAX_TOKENS,
        drop=("frequency_penalty", "logit_bias", "reasoning_effort"),
        thinking_flag="enable_thinking",
        cache_control="parts",
    ),
)
