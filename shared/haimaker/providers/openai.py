"""OpenAI.

https://platform.openai.com/docs/api-reference/chat: reasoning models refuse `max_tokens`.
"""

from haimaker.providers.common import REASONING, WITH_TOKENS
from haimaker.providers.model_rules import BEFORE_SCHEMAS, ONE_TOOL_AT_A_TIME, OPENAI_REASONING
from haimaker.providers.provider import Catalog, Dialect, Endpoint, Limits, MessageRules, Provider

HEADERS = ("openai-organization", "openai-project", "openai-beta")

# https://platform.openai.com/docs/api-reference/audio/createSpeech: what was used is told in events, which tts-1 has not.
SPEECH = Provider(
    "openai",
    dialect=Dialect(add={"stream_format": "sse"}, forwards=("openai-organization", "openai-project")),
    limits=Limits(max_characters=4_096),
    families={
        "tts-": Provider(
            "openai", dialect=Dialect(forwards=("openai-organization", "openai-project")), limits=Limits(max_characters=4_096)
        )
    },
)

TRANSCRIPTION = Provider(
    "openai",
    dialect=Dialect(forwards=HEADERS),
    families={"gpt-": Provider("openai", dialect=Dialect(values=WITH_TOKENS, forwards=HEADERS))},
)

PROVIDER = Provider(
    "openai",
    endpoint=Endpoint("https://api.openai.com/v1"),
    dialect=Dialect(
        keeps_functions=True,
        model_rules=(*OPENAI_REASONING, BEFORE_SCHEMAS, ONE_TOOL_AT_A_TIME),
        forwards=HEADERS,
        messages=MessageRules(keeps_developer=True, strips_fields=REASONING),
    ),
    catalog=Catalog(
        completes=r"(?:ft:)?(?:gpt-3\.5-turbo-instruct|davinci-002|babbage-002)",
        unlisted=r"ft:|computer-use|gpt-live|gpt-realtime-whisper",  # fine-tuned models have longer names; others speak live
    ),
    operations={"audio_speech": SPEECH, "audio_transcriptions": TRANSCRIPTION},
)
