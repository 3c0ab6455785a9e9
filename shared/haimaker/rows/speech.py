"""How providers that also generate text speak: which voices are meant by OpenAI's names, which formats they have. Data only."""

from collections.abc import Mapping
from dataclasses import replace

from haimaker.provider import Provider

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
