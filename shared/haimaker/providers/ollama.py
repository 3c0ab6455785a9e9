"""Ollama, a server of one's own.

https://docs.ollama.com/api/openai-compatibility: `tool_choice` is not among what it takes, an image only as base64.
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Catalog, Dialect, Limits, Provider

PROVIDER = Provider(
    "ollama",
    dialect=Dialect(rename=MAX_TOKENS, drop=("logit_bias", "user", "parallel_tool_calls"), refuse=("tool_choice",)),
    limits=Limits(single_choice=True, inlines_images=True),
    catalog=Catalog(models=("*",), completes="all"),
)
