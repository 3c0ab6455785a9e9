"""Eden AI.

https://www.edenai.co/docs/api-reference/chat/chat-completions: as with others, its own choice of models is not passed on.
"""

from haimaker.providers.provider import Dialect, Endpoint, Provider

PROVIDER = Provider(
    "edenai", endpoint=Endpoint("https://api.edenai.run/v3"), dialect=Dialect(drop=("fallbacks", "router_candidates"))
)
