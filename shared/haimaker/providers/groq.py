"""Groq.

https://console.groq.com/docs/openai, …/docs/api-reference#chat-create: fields it does not know are refused.
"""

from haimaker.lean_dataclasses import replace
from haimaker.models.matching import OTHERS
from haimaker.providers.common import NEVER_STREAMS, OPENAI_ONLY, REASONING, voices
from haimaker.providers.family_rules import FamilyRule
from haimaker.providers.provider import AnswerRules, Dialect, Endpoint, Limits, MessageRules, NativeBatches, Provider
from haimaker.providers.responses_format import responses_at

# https://console.groq.com/docs/text-to-speech/orpheus
ENGLISH_SPEECH = Provider(
    "groq",
    dialect=Dialect(
        audio_formats=("wav",),
        drop=("instructions",),
        values=voices("hannah austin daniel autumn troy daniel troy diana autumn hannah austin diana daniel"),
    ),
    limits=Limits(max_characters=200),
)

ARABIC_SPEECH = replace(
    ENGLISH_SPEECH,
    dialect=replace(
        ENGLISH_SPEECH.dialect,
        values=voices("lulwa fahad sultan noura abdullah sultan abdullah aisha noura lulwa fahad aisha sultan"),
    ),
)

SPEECH = replace(ENGLISH_SPEECH, families={"orpheus-arabic": ARABIC_SPEECH})

# https://console.groq.com/docs/speech-to-text: no streams, no subtitles, and ten seconds are the least that is billed.
TRANSCRIPTION = Provider(
    "groq",
    dialect=Dialect(drop=("user",), values={"response_format": {"srt": "verbose_json", "vtt": "verbose_json"}, **NEVER_STREAMS}),
    limits=Limits(min_audio_ms=10_000),
)

# https://console.groq.com/docs/responses-api: without state, of texts and images. A search of the web is translated to its own.
RESPONSES = responses_at(
    "groq",
    tool_types=("function", "mcp"),
    ignores=("include", "truncation", "safety_identifier", "prompt_cache_key"),
    lacks=("top_logprobs", "max_tool_calls", "text.format"),  # …/docs/structured-outputs: of few models, and not beside tools
    values={"reasoning_effort": {"minimal": "low", "xhigh": "high", "max": "high"}},
)

PROVIDER = Provider(
    "groq",
    endpoint=Endpoint("https://api.groq.com/openai/v1"),
    dialect=Dialect(
        drop=("logit_bias", *(name for name in OPENAI_ONLY if name != "service_tier")),
        refuse=("logprobs", "top_logprobs", "web_search_options", "audio", "modalities"),
        values={"service_tier": {"default": "on_demand"}},
        # …/docs/structured-outputs: no stream, no tools beside it, and few models that take a schema.
        whole_with=("response_format",),
        answer_tool=("tools",),
        narrows_tools=True,
        # …/docs/browser-search, …/docs/compound: its systems search whenever they like.
        family_rules={
            "gpt-oss": FamilyRule(search_tool="browser_search"),
            "compound": FamilyRule(drop=("web_search_options",), answer_tool=("schema",)),
            **dict.fromkeys(("kimi", "llama-4", "qwen3.5"), FamilyRule()),
            OTHERS: FamilyRule(answer_tool=("schema",)),
        },
        answers=AnswerRules(service_tiers={"on_demand": "default"}),  # …/docs/service-tiers
        messages=MessageRules(strips_nulls=True, strips_names=True, strips_fields=REASONING),
    ),
    limits=Limits(single_choice=True),
    operations={
        "audio_speech": SPEECH,
        "audio_transcriptions": TRANSCRIPTION,
        "audio_translations": TRANSCRIPTION,
        "responses": RESPONSES,
    },
    # https://console.groq.com/docs/batch: half of the ordinary prices, whatever was cached; 50,000 lines and 200 MB, though its API
    # reference says 100.
    batches=NativeBatches("openai", ("/chat/completions",), percent=50, cached_as_input=True, lacks=("service_tier",)),
)
