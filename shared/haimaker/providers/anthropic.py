"""Anthropic.

https://platform.claude.com/docs/en/api/overview, …/about-claude/pricing#tool-use-pricing; up to 796 tokens with tools were
seen.
"""

from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, NativeBatches, Provider

PROVIDER = Provider(
    "anthropic",
    adapter="anthropic",
    family="claude",
    endpoint=Endpoint("https://api.anthropic.com/v1"),
    auth=Auth(key_header="x-api-key"),
    dialect=Dialect(headers={"anthropic-version": "2023-06-01"}, forwards=("anthropic-beta",)),
    limits=Limits(single_choice=True, tool_prompt_tokens=1_024, takes_max_uses=True),
    # https://platform.claude.com/docs/en/build-with-claude/batch-processing: half of the ordinary prices, 100,000 requests and
    # 256 MB, whose parameters are those of messages without streams and fast mode.
    batches=NativeBatches("anthropic", ("/messages",), percent=50, lacks=("stream", "speed", "service_tier")),
)
