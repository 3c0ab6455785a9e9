"""OpenRouter.

https://openrouter.ai/docs/use-cases/usage-accounting, …/features/prompt-caching,
…/use-cases/reasoning-tokens#preserving-reasoning-blocks; the headers name the client's app:
https://openrouter.ai/docs/app-attribution. Its own fallbacks would reach models that a key may not use.
"""

from haimaker.providers.anthropic_format import messages_at
from haimaker.providers.provider import Catalog, Dialect, Endpoint, MessageRules, Provider
from haimaker.providers.responses_format import TEXT_AND_IMAGES, responses_at

# https://openrouter.ai/docs/features/multimodal/tts: voices are each model's own.
FORWARDS = ("http-referer", "x-openrouter-title", "x-title")
SPEECH = Provider("openrouter", dialect=Dialect(forwards=FORWARDS))

# https://openrouter.ai/docs/api-reference/anthropic-messages
MESSAGES = messages_at(
    "openrouter",
    "https://openrouter.ai/api/v1",
    ignores=("models", "route"),
    forwards=(*FORWARDS, "anthropic-beta"),
    reports_cost=True,
)

# https://openrouter.ai/docs/api_reference/responses/overview: without state; what its models thought comes back encrypted.
RESPONSES = responses_at(
    "openrouter",
    tool_types=("function",),
    input_types=(*TEXT_AND_IMAGES, "encrypted_reasoning", "input_file"),
    ignores=("models", "route"),
    forwards=FORWARDS,
    reports_cost=True,
)

PROVIDER = Provider(
    "openrouter",
    endpoint=Endpoint("https://openrouter.ai/api/v1"),
    dialect=Dialect(
        drop=("models", "route"),
        add={"usage": {"include": True}},
        values={"reasoning_effort": {"max": "xhigh"}},
        cache_control="parts",
        takes_breakpoints=True,
        forwards=FORWARDS,
        messages=MessageRules(keeps_reasoning_details=True),
    ),
    catalog=Catalog(reports_cost=True),
    operations={"audio_speech": SPEECH, "messages": MESSAGES, "responses": RESPONSES},
)
