"""`GET /v1/models`: what a key may use, in OpenAI's shape, with price, limits and capabilities as further fields.

https://platform.openai.com/docs/api-reference/models
"""

import time
from collections.abc import Iterator

from haimaker import prices
from haimaker.accounts import check_usable
from haimaker.errors import NotFoundError
from haimaker.prices import Facts
from haimaker.routing import Router, is_allowed
from haimaker.store import Account
from haimaker.wire import JSON, Request

SERVED_MODES = frozenset({"chat", "completion"})


def listed(router: Router, account: Account, request: Request) -> JSON:
    check_usable(account, time.time())
    return {"object": "list", "data": list(_usable(router, account))}


def retrieved(router: Router, account: Account, request: Request) -> JSON:
    """One model, also by its bare name. Raises NotFoundError where `listed` would not show it."""
    check_usable(account, time.time())
    asked = request.path.get("id", "")
    name = router.full_name(asked)
    for model in _usable(router, account):
        if model["id"] in (asked, name):
            return {**model, "id": asked}
    if _is_served_unlisted(router, name) and is_allowed(name, account.models):
        return _told(name, router.facts_of(name))
    message = f"The model {asked[:200]!r} does not exist or this key may not use it."
    raise NotFoundError(message, param="model", code="model_not_found")


def _usable(router: Router, account: Account) -> Iterator[JSON]:
    allowed = {*account.models, *map(router.full_name, account.models)}
    for name in router.config.routes:
        if is_allowed(name, allowed):
            yield {"id": name, "object": "model", "created": 0, "owned_by": "gateway"}
    for provider in router.providers:
        names = [known.model for known in prices.models(provider.name) if known.mode in SERVED_MODES]
        for model in (*provider.models, *names):
            name = f"{provider.name}/{model}"
            if is_allowed(name, allowed):
                yield _told(name, router.facts_of(name))


def _is_served_unlisted(router: Router, name: str) -> bool:
    """A server of the deployer's own may have any model; its row says so with a star."""
    prefix = name.partition("/")[0]
    return any(provider.name == prefix and "*" in provider.models for provider in router.providers)


def _told(name: str, facts: Facts) -> JSON:
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": facts.provider,
        "mode": facts.mode,
        "context_length": facts.max_input_tokens,
        "max_input_tokens": facts.max_input_tokens,
        "max_output_tokens": facts.max_output_tokens,
        "input_cost_per_token": _number(facts, "input_cost_per_token"),
        "output_cost_per_token": _number(facts, "output_cost_per_token"),
        "capabilities": sorted(facts.supports),
        "deprecation_date": facts.deprecation_date,
    }


def _number(facts: Facts, rate: str) -> float | None:
    return float(facts.rates[rate]) if rate in facts.rates else None
