"""GitHub Models.

https://docs.github.com/rest/models/inference
"""

from haimaker.providers.common import MAX_TOKENS
from haimaker.providers.model_rules import OPENAI_REASONING
from haimaker.providers.provider import Auth, Dialect, Endpoint, Provider

PROVIDER = Provider(
    "github",
    endpoint=Endpoint("https://models.github.ai/inference"),
    auth=Auth(key_variables=("GITHUB_TOKEN",)),
    dialect=Dialect(rename=MAX_TOKENS, model_rules=OPENAI_REASONING),
)
