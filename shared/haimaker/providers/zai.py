"""Z.ai.

https://docs.z.ai/api-reference/llm/chat-completion
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.model_rules import ModelRule
from haimaker.providers.provider import AnswerRules, Dialect, Endpoint, Limits, Provider

# https://docs.z.ai/api-reference/llm/chat-completion: older versions of GLM think or do not, with no effort between.
BEFORE_EFFORTS = ModelRule(r"(?!glm-5\.[2-9])", drop=("reasoning_effort",))

PROVIDER = Provider(
    "zai",
    endpoint=Endpoint("https://api.z.ai/api/paas/v4"),
    dialect=Dialect(
        rename={**MAX_TOKENS, "user": "user_id"},
        thinking_switch=True,
        refuse=("tool_choice",),
        schema_in_words=True,
        # Where the model broke off, and where its content was judged.
        answers=AnswerRules(finish_reasons={"network_error": "length", "sensitive": "content_filter"}),
        model_rules=(BEFORE_EFFORTS,),
    ),
    limits=Limits(single_choice=True),
)
