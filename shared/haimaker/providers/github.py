"""GitHub Models.

https://docs.github.com/rest/models/inference
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.provider import Auth, Dialect, Endpoint, Provider

PROVIDER = Provider(
    "github",
    endpoint=Endpoint("https://models.github.ai/inference"),
    auth=Auth(key_variables=("GITHUB_TOKEN",)),
    dialect=Dialect(rename=MAX_TOKENS, tools_end_thinking=True),
)
