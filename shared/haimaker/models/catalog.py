"""What is known of one provider's model: rates, limits and capabilities, by the table of models and the deployer's prices. Pure.

What a request costs is `pricing/costs.py`'s to say; nothing here knows a token count but the size of a prompt.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from haimaker.lean_dataclasses import dataclass, field, replace
from haimaker.models.rates import SERVICE_TIERS, THRESHOLD, TOKEN_RATE, UNITS_PER_USD, VARIANT, is_rate_name, to_units
from haimaker.models.table import Table, current_table

INPUT_ONLY_MODES = frozenset({"embedding", "moderation", "rerank"})


class Place(NamedTuple):
    """The place where a provider is called, as far as prices depend on it."""

    region: str = ""
    """The region of AWS, or Google's location."""
    host: str = ""


NOWHERE = Place()
IN_REGION = "regional_endpoint_uplift_multiplier"
"""Of Google, everywhere but in the location `global`: https://cloud.google.com/vertex-ai/generative-ai/pricing"""
AT_HOST = "regional_processing_uplift_multiplier_"
"""Of OpenAI, at hosts such as `eu.api.openai.com`: https://platform.openai.com/docs/guides/your-data#data-residency-controls"""
FEDRAMP = "fedramp_uplift_multiplier"
"""Of OpenAI, at the hosts for the American government."""
HOST_LABEL = re.compile(r"(\w+)\.")

INPUT, CACHED = "input_cost_per_token", "cache_read_input_token_cost"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of one provider's model. Rates are named as in the table, which is how deployers name theirs."""

    provider: str
    model: str
    mode: str = "chat"
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    deprecation_date: str | None = None
    supports: frozenset[str] = frozenset()
    rates: Mapping[str, str] = field(default_factory=dict)
    off_peak_rates: Mapping[str, str] = field(default_factory=dict)
    off_peak_minutes: tuple[tuple[int, int], ...] = ()
    """[start, end) in minutes of the week, from Monday 00:00 UTC."""
    uplifts: tuple[str, ...] = ()
    """Names of the rates by which all rates of tokens are multiplied where the model is served."""
    place: Place = field(default=NOWHERE, compare=False)
    table: Table | None = field(default=None, compare=False, repr=False)
    """The version of the table that says so, which a request keeps to."""
    own_prices: bool = False
    """Whether the deployer gave prices, which then count more than what the provider reports."""
    thresholds_k: tuple[int, ...] = field(init=False)
    """Thousands of prompt tokens above which other rates apply, largest first."""
    _dearest: dict[tuple[object, ...], int] = field(init=False, compare=False, repr=False)
    """What `dearest_rate` has found."""

    def __post_init__(self) -> None:
        sizes_k = {int(found[1]) for found in map(THRESHOLD.search, self.rates) if found}
        object.__setattr__(self, "thresholds_k", tuple(sorted(sizes_k, reverse=True)))
        object.__setattr__(self, "_dearest", {})

    @classmethod
    def unknown(cls, provider: str, model: str, mode: str = "chat") -> "ModelInfo":
        """A model that is not in the table: no price, until `with_prices` gives one."""
        return cls(provider, model, mode)

    @property
    def priced(self) -> bool:
        """Whether a request's tokens can be priced. Free models are not: the source leaves zero out, as it does the unknown."""
        reads = "input_cost_per_token" in self.rates or "input_cost_per_request" in self.rates
        writes = "output_cost_per_token" in self.rates
        if self.mode not in ("chat", "completion", "responses"):
            writes |= self.mode in INPUT_ONLY_MODES or not self.rates.keys().isdisjoint(
                ("output_cost_per_audio_token", "output_cost_per_image_token")
            )
        return reads and writes

    def is_retired(self, today: str) -> bool:
        """Whether the vendor has named a day, and that has passed. Days are as `2026-11-29`."""
        return self.deprecation_date is not None and self.deprecation_date < today

    @property
    def is_free(self) -> bool:
        """Whether it is known that nothing is charged."""
        return bool(self.rates) and not any(_units(rate) for name, rate in self.rates.items() if "multiplier" not in name)

    def with_prices(self, overrides: Mapping[str, str | int | float]) -> "ModelInfo":
        """These facts at the deployer's prices. A rate given replaces the table's, and its variants by size of the prompt,
        service tier and hour; other rates stay. Raises ValueError for an unknown name or a price that is none."""
        rates, off_peak = dict(self.rates), dict(self.off_peak_rates)
        for name in overrides:
            if not is_rate_name(name):
                raise ValueError(f"unknown price {name!r}")
            variant = re.compile(re.escape(name) + VARIANT)
            rates = {known: rate for known, rate in rates.items() if not variant.fullmatch(known)}
            off_peak.pop(name, None)
        own = {name: _to_rate(name, price) for name, price in overrides.items()}
        uplifts = () if own else self.uplifts  # the deployer knows where it is
        return replace(self, rates=rates | own, off_peak_rates=off_peak, uplifts=uplifts, own_prices=self.own_prices or bool(own))

    def with_batch_rates(self, percent: int, *, cached_as_input: bool = False) -> "ModelInfo":
        """These facts with prices for batches where there are none: `percent` of the ordinary ones, of tokens; of what is cached as
        of all input, if `cached_as_input`. 0: as it is."""
        if not percent:
            return self
        from decimal import Decimal  # few requests are in batches

        ordinary = {name: rate for name, rate in self.rates.items() if TOKEN_RATE.fullmatch(name)}
        if cached_as_input and CACHED in ordinary and INPUT in ordinary:
            ordinary[CACHED] = ordinary[INPUT]
        rates = {f"{name}_batches": str(Decimal(rate) * percent / 100) for name, rate in ordinary.items()}
        return replace(self, rates={**rates, **self.rates})

    @property
    def has_batch_rates(self) -> bool:
        return "input_cost_per_token_batches" in self.rates

    def with_fees(self, fees: Mapping[str, str]) -> "ModelInfo":
        """These facts with the prices of a provider's tools, where there are none; models that do not chat call no tools."""
        calls_tools = self.rates and self.mode in ("chat", "completion", "responses")
        return replace(self, rates={**fees, **self.rates}) if fees and calls_tools else self

    def at(self, place: Place) -> "ModelInfo":
        """These facts with the prices that hold where the model is called. Called before `with_prices`."""
        known = self.table and _find_row_info(self.table, self.provider, self.model)
        return _at(self.table, self.provider, self.model, place) if self.table and self is known else self._at(place)

    def _at(self, place: Place) -> "ModelInfo":
        label = HOST_LABEL.match(place.host)
        names = [IN_REGION if place.region not in ("", "global") else "", AT_HOST + label[1] if label else ""]
        names += [FEDRAMP] if "fedramp" in place.host else []
        local = self._find_other(f"{place.region}/{self.model}") if place.region else None
        return replace(
            self,
            rates={**self.rates, **(local.rates if local else {})},
            uplifts=tuple(name for name in names if name in self.rates),
            place=place,
        )

    def served_as(self, model: str | None) -> "ModelInfo":
        """The facts of another model of the provider's that answered in the place of this one; unknown ones if there are none."""
        if model is None or model == self.model or self.own_prices:
            return self
        found = find_model(self.provider, model, self.table) or ModelInfo.unknown(self.provider, model)
        return found.at(self.place)

    def _find_other(self, model: str) -> "ModelInfo | None":
        return _find_row_info(self.table or current_table(), self.provider, model)

    def multiplied(self, units: int, names: Iterable[str]) -> int:
        """Units by the place's uplifts and by those of `names` that the model has, rounded up."""
        for name in (*self.uplifts, *names):
            if name in self.rates:
                units = -(-units * _units(self.rates[name]) // UNITS_PER_USD)
        return units

    def variant(self, name: str | None) -> "ModelInfo":
        """These facts with the prices of a line of their own, such as those of an image's quality and size."""
        found = self._find_other(f"{self.model}#{name}") if name and not self.own_prices else None
        return replace(self, rates={**self.rates, **found.rates}) if found else self

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of its lines for an image's quality and size."""
        return _variants(self.table or current_table(), f"{self.provider}/{self.model}#")

    def rate(
        self, names: Iterable[str], prompt_tokens: int = 0, service_tier: str | None = None, now_s: float | None = None
    ) -> int | None:
        """The first of `names` that has a rate, in units, for a prompt of this size, a service tier and a time."""
        for name in names:
            found = self._rate(name, prompt_tokens, service_tier, now_s)
            if found is not None:
                return found
        return None

    def _rate(self, name: str, prompt_tokens: int, service_tier: str | None, now_s: float | None) -> int | None:
        rates, tier = self.rates, SERVICE_TIERS.get(service_tier)
        if not tier and name in self.off_peak_rates and self._is_off_peak(now_s):
            return _units(self.off_peak_rates[name])
        sized: str | None = None
        for threshold_k in self.thresholds_k:
            if prompt_tokens > threshold_k * 1000:
                sized_name = f"{name}_above_{threshold_k}k_tokens"
                if tier and f"{sized_name}_{tier}" in rates:
                    return _units(rates[f"{sized_name}_{tier}"])
                sized = sized or rates.get(sized_name)
        tiered = rates.get(f"{name}_{tier}") if tier else None
        if sized and tiered:
            return max(_units(sized), _units(tiered))
        found = sized or tiered or rates.get(name)
        return None if found is None else _units(found)

    def dearest_rate(self, names: tuple[str, ...], prompt_tokens: int, service_tiers: Iterable[str | None]) -> int:
        """The highest of all rates that `rate` may find, in units, for a prompt of up to this size."""
        exceeded = [size_k for size_k in self.thresholds_k if prompt_tokens > size_k * 1000]
        tiers = [SERVICE_TIERS[tier] for tier in service_tiers if tier in SERVICE_TIERS]
        asked = names, len(exceeded), *tiers
        if asked not in self._dearest:
            self._dearest[asked] = self._find_dearest(names, exceeded, tiers)
        return self._dearest[asked]

    def _find_dearest(self, names: tuple[str, ...], exceeded: Iterable[int], tiers: Iterable[str]) -> int:
        sizes = ["", *(f"_above_{size_k}k_tokens" for size_k in exceeded)]
        endings = ["", *(f"_{tier}" for tier in tiers)]
        variants = [f"{name}{size}{ending}" for name in names for size in sizes for ending in endings]
        found = [rates[name] for rates in (self.rates, self.off_peak_rates) for name in variants if name in rates]
        return max(map(_units, found), default=0)

    def _is_off_peak(self, now_s: float | None) -> bool:
        if now_s is None:
            return False
        thursday = 3 * 24 * 60  # the epoch began on one
        minute = (int(now_s) // 60 + thursday) % (7 * 24 * 60)
        return any(start <= minute < end for start, end in self.off_peak_minutes)


def find_model(provider: str, model: str, table: Table | None = None) -> ModelInfo | None:
    """The model's facts, by the newest table or by this one; a fine-tuned `ft:base:organisation::id` has those of `ft:base`. No
    other name is guessed."""
    table = table or current_table()
    found = _find_row_info(table, provider, model)
    if found is None and model.startswith("ft:"):
        found = _find_row_info(table, provider, "ft:" + model.split(":")[1])
    return found


def all_models(provider: str) -> Iterator[ModelInfo]:
    """Every model of a provider, by name; the rows for an image's quality and size are not models."""
    table = current_table()
    for name, row in table.rows_with(f"{provider}/"):
        if "#" not in name:
            yield _from_row(table, provider, name, json.loads(row))


@lru_cache(maxsize=64)
def _variants(table: Table, prefix: str) -> tuple[str, ...]:
    return tuple(name for name, _ in table.rows_with(prefix))


_units = lru_cache(maxsize=4096)(to_units)


def _to_rate(name: str, price: str | int | float) -> str:
    rate = repr(price) if isinstance(price, float) else str(price)
    try:
        to_units(rate)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return rate


@lru_cache(maxsize=256)
def _find_row_info(table: Table, provider: str, model: str) -> ModelInfo | None:
    row = table.find_row(f"{provider}/{model}")
    return None if row is None else _from_row(table, provider, model, row)


@lru_cache(maxsize=256)
def _at(table: Table, provider: str, model: str, place: Place) -> ModelInfo:
    """The facts of a line of the table with the prices of a place, cached as the look-up of the line is."""
    found = _find_row_info(table, provider, model)
    assert found is not None
    return found._at(place)


def _from_row(table: Table, provider: str, model: str, row: Mapping[str, Any]) -> ModelInfo:
    off_peak = row.get("off_peak", {})
    return ModelInfo(
        provider,
        model,
        mode=row["mode"],
        max_input_tokens=row.get("max_input_tokens"),
        max_output_tokens=row.get("max_output_tokens"),
        deprecation_date=row.get("deprecation_date"),
        supports=frozenset(row["supports"]),
        rates=row["rates"],
        off_peak_rates=off_peak.get("rates", {}),
        off_peak_minutes=tuple((start, end) for start, end in off_peak.get("minutes", ())),
        table=table,
    )
