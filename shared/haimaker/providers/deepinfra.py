"""DeepInfra.

https://docs.deepinfra.com/chat/overview, …/apis/completions
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider

# https://deepinfra.com/Qwen/Qwen3-Reranker-8B/api
RERANK = Provider(
    "deepinfra",
    adapter="deepinfra",
    endpoint=Endpoint("https://api.deepinfra.com/v1"),
    limits=Limits(max_inputs=1_024),
    catalog=Catalog(reports_cost=True),
)

PROVIDER = Provider(
    "deepinfra",
    endpoint=Endpoint("https://api.deepinfra.com/v1/openai", paths={"openai": "/openai{path}", "*": "{path}"}),
    auth=Auth(key_variables=("DEEPINFRA_TOKEN",)),
    dialect=Dialect(rename=MAX_TOKENS),
    limits=Limits(single_prompt=True),
    catalog=Catalog(completes="all", reports_cost=True),
    operations={"rerank": RERANK},
)
