"""Baseten.

https://docs.baseten.co/reference/inference-api/chat-completions: fields it does not know are refused.
"""

from haimaker.providers.common import MAX_TOKENS, OPENAI_ONLY
from haimaker.providers.provider import Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "baseten",
    endpoint=Endpoint("https://inference.baseten.co/v1"),
    dialect=Dialect(rename=MAX_TOKENS, drop=OPENAI_ONLY),
    limits=Limits(single_choice=True),
)
