"""Rows of providers that do nothing but speak, or speak and listen. Data only."""

from collections.abc import Mapping
from dataclasses import replace

from haimaker.providers.provider import Provider
from haimaker.providers.rows.hearing import DEEPGRAM_HEARS, ELEVENLABS_HEARS
from haimaker.providers.rows.speech import voices

# https://docs.aws.amazon.com/polly/latest/dg/available-voices.html: those of the United States, where an engine has enough of them.
# https://docs.aws.amazon.com/polly/latest/dg/prosody-tag.html: 20 to 200 % as fast.
POLLY = Provider(
    "aws_polly",
    adapter="polly",
    signs_as="polly",
    formats=("mp3", "opus", "wav"),
    speeds=(0.25, 2.0),
    drop=("instructions",),
    most_characters=3_000,
    add={"voice": "Joanna"},
    values=voices("Joanna Stephen Matthew Ruth Joey Gregory Matthew Danielle Kendra Salli Stephen Kimberly Gregory"),
)
POLLY_ENGINES: Mapping[str, Provider] = {
    "generative": replace(
        POLLY,
        values=voices("Joanna Stephen Matthew Ruth Matthew Stephen Matthew Danielle Salli Salli Stephen Ruth Matthew"),
    ),
    "long-form": replace(
        POLLY,
        add={"voice": "Danielle"},
        values=voices("Danielle Gregory Gregory Ruth Gregory Gregory Gregory Danielle Ruth Danielle Gregory Ruth Gregory"),
    ),
    "standard": replace(
        POLLY,
        values=voices("Joanna Joey Matthew Kimberly Joey Matthew Matthew Salli Kendra Salli Joey Kimberly Matthew"),
    ),
}

# https://elevenlabs.io/docs/api-reference/text-to-speech/stream, …/eleven-creative/voices/default-voices
ELEVENLABS_SPEECH = Provider(
    "elevenlabs",
    adapter="elevenlabs",
    key_header="xi-api-key",
    formats=("mp3", "opus", "wav", "pcm"),
    speeds=(0.7, 1.2),
    drop=("instructions",),
    add={"voice": "21m00Tcm4TlvDq8ikWAM"},
    values=voices(
        "21m00Tcm4TlvDq8ikWAM cjVigY5qzO86Huf0OWal onwK4e9ZLuTAKqWW03F9 EXAVITQu4vr4xnSDxMaL iP95p4xoKVk53GoZ742B"
        " JBFqnCBsd6RMkjVDRZzb nPczCjzI2devNBz1zQrb cgSgspJ2msm6clMCkdW9 XrExE9yKIg1WjnnlVkGX pFZP5JQG7iQjIQuC4Bku"
        " TX3LPaxmHKxFdv7VOQHJ FGY2WhTYpPnrIDTdsKH5 pqHfZKP75CvOlQylNhV4"
    ),
)

# https://developers.deepgram.com/docs/tts-models, …/docs/tts-voice-controls
DEEPGRAM_SPEECH = Provider(
    "deepgram",
    adapter="deepgram",
    key_scheme="Token",
    speeds=(0.7, 1.5),
    drop=("instructions",),
    most_characters=2_000,
    add={"voice": "thalia"},
    values=voices("thalia apollo orpheus andromeda orion draco zeus asteria helena luna arcas amalthea atlas"),
    families={
        r"aura(?:-1)?(?:$|-[a-z])": Provider(
            "deepgram",
            adapter="deepgram",
            key_scheme="Token",
            drop=("instructions",),
            refuse=("speed",),
            most_characters=2_000,
            add={"voice": "asteria"},
            values=voices("asteria arcas perseus luna orion helios zeus stella athena hera orpheus hera angus"),
        )
    },
)

VOICES: tuple[Provider, ...] = (
    # https://docs.aws.amazon.com/general/latest/gr/pol.html
    Provider(
        "aws_polly",
        "https://polly.{AWS_REGION}.amazonaws.com",
        adapter="",
        signs_as="polly",
        operations={"audio_speech": replace(POLLY, families=POLLY_ENGINES)},
    ),
    Provider(
        "deepgram",
        "https://api.deepgram.com/v1",
        adapter="",
        operations={"audio_speech": DEEPGRAM_SPEECH, "audio_transcriptions": DEEPGRAM_HEARS},
        known_as={"aura-2": "aura-2", "aura-": "aura"},
        unlisted="streaming/",
    ),
    Provider(
        "elevenlabs",
        "https://api.elevenlabs.io/v1",
        adapter="",
        operations={"audio_speech": ELEVENLABS_SPEECH, "audio_transcriptions": ELEVENLABS_HEARS},
    ),
)
