"""Vercel's AI Gateway.

https://vercel.com/docs/ai-gateway/openai-compat: as with others, its own list of fallbacks is not passed on.
"""

from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, MessageRules, Provider

PROVIDER = Provider(
    "vercel_ai_gateway",
    endpoint=Endpoint("https://ai-gateway.vercel.sh/v1"),
    auth=Auth(key_variables=("AI_GATEWAY_API_KEY", "VERCEL_OIDC_TOKEN")),
    dialect=Dialect(drop=("models", "providerOptions"), cache_control="keep", messages=MessageRules(keeps_reasoning_details=True)),
    catalog=Catalog(reports_cost=True),
)
