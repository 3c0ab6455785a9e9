"""vLLM, a server of one's own.

https://docs.vllm.ai/en/latest/features/reasoning_outputs/
"""

from haimaker.providers.provider import Catalog, Dialect, Endpoint, MessageRules, Provider

PROVIDER = Provider(
    "hosted_vllm",
    endpoint=Endpoint(base_url_variables=("HOSTED_VLLM_API_BASE",)),
    dialect=Dialect(strips_tool_fields=("strict", "additionalProperties"), messages=MessageRules(flattens_assistant_content=True)),
    catalog=Catalog(models=("*",), completes="all"),
    operations={"rerank": Provider("hosted_vllm", dialect=Dialect(document_fields=("content",)))},
)
