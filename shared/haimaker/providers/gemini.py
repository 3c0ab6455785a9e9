"""Google's Gemini API.

https://ai.google.dev/gemini-api/docs/api-key
"""

from haimaker.providers.common import voices
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, NativeBatches, Provider

# https://ai.google.dev/gemini-api/docs/speech-generation#voices; samples are all it gives.
VOICES = voices("Kore Puck Umbriel Leda Charon Sadachbia Algenib Aoede Despina Achernar Fenrir Sulafat Orus")

SPEECH = Provider(
    "gemini",
    adapter="gemini",
    auth=Auth(key_header="x-goog-api-key"),
    dialect=Dialect(audio_formats=("mp3", "wav", "pcm"), refuse=("speed",), values=VOICES, add={"voice": "Kore"}),
)

PROVIDER = Provider(
    "gemini",
    adapter="gemini",
    endpoint=Endpoint("https://generativelanguage.googleapis.com/v1beta"),
    auth=Auth(key_variables=("GOOGLE_API_KEY",), key_header="x-goog-api-key"),
    limits=Limits(inlines_images=True),
    catalog=Catalog(prefixes=("models/",), telemetry_name="gcp.gemini", unlisted=("deep-research", "lyria", "live")),
    operations={"audio_speech": SPEECH},
    # https://ai.google.dev/gemini-api/docs/batch-api: up to 20 MB with the call, whose answers come in one piece as well.
    batches=NativeBatches(
        "gemini",
        (":generateContent",),
        most_lines=1_000,
        most_bytes=16 * 1024 * 1024,
        lacks=("serviceTier", "cachedContent"),
    ),
)
