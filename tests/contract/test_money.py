"""Money over HTTP: what a request costs, what may be spent at most, and that three accounts of it agree to the nano-dollar."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.contract.money_support import (
    ASKS_USAGE,
    MODEL,
    Desk,
    error_of,
    nanousd,
    plays,
    serving,
    usage_of,
    wait_until,
)
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.openai_wire import chunks, completion, usage

OWN_PRICES = """
[prices."hosted_vllm/qwen3"]
input_cost_per_token = "0.0000000003333"
output_cost_per_token = "0.00000000077777777"
[prices."openrouter/mine/*"]
input_cost_per_token = "0.000001"
output_cost_per_token = "0.000002"
[routes.mixed]
targets = ["hosted_vllm/of-unknown-price"]
fallbacks = ["openai/gpt-4o-mini"]
[routes.twice]
targets = ["groq/openai/gpt-oss-20b"]
fallbacks = ["openai/gpt-4o-mini"]
retries = 0
"""
UNPRICED = "hosted_vllm/of-unknown-price"


@pytest.fixture(scope="module")
def upstream():
    with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def desk(tmp_path_factory, upstream):
    home = tmp_path_factory.mktemp("home")
    config = home / "gateway.toml"
    config.write_text(OWN_PRICES)
    with serving(home, upstream, HAIMAKER_CONFIG=str(config)) as desk:
        yield desk


DEEPSEEK_USAGE = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_cache_hit_tokens": 900, "prompt_cache_miss_tokens": 100}


@pytest.mark.parametrize(
    ("model", "counts", "tier", "cost"),
    [
        ("openai/gpt-4o-mini", usage(1000, 100), "default", 1000 * 150 + 100 * 600),
        ("openai/gpt-4o-mini", usage(1000, 100, cached=600), "default", 400 * 150 + 600 * 75 + 100 * 600),
        ("openai/gpt-4o-mini", usage(1000, 100, cached=1000), "default", 1000 * 75 + 100 * 600),
        ("openai/gpt-4o-mini", usage(1000, 100), "priority", 1000 * 250 + 100 * 1000),
        ("openai/gpt-4o-mini", usage(1000, 100, reasoning=80), "default", 1000 * 150 + 100 * 600),
        ("openai/gpt-4o-mini", usage(0, 0), "default", 0),
        ("openai/gpt-5-nano", usage(3, 1, cached=1), "flex", 50 + 3 + 200),  # 2 x 25 + 2.5 + 200, rounded up
        ("openai/gpt-5.4", usage(272_000, 10), "default", 272_000 * 2500 + 10 * 15_000),
        ("openai/gpt-5.4", usage(272_001, 10), "default", 272_001 * 5000 + 10 * 22_500),
        ("groq/openai/gpt-oss-20b", usage(3, 0, cached=3), "default", 113),  # 112.5
        ("deepseek/deepseek-chat", DEEPSEEK_USAGE, "default", 100 * 280 + 900 * 28 + 10 * 420),
        ("hosted_vllm/qwen3", usage(7, 5), "default", 7),  # 2.3331 + 3.88888885
        ("hosted_vllm/qwen3", usage(0, 1), "default", 1),  # 0.77777777
        ("openrouter/mine/model", usage(10, 5) | {"cost": 0.5}, "default", 10 * 1000 + 5 * 2000),  # own prices win
        ("openrouter/openai/gpt-4o-mini", usage(10, 5) | {"cost": 0.0001234567}, "default", 123_457),
        ("openrouter/not/listed", usage(10, 5) | {"cost": 0.25}, "default", 250_000_000),
        ("openai/gpt-4o-mini", usage(10, 5) | {"cost": 0.0000001}, "default", 10 * 150 + 5 * 600),
        ("groq/openai/gpt-oss-20b", usage(10, 0) | {"cost": 5}, "default", 10 * 75),
    ],
)
def test_what_a_request_costs(desk: Desk, upstream, model, counts, tier, cost):
    upstream.answers(plays(counts, service_tier=tier))
    key = desk.key()
    whole = desk.chat(key, model)
    streamed = desk.chat(key, model, **ASKS_USAGE)
    assert [nanousd(usage_of(response)["cost"]) for response in (whole, streamed)] == [cost, cost]
    assert nanousd(whole.headers["x-haimaker-cost"]) == cost
    assert {**usage_of(whole), **counts, "cost": None} == {**usage_of(whole), "cost": None}
    assert usage_of(streamed) == usage_of(whole)
    for response in (whole, streamed):
        record = desk.gateway.store.record(response.headers["x-request-id"])
        assert (record.status, record.cost_nanousd, nanousd(record.detail["cost_usd"])) == ("ok", cost, cost)
    assert desk.money(key) == (2 * cost, 0, 2 * cost)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_usage_is_estimated(desk: Desk, upstream, stream):
    answer = completion("x" * 40)
    del answer["usage"]
    upstream.answers(Reply.sse(chunks(["x" * 40])) if stream else Reply.json(200, answer))
    key, options = desk.key(), ASKS_USAGE if stream else {}
    response = desk.chat(key, **options)
    said = usage_of(response)
    prompt_tokens = -(-len(response.request.content) // 4)
    assert said["cost_estimated"] is True
    assert nanousd(said["cost"]) == prompt_tokens * 150 + 10 * 600
    assert desk.records(key)[0].detail["cost_estimated"] is True


def test_all_attempts_are_paid_for(desk: Desk, upstream):
    """A first target whose answer never came to an end, and a second that served."""
    upstream.answers(Reply.json(200, completion()).cut(after_bytes=50), plays(usage(10, 5)))
    key = desk.key(max_budget=1)
    response = desk.chat(key, "twice")
    record = desk.gateway.store.record(response.headers["x-request-id"])
    costs = [nanousd(attempt["cost_usd"]) for attempt in record.detail["attempts"]]
    assert [attempt["target"] for attempt in record.detail["attempts"]] == ["groq/openai/gpt-oss-20b", MODEL]
    prompt_tokens, answer_tokens = -(-len(response.request.content) // 4), -(-50 // 4)
    assert costs == [prompt_tokens * 75 + answer_tokens * 300, 10 * 150 + 5 * 600]
    assert nanousd(usage_of(response)["cost"]) == sum(costs) == desk.money(key)[0]


GPT_4O_MINI_MOST = 16_384


@pytest.mark.parametrize(
    ("budget", "prompt", "limit"),
    [
        (1, "Hi", GPT_4O_MINI_MOST),
        (0.005, "Hi", None),
        (0.0002, "Hi", None),
        (0.00015, "Hi", 0),
        (0.002, "x" * 20_000, 0),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_without_max_tokens_a_budget_limits_the_answer(desk: Desk, upstream, budget, prompt, limit, stream):
    """`limit` 0 is refused, None is what the budget affords."""
    upstream.answers(plays(usage(10, 5)))
    key, calls = desk.key(max_budget=budget), len(upstream.calls)
    response = desk.chat(key, text=prompt, **(ASKS_USAGE if stream else {}))
    bound_tokens = len(response.request.content) + 16  # a byte is at most one token, and 16 for the message
    affordable = (round(budget * 1e9) - bound_tokens * 150) // 600
    if limit == 0:
        assert affordable < 256
        assert error_of(response) == (402, "budget_exceeded")
        assert len(upstream.calls) == calls
        return
    assert response.status_code == 200
    assert int(response.headers["x-haimaker-max-tokens"]) == upstream.calls[-1].json["max_tokens"] == (limit or affordable)
    assert 256 <= upstream.calls[-1].json["max_tokens"] <= GPT_4O_MINI_MOST
    assert desk.money(key)[:2] == (4500, 0)


@pytest.mark.parametrize(
    ("model", "name", "options"),
    [
        (MODEL, "max_tokens", {}),
        (MODEL, "max_tokens", {"n": 3}),
        ("openai/gpt-5-nano", "max_completion_tokens", {}),
        ("deepseek/deepseek-chat", "max_tokens", {}),
        ("mixed", "max_tokens", {}),
    ],
)
def test_the_limit_has_the_name_that_the_provider_reads_and_keeps_the_budget(desk: Desk, upstream, model, name, options):
    gate = upstream.gate()
    upstream.answers(lambda call: plays(usage(10, 5))(call).after(gate))
    key, calls = desk.key(max_budget=0.0015), len(upstream.calls)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(desk.chat, key, model, **options)
        sent = upstream.wait_for_calls(calls + 1)[-1].json
        held = desk.money(key)[1]
        gate.open()
        assert answer.result().headers["x-haimaker-max-tokens"] == str(sent[name])
    assert {"max_tokens", "max_completion_tokens"} & sent.keys() == {name}
    assert 256 * 400 <= held <= 1_500_000
    assert desk.money(key)[1] == 0


@pytest.mark.parametrize("fields", [{}, {"max_budget": 1}])
def test_a_limit_of_the_client_stays(desk: Desk, upstream, fields):
    upstream.answers(plays(usage(10, 5)))
    response = desk.chat(desk.key(**fields), max_tokens=77)
    assert upstream.calls[-1].json["max_tokens"] == 77
    assert "x-haimaker-max-tokens" not in response.headers


def test_without_a_budget_no_limit_is_sent(desk: Desk, upstream):
    upstream.answers(plays(usage(10, 5)))
    response = desk.chat(desk.key())
    assert "max_tokens" not in upstream.calls[-1].json
    assert "x-haimaker-max-tokens" not in response.headers


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_of_unknown_price(desk: Desk, upstream, stream):
    upstream.answers(plays(usage(10, 5)))
    options = ASKS_USAGE if stream else {}
    free, limited = desk.key(), desk.key(max_budget=100)
    response = desk.chat(free, UNPRICED, **options)
    assert usage_of(response) == usage(10, 5) | {"cost": None}
    assert "x-haimaker-cost" not in response.headers
    record = desk.records(free)[0]
    assert (record.cost_nanousd, record.detail["cost_usd"]) == (0, None)
    assert desk.money(free) == (0, 0, 0)
    assert error_of(desk.chat(limited, UNPRICED, max_tokens=5, **options)) == (400, "model_not_priced")
    assert desk.records(limited) == []
    assert usage_of(desk.chat(limited, "hosted_vllm/qwen3", max_tokens=5, **options))["cost"] is not None


def test_an_overdrawn_budget_refuses_all_but_free_models(desk: Desk, upstream):
    upstream.answers(plays(usage(1000, 50_000)))
    key = desk.key(max_budget=0.01)
    over = 1000 * 150 + 50_000 * 600
    response = desk.chat(key, max_tokens=100)
    assert nanousd(usage_of(response)["cost"]) == over, "what was used is charged, also above what was held"
    assert desk.gateway.store.record(response.headers["x-request-id"]).detail["over_hold"] is True
    for options in ({}, {"max_tokens": 1}, ASKS_USAGE):
        refused = desk.chat(key, **options)
        assert (error_of(refused), refused.headers["x-should-retry"]) == ((402, "budget_exceeded"), "false")
    free = desk.chat(key, "demo/echo")
    assert (free.status_code, usage_of(free)["cost"]) == (200, 0)
    assert desk.money(key) == (over, 0, over)


def test_a_budget_below_the_spend_refuses_and_a_larger_one_lets_pass_again(desk: Desk, upstream):
    upstream.answers(plays(usage(10, 5)))
    key = desk.key()
    assert desk.chat(key, max_tokens=5).status_code == 200
    desk.admin("/key/update", key=key, max_budget=2250 / 1e9)
    assert error_of(desk.chat(key, max_tokens=5)) == (402, "budget_exceeded")
    desk.admin("/key/update", key=key, max_budget=1)
    assert desk.chat(key, max_tokens=5).status_code == 200
    assert desk.money(key) == (9000, 0, 9000)


def test_a_budget_is_renewed_and_a_late_answer_counts_in_the_new_window(desk: Desk, upstream):
    gate = upstream.gate()
    cost = 10 * 150 + 5 * 600
    key = desk.key(max_budget=0.0005, budget_duration="3s")
    upstream.answers(plays(usage(100, 700)), Reply.json(200, completion()).after(gate), plays(usage(10, 5)))
    assert desk.chat(key, max_tokens=700).status_code == 200
    first = 100 * 150 + 700 * 600
    with ThreadPoolExecutor(1) as pool:
        calls = len(upstream.calls)
        late = pool.submit(desk.chat, key, max_tokens=5)
        upstream.wait_for_calls(calls + 1)
        held, window_end = desk.money(key)[1], desk.info(key)["budget_reset_at"]
        assert 0 < held < 60_000
        assert desk.money(key) == (first, held, first)
        refused = desk.chat(key, max_tokens=700)
        assert error_of(refused) == (402, "budget_exceeded")
        assert 1 <= int(refused.headers["x-budget-renews-in-s"]) <= 3
        wait_until(lambda: desk.info(key)["budget_reset_at"] > window_end)
        assert desk.chat(key, max_tokens=700).status_code == 200
        assert desk.money(key)[2] == first + cost
        gate.open()
        assert usage_of(late.result())["cost"] is not None
    assert desk.money(key)[1:] == (0, first + 2 * cost)
    assert desk.money(key)[0] in (2 * cost, cost, 0), "less once a window has ended again"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "counts",
    [
        {"prompt_tokens": 10, "completion_tokens": 10**14, "total_tokens": 10**14 + 10},
        {"prompt_tokens": -5, "completion_tokens": 5, "total_tokens": 0},
        {"prompt_tokens": 10, "completion_tokens": 2.5, "total_tokens": 12},
        {"prompt_tokens": "10", "completion_tokens": [], "total_tokens": None},
    ],
    ids=["10^14", "negative", "fraction", "text"],
)
def test_counts_that_can_not_be_are_estimated_and_said_to_be(desk: Desk, counts, streamed):
    desk.upstream.answers(plays(counts))
    key = desk.key(max_budget=1)
    response = desk.chat(key, **(ASKS_USAGE if streamed else {}))
    said = usage_of(response)
    assert (said["cost_estimated"], said["completion_tokens"]) == (True, 2)
    assert 0 < nanousd(said["cost"]) < 10**6
    (record,) = desk.records(key)
    assert (record.cost_nanousd, record.detail["cost_estimated"]) == (nanousd(said["cost"]), True)
