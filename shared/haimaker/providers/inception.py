"""Inception.

https://docs.inceptionlabs.ai
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Dialect, Endpoint, Provider

PROVIDER = Provider(
    "inception",
    endpoint=Endpoint("https://api.inceptionlabs.ai/v1"),
    dialect=Dialect(rename=MAX_TOKENS, values={"reasoning_effort": {"none": "instant", "minimal": "instant"}}),
)
