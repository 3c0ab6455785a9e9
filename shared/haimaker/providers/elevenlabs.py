"""ElevenLabs."""

from haimaker.providers.common import voices
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

# https://elevenlabs.io/docs/api-reference/text-to-speech/stream, …/eleven-creative/voices/default-voices
SPEECH = Provider(
    "elevenlabs",
    adapter="elevenlabs",
    auth=Auth(key_header="xi-api-key"),
    dialect=Dialect(
        audio_formats=("mp3", "opus", "wav", "pcm"),
        drop=("instructions",),
        add={"voice": "21m00Tcm4TlvDq8ikWAM"},
        values=voices(
            "21m00Tcm4TlvDq8ikWAM cjVigY5qzO86Huf0OWal onwK4e9ZLuTAKqWW03F9 EXAVITQu4vr4xnSDxMaL iP95p4xoKVk53GoZ742B"
            " JBFqnCBsd6RMkjVDRZzb nPczCjzI2devNBz1zQrb cgSgspJ2msm6clMCkdW9 XrExE9yKIg1WjnnlVkGX pFZP5JQG7iQjIQuC4Bku"
            " TX3LPaxmHKxFdv7VOQHJ FGY2WhTYpPnrIDTdsKH5 pqHfZKP75CvOlQylNhV4"
        ),
    ),
    limits=Limits(speeds=(0.7, 1.2)),
)

# https://elevenlabs.io/docs/api-reference/speech-to-text/convert
TRANSCRIPTION = Provider("elevenlabs", adapter="elevenlabs", auth=Auth(key_header="xi-api-key"))

PROVIDER = Provider(
    "elevenlabs",
    adapter="",
    endpoint=Endpoint("https://api.elevenlabs.io/v1"),
    operations={"audio_speech": SPEECH, "audio_transcriptions": TRANSCRIPTION},
)
