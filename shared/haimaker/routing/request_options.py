"""Reads RoutingPreferences from a request's body and headers, and from a key's `router_settings`. Pure; imported only when there is
something to read.

Fields of a body are OpenRouter's (https://openrouter.ai/docs/features/provider-routing) and LiteLLM's
(https://docs.litellm.ai/docs/proxy/reliability); they are for the gateway and never sent to a provider.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from haimaker.http.errors import invalid_value
from haimaker.http.values import JSON, AttemptTimeouts
from haimaker.routing import preferences as routing_preferences
from haimaker.routing.config import HIGHEST_THROUGHPUT, LOWEST_COST, LOWEST_LATENCY, STRATEGIES, WEIGHTED
from haimaker.routing.preferences import (
    FALLBACK_FIELDS,
    FIRST_BYTE_HEADERS,
    RETRIES_HEADERS,
    ROUTING_FIELDS,
    TIMEOUT_HEADERS,
    RoutingPreferences,
)

KEY_FIELDS = frozenset({*FALLBACK_FIELDS, "provider", "num_retries", "timeout", "disable_fallbacks", "routing_strategy"})
"""The fields of a key's `router_settings`."""
MAX_NAMES = 64
MAX_RETRIES = 10
MAX_TIMEOUT_S = 10**9
"""A longer timeout counts as this one: a number of any size has to fit into a float."""
SORTS: Mapping[str, str] = {"price": LOWEST_COST, "latency": LOWEST_LATENCY, "throughput": HIGHEST_THROUGHPUT}
MAX_PRICE_RATES: Mapping[str, str] = {
    "prompt": "input_cost_per_token",
    "completion": "output_cost_per_token",
    "image": "output_cost_per_image",
    "request": "input_cost_per_request",
}
"""By OpenRouter's name of a price, the rate in the table of prices. OpenRouter's prices of tokens are for a million."""
RATE_DECIMALS = 24
"""As many as the table of prices has."""
NOT_PARAMETERS = ROUTING_FIELDS | {
    "model",
    "messages",
    "prompt",
    "input",
    "stream",
    "stream_options",
    "user",
    "metadata",
    "drop_params",
}
STRATEGY_NAMES: Mapping[str, str] = {
    **{name: name for name in STRATEGIES},
    "simple-shuffle": WEIGHTED,
    "latency-based-routing": LOWEST_LATENCY,
    "cost-based-routing": LOWEST_COST,
}
"""By a name of our own or of LiteLLM's, the strategy."""


def preferences_from_request(body: JSON, headers: Mapping[str, str]) -> RoutingPreferences:
    """What a body and its headers say about routing; headers win. Raises BadRequestError, which names the field or the header."""
    models = _names(body, "models")
    if body.get("route") not in (None, "fallback"):
        raise invalid_value("route", "'fallback'")
    model = body.get("model") or (models[0] if models else None)
    said = preferences_from_fields(body, model, tuple(body.keys() - NOT_PARAMETERS))
    if models:
        others = tuple(name for name in models if name != model)
        said = RoutingPreferences(fallbacks=(*others, *(said.fallbacks or ())), model=model).merged_with(said)
    retries = _seconds(headers, RETRIES_HEADERS, whole=True)
    from_headers = RoutingPreferences(
        timeout_s=_seconds(headers, TIMEOUT_HEADERS),
        timeouts=AttemptTimeouts(first_byte_s=_seconds(headers, FIRST_BYTE_HEADERS)),
        retries=None if retries == float("inf") else min(MAX_RETRIES, int(retries)),
    )
    return from_headers.merged_with(said)


def preferences_from_fields(fields: JSON, model: str | None = None, parameters: Sequence[str] = ()) -> RoutingPreferences:
    """What the fields of a body, or of a key's `router_settings`, say about routing. `model` is the one that they are for;
    `parameters` are those that every target has to take if `provider.require_parameters` says so. Raises BadRequestError."""
    fallbacks, for_context, for_policy = (_fallbacks(fields, name, model) for name in FALLBACK_FIELDS)
    strategy = fields.get("routing_strategy")
    if strategy is not None and (not isinstance(strategy, str) or strategy not in STRATEGY_NAMES):
        raise invalid_value("routing_strategy", f"one of {', '.join(STRATEGY_NAMES)}")
    said = RoutingPreferences(
        fallbacks=fallbacks,
        context_window_fallbacks=for_context,
        content_policy_fallbacks=for_policy,
        falls_back=not _flag(fields, "disable_fallbacks", False),
        strategy=STRATEGY_NAMES[strategy] if strategy else None,
        retries=_retries(fields),
        timeout_s=_timeout(fields),
    )
    provider = fields.get("provider")
    if provider is None:
        return said
    if not isinstance(provider, dict):
        raise invalid_value("provider", "an object")
    return _preferences_from_provider(provider, parameters).merged_with(said)


def _preferences_from_provider(provider: JSON, parameters: Sequence[str]) -> RoutingPreferences:
    sort = provider.get("sort")
    by = sort.get("by") if isinstance(sort, dict) else sort
    if by is not None and (not isinstance(by, str) or by not in SORTS):
        raise invalid_value("provider.sort", f"one of {', '.join(SORTS)}")
    order, only, ignore = (
        tuple(slug.strip().lower() for slug in _names(provider, name, "provider.")) for name in ("order", "only", "ignore")
    )
    return RoutingPreferences(
        falls_back=_flag(provider, "allow_fallbacks", True, "provider."),
        strategy=SORTS[by] if by else None,
        order=order,
        only=only,
        ignore=ignore,
        max_usd=_max_rates_usd(provider.get("max_price")),
        parameters=tuple(sorted(parameters)) if _flag(provider, "require_parameters", False, "provider.") else (),
    )


def _max_rates_usd(prices: Any) -> dict[str, str]:
    """The most that a rate may be in USD, by the rate's name in the table of prices, from a `max_price`."""
    if prices is None:
        return {}
    if not isinstance(prices, dict):
        raise invalid_value("provider.max_price", "an object")
    found = {}
    for name, price in prices.items():
        if name in MAX_PRICE_RATES and price is not None:
            try:
                usd = Decimal(str(price)) if not isinstance(price, bool) else Decimal(-1)
            except InvalidOperation:
                usd = Decimal(-1)
            if not (usd.is_finite() and 0 <= usd <= 10**9):
                raise invalid_value(f"provider.max_price.{name}", "a price in USD")
            rate = usd.scaleb(-6) if name in ("prompt", "completion") else usd
            found[MAX_PRICE_RATES[name]] = f"{round(rate, RATE_DECIMALS).normalize():f}"
    return found


def _fallbacks(fields: JSON, name: str, model: str | None) -> tuple[str, ...] | None:
    """A list of models. As LiteLLM's, an entry may be `{"model": name}`, or `{asked model: [names]}` where `*` is any model.
    `"default"`, Anthropic's word, leaves them to the route."""
    value = fields.get(name)
    if value is None or value == "default":
        return None
    if not isinstance(value, list) or len(value) > MAX_NAMES:
        raise invalid_value(name, f"a list of up to {MAX_NAMES} models")
    found: list[str] = []
    for each in value:
        if isinstance(each, dict):
            inner: Any = [each["model"]] if "model" in each else each.get(model or "", each.get("*", []))
            found += inner if isinstance(inner, list) else [inner]
        else:
            found.append(each)
    if not all(isinstance(each, str) and 0 < len(each) <= 512 for each in found):
        raise invalid_value(name, "a list of models")
    return tuple(dict.fromkeys(found))[:MAX_NAMES]


def _names(fields: JSON, name: str, prefix: str = "") -> tuple[str, ...]:
    value = fields.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_NAMES or not all(isinstance(each, str) and each for each in value):
        raise invalid_value(prefix + name, f"a list of up to {MAX_NAMES} names")
    return tuple(value)


def _flag(fields: JSON, name: str, default: bool, prefix: str = "") -> bool:
    value = fields.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid_value(prefix + name, "true or false")
    return value


def _retries(fields: JSON) -> int | None:
    value = fields.get("num_retries")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid_value("num_retries", "a whole number from 0")
    return min(value, MAX_RETRIES)


def _timeout(fields: JSON) -> float:
    value = fields.get("timeout")
    if value is None:
        return routing_preferences.NO_PREFERENCES.timeout_s
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        raise invalid_value("timeout", "a number of seconds above 0")
    return float(min(value, MAX_TIMEOUT_S))


def _seconds(headers: Mapping[str, str], names: Sequence[str], *, whole: bool = False) -> float:
    """The number in the first of these headers that is there; infinite where none is. Raises BadRequestError."""
    for name in names:
        if headers.get(name):
            try:
                value = float(headers[name])
            except ValueError:
                value = -1.0
            if not (0 <= value < float("inf") if whole else 0 < value < float("inf")):
                raise invalid_value(name, "a number of retries" if whole else "a number of seconds above 0")
            return value
    return float("inf")
