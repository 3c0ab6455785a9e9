"""Providers that serve Anthropic's Messages beside OpenAI's chats: what they have in common. Data only.

What a client sends passes as it is where all of its tools are the client's own; else it is translated to a chat.
"""

from haimaker.providers.provider import Auth, Catalog, Dialect, Endpoint, Limits, Provider

CLIENTS_TOOLS = ("None", "custom")
"""The types of tools that the client runs: they have none, or this one. https://platform.claude.com/docs/en/api/messages"""
BEARER = Auth()


def messages_at(
    name: str,
    address: str,
    *,
    auth: Auth = BEARER,
    ignores: tuple[str, ...] = (),
    forwards: tuple[str, ...] = (),
    reports_cost: bool = False,
) -> Provider:
    """The definition of a provider's Messages. `ignores` are parameters that it takes and does nothing with: they are left out, and
    the client is told."""
    return Provider(
        name,
        adapter="anthropic",
        endpoint=Endpoint(address, only_at_vendor=True),
        auth=auth,
        dialect=Dialect(
            drop=ignores,
            headers={"anthropic-version": "2023-06-01"},
            forwards=forwards,
            tool_types=CLIENTS_TOOLS,
            marks_thinking=True,
        ),
        limits=Limits(single_choice=True),
        catalog=Catalog(reports_cost=reports_cost),
    )
