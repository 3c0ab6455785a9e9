"""What is likely a mistake in a key, and is told with it instead of refused: a model that nobody has yet may come tomorrow."""

from collections.abc import Set
from itertools import islice

from haimaker.api.account_fields import find_without_effect
from haimaker.http.values import JSON
from haimaker.models.catalog import all_models, find_model
from haimaker.models.names import AUTO
from haimaker.providers.registry import ONLINE, find
from haimaker.routing.config import Config

ALIKE = 0.75
MOST_TOLD = 10
"""Names of models that are told one by one: each is compared with all models that there are."""


def with_warnings(config: Config, key: JSON, body: JSON) -> JSON:
    """The key as it is shown, with `warnings` where its list of models has a name that leads nowhere, or what was asked for has a
    field without effect."""
    models = dict.fromkeys(key.get("models") or ())
    unknown = list(islice((name for name in models if not _is_known(config, name)), MOST_TOLD + 1))
    known = _all_names(config) if unknown else frozenset()
    found = [_warning(name, known) for name in unknown[:MOST_TOLD]]
    if len(unknown) > MOST_TOLD:
        found.append("More of its models are no route and no model of a provider.")
    found += [f"{name!r} has no counterpart here and does nothing." for name in find_without_effect(body)]
    return {**key, "warnings": found} if found else key


def _is_known(config: Config, name: str) -> bool:
    if "*" in name or name == AUTO or name in config.routes:
        return True
    provider, slash, _ = name.partition("/")
    if slash:
        return provider in config.accounts or find(provider) is not None
    return any("*" in route for route in config.routes) or any(find_model(owner, name) for owner in ONLINE)


def _all_names(config: Config) -> Set[str]:
    return {info.model for provider in ONLINE for info in all_models(provider)} | config.routes.keys()


def _warning(name: str, known: Set[str]) -> str:
    from difflib import get_close_matches  # 0.4 MB, for a mistake alone

    meant = next(iter(get_close_matches(name, known, 1, ALIKE)), None)
    words = f"{name!r} is no route and no model of a provider"
    return f"{words}; did you mean {meant!r}?" if meant else f"{words}, so nothing can be asked by it."
