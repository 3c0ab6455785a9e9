"""Mistral.

https://docs.mistral.ai/api/: unknown fields are refused, usage comes with the last chunk unasked.
"""

from haimaker.providers.common import CACHE, MAX_TOKENS, REASONING, voices
from haimaker.providers.provider import AnswerRules, Catalog, Dialect, Endpoint, MessageRules, NativeBatches, Provider

UNSUPPORTED = ("user", "logit_bias", "store", "service_tier", "safety_identifier", "verbosity", "moderation", *CACHE[1:])

# https://docs.mistral.ai/studio/audio/text-to-speech/voices
SPEECH = Provider(
    "mistral",
    adapter="mistral",
    dialect=Dialect(
        audio_formats=("mp3", "opus", "flac", "wav", "pcm"),
        rename={"voice": "voice_id"},
        drop=("instructions", "user"),
        refuse=("speed",),
        values={
            "voice_id": voices(
                "gb_jane_neutral en_paul_neutral en_paul_neutral gb_jane_neutral en_paul_neutral en_paul_neutral en_paul_neutral"
                " gb_jane_neutral gb_jane_neutral gb_jane_neutral en_paul_neutral gb_jane_neutral en_paul_neutral"
            )["voice"]
        },
    ),
)

PROVIDER = Provider(
    "mistral",
    adapter="mistral",
    endpoint=Endpoint("https://api.mistral.ai/v1"),
    dialect=Dialect(
        rename={**MAX_TOKENS, "seed": "random_seed"},
        drop=UNSUPPORTED,
        refuse=("web_search_options", "audio", "modalities"),
        ranges={"temperature": (0, 1.5), "top_p": (1e-6, 1), "seed": (0, 2**53)},
        values={"tool_choice": {"required": "any"}},
        asks_stream_usage=False,
        narrows_tools=True,
        answers=AnswerRules(finish_reasons={"model_length": "length"}),  # https://docs.mistral.ai/api/endpoint/chat
        messages=MessageRules(strips_names=True, strips_fields=(*REASONING, "refusal", "audio")),
    ),
    catalog=Catalog(telemetry_name="mistral_ai", unlisted=("live",)),
    # https://docs.mistral.ai/capabilities/batch: one model a job; https://mistral.ai/pricing: half of the ordinary prices.
    batches=NativeBatches("mistral", ("/chat/completions", "/embeddings", "/moderations"), percent=50),
    operations={
        "audio_speech": SPEECH,
        "embeddings": Provider("mistral", dialect=Dialect(rename={"dimensions": "output_dimension"}, drop=("user",))),
    },
)
