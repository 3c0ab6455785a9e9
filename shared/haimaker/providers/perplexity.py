"""Perplexity.

https://docs.perplexity.ai/api-reference/chat-completions-post: it searches by itself, and calls nobody's functions.
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider

# https://docs.perplexity.ai/docs/agent-api/openai-compatibility: models of others, whose names have their makers'.
RESPONSES = Provider(
    "perplexity",
    adapter="responses",
    endpoint=Endpoint(path="/v1{path}"),
    dialect=Dialect(drop=("service_tier", "user")),
    catalog=Catalog(reports_cost=True),
    limits=Limits(single_choice=True),
)

PROVIDER = Provider(
    "perplexity",
    endpoint=Endpoint("https://api.perplexity.ai"),
    auth=Auth(key_variables=("PERPLEXITYAI_API_KEY", "PPLX_API_KEY")),
    dialect=Dialect(
        rename=MAX_TOKENS,
        drop=("seed", "logit_bias", "user", "parallel_tool_calls"),
        refuse=("tools", "tool_choice", "logprobs", "top_logprobs"),
        asks_stream_usage=False,
    ),
    limits=Limits(single_choice=True),
    catalog=Catalog(reports_cost=True),
    operations={"embeddings": Provider("perplexity", adapter="")},  # its vectors have whole numbers of 8 bits
    families={"/": RESPONSES},
)
