"""OpenAI.

https://platform.openai.com/docs/api-reference/chat: reasoning models refuse `max_tokens`.
"""

from haimaker.providers.common import REASONING, WITH_TOKENS
from haimaker.providers.provider import Catalog, Dialect, Endpoint, Limits, MessageRules, NativeBatches, Provider

HEADERS = ("openai-organization", "openai-project", "openai-beta")

# https://platform.openai.com/docs/api-reference/audio/createSpeech: what was used is told in events, which tts-1 has not.
SPEECH = Provider(
    "openai",
    dialect=Dialect(add={"stream_format": "sse"}, forwards=("openai-organization", "openai-project")),
    limits=Limits(max_characters=4_096),
    families={
        "tts": Provider(
            "openai", dialect=Dialect(forwards=("openai-organization", "openai-project")), limits=Limits(max_characters=4_096)
        )
    },
)

TRANSCRIPTION = Provider(
    "openai",
    dialect=Dialect(forwards=HEADERS),
    families=dict.fromkeys(("gpt", "gpt-4"), Provider("openai", dialect=Dialect(values=WITH_TOKENS, forwards=HEADERS))),
)

# https://platform.openai.com/docs/api-reference/responses; …/guides/tools-web-search#limitations:
# it searches for 128,000 tokens at most, whatever the model; …/guides/background
RESPONSES = Provider(
    "openai",
    adapter="responses",
    dialect=Dialect(
        carries_chats=True,
        keeps_custom_tools=True,
        takes_breakpoints=True,
        forwards=HEADERS,
        messages=MessageRules(keeps_developer=True, keeps_reasoning_details=True),
    ),
    limits=Limits(
        single_choice=True,
        takes_max_tool_calls=True,
        compacts_responses=True,
        runs_in_background=True,
        search_window_tokens=128_000,
    ),
)

# https://platform.openai.com/docs/pricing#built-in-tools: 10 USD for 1,000 searches of the web, 2.50 of files, 0.03 for a container
# with 1 GB; larger ones by their memory.
FEES = {
    "search_context_cost_per_query": "0.01",
    "file_search_cost_per_query": "0.0025",
    "container_cost_per_gb": "0.03",
}

PROVIDER = Provider(
    "openai",
    endpoint=Endpoint("https://api.openai.com/v1"),
    dialect=Dialect(
        keeps_custom_tools=True,
        keeps_functions=True,
        takes_breakpoints=True,
        forwards=HEADERS,
        messages=MessageRules(keeps_developer=True, takes_unmended=("refusals",), strips_fields=REASONING),
    ),
    # https://platform.openai.com/docs/api-reference/images/createEdit
    limits=Limits(edits_by_reference=True),
    catalog=Catalog(
        completes="some",
        fees=FEES,
        unlisted=("ft:", "computer-use", "live"),  # fine-tuned models have longer names; others speak live
    ),
    operations={"audio_speech": SPEECH, "audio_transcriptions": TRANSCRIPTION, "responses": RESPONSES},
    # https://platform.openai.com/docs/guides/batch: 50,000 lines, 200 MB and one model a file; /v1/moderations is free anyway.
    batches=NativeBatches(
        "openai",
        ("/chat/completions", "/responses", "/embeddings", "/completions"),
        most_inputs=50_000,  # https://platform.openai.com/docs/api-reference/batch/create
        lacks=("service_tier",),
        files_last_s=14 * 86_400,
    ),
)
