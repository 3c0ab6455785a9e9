"""Models that the gateway answers itself, without credentials or a network."""

from haimaker.providers.provider import Catalog, Dialect, Limits, Provider

SPEECH = Provider(
    "demo",
    dialect=Dialect(audio_formats=("wav", "pcm"), add={"stream_format": "sse"}),
    limits=Limits(max_characters=4_096),
    offline=True,
)

PROVIDER = Provider(
    "demo",
    limits=Limits(single_choice=True),
    catalog=Catalog(
        models=("agent", "count", "echo", "tool", "embedding", "image", "moderation", "rerank", "speech", "transcription"),
        modes={
            "embedding": "embedding",
            "image": "image_generation",
            "moderation": "moderation",
            "rerank": "rerank",
            "speech": "audio_speech",
            "transcription": "audio_transcription",
        },
        prices={"input_cost_per_token": "0", "output_cost_per_token": "0"},
    ),
    operations={"audio_speech": SPEECH},
    offline=True,
)
