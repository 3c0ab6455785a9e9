"""Hugging Face's Inference Providers.

https://huggingface.co/docs/inference-providers/tasks/chat-completion: what it routes to, names reasoning differently.
"""

from haimaker.lean_dataclasses import replace
from haimaker.providers import tei
from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider
from haimaker.providers.responses_format import MCP, TEXT_AND_IMAGES, responses_at

# https://huggingface.co/docs/inference-providers/guides/responses-api, https://github.com/huggingface/responses.js: a part of them,
# made of chats; a chat is asked for unless a server of tools is to be called.
RESPONSES = responses_at(
    "huggingface",
    tool_types=("function", "mcp"),
    native_with=("mcp",),
    input_types=tuple(kind for kind in TEXT_AND_IMAGES if "reasoning" not in kind) + MCP,
    ignores=("include", "truncation", "safety_identifier", "prompt_cache_key", "service_tier", "user", "parallel_tool_calls"),
    lacks=("top_logprobs", "max_tool_calls"),
    values={"reasoning_effort": {"minimal": "low", "xhigh": "high", "max": "high"}},
)

PROVIDER = Provider(
    "huggingface",
    endpoint=Endpoint("https://router.huggingface.co/v1"),
    auth=Auth(key_variables=("HF_TOKEN",)),
    dialect=Dialect(rename=MAX_TOKENS),
    limits=Limits(single_choice=True),
    operations={
        "embeddings": Provider(
            "huggingface",
            adapter="huggingface",
            endpoint=Endpoint("https://router.huggingface.co/hf-inference"),
            dialect=Dialect(drop=("user",)),
        ),
        "responses": RESPONSES,
        "rerank": replace(tei.RERANK, name="huggingface"),  # at an address of one's own: its Inference Endpoints
    },
)
