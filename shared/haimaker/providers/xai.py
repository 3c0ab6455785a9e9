"""xAI.

https://docs.x.ai/docs/api-reference#chat-completions, …/docs/models
"""

from haimaker.providers.common import GPT_IMAGE_ONLY, MAX_TOKENS, for_images
from haimaker.providers.provider import Catalog, Dialect, Endpoint, MessageRules, Provider

# https://docs.x.ai/developers/model-capabilities/audio/speech-to-text
TRANSCRIPTION = Provider("xai", adapter="xai")

# https://docs.x.ai/docs/guides/image-generations: the shape of an image is a ratio, and what was charged is in the answer.
IMAGES = Provider(
    "xai", adapter="xai", dialect=Dialect(drop=(*GPT_IMAGE_ONLY, "style", "output_format")), catalog=Catalog(reports_cost=True)
)

PROVIDER = Provider(
    "xai",
    endpoint=Endpoint("https://api.x.ai/v1"),
    dialect=Dialect(
        rename=MAX_TOKENS,
        strips_tool_fields=("strict", "additionalProperties"),
        messages=MessageRules(strips_fields=("name",)),
    ),
    catalog=Catalog(telemetry_name="x_ai", known_as={"grok-stt": "grok-voice-transcribe-1.0"}, reports_cost=True),
    operations={"audio_transcriptions": TRANSCRIPTION, **for_images(IMAGES)},
)
