"""Anthropic.

https://platform.claude.com/docs/en/api/overview, …/about-claude/pricing#tool-use-pricing; up to 796 tokens with tools were
seen.
"""

from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, Provider

PROVIDER = Provider(
    "anthropic",
    adapter="anthropic",
    family="claude",
    endpoint=Endpoint("https://api.anthropic.com/v1"),
    auth=Auth(key_header="x-api-key"),
    dialect=Dialect(headers={"anthropic-version": "2023-06-01"}, forwards=("anthropic-beta",)),
    limits=Limits(single_choice=True, tool_prompt_tokens=1_024, takes_max_uses=True),
)
