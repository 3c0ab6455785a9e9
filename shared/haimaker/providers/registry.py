"""Looks providers up by name. A provider's module is imported when it is named, or when its credentials are on.

`index.py` says which module has which provider and which variables turn it on, so that names are known without an import. A bare
model name goes to the first provider of the index that lists it and is on.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from haimaker.models.matching import select
from haimaker.models.traits import Traits
from haimaker.providers.index import INDEX, SIGNED
from haimaker.providers.provider import Provider

NAMES: tuple[str, ...] = tuple(INDEX)
ONLINE: tuple[str, ...] = tuple(name for name, (_, variables) in INDEX.items() if variables)
"""All providers but those that the gateway itself answers."""
TABLE = "openai_compatible"


@cache
def get(name: str) -> Provider:
    """A provider by its name. Raises KeyError."""
    module, _ = INDEX[name]
    found = import_module(f"haimaker.providers.{module}")
    provider: Provider = found.definition(name) if module == TABLE else found.PROVIDER
    return provider


def find(name: str) -> Provider | None:
    """A provider by its name, if there is one."""
    return get(name) if name in INDEX else None


def all_providers() -> tuple[Provider, ...]:
    """Every provider, in the index's order. Imports all of their modules."""
    return tuple(map(get, NAMES))


def may_be_on(name: str, env: Mapping[str, str]) -> bool:
    """Whether one of the variables is set that a provider needs to be on, apart from AWS credentials."""
    return any(variable in env for variable in INDEX[name][1])


def definition_for(provider: Provider, model: str, operation: str = "chat_completions") -> Provider:
    """The definition by which a provider serves a model in an operation: its own, the operation's, or the model family's."""
    found = provider.operations.get(operation, provider)
    return (select(provider.name, model, found.families) if found.families else None) or found


def chat_operation(
    provider: Provider, model: str, traits: Traits, effort: object, *, has_tools: bool, only_responses: bool = False
) -> str:
    """The operation as which a provider is asked for a chat: Responses, where these carry chats and the model needs them, by its
    traits or because the provider lists it for nothing else."""
    if "responses" in provider.operations and (only_responses or traits.needs_responses(effort, has_tools=has_tools)):
        return "responses" if definition_for(provider, model, "responses").dialect.carries_chats else "chat_completions"
    return "chat_completions"


__all__ = ["INDEX", "NAMES", "ONLINE", "SIGNED", "all_providers", "chat_operation", "definition_for", "find", "get", "may_be_on"]
