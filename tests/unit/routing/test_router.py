from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.http.errors import BadRequestError, NotFoundError, PermissionDeniedError
from haimaker.http.values import AttemptTimeouts
from haimaker.models.names import is_allowed
from haimaker.operations.operation import Original
from haimaker.providers.registry import get
from haimaker.routing.config import (
    HIGHEST_THROUGHPUT,
    LOWEST_COST,
    LOWEST_LATENCY,
    ORDERED,
    STRATEGIES,
    WEIGHTED,
    Config,
    ProviderAccount,
    Route,
    Target,
)
from haimaker.routing.context import RoutingContext
from haimaker.routing.plan import Plan
from haimaker.routing.preferences import RoutingPreferences
from haimaker.routing.router import Router
from haimaker.routing.targets import account_definition

DEAR_FIRST = (
    Target("openai/gpt-4o"),
    Target("hosted_vllm/unpriced-1"),
    Target("openai/gpt-4o-mini", timeouts=AttemptTimeouts(5)),
)
ROUTES = {
    "fast": Route(
        (Target("groq/llama-3.3-70b-versatile", 3), Target("openai/gpt-4o-mini")),
        fallbacks=("mistral/mistral-small-latest", "openai/gpt-4o-mini"),
        context_window_fallbacks=("openai/gpt-4.1",),
        content_policy_fallbacks=("mistral/mistral-large-latest", "deepseek/deepseek-chat"),
        retries=5,
        timeout_s=60,
    ),
    "chained": Route((Target("gpt-4o-mini"),), fallbacks=("fast", "chained")),
    "off": Route((Target("deepseek/deepseek-chat"),)),
    "gpt-4o": Route((Target("mistral/mistral-small-latest"),)),
    "dear-first": Route(DEAR_FIRST, strategy=ORDERED),
    "cheap": Route(DEAR_FIRST, strategy=LOWEST_COST),
    "quick": Route(DEAR_FIRST, strategy=LOWEST_LATENCY),
    "steady": Route(DEAR_FIRST, strategy=HIGHEST_THROUGHPUT),
    "mistral/*": Route((Target("mistral/*"), Target("openrouter/mistralai/*")), strategy=ORDERED, fallbacks=("openai/gpt-4o",)),
    "mistral/open-*": Route((Target("hosted_vllm/open-*"),)),
    "mine-*": Route((Target("demo/echo"),)),
    "eu": Route((Target("openai_eu/gpt-4o"), Target("openai/gpt-4o")), strategy=ORDERED),
    "openai/gpt-4.1": Route((Target("openai/gpt-4.1"), Target("openai/gpt-4o"))),
}
PRICES = {
    "hosted_vllm/*": {"input_cost_per_token": "1e-9", "output_cost_per_token": "1e-9"},
    "hosted_vllm/qwen*": {"input_cost_per_token": "2e-9", "output_cost_per_token": "2e-9"},
    "hosted_vllm/qwen3": {"input_cost_per_token": "3e-9", "output_cost_per_token": "3e-9"},
    "openai/gpt-4o": {"output_cost_per_token": "4e-9"},
}
ON = ("openai", "groq", "mistral", "hosted_vllm", "demo")
EU = ProviderAccount(account_definition("openai_eu", get("openai")), "openai")
CONFIG = Config(ROUTES, PRICES, default=Route((), fallbacks=("groq/llama-3.3-70b-versatile",)), accounts={"openai_eu": EU})
ROUTER = Router(Config(ROUTES, PRICES, accounts={"openai_eu": EU}), [*(get(name) for name in ON), EU.definition])


def plan(model: str, allowed: tuple[str, ...] = (), request_id: str = "r", **at: Any) -> Plan:
    return ROUTER.plan(model, RoutingContext(request_id, 0, allowed=allowed, **at))


def targets(model: str, allowed: tuple[str, ...] = (), request_id: str = "r", **at: Any) -> list[str]:
    return [attempt.target for attempt in plan(model, allowed, request_id, **at).attempts]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("openai/gpt-4o-mini", ["openai/gpt-4o-mini"]),
        ("gpt-4o-mini", ["openai/gpt-4o-mini"]),
        ("gpt-4.1-mini", ["openai/gpt-4.1-mini"]),
        ("openai/never-heard-of", ["openai/never-heard-of"]),
        ("hosted_vllm/Qwen/Qwen3-8B", ["hosted_vllm/Qwen/Qwen3-8B"]),
        ("demo/echo", ["demo/echo"]),
        ("ft:gpt-4o-mini-2024-07-18:org::id", ["openai/ft:gpt-4o-mini-2024-07-18:org::id"]),
        ("dear-first", ["openai/gpt-4o", "hosted_vllm/unpriced-1", "openai/gpt-4o-mini"]),
        ("cheap", ["hosted_vllm/unpriced-1", "openai/gpt-4o-mini", "openai/gpt-4o"]),
        ("mistral/codestral-latest", ["mistral/codestral-latest", "openai/gpt-4o"]),
        ("mistral/open-mixtral", ["hosted_vllm/open-mixtral"]),  # the longest pattern wins
        ("codestral-latest", ["mistral/codestral-latest", "openai/gpt-4o"]),
        ("mine-or-yours", ["demo/echo"]),
        ("eu", ["openai_eu/gpt-4o", "openai/gpt-4o"]),
        ("openai_eu/gpt-4.1", ["openai_eu/gpt-4.1"]),
        ("gpt-4o", ["mistral/mistral-small-latest"]),  # a name of the deployer's own wins
        ("chained", ["openai/gpt-4o-mini", "groq/llama-3.3-70b-versatile"]),
    ],
)
def test_a_name_is_planned_as(model: str, expected: list[str]) -> None:
    assert targets(model) == expected


def test_a_route_brings_its_fallbacks_each_target_once() -> None:
    found = plan("fast")
    assert sorted(targets("fast")[:2]) == ["groq/llama-3.3-70b-versatile", "openai/gpt-4o-mini"]
    assert targets("fast")[2:] == ["mistral/mistral-small-latest"]
    assert [attempt.target for attempt in found.content_policy] == ["mistral/mistral-large-latest"]
    assert sorted(attempt.target for attempt in found.context_window) == ["openai/gpt-4.1", "openai/gpt-4o"]
    assert (found.retries, found.timeout_s, len(found.all())) == (5, 60, 6)


@pytest.mark.parametrize(("allowed", "said"), [(("groq/*",), "may not use the model"), (("fast",), "none of the models that")])
def test_a_key_is_told_whether_it_lacks_the_name_or_the_targets(allowed: tuple[str, ...], said: str) -> None:
    with pytest.raises(PermissionDeniedError, match=said):
        plan("fast", (*allowed, "xai/*"))


@pytest.mark.parametrize(
    ("model", "allowed", "error", "code"),
    [
        ("nothing-like-it", (), NotFoundError, "model_not_found"),
        ("", (), NotFoundError, "model_not_found"),
        ("/", (), NotFoundError, "model_not_found"),
        ("openai/", (), NotFoundError, "model_not_found"),
        ("openai", (), NotFoundError, "model_not_found"),
        ("nobody/gpt-4o", (), NotFoundError, "model_not_found"),
        ("openai/..", (), NotFoundError, "model_not_found"),
        ("groq/../../secrets", (), NotFoundError, "model_not_found"),
        ("groq/models/.", (), NotFoundError, "model_not_found"),
        ("deepseek/deepseek-chat", (), NotFoundError, "provider_not_configured"),
        ("ollama/qwen3", (), NotFoundError, "provider_not_configured"),
        ("deepseek-chat", (), NotFoundError, "provider_not_configured"),
        ("off", (), NotFoundError, "provider_not_configured"),
        ("openai/gpt-4o-mini", ("groq/*",), PermissionDeniedError, "model_not_allowed"),
        ("gpt-4o-mini", ("groq/*",), PermissionDeniedError, "model_not_allowed"),
        ("nothing-like-it", ("groq/*",), PermissionDeniedError, "model_not_allowed"),
        ("fast", ("groq/*",), PermissionDeniedError, "model_not_allowed"),  # the name itself
        ("fast", ("fast",), PermissionDeniedError, "model_not_allowed"),  # none of its targets
    ],
)
def test_what_can_not_be_planned(model: str, allowed: tuple[str, ...], error: type[Exception], code: str) -> None:
    with pytest.raises(error) as caught:
        plan(model, allowed)
    assert getattr(caught.value, "code", None) == code
    assert getattr(caught.value, "param", None) == "model"


@pytest.mark.parametrize(
    ("model", "allowed", "expected"),
    [
        ("gpt-4o-mini", ("gpt-4o-mini", "openai/*"), ["openai/gpt-4o-mini"]),
        ("gpt-4o-mini", ("openai/gpt-4o-mini",), ["openai/gpt-4o-mini"]),
        ("fast", ("fast", "openai/*"), ["openai/gpt-4o-mini"]),
        ("fast", ("*",), None),
    ],
)
def test_a_disallowed_target_leaves_the_plan(model: str, allowed: tuple[str, ...], expected: list[str] | None) -> None:
    assert targets(model, allowed) == (expected or targets(model))
    assert all(is_allowed(attempt.target, allowed) for attempt in plan(model, allowed).all())


@pytest.mark.parametrize(
    ("name", "allowed", "expected"),
    [
        ("openai/gpt-4o", (), True),
        ("openai/gpt-4o", ("*",), True),
        ("openai/gpt-4o", ("openai/*",), True),
        ("openai/gpt-4o", ("openai/gpt-4o",), True),
        ("openai/gpt-4o-mini", ("openai/gpt-4o",), False),
        ("openai/gpt-4o", ("openai",), False),
        ("openai/gpt-4o", ("open*",), False),
        ("openai_compatible/x", ("openai/*",), False),
        ("openrouter/openai/gpt-4o", ("openai/*",), False),
        ("openrouter/openai/gpt-4o", ("openrouter/openai/*",), True),
    ],
)
def test_lists_of_names_and_patterns(name: str, allowed: tuple[str, ...], expected: bool) -> None:
    assert is_allowed(name, allowed) is expected


def test_a_resting_target_comes_last_and_a_plan_replays() -> None:
    first = targets("fast")[0]
    assert targets("fast", open_circuits=(first,)) == [*targets("fast")[1:], first]
    assert targets("openai/gpt-4o-mini", open_circuits=("openai/gpt-4o-mini",)) == ["openai/gpt-4o-mini"]
    assert all(targets("fast", request_id=str(number)) == targets("fast", request_id=str(number)) for number in range(20))


def test_each_target_comes_first_as_often_as_its_weight_says() -> None:
    first = Counter(targets("fast", request_id=f"request-{number}")[0] for number in range(2_000))
    assert 0.71 < first["groq/llama-3.3-70b-versatile"] / 2_000 < 0.79  # 3 in 4, four standard deviations


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6), st.text())
def test_every_target_of_a_route_is_in_its_plan_once(weights: list[float], request_id: str) -> None:
    names = [f"demo/m{number}" for number in range(len(weights))]
    route = Route(tuple(Target(name, weight) for name, weight in zip(names, weights, strict=True)))
    planned = Router(Config({"r": route}), [get("demo")]).plan("r", RoutingContext(request_id, 0)).attempts
    assert sorted(attempt.target for attempt in planned) == names


@pytest.mark.parametrize(
    ("target", "rate"),
    [
        ("hosted_vllm/qwen3", "3e-9"),
        ("hosted_vllm/qwen2", "2e-9"),
        ("hosted_vllm/llama", "1e-9"),
        ("openai/gpt-4o", "4e-9"),
        ("demo/echo", "0"),
    ],
)
def test_the_deployers_price_that_names_a_model_best_wins(target: str, rate: str) -> None:
    assert ROUTER.model_info_for(target).rates["output_cost_per_token"] == rate


def test_an_unlisted_model_has_no_price_and_a_known_one_keeps_the_tables() -> None:
    assert not ROUTER.model_info_for("openai/never-heard-of").priced
    rates = [ROUTER.model_info_for(name).rates["input_cost_per_token"] for name in ("openai/gpt-4o-mini", "openai/gpt-4o")]
    assert all(float(low) < float(high) for low, high in pairwise(rates))


PREFERS_LAST = {"openai/gpt-4o": 900.0, "hosted_vllm/unpriced-1": 300.0, "openai/gpt-4o-mini": 100.0}


@pytest.mark.parametrize(
    ("route", "measured", "expected"),
    [
        ("quick", {"latency_ms": PREFERS_LAST}, "openai/gpt-4o-mini"),
        ("quick", {"latency_ms": {"openai/gpt-4o": 1.0, "openai/gpt-4o-mini": 2.0}}, "hosted_vllm/unpriced-1"),  # not measured yet
        ("steady", {"tokens_per_s": PREFERS_LAST}, "openai/gpt-4o"),
        ("cheap", {"prompt_tokens": 10**6}, "hosted_vllm/unpriced-1"),
    ],
)
def test_what_was_measured_decides(route: str, measured: dict[str, Any], expected: str) -> None:
    assert targets(route, **measured)[0] == expected


def test_a_target_keeps_its_own_timeouts_and_a_request_can_only_shorten_it() -> None:
    preferences = RoutingPreferences(timeouts=AttemptTimeouts(first_byte_s=3), timeout_s=20, retries=0)
    found = plan("dear-first", preferences=preferences)
    assert [attempt.timeouts for attempt in found.attempts] == [AttemptTimeouts(first_byte_s=3)] * 2 + [AttemptTimeouts(5, 3)]
    assert (found.timeout_s, found.retries) == (20, 0)


BOTH = ["openai/gpt-4o-2024-08-06", "openai_eu/gpt-4o-2024-08-06"]


@pytest.mark.parametrize(
    ("model", "preferences", "expected"),
    [
        (
            "dear-first",
            RoutingPreferences(order=("hosted_vllm",)),
            ["hosted_vllm/unpriced-1", "openai/gpt-4o", "openai/gpt-4o-mini"],
        ),
        ("dear-first", RoutingPreferences(order=("hosted_vllm",), falls_back=False), ["hosted_vllm/unpriced-1"]),
        ("dear-first", RoutingPreferences(falls_back=False), ["openai/gpt-4o"]),
        ("dear-first", RoutingPreferences(only=("openai",)), ["openai/gpt-4o", "openai/gpt-4o-mini"]),
        ("dear-first", RoutingPreferences(ignore=("openai",)), ["hosted_vllm/unpriced-1"]),
        ("dear-first", RoutingPreferences(strategy=LOWEST_COST), ["hosted_vllm/unpriced-1", "openai/gpt-4o-mini", "openai/gpt-4o"]),
        (
            "dear-first",
            RoutingPreferences(max_usd={"input_cost_per_token": "0.000001"}),
            ["hosted_vllm/unpriced-1", "openai/gpt-4o-mini"],
        ),
        ("dear-first", RoutingPreferences(parameters=("tools",)), ["openai/gpt-4o", "openai/gpt-4o-mini"]),
        ("dear-first", RoutingPreferences(parameters=("seed",)), ["openai/gpt-4o", "hosted_vllm/unpriced-1", "openai/gpt-4o-mini"]),
        (
            "eu",
            RoutingPreferences(order=("openai",)),
            ["openai_eu/gpt-4o", "openai/gpt-4o"],
        ),  # an account is its provider's as well
        ("eu", RoutingPreferences(ignore=("openai_eu",)), ["openai/gpt-4o"]),
        ("gpt-4o-2024-08-06", RoutingPreferences(strategy=ORDERED), BOTH),  # all that list a bare name
        ("gpt-4o-2024-08-06", RoutingPreferences(order=("openai_eu",)), BOTH[::-1]),
        ("eu", RoutingPreferences(fallbacks=("fast", "demo/echo")), None),
        ("fast", RoutingPreferences(fallbacks=()), None),
    ],
)
def test_a_request_may_say_which_providers_it_wants(
    model: str, preferences: RoutingPreferences, expected: list[str] | None
) -> None:
    found = targets(model, preferences=preferences)
    if expected is None:
        expected = [name for name in targets(model) if not name.startswith("mistral/")]
        more = ["groq/llama-3.3-70b-versatile", "openai/gpt-4o-mini", "demo/echo"] if preferences.fallbacks else []
        assert sorted(found) == sorted({*expected, *more})
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("preferences", "said"),
    [
        (RoutingPreferences(only=("groq",)), "the request leaves its provider out"),
        (RoutingPreferences(ignore=("openai", "hosted_vllm")), "the request leaves its provider out"),
        (RoutingPreferences(order=("groq",), falls_back=False), "no providers but those that it names"),
        (RoutingPreferences(max_usd={"output_cost_per_token": "0"}), "is not known to be at most 0 USD"),
        (RoutingPreferences(parameters=("web_search_options",)), "not known to take 'web_search_options'"),
    ],
)
def test_a_plan_that_nothing_is_left_of_says_what_the_request_left_out(preferences: RoutingPreferences, said: str) -> None:
    with pytest.raises(BadRequestError, match=said) as caught:
        plan("dear-first", preferences=preferences)
    assert (caught.value.code, caught.value.param) == ("no_target_left", "provider")


def test_a_plan_says_why_each_target_is_where_it_is_or_is_not() -> None:
    found = plan("fast", ("fast", "groq/*", "mistral/*", "deepseek/*"), open_circuits=("groq/llama-3.3-70b-versatile",))
    assert found.reasons["groq/llama-3.3-70b-versatile"].startswith("target of 'fast': drawn with weight 3; it keeps failing")
    assert found.reasons["mistral/mistral-small-latest"] == "fallback: number 1 as listed"
    assert {each.target: each.code for each in found.exclusions} == {
        "openai/gpt-4o-mini": "model_not_allowed",
        "openrouter/mistralai/mistral-small-latest": "model_not_allowed",
        "openrouter/mistralai/mistral-large-latest": "model_not_allowed",
        "openai/gpt-4.1": "model_not_allowed",
        "openai/gpt-4o": "model_not_allowed",
        "deepseek/deepseek-chat": "provider_not_configured",
    }


def test_what_holds_for_every_model_holds_for_one_without_a_route() -> None:
    planned = Router(CONFIG, ROUTER.providers).plan("openai/gpt-4o-mini", RoutingContext("r", 0)).attempts
    assert [attempt.target for attempt in planned] == ["openai/gpt-4o-mini", "groq/llama-3.3-70b-versatile"]


def test_an_account_has_the_prices_and_rules_of_its_provider() -> None:
    assert ROUTER.model_info_for("openai_eu/gpt-4o").rates == ROUTER.model_info_for("openai/gpt-4o").rates
    [attempt] = plan("openai_eu/o3").attempts
    assert (attempt.provider.name, attempt.target) == ("openai_eu", "openai_eu/o3")
    assert attempt.provider.dialect == get("openai").dialect


@given(st.sampled_from(STRATEGIES), st.text(min_size=1), st.dictionaries(st.sampled_from(list(PREFERS_LAST)), st.floats(0, 1e6)))
def test_every_strategy_replays_and_keeps_every_target(strategy: str, draw: str, measured: dict[str, float]) -> None:
    at = {"preferences": RoutingPreferences(strategy=strategy), "seed": draw, "latency_ms": measured, "tokens_per_s": measured}
    assert targets("dear-first", **at) == targets("dear-first", request_id="another", **at)
    assert sorted(targets("dear-first", **at)) == sorted(PREFERS_LAST)


CONTEXTS: tuple[dict[str, Any], ...] = (
    {},
    {"allowed": ("openai/*", "fast", "mine-1")},
    {"allowed": {"openai/*", "fast", "mine-1"}},
    {"operation": "embeddings"},
    {"operation": "messages", "original": Original("messages", {"tools": [{"type": "bash_20250124"}]}, ("anthropic",))},
    {"operation": "responses", "original": Original("responses", {"tools": [{"type": "web_search"}]}, ("responses",))},
    {"operation": "responses", "original": Original("responses", {"previous_response_id": "resp_1"}, ("responses",))},
    {"effort": "high", "has_tools": True},
    {"effort": ["high"]},
    {"open_circuits": ("openai/gpt-4o-mini", "demo/echo")},
    {"preferences": RoutingPreferences(fallbacks=("mistral/mistral-small-latest",))},
    {"auto_routed": True, "required": frozenset({"vision"})},
    {"seed": "x"},
)


CONFIG_WITHOUT_MEASURES = Config(
    {name: route for name, route in ROUTES.items() if route.strategy in (WEIGHTED, ORDERED)},
    PRICES,
    default=CONFIG.default,
    accounts=CONFIG.accounts,
)


@pytest.mark.parametrize("at", CONTEXTS, ids=lambda at: ", ".join(at) or "plain")
@pytest.mark.parametrize("measured", [False, True], ids=["", "beside measured routes"])
def test_a_plan_owes_nothing_to_those_before_it(at: dict[str, Any], measured: bool) -> None:
    config = CONFIG if measured else CONFIG_WITHOUT_MEASURES
    lasting = Router(config, ROUTER.providers)

    def make(router: Router, model: str, number: int, context: dict[str, Any]) -> object:
        try:
            return router.plan(model, RoutingContext(f"r{number}", number, **context))
        except (BadRequestError, NotFoundError, PermissionDeniedError) as error:
            return str(error)

    models = (
        "fast",
        "chained",
        "off",
        "mine-1",
        "mine-2",
        "openai/gpt-4.1",
        "openai/gpt-4o-mini",
        "gpt-4o-mini",
        "openai/o3",
        "groq/openai/gpt-oss-120b",
        "anthropic/claude-haiku-4-5",
        *config.routes,
    )
    without = {**at, "original": at["original"]._replace(body={})} if "original" in at else {}
    for number in range(3):
        for model in models:
            for context in ({}, at, without):
                assert make(lasting, model, number, context) == make(Router(config, ROUTER.providers), model, number, context)


@pytest.mark.parametrize(
    ("model", "operation", "made"),
    [
        ("anthropic/claude-haiku-4-5", "messages", 1),
        ("openai/gpt-4o-mini", "messages", 1),
        ("openai/gpt-4o-mini", "responses", 1),
        ("openai/gpt-4o-mini", "gemini_generate", 1),
        ("groq/openai/gpt-oss-120b", "responses", 2),
        ("groq/openai/gpt-oss-120b", "messages", 1),
        ("fast", "messages", 2),
    ],
)
def test_a_plan_is_kept_where_nothing_of_the_request_changes_it(
    monkeypatch: pytest.MonkeyPatch, model: str, operation: str, made: int
) -> None:
    calls, make, router = [], Router._make_plan, Router(Config({"fast": ROUTES["fast"]}), [*ROUTER.providers, get("anthropic")])

    def count(self: Router, name: str, context: RoutingContext) -> tuple[Plan, bool]:
        calls.append(name)
        return make(self, name, context)

    monkeypatch.setattr(Router, "_make_plan", count)
    for number in range(2):
        original = Original(operation, {"input": f"{number}"}, (operation,))
        router.plan(model, RoutingContext(f"r{number}", number, operation=operation, original=original))
    assert len(calls) == made
