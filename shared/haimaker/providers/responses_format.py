"""Providers that serve OpenAI's Responses beside chats, and keep none: what they have in common. Data only.

What a client sends passes as it is where they know all of it and nobody wants the answer to be kept; else it is translated to a
chat, and what is to be kept is kept here.
"""

from collections.abc import Mapping

from haimaker.providers.provider import Catalog, Dialect, Limits, MessageRules, Provider

KEPT_THERE = ("conversation", "prompt")
"""Parameters that name what OpenAI keeps."""
TEXT_AND_IMAGES = (
    *("message", "function_call", "function_call_output", "reasoning"),
    *("input_text", "input_image", "output_text", "refusal", "summary_text", "reasoning_text"),
)
"""Types of items and parts: https://platform.openai.com/docs/api-reference/responses/create#responses-create-input"""

MCP = ("mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response")
"""Types of items that a server of tools leads to: https://platform.openai.com/docs/guides/tools-connectors-mcp"""


def responses_at(
    name: str,
    *,
    tool_types: tuple[str, ...],
    native_with: tuple[str, ...] = (),
    input_types: tuple[str, ...] = (*TEXT_AND_IMAGES, *MCP),
    ignores: tuple[str, ...] = (),
    lacks: tuple[str, ...] = (),
    values: Mapping[str, Mapping[str, str]] | None = None,
    forwards: tuple[str, ...] = (),
    reports_cost: bool = False,
) -> Provider:
    """The definition of a provider's Responses, at the address of its chats. `ignores` are parameters that are left out, and the
    client is told; a request with one that it `lacks` is translated."""
    return Provider(
        name,
        adapter="responses",
        dialect=Dialect(
            drop=ignores,
            refuse=(*KEPT_THERE, *lacks),
            values=values or {},
            forwards=forwards,
            tool_types=tool_types,
            native_with=native_with,
            input_types=input_types,
            messages=MessageRules(keeps_reasoning_details=True),
        ),
        limits=Limits(single_choice=True, keeps_responses=False),
        catalog=Catalog(reports_cost=reports_cost),
    )
