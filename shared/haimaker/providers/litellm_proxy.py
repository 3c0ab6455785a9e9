"""LiteLLM's proxy, a server of one's own.

https://docs.litellm.ai/docs/proxy/user_keys
"""

from haimaker.providers.provider import Catalog, Dialect, MessageRules, Provider

PROVIDER = Provider(
    "litellm_proxy",
    dialect=Dialect(
        drop=("fallbacks", "context_window_fallbacks"),
        cache_control="keep",
        takes_breakpoints=True,
        messages=MessageRules(keeps_call_ids=True, keeps_reasoning_details=True),
    ),
    catalog=Catalog(models=("*",)),
)
