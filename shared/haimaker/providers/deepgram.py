"""Deepgram."""

from haimaker.providers.common import voices
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider

# https://developers.deepgram.com/docs/tts-models, …/docs/tts-voice-controls
SPEECH = Provider(
    "deepgram",
    adapter="deepgram",
    auth=Auth(key_scheme="Token"),
    dialect=Dialect(
        drop=("instructions",),
        add={"voice": "thalia"},
        values=voices("thalia apollo orpheus andromeda orion draco zeus asteria helena luna arcas amalthea atlas"),
    ),
    limits=Limits(speeds=(0.7, 1.5), max_characters=2_000),
    families={
        "aura-1": Provider(
            "deepgram",
            adapter="deepgram",
            auth=Auth(key_scheme="Token"),
            dialect=Dialect(
                drop=("instructions",),
                refuse=("speed",),
                add={"voice": "asteria"},
                values=voices("asteria arcas perseus luna orion helios zeus stella athena hera orpheus hera angus"),
            ),
            limits=Limits(max_characters=2_000),
        )
    },
)

# https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded
TRANSCRIPTION = Provider("deepgram", adapter="deepgram", auth=Auth(key_scheme="Token"))

PROVIDER = Provider(
    "deepgram",
    adapter="",
    endpoint=Endpoint("https://api.deepgram.com/v1"),
    catalog=Catalog(known_as={"aura-2": "aura-2", "aura-1": "aura"}, unlisted=("streaming/",)),
    operations={"audio_speech": SPEECH, "audio_transcriptions": TRANSCRIPTION},
)
