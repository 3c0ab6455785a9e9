"""Moonshot AI (Kimi).

https://platform.kimi.ai/docs/api/chat, …/docs/api/models-overview: what samples is fixed in models that think, which also want
their reasoning back with their calls; an image can't be a link.
"""

from haimaker.providers.common import MAX_COMPLETION_TOKENS, PENALTIES
from haimaker.providers.model_rules import ModelRule
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, MessageRules, Provider

THINKING_MODELS = r"kimi-(?:k2\.|k[3-9]|k2-thinking|thinking)"

PROVIDER = Provider(
    "moonshot",
    endpoint=Endpoint("https://api.moonshot.ai/v1"),
    auth=Auth(key_variables=("MOONSHOTAI_API_KEY", "KIMI_API_KEY")),
    dialect=Dialect(
        rename=MAX_COMPLETION_TOKENS,
        thinking_switch=True,
        model_rules=(
            ModelRule(THINKING_MODELS, drop=("temperature", "top_p", *PENALTIES)),
            ModelRule(r"(?!kimi-k[3-9])", drop=("reasoning_effort",)),
        ),
        messages=MessageRules(wants_reasoning_back=THINKING_MODELS),
    ),
    limits=Limits(single_choice=True, inlines_images=True),
)
