"""Fireworks AI.

https://docs.fireworks.ai/api-reference/post-chatcompletions
"""

from dataclasses import replace

from haimaker.providers.common import MAX_TOKENS, NEVER_STREAMS
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Provider

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
    operations={"audio_transcriptions": TRANSCRIPTION, "audio_translations": TRANSCRIPTION},
)
