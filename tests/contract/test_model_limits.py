"""What a key may use of one model: budgets and rates in LiteLLM's names, by the name asked for and by the model that served."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from haimaker.accounts.keys import account_id_of
from tests.contract.money_support import MODEL, Desk, error_of, plays, serving
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.openai_wire import error, usage
from tests.support.reply import JSON

SERVED, SPARE, FREE = "openai/gpt-4o-mini", "groq/openai/gpt-oss-20b", "hosted_vllm/free"
ROUTES = f"""
[routes.fast]
targets = ["{SERVED}"]
fallbacks = ["{SPARE}"]
retries = 0
[prices."hosted_vllm/priced"]
input_cost_per_token = "0.000001"
output_cost_per_token = "0.000001"
"""
COST = 10 * 150 + 5 * 600
SPARE_COST = 10 * 75 + 5 * 300


@pytest.fixture(scope="module")
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def desk(tmp_path_factory, upstream):
    home = tmp_path_factory.mktemp("home")
    config = home / "gateway.toml"
    config.write_text(ROUTES)
    with serving(home, upstream, HAIMAKER_CONFIG=str(config)) as desk:
        yield desk


@pytest.fixture(autouse=True)
def answers(upstream: FakeUpstream) -> None:
    upstream.answers(plays(usage(10, 5)))


def spends(desk: Desk, key: str) -> dict[str, int]:
    balance = desk.gateway.store.get(account_id_of(key))
    assert balance is not None
    assert all(each.held_nanousd == 0 for each in balance.models.values())
    return {model: each.spend_nanousd for model, each in balance.models.items()}


def fails(*models: str):
    """Answers these models with an error, all others well."""
    good = plays(usage(10, 5))
    return lambda call: Reply.json(500, error("It broke.", type="server_error")) if call.json["model"] in models else good(call)


@pytest.mark.parametrize("asked", ["gpt-4o-mini", SERVED])
@pytest.mark.parametrize("limited", ["gpt-4o-mini", SERVED])
def test_a_models_budget_is_hard_and_other_models_pass(desk: Desk, asked: str, limited: str) -> None:
    key = desk.key(model_max_budget={limited: {"budget_limit": "0.00002", "time_period": "1d"}})
    assert desk.chat(key, asked, max_tokens=5).status_code == 200
    refused = desk.chat(key, asked, max_tokens=5)
    assert (error_of(refused), refused.headers["x-should-retry"]) == ((402, "budget_exceeded"), "false")
    assert f"for {limited!r} does not cover" in refused.json()["error"]["message"]
    assert "0.0000155 of 0.00002 USD are left" in refused.json()["error"]["message"]
    assert desk.chat(key, SPARE).status_code == 200
    assert spends(desk, key) == {limited: COST}
    info = desk.info(key)
    assert info["model_max_budget"] == {limited: {"budget_limit": Decimal("0.00002"), "time_period": "1d"}}
    assert (info["model_spend"], info["spend"]) == ({limited: Decimal("0.0000045")}, Decimal(COST + SPARE_COST) / 10**9)
    assert info["model_budget_reset_at"][limited] is not None


@pytest.mark.parametrize(
    ("fields", "word"), [({"model_rpm_limit": {SERVED: 1}}, "requests"), ({"model_tpm_limit": {SERVED: 30}}, "tokens")]
)
def test_a_models_rate_holds_for_it_alone(desk: Desk, fields: JSON, word: str) -> None:
    key = desk.key(**fields)
    first = desk.chat(key, max_tokens=5)
    if word == "tokens":  # 15 were used, of which more are held than are left
        assert desk.chat(key, text="x" * 70, max_tokens=5).status_code == 429
    assert first.status_code == 200
    refused = desk.chat(key, text="x" * 70, max_tokens=20)
    assert refused.status_code == 429
    assert f"{word} per minute" in refused.json()["error"]["message"]
    assert f"with {SERVED!r}" in refused.json()["error"]["message"]
    assert desk.chat(key, SPARE).status_code == 200
    assert {name: dict(desk.info(key)[name]) for name in fields} == fields


def test_the_name_that_is_asked_for_and_the_model_that_serves_are_both_charged(desk: Desk, upstream: FakeUpstream) -> None:
    names = ("fast", SERVED, SPARE)
    key = desk.key(model_max_budget=dict.fromkeys(names, 1))
    assert desk.chat(key, "fast").headers["x-haimaker-attempts"] == "1"
    assert spends(desk, key) == {"fast": COST, SERVED: COST, SPARE: 0}
    upstream.answers(fails("gpt-4o-mini"))
    assert desk.chat(key, "fast").headers["x-haimaker-attempts"] == "2"
    assert spends(desk, key) == {"fast": COST + SPARE_COST, SERVED: COST, SPARE: SPARE_COST}
    upstream.answers(plays(usage(10, 5)))
    assert desk.chat(key, SPARE).status_code == 200
    assert spends(desk, key) == {"fast": COST + SPARE_COST, SERVED: COST, SPARE: 2 * SPARE_COST}


def test_an_alias_counts_under_both_of_its_names(desk: Desk) -> None:
    key = desk.key(aliases={"mine": MODEL}, model_max_budget={"mine": 1, MODEL: 1, SPARE: 1})
    assert desk.chat(key, "mine").status_code == 200
    assert spends(desk, key) == {"mine": COST, MODEL: COST, SPARE: 0}


@pytest.mark.parametrize("limit", [{"model_max_budget": {SERVED: 0}}, {"model_rpm_limit": {SERVED: 0}}])
def test_a_target_that_is_used_up_leaves_the_plan(desk: Desk, upstream: FakeUpstream, limit: JSON) -> None:
    key, seen = desk.key(**limit), len(upstream.calls)
    response = desk.chat(key, "fast")
    assert (response.status_code, response.headers["x-haimaker-model"]) == (200, "openai/gpt-oss-20b")
    assert [call.json["model"] for call in upstream.calls[seen:]] == ["openai/gpt-oss-20b"]
    assert desk.chat(key, SERVED).status_code == (402 if "model_max_budget" in limit else 429)
    both = desk.key(**{name: {**value, SPARE: 0} for name, value in limit.items()})
    assert desk.chat(both, "fast").status_code in (402, 429)


def test_a_budget_of_one_model_asks_for_the_price_of_that_one_only(desk: Desk) -> None:
    key = desk.key(model_max_budget={SERVED: 1, "hosted_vllm/other": 1})
    assert desk.chat(key, FREE).status_code == 200
    assert error_of(desk.chat(key, "hosted_vllm/other")) == (400, "model_not_priced")


def test_without_max_tokens_the_budget_of_a_model_limits_the_answer(desk: Desk, upstream: FakeUpstream) -> None:
    key = desk.key(model_max_budget={SERVED: 0.001})
    assert "x-haimaker-max-tokens" in desk.chat(key).headers
    assert 256 <= upstream.calls[-1].json["max_tokens"] <= 1_000_000 / 600
    assert "x-haimaker-max-tokens" not in desk.chat(key, SPARE).headers


def test_a_race_for_a_models_budget_is_never_overspent(desk: Desk) -> None:
    """There is room for what a few of them may cost."""
    price = 6 * (110 * 150 + 5 * 600)
    keys = [desk.key(model_max_budget={SERVED: price / 10**9}, max_budget=1)]
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: desk.chat(keys[0], "fast", max_tokens=5), range(40)))
    assert Counter(response.status_code for response in responses) == {200: 40}, "what has no room at one is served by the other"
    assert desk.chat(keys[0], SERVED, max_tokens=16_000).status_code == 402
    sums = Counter(record.detail["model"] for record in desk.records(keys[0]))
    assert spends(desk, keys[0]) == {SERVED: sums["gpt-4o-mini"] * COST}
    assert sums["gpt-4o-mini"] * COST <= price
    assert desk.money(keys[0])[0] == sum(record.cost_nanousd for record in desk.records(keys[0]))


def test_limits_of_models_are_changed_and_taken_away(desk: Desk) -> None:
    key = desk.key(model_max_budget={SERVED: 1}, model_rpm_limit={SERVED: 5, SPARE: 6})
    assert desk.chat(key).status_code == 200
    desk.admin("/key/update", key=key, model_max_budget={SERVED: 0.0000045})
    assert error_of(desk.chat(key, max_tokens=5)) == (402, "budget_exceeded")
    assert desk.info(key)["model_rpm_limit"] == {SERVED: 5, SPARE: 6}
    desk.admin("/key/update", key=key, model_max_budget=None, model_rpm_limit={SPARE: 6})
    assert desk.chat(key).status_code == 200
    assert (desk.info(key)["model_max_budget"], desk.info(key)["model_spend"]) == ({}, {SPARE: 0})


def test_a_team_and_an_end_user_limit_models_too(desk: Desk) -> None:
    desk.admin("/team/new", team_id="of-models", model_max_budget={SERVED: {"max_budget": 0.00002, "budget_duration": "1mo"}})
    key = desk.key(team_id="of-models")
    assert desk.chat(key, max_tokens=5).status_code == 200
    refused = desk.chat(key, max_tokens=5)
    assert (error_of(refused), "team of-models" in refused.json()["error"]["message"]) == ((402, "budget_exceeded"), True)
    desk.admin("/customer/new", user_id="zoe", model_rpm_limit={SERVED: 0})
    assert desk.chat(desk.key(), user="zoe").status_code == 429


def test_the_audit_trail_tells_them(desk: Desk) -> None:
    key = desk.key(model_max_budget={SERVED: {"budget_limit": 1.5, "time_period": "1d"}})
    desk.admin("/key/update", key=key, model_rpm_limit={SPARE: 3})
    changes = desk.ask("GET", "/audit").json()["data"]
    limits = {SERVED: {"budget": 1.5, "budget_window_s": 86_400}}
    assert changes[0]["before_value"]["model_limits"] == limits
    assert changes[0]["updated_values"]["model_limits"] == {**limits, SPARE: {"rpm_limit": 3}}
