"""The targets of a route in the order of its strategy. Pure: chance comes from a text, so that an order replays."""

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from haimaker.models.catalog import ModelInfo
from haimaker.models.rates import UNITS_PER_USD
from haimaker.routing.config import HIGHEST_THROUGHPUT, LOWEST_COST, LOWEST_LATENCY, ORDERED, Target

if TYPE_CHECKING:
    from haimaker.routing.context import RoutingContext

TOKEN_RATES = ("input_cost_per_token", "output_cost_per_token")
OTHER_RATES = (
    "output_cost_per_image",
    "output_cost_per_pixel",
    "input_cost_per_character",
    "input_cost_per_second",
    "output_cost_per_second",
    "input_cost_per_query",
    "input_cost_per_request",
)
"""Rates of operations that are not billed by tokens: what one of each unit costs is enough to compare targets."""


def sort_targets(
    targets: Sequence[Target], strategy: str, context: "RoutingContext", model_info_for: Callable[[str], ModelInfo]
) -> list[tuple[Target, str]]:
    """Each target once, best first, with the reason for its place in words."""
    if strategy == ORDERED:
        return [(target, f"number {number} as listed") for number, target in enumerate(targets, 1)]
    drawn = [*targets]
    if len(targets) > 1:
        drawn = [targets[position] for position in _weighted_shuffle([target.weight for target in targets], context.seed_or_id)]
    if strategy == LOWEST_COST:
        costs = {
            target.model: typical_cost_usd(model_info_for(target.model), context.prompt_tokens, context.answer_tokens)
            for target in targets
        }
        found = sorted(drawn, key=lambda target: costs[target.model])
        about = {name: "no price is known" if usd == math.inf else f"about {usd:.3g} USD a request" for name, usd in costs.items()}
        return [(target, about[target.model]) for target in found]
    if strategy == LOWEST_LATENCY:
        found = sorted(drawn, key=lambda target: context.latency_ms.get(target.model, 0.0))
        return [(target, _describe_measure(context.latency_ms.get(target.model), "ms to its first byte")) for target in found]
    if strategy == HIGHEST_THROUGHPUT:
        found = sorted(drawn, key=lambda target: -context.tokens_per_s.get(target.model, math.inf))
        return [(target, _describe_measure(context.tokens_per_s.get(target.model), "tokens a second")) for target in found]
    return [(target, f"drawn with weight {target.weight:g}") for target in drawn]


def typical_cost_usd(model_info: ModelInfo, prompt_tokens: int, answer_tokens: int) -> float:
    """About what a request costs in USD, to compare targets by; infinite where no price is known."""
    reads, writes = (model_info.rate((name,), prompt_tokens) for name in TOKEN_RATES)
    others = [rate for name in OTHER_RATES if (rate := model_info.rate((name,))) is not None]
    if reads is None and writes is None and not others:
        return math.inf
    return float(((reads or 0) * prompt_tokens + (writes or 0) * answer_tokens + sum(others)) / UNITS_PER_USD)


def _describe_measure(value: float | None, unit: str) -> str:
    return "not measured yet, so it is tried" if value is None else f"{value:.0f} {unit}"


def _weighted_shuffle(weights: Sequence[float], chance: str) -> list[int]:
    """All positions in a random order in which each comes first as often as its weight says.

    Efraimidis and Spirakis, Weighted random sampling with a reservoir (2006), with a text as the source of chance.
    """

    def rank(position: int) -> float:
        digest = blake2b(f"{chance}/{position}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        uniform = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)
        return math.log(uniform) / weights[position]

    return sorted(range(len(weights)), key=rank, reverse=True)
