"""DeepSeek.

https://api-docs.deepseek.com/api/create-chat-completion, …/guides/thinking_mode, …/guides/json_mode
"""

from haimaker.providers.anthropic_format import messages_at
from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import AnswerRules, Auth, Dialect, Endpoint, Limits, MessageRules, Provider

# https://api-docs.deepseek.com/guides/anthropic_api
MESSAGES = messages_at(
    "deepseek",
    "https://api.deepseek.com/anthropic/v1",
    auth=Auth(key_header="x-api-key"),
    ignores=("container", "mcp_servers", "service_tier", "top_k"),
)

PROVIDER = Provider(
    "deepseek",
    endpoint=Endpoint("https://api.deepseek.com/v1"),
    dialect=Dialect(
        # …/api/create-chat-completion: "the request is interrupted due to insufficient resource of the inference system"
        answers=AnswerRules(failures=frozenset({"insufficient_system_resource"})),
        rename=MAX_TOKENS,
        values={"reasoning_effort": {"minimal": "low", "xhigh": "max"}},
        schema_in_words=True,
        thinking_switch=True,
        # …/guides/thinking_mode: it reads `reasoning_content`; the fields of others' answers are none of its messages'.
        messages=MessageRules(flattens_content=True, wants_reasoning_back=True, strips_fields=("reasoning", "annotations")),
    ),
    limits=Limits(single_choice=True),
    operations={"messages": MESSAGES},
)
