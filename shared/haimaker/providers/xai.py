"""xAI.

https://docs.x.ai/docs/api-reference#chat-completions, …/docs/models
"""

from haimaker.providers.common import GPT_IMAGE_ONLY, MAX_TOKENS, for_images
from haimaker.providers.provider import Catalog, Dialect, Endpoint, Limits, MessageRules, Provider

# https://docs.x.ai/developers/model-capabilities/audio/speech-to-text
TRANSCRIPTION = Provider("xai", adapter="xai")

# https://docs.x.ai/docs/guides/image-generations: the shape of an image is a ratio, and what was charged is in the answer.
IMAGES = Provider(
    "xai", adapter="xai", dialect=Dialect(drop=(*GPT_IMAGE_ONLY, "style", "output_format")), catalog=Catalog(reports_cost=True)
)

# https://docs.x.ai/developers/model-capabilities/text/comparison, …/developers/tools/overview: without OpenAI's freeform tools and
# namespaces. …/developers/model-capabilities/text/multi-agent: these models have nothing else. …/developers/cost-tracking: what was
# charged is in the answer, searches too.
RESPONSES = Provider(
    "xai",
    adapter="responses",
    dialect=Dialect(
        carries_chats=True,
        tool_types=("function", "mcp", "web_search", "x_search"),
        messages=MessageRules(keeps_reasoning_details=True),
    ),
    catalog=Catalog(reports_cost=True),
    limits=Limits(single_choice=True),
)

# https://docs.x.ai/developers/pricing#tools-pricing: 5 USD for 1,000 searches, of the web or of X.
FEES = {"search_context_cost_per_query": "0.005"}

PROVIDER = Provider(
    "xai",
    endpoint=Endpoint("https://api.x.ai/v1"),
    dialect=Dialect(
        rename=MAX_TOKENS,
        strips_tool_fields=("strict", "additionalProperties"),
        messages=MessageRules(strips_fields=("name",)),
    ),
    catalog=Catalog(telemetry_name="x_ai", known_as={"grok-stt": "grok-voice-transcribe-1.0"}, fees=FEES, reports_cost=True),
    operations={"audio_transcriptions": TRANSCRIPTION, "responses": RESPONSES, **for_images(IMAGES)},
)
