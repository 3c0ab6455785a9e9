"""Fireworks AI.

https://docs.fireworks.ai/api-reference/post-chatcompletions
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers.common import MAX_TOKENS, NEVER_STREAMS
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, NativeBatches, Provider
from haimaker.providers.responses_format import responses_at

# https://docs.fireworks.ai/api-reference/audio-transcriptions: each model at a host of its own.
WHISPER = Provider(
    "fireworks_ai",
    endpoint=Endpoint("https://audio-prod.api.fireworks.ai/v1"),
    dialect=Dialect(drop=("user",), values=NEVER_STREAMS),
)

TRANSCRIPTION = replace(
    WHISPER,
    families={
        "whisper-turbo": replace(WHISPER, endpoint=replace(WHISPER.endpoint, base_url="https://audio-turbo.api.fireworks.ai/v1"))
    },
)

# https://docs.fireworks.ai/guides/response-api, …/api-reference/post-responses: what it keeps it keeps for 30 days and for the
# whole account, other than chats; so it is asked to keep nothing.
RESPONSES = responses_at(
    "fireworks_ai",
    tool_types=("function", "mcp"),
    ignores=("include", "truncation", "safety_identifier", "prompt_cache_key", "service_tier", "user"),
    lacks=("top_logprobs", "text.format"),  # not beside tools
    values={"reasoning_effort": {"minimal": "low"}},
)

PROVIDER = Provider(
    "fireworks_ai",
    endpoint=Endpoint("https://api.fireworks.ai/inference/v1"),
    auth=Auth(key_variables=("FIREWORKS_API_KEY", "FIREWORKSAI_API_KEY", "FIREWORKS_AI_TOKEN")),
    dialect=Dialect(
        rename=MAX_TOKENS,
        values={"tool_choice": {"required": "any"}, "reasoning_effort": {"minimal": "low"}},
        strips_tool_fields=("strict",),
        answer_tool=("tools",),  # it takes no format beside tools: https://github.com/ogx-ai/ogx/pull/3614
    ),
    catalog=Catalog(
        unlisted=("fireworks-asr",),  # live
        completes="all",
    ),
    operations={"audio_transcriptions": TRANSCRIPTION, "audio_translations": TRANSCRIPTION, "responses": RESPONSES},
    # https://docs.fireworks.ai/guides/batch-inference: half of the serverless prices, also of what is cached.
    # https://docs.fireworks.ai/api-reference/upload-dataset-files: 150 MB.
    batches=NativeBatches(
        "fireworks",
        ("/chat/completions",),
        percent=50,
        lacks=("service_tier",),
        needs=("account",),
        files_take_time=True,
        hosts={"control": Provider("fireworks_ai", endpoint=Endpoint("https://api.fireworks.ai/v1"))},
    ),
)
