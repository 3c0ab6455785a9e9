"""Lists of models with prices, limits and capabilities: `GET /v1/models` and `GET /public/model_hub`.

The first has the models that a key may use, in OpenAI's shape: https://platform.openai.com/docs/api-reference/models. The other has
all models, for anybody, in LiteLLM's shape: https://docs.litellm.ai/docs/proxy/ai_hub
"""

import time
from calendar import timegm
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

from haimaker import adapters
from haimaker.accounts.errors import check_usable
from haimaker.http.errors import NotFoundError, invalid_value
from haimaker.http.json import to_whole_number
from haimaker.http.values import ANTHROPIC, JSON, Request
from haimaker.models import catalog
from haimaker.models.catalog import ModelInfo
from haimaker.models.matching import is_selected, traits_of
from haimaker.models.names import AUTO, canonical, is_allowed, snapshot_date
from haimaker.models.table import current_table
from haimaker.pricing.costs import COUNTED_OTHERWISE
from haimaker.providers.provider import Provider
from haimaker.providers.registry import definition_for
from haimaker.routing.router import Router
from haimaker.store import Account

ANTHROPIC_PAGE, MAX_ANTHROPIC_PAGE = 20, 1_000
HUB_RATES = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost")
OTHER_RATES = (
    *dict.fromkeys(rate for rates in COUNTED_OTHERWISE.values() for rate in rates),
    "input_cost_per_audio_token",
    "input_cost_per_image_token",
    "output_cost_per_audio_token",
    "output_cost_per_image_token",
)
"""Rates that are shown of models that make or read something else than text, where they have them."""
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
"""The capabilities that the hub shows of every model, as `supports_…`."""


def list_models(router: Router, account: Account, request: Request) -> JSON:
    """GET /v1/models: what the account may use, in the shape of whoever asks."""
    found = usable_models(router, account)
    return _to_anthropic_page(found, request) if ANTHROPIC in request.headers else {"object": "list", "data": found}


def get_model(router: Router, account: Account, request: Request) -> JSON:
    """GET /v1/models/{id}: one model, in the shape of whoever asks. Raises NotFoundError where `list_models` would not show it."""
    found = usable_model(router, account, request.path.get("id", ""))
    return _to_anthropic(found) if ANTHROPIC in request.headers else found


def usable_models(router: Router, account: Account) -> list[JSON]:
    """What the account may use, in OpenAI's shape."""
    check_usable(account, time.time())
    return list(_find(router, account))


def usable_model(router: Router, account: Account, asked: str) -> JSON:
    """A model that the account may use, also by its bare name. Raises NotFoundError."""
    check_usable(account, time.time())
    name = router.full_name(asked)
    for model in _find(router, account, {asked, name}):
        return {**model, "id": asked}
    # A server of the deployer's own may have any model: its definition lists `*`.
    serves_any = any(name.startswith(f"{provider.name}/") and "*" in provider.catalog.models for provider in router.providers)
    if serves_any and is_allowed(name, account.models):
        return _to_json(name, router.model_info_for(name), _created_s(snapshot_date(name)))
    info = router.model_info_for(name)
    if info.is_retired(_today()) and router.is_on(name.partition("/")[0]) and is_allowed(name, account.models):
        message = f"The model {asked[:200]!r} was retired on {info.deprecation_date}."
        raise NotFoundError(message, param="model", code="model_retired")
    message = f"The model {asked[:200]!r} does not exist or this key may not use it."
    raise NotFoundError(message, param="model", code="model_not_found")


def _to_anthropic_page(found: Sequence[JSON], request: Request) -> JSON:
    """https://platform.claude.com/docs/en/api/models/list"""
    query, names = request.query, [model["id"] for model in found]
    limit = to_whole_number(query.get("limit", str(ANTHROPIC_PAGE)), 1, MAX_ANTHROPIC_PAGE)
    if limit is None:
        raise invalid_value("limit", f"a whole number from 1 to {MAX_ANTHROPIC_PAGE}")
    begin, end = 0, len(found)
    if query.get("after_id") in names:
        begin = names.index(query["after_id"]) + 1
    elif query.get("before_id") in names:
        end = names.index(query["before_id"])
        begin = max(0, end - limit)
    page = found[begin : min(end, begin + limit)]
    more = begin > 0 if query.get("before_id") in names else begin + limit < end
    ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
    return {"data": [_to_anthropic(model) for model in page], "has_more": more, **ends}


def _to_anthropic(model: JSON) -> JSON:
    return {
        "type": "model",
        "id": model["id"],
        "display_name": model["id"],
        "created_at": f"{snapshot_date(model['id']) or '1970-01-01'}T00:00:00Z",
        "max_input_tokens": model.get("max_input_tokens"),
        "max_tokens": model.get("max_output_tokens"),
        "lifecycle": "active",
    }


def public_models(router: Router) -> list[JSON]:
    """GET /public/model_hub: what this gateway serves; nothing about who may use it."""
    return [_to_hub_json(name, router.model_info_for(name)) for name in _served_names(router, _today())]


def _find(router: Router, account: Account, wanted: Collection[str] | None = None) -> Iterator[JSON]:
    """All of them, or those of these names."""
    allowed = router.full_names(account.models)
    served = _served_models(router, _today())
    if (wanted is None or AUTO in wanted) and any(is_allowed(name, allowed) for name in served):
        yield {"id": AUTO, "object": "model", "created": _created_s(None), "owned_by": "gateway"}
    for name, route in router.config.routes.items():
        if "*" in name or (wanted is not None and name not in wanted) or not is_allowed(name, allowed):
            continue
        if any(is_allowed(router.target_name(target.model), allowed) for target in route.targets):
            yield {"id": name, "object": "model", "created": _created_s(None), "owned_by": "gateway"}
    for name in served if wanted is None else [name for name in wanted if name in served]:
        if is_allowed(name, allowed):
            yield served[name]


def _served_models(router: Router, day: str) -> Mapping[str, JSON]:
    """The models of all providers that are on, by their names; a `*` is not a model. Looked up once a day: with all providers it
    takes a quarter of a second, in which nobody else is answered."""
    if day not in router.models_of_day:
        names = tuple(_served_names(router, day))
        newest: dict[str, date] = {}
        for name in names:
            if taken := snapshot_date(name):
                alias = _without_date(name)
                newest[alias] = max(taken, newest.get(alias, taken))
        found = {
            name: _to_json(name, router.model_info_for(name), _created_s(snapshot_date(name) or newest.get(_without_date(name))))
            for name in names
        }
        router.models_of_day.clear()
        router.models_of_day[day] = found
    return router.models_of_day[day]


def _without_date(name: str) -> str:
    provider, _, model = name.partition("/")
    return f"{provider}/{canonical(provider, model)}"


def _created_s(snapshot: date | None) -> int:
    """When a model was made, by the newest snapshot that is known of it; of others, and of names of the gateway's own, when the
    table of models was."""
    return timegm((snapshot or date.fromisoformat(current_table().date)).timetuple())


def _served_names(router: Router, day: str) -> Iterator[str]:
    for provider in router.providers:
        known = [
            model_info.model
            for model_info in catalog.all_models(provider.catalog.priced_as or provider.name)
            if _is_servable(provider, model_info, day)
        ]
        own = [name.partition("/")[2] for name in router.config.base_models if name.startswith(f"{provider.name}/")]
        for model in dict.fromkeys((*provider.catalog.models, *own, *known)):
            if model != "*":
                yield f"{provider.name}/{model}"


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def _is_servable(provider: Provider, model_info: ModelInfo, day: str) -> bool:
    """Whether the provider can be asked for a model of the table, by one of the gateway's operations."""
    if is_selected(provider.name, model_info.model, provider.catalog.unlisted):
        return False
    if model_info.is_retired(day):
        return False
    if model_info.mode in ENDPOINTS:
        endpoint = ENDPOINTS[model_info.mode]
        return endpoint in adapters.ADAPTERS and adapters.serves(definition_for(provider, model_info.model, endpoint), endpoint)
    if model_info.mode == "responses":
        return definition_for(provider, model_info.model, "responses").adapter in adapters.ADAPTERS["responses"]
    definition = definition_for(provider, model_info.model)
    if not adapters.serves(definition, "chat_completions"):
        return False
    some = definition.catalog.completes == "some" and traits_of(provider.name, model_info.model).completes
    return model_info.mode == "chat" or (model_info.mode == "completion" and (definition.catalog.completes == "all" or some))


def _to_json(name: str, model_info: ModelInfo, created_s: int) -> JSON:
    return {
        "id": name,
        "object": "model",
        "created": created_s,
        "owned_by": model_info.provider,
        "mode": model_info.mode,
        "context_length": model_info.max_input_tokens,
        "max_input_tokens": model_info.max_input_tokens,
        "max_output_tokens": model_info.max_output_tokens,
        "input_cost_per_token": _rate_or_none(model_info, "input_cost_per_token"),
        "output_cost_per_token": _rate_or_none(model_info, "output_cost_per_token"),
        **_other_rates(model_info),
        "capabilities": sorted(model_info.supports),
        "deprecation_date": model_info.deprecation_date,
    }


def _to_hub_json(name: str, model_info: ModelInfo) -> JSON:
    return {
        "id": name,
        "model_group": name,
        "providers": [model_info.provider],
        "mode": model_info.mode,
        "max_input_tokens": model_info.max_input_tokens,
        "max_output_tokens": model_info.max_output_tokens,
        **{rate: _rate_or_none(model_info, rate) for rate in HUB_RATES},
        **_other_rates(model_info),
        **{f"supports_{capability}": capability in model_info.supports for capability in CAPABILITIES},
        "deprecation_date": model_info.deprecation_date,
    }


def _other_rates(model_info: ModelInfo) -> JSON:
    """The rates of a model that is not billed by the token, or not only."""
    if model_info.mode not in ENDPOINTS:
        return {}
    return {rate: _rate_or_none(model_info, rate) for rate in OTHER_RATES if rate in model_info.rates}


def _rate_or_none(model_info: ModelInfo, rate: str) -> float | None:
    return float(model_info.rates[rate]) if rate in model_info.rates else None
