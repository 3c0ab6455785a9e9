"""Z.ai.

https://docs.z.ai/api-reference/llm/chat-completion
"""

from haimaker.providers.anthropic_format import messages_at
from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.family_rules import FamilyRule
from haimaker.providers.provider import AnswerRules, Dialect, Endpoint, Limits, Provider

# https://docs.z.ai/devpack/tool/claude
MESSAGES = messages_at("zai", "https://api.z.ai/api/anthropic/v1")

PROVIDER = Provider(
    "zai",
    endpoint=Endpoint("https://api.z.ai/api/paas/v4"),
    dialect=Dialect(
        rename={**MAX_TOKENS, "user": "user_id"},
        ranges={"temperature": (0, 1), "top_p": (0.01, 1)},
        thinking_switch=True,
        refuse=("tool_choice",),
        schema_in_words=True,
        # Until GLM-5.2 its models think or do not, with no effort between.
        family_rules={"glm-5.1": FamilyRule(drop=("reasoning_effort",))},
        # Where its content was judged, and where the model broke off.
        answers=AnswerRules(finish_reasons={"sensitive": "content_filter"}, failures=frozenset({"network_error"})),
    ),
    limits=Limits(single_choice=True),
    operations={"messages": MESSAGES},
)
