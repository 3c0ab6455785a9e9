"""How providers that also generate text speak: which voices are meant by OpenAI's names, which formats they have. Data only."""

from collections.abc import Mapping
from dataclasses import replace

from haimaker.providers.provider import Provider

OPENAI_VOICES = ("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer", "verse", "marin", "cedar")
"""https://platform.openai.com/docs/guides/text-to-speech#voice-options"""


def voices(theirs: str) -> Mapping[str, Mapping[str, str]]:
    """Of a provider, in the order of OpenAI's: about as high, and of the same sex. Other names pass as they are."""
    return {"voice": dict(zip(OPENAI_VOICES, theirs.split(), strict=True))}


# https://platform.openai.com/docs/api-reference/audio/createSpeech: what was used is told in events, which tts-1 has not.
OPENAI_SPEECH = Provider(
    "openai",
    most_characters=4_096,
    add={"stream_format": "sse"},
    families={"tts-": Provider("openai", most_characters=4_096, forwards=("openai-organization", "openai-project"))},
    forwards=("openai-organization", "openai-project"),
)

# https://learn.microsoft.com/azure/ai-foundry/openai/reference-preview#create-speech: no version that is not a preview has it.
AZURE_SPEECH = Provider(
    "azure",
    paths={
        "v1": "/openai/v1{path}?api-version=preview",
        "preview": "/openai/v1{path}?api-version=preview",
        "*": "/openai/deployments/{model}{path}?api-version={version}",
    },
    default_version="2025-04-01-preview",
    version_variables=("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION"),
    key_header="api-key",
    most_characters=4_096,
)

# https://console.groq.com/docs/text-to-speech/orpheus
GROQ_SPEECH = Provider(
    "groq",
    formats=("wav",),
    drop=("instructions",),
    most_characters=200,
    values=voices("hannah austin daniel autumn troy daniel troy diana autumn hannah austin diana daniel"),
)
GROQ_ARABIC = replace(
    GROQ_SPEECH,
    values=voices("lulwa fahad sultan noura abdullah sultan abdullah aisha noura lulwa fahad aisha sultan"),
)
GROQ_SPEECH = replace(GROQ_SPEECH, families={"canopylabs/orpheus-arabic": GROQ_ARABIC})

# https://openrouter.ai/docs/features/multimodal/tts: voices are each model's own.
OPENROUTER_SPEECH = Provider("openrouter", forwards=("http-referer", "x-openrouter-title", "x-title"))

# https://docs.mistral.ai/studio/audio/text-to-speech/voices
MISTRAL_SPEECH = Provider(
    "mistral",
    adapter="mistral",
    formats=("mp3", "opus", "flac", "wav", "pcm"),
    rename={"voice": "voice_id"},
    drop=("instructions", "user"),
    refuse=("speed",),
    values={
        "voice_id": voices(
            "gb_jane_neutral en_paul_neutral en_paul_neutral gb_jane_neutral en_paul_neutral en_paul_neutral en_paul_neutral"
            " gb_jane_neutral gb_jane_neutral gb_jane_neutral en_paul_neutral gb_jane_neutral en_paul_neutral"
        )["voice"]
    },
)

# https://ai.google.dev/gemini-api/docs/speech-generation#voices; samples are all it gives.
GEMINI_VOICES = voices("Kore Puck Umbriel Leda Charon Sadachbia Algenib Aoede Despina Achernar Fenrir Sulafat Orus")
GEMINI_SPEECH = Provider(
    "gemini",
    adapter="gemini",
    key_header="x-goog-api-key",
    formats=("mp3", "wav", "pcm"),
    refuse=("speed",),
    values=GEMINI_VOICES,
    add={"voice": "Kore"},
)

# https://docs.cloud.google.com/text-to-speech/docs/list-voices-and-types: all that is not Gemini's. Chirp's voices have the names
# of Gemini's, those of older kinds have letters. https://docs.cloud.google.com/text-to-speech/quotas: 5,000 bytes
CHIRP = Provider(
    "vertex_ai",
    "https://texttospeech.googleapis.com/v1",
    adapter="google_speech",
    takes_google_tokens=True,
    formats=("mp3", "opus", "wav", "pcm"),
    speeds=(0.25, 2.0),
    drop=("instructions",),
    most_characters=5_000,
    values=GEMINI_VOICES,
    add={"voice": "Kore"},
)
LETTERED = replace(CHIRP, values=voices("C D A F D J I E G H A F J"), add={"voice": "C"})
STUDIO = replace(CHIRP, values=voices("O Q Q O Q Q Q O O O Q O Q"), add={"voice": "O"})
VERTEX_SPEECH = replace(
    GEMINI_SPEECH,
    name="vertex_ai",
    adapter="gemini_vertex",
    key_header="authorization",
    takes_google_tokens=True,
    families={r"neural2|wavenet|standard": LETTERED, "studio": STUDIO, r"(?!gemini)": CHIRP},
)

DEMO_SPEECH = Provider("demo", offline=True, formats=("wav", "pcm"), most_characters=4_096, add={"stream_format": "sse"})
