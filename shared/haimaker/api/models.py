"""What can be asked for, with price, limits and capabilities: `GET /v1/models` and `GET /public/model_hub`.

The first is what a key may use, in OpenAI's shape: https://platform.openai.com/docs/api-reference/models; the other is what there
is, for anybody, in LiteLLM's: https://docs.litellm.ai/docs/proxy/ai_hub
"""

import re
import time
from collections.abc import Iterator

from haimaker import adapters
from haimaker.accounts.directory import check_usable
from haimaker.http.errors import NotFoundError
from haimaker.http.values import JSON, Request
from haimaker.models import catalog as prices
from haimaker.models.catalog import Facts
from haimaker.models.names import AUTO, is_allowed
from haimaker.pricing.costs import COUNTED_OTHERWISE
from haimaker.providers.provider import Provider
from haimaker.providers.registry import definition_for
from haimaker.routing.router import Router
from haimaker.store import Account

HUB_RATES = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
OTHER_RATES = (
    *dict.fromkeys(rate for rates in COUNTED_OTHERWISE.values() for rate in rates),
    "input_cost_per_audio_token",
    "input_cost_per_image_token",
    "output_cost_per_audio_token",
    "output_cost_per_image_token",
)
"""Of models that make or read something else than text, where they have them."""
ENDPOINTS = {
    "embedding": "embeddings",
    "image_generation": "images_generations",
    "image_edit": "images_edits",
    "audio_transcription": "audio_transcriptions",
    "audio_speech": "audio_speech",
    "moderation": "moderations",
    "rerank": "rerank",
}
"""By the table's mode, the operation that serves it, besides chat and completions."""
CAPABILITIES = (
    "audio_input",
    "audio_output",
    "function_calling",
    "parallel_function_calling",
    "pdf_input",
    "prompt_caching",
    "reasoning",
    "response_schema",
    "system_messages",
    "tool_choice",
    "vision",
    "web_search",
)
"""Those that the hub tells of every model, as `supports_…`."""


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


def hub(router: Router) -> list[JSON]:
    """What this gateway serves, without a word on who may use it."""
    return [_shown(name, router.facts_of(name)) for name in _served(router)]


def _usable(router: Router, account: Account) -> Iterator[JSON]:
    allowed = router.full_names(account.models)
    if any(is_allowed(name, allowed) for name in _served(router)):
        yield {"id": AUTO, "object": "model", "created": 0, "owned_by": "gateway"}
    for name, route in router.config.routes.items():
        targets = [router.target_name(target.model) for target in route.targets]
        if "*" not in name and is_allowed(name, allowed) and any(is_allowed(target, allowed) for target in targets):
            yield {"id": name, "object": "model", "created": 0, "owned_by": "gateway"}
    for name in _served(router):
        if is_allowed(name, allowed):
            yield _told(name, router.facts_of(name))


def _served(router: Router) -> Iterator[str]:
    """The models of all providers that are on; a star is no name of one."""
    for provider in router.providers:
        known = [facts.model for facts in prices.models(provider.catalog.priced_as or provider.name) if _serves(provider, facts)]
        own = [name.partition("/")[2] for name in router.config.base_models if name.startswith(f"{provider.name}/")]
        for model in dict.fromkeys((*provider.catalog.models, *own, *known)):
            if model != "*":
                yield f"{provider.name}/{model}"


def _serves(provider: Provider, facts: Facts) -> bool:
    """Whether a line of the table is a model that its provider can be asked for, and by an operation that there is."""
    if provider.catalog.unlisted and re.match(provider.catalog.unlisted, facts.model):
        return False
    if facts.mode in ENDPOINTS:
        endpoint = ENDPOINTS[facts.mode]
        return endpoint in adapters.TASKS and adapters.serves(definition_for(provider, facts.model, endpoint), endpoint)
    row = definition_for(provider, facts.model)
    if not adapters.serves(row, "chat"):
        return False
    completes = row.catalog.completes
    return facts.mode == "chat" or (facts.mode == "completion" and bool(completes and re.match(completes, facts.model)))


def _is_served_unlisted(router: Router, name: str) -> bool:
    """A server of the deployer's own may have any model; its row says so with a star."""
    prefix = name.partition("/")[0]
    return any(provider.name == prefix and "*" in provider.catalog.models for provider in router.providers)


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
        **_otherwise(facts),
        "capabilities": sorted(facts.supports),
        "deprecation_date": facts.deprecation_date,
    }


def _shown(name: str, facts: Facts) -> JSON:
    return {
        "id": name,
        "model_group": name,
        "providers": [facts.provider],
        "mode": facts.mode,
        "max_input_tokens": facts.max_input_tokens,
        "max_output_tokens": facts.max_output_tokens,
        **{rate: _number(facts, rate) for rate in HUB_RATES},
        **_otherwise(facts),
        **{f"supports_{capability}": capability in facts.supports for capability in CAPABILITIES},
        "deprecation_date": facts.deprecation_date,
    }


def _otherwise(facts: Facts) -> JSON:
    """What a model costs that is not billed by the token, or not only."""
    if facts.mode not in ENDPOINTS:
        return {}
    return {rate: _number(facts, rate) for rate in OTHER_RATES if rate in facts.rates}


def _number(facts: Facts, rate: str) -> float | None:
    return float(facts.rates[rate]) if rate in facts.rates else None
