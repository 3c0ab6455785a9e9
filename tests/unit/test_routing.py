from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.errors import NotFoundError, PermissionDeniedError
from haimaker.providers import BY_NAME
from haimaker.routing import Config, Plan, Route, Router, Weighted, is_allowed

ROUTES = {
    "fast": Route(
        (Weighted("groq/llama-3.3-70b-versatile", 3), Weighted("openai/gpt-4o-mini")),
        fallbacks=("mistral/mistral-small-latest", "openai/gpt-4o-mini"),
        context_window_fallbacks=("openai/gpt-4.1",),
        content_policy_fallbacks=("mistral/mistral-large-latest", "deepseek/deepseek-chat"),
        retries=5,
        timeout_s=60,
    ),
    "chained": Route((Weighted("gpt-4o-mini"),), fallbacks=("fast", "chained")),
    "off": Route((Weighted("deepseek/deepseek-chat"),)),
    "gpt-4o": Route((Weighted("mistral/mistral-small-latest"),)),
    "openai/gpt-4.1": Route((Weighted("openai/gpt-4.1"), Weighted("openai/gpt-4o"))),
}
PRICES = {
    "hosted_vllm/*": {"input_cost_per_token": "1e-9", "output_cost_per_token": "1e-9"},
    "hosted_vllm/qwen*": {"input_cost_per_token": "2e-9", "output_cost_per_token": "2e-9"},
    "hosted_vllm/qwen3": {"input_cost_per_token": "3e-9", "output_cost_per_token": "3e-9"},
    "openai/gpt-4o": {"output_cost_per_token": "4e-9"},
}
ON = ("openai", "groq", "mistral", "hosted_vllm", "demo")
ROUTER = Router(Config(ROUTES, PRICES), [BY_NAME[name] for name in ON])


def plan(model: str, allowed: tuple[str, ...] = (), request_id: str = "r", resting: tuple[str, ...] = ()) -> Plan:
    return ROUTER.plan(model, allowed, request_id, 0, resting)


def targets(model: str, allowed: tuple[str, ...] = (), request_id: str = "r", resting: tuple[str, ...] = ()) -> list[str]:
    return [attempt.target for attempt in plan(model, allowed, request_id, resting).attempts]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("openai/gpt-4o-mini", ["openai/gpt-4o-mini"]),
        ("gpt-4o-mini", ["openai/gpt-4o-mini"]),
        ("mistral-large-latest", ["mistral/mistral-large-latest"]),
        ("openai/never-heard-of", ["openai/never-heard-of"]),
        ("hosted_vllm/Qwen/Qwen3-8B", ["hosted_vllm/Qwen/Qwen3-8B"]),
        ("demo/echo", ["demo/echo"]),
        ("ft:gpt-4o-mini-2024-07-18:org::id", ["openai/ft:gpt-4o-mini-2024-07-18:org::id"]),
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
        ("acme/gpt-4o", (), NotFoundError, "model_not_found"),
        ("deepseek/deepseek-chat", (), NotFoundError, "provider_not_configured"),
        ("ollama/qwen3", (), NotFoundError, "provider_not_configured"),
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
    assert targets("fast", resting=(first,)) == [*targets("fast")[1:], first]
    assert targets("openai/gpt-4o-mini", resting=("openai/gpt-4o-mini",)) == ["openai/gpt-4o-mini"]
    assert all(targets("fast", request_id=str(number)) == targets("fast", request_id=str(number)) for number in range(20))


def test_each_target_comes_first_as_often_as_its_weight_says() -> None:
    first = Counter(targets("fast", request_id=f"request-{number}")[0] for number in range(2_000))
    assert 0.71 < first["groq/llama-3.3-70b-versatile"] / 2_000 < 0.79  # 3 in 4, four standard deviations


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6), st.text())
def test_every_target_of_a_route_is_in_its_plan_once(weights: list[float], request_id: str) -> None:
    names = [f"demo/m{number}" for number in range(len(weights))]
    route = Route(tuple(Weighted(name, weight) for name, weight in zip(names, weights, strict=True)))
    planned = Router(Config({"r": route}), [BY_NAME["demo"]]).plan("r", (), request_id, 0).attempts
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
    assert ROUTER.facts_of(target).rates["output_cost_per_token"] == rate


def test_an_unlisted_model_has_no_price_and_a_known_one_keeps_the_tables() -> None:
    assert not ROUTER.facts_of("openai/never-heard-of").priced
    rates = [ROUTER.facts_of(name).rates["input_cost_per_token"] for name in ("openai/gpt-4o-mini", "openai/gpt-4o")]
    assert all(float(low) < float(high) for low, high in pairwise(rates))
