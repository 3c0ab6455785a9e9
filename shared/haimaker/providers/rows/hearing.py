"""How providers hear: formats that they lack, addresses of their own, the least that they bill. Data only."""

from dataclasses import replace

from haimaker.providers.provider import Provider

OPENAI_HEADERS = ("openai-organization", "openai-project", "openai-beta")
UNSTREAMED = {"stream": {"true": "", "false": ""}}

# https://platform.openai.com/docs/api-reference/audio/createTranscription: a plain text would not say how many tokens it took.
TELLS_TOKENS = {"response_format": {"text": "json"}}
OPENAI_HEARS = Provider(
    "openai",
    forwards=OPENAI_HEADERS,
    families={"gpt-": Provider("openai", values=TELLS_TOKENS, forwards=OPENAI_HEADERS)},
)

# https://learn.microsoft.com/azure/ai-foundry/openai/reference#transcriptions---create; a deployment may have another name.
AZURE_HEARS = Provider(
    "azure", key_header="api-key", families={"gpt-": Provider("azure", key_header="api-key", values=TELLS_TOKENS)}
)

# https://console.groq.com/docs/speech-to-text: no streams, no subtitles, and ten seconds are the least that is billed.
GROQ_HEARS = Provider(
    "groq",
    drop=("user",),
    values={"response_format": {"srt": "verbose_json", "vtt": "verbose_json"}, **UNSTREAMED},
    least_sound_ms=10_000,
)

# https://docs.fireworks.ai/api-reference/audio-transcriptions: each model at a host of its own.
FIREWORKS_HEARS = Provider("fireworks_ai", "https://audio-prod.api.fireworks.ai/v1", drop=("user",), values=UNSTREAMED)
FIREWORKS_HEARS = replace(
    FIREWORKS_HEARS, families={".*turbo": replace(FIREWORKS_HEARS, base_url="https://audio-turbo.api.fireworks.ai/v1")}
)

# https://docs.x.ai/developers/model-capabilities/audio/speech-to-text
XAI_HEARS = Provider("xai", adapter="xai")

# https://docs.cloud.google.com/speech-to-text/docs/models/chirp-3; all others are Gemini's.
CHIRP_HEARS = Provider(
    "vertex_ai",
    "https://{HOST}/v2/projects/{VERTEX_AI_PROJECT}/locations/{LOCATION}",
    adapter="google_speech",
    takes_google_tokens=True,
    hosts={"global": "speech.googleapis.com", "*": "{location}-speech.googleapis.com"},
    default_location="us-central1",
)
VERTEX_HEARS = Provider("vertex_ai", adapter="gemini_vertex", takes_google_tokens=True, families={"chirp": CHIRP_HEARS})

# https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded
DEEPGRAM_HEARS = Provider("deepgram", adapter="deepgram", key_scheme="Token")

# https://elevenlabs.io/docs/api-reference/speech-to-text/convert
ELEVENLABS_HEARS = Provider("elevenlabs", adapter="elevenlabs", key_header="xi-api-key")
