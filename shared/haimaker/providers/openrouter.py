"""OpenRouter.

https://openrouter.ai/docs/use-cases/usage-accounting, …/features/prompt-caching,
…/use-cases/reasoning-tokens#preserving-reasoning-blocks; the headers name the client's app:
https://openrouter.ai/docs/app-attribution. Its own fallbacks would reach models that a key may not use.
"""

from haimaker.providers.provider import Catalog, Dialect, Endpoint, MessageRules, Provider

# https://openrouter.ai/docs/features/multimodal/tts: voices are each model's own.
SPEECH = Provider("openrouter", dialect=Dialect(forwards=("http-referer", "x-openrouter-title", "x-title")))

PROVIDER = Provider(
    "openrouter",
    endpoint=Endpoint("https://openrouter.ai/api/v1"),
    dialect=Dialect(
        drop=("models", "route"),
        add={"usage": {"include": True}},
        values={"reasoning_effort": {"max": "xhigh"}},
        cache_control="parts",
        takes_breakpoints=True,
        forwards=("http-referer", "x-openrouter-title", "x-title"),
        messages=MessageRules(keeps_reasoning_details=True),
    ),
    catalog=Catalog(reports_cost=True),
    operations={"audio_speech": SPEECH},
)
