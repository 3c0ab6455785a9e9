"""Anthropic.

https://platform.claude.com/docs/en/api/overview, …/about-claude/pricing#tool-use-pricing; up to 796 tokens with tools were
seen.
"""

from haimaker.providers.provider import Auth, Dialect, Endpoint, Limits, NativeBatches, Provider

BETAS_ELSEWHERE = {
    **{
        name: name
        for name in (
            "compact-2026-01-12",
            "computer-use-2025-01-24",
            "computer-use-2025-11-24",
            "context-1m-2025-08-07",
            "context-management-2025-06-27",
            "thinking-binding-controls-2026-08-01",
            "thinking-display-updates-2026-08-18",
            "tool-search-tool-2025-10-19",
        )
    },
    "advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19",
}
"""Which of its unfinished features Bedrock and Vertex AI have both. They refuse requests that name others, as Claude Code's do:
https://github.com/anthropics/claude-code/issues/21625, …/34802, …/56595; …/build-with-claude/overview has the features by place."""

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
