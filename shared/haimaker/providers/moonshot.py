"""Moonshot AI (Kimi).

https://platform.kimi.ai/docs/api/chat: an image can't be a link.
"""

from haimaker.providers.anthropic_format import messages_at
from haimaker.providers.common import MAX_COMPLETION_TOKENS
from haimaker.providers.family_rules import FamilyRule
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, MessageRules, Provider

# https://platform.kimi.ai/docs/guide/agent-support
MESSAGES = messages_at("moonshot", "https://api.moonshot.ai/anthropic/v1")

PROVIDER = Provider(
    "moonshot",
    endpoint=Endpoint("https://api.moonshot.ai/v1"),
    auth=Auth(key_variables=("MOONSHOTAI_API_KEY", "KIMI_API_KEY")),
    dialect=Dialect(
        rename=MAX_COMPLETION_TOKENS,
        ranges={"temperature": (0, 1)},
        thinking_switch=True,
        # Until K3 its models think or do not, with no effort between.
        family_rules={"kimi-k2.5": FamilyRule(drop=("reasoning_effort",))},
        messages=MessageRules(wants_reasoning_back=True),
    ),
    limits=Limits(single_choice=True, inlines_images=True),
    operations={"messages": MESSAGES},
)
