"""A thousand requests that go well and badly in every way, at once and with several keys: all accounts of their cost agree."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

import httpx
import pytest

from haimaker.store import Record
from tests.contract.money_support import ASKS_USAGE, MODEL, Desk, chat_body, nanousd, plays, serving, store_of, usage_of, wait_until
from tests.support import openai_wire
from tests.support.fake_upstream import Call, FakeUpstream, Reply
from tests.support.openai_wire import chunks, usage
from tests.unit.billing.test_charges import ant, anthropic_events

OWN_PRICES = """
[prices."hosted_vllm/qwen3"]
input_cost_per_token = "0.0000000003333"
output_cost_per_token = "0.00000000077777777"
[prices."openrouter/mine/*"]
input_cost_per_token = "0.000001"
output_cost_per_token = "0.000002"
"""
COUNTS = (usage(10, 5), usage(1000, 37, cached=600), usage(50, 900, reasoning=700), usage(33, 1, cached=33))
MODELS = (MODEL, "openai/gpt-5-nano", "hosted_vllm/qwen3", "openrouter/mine/model", "groq/openai/gpt-oss-20b")
CLAUDE, BROWSING = "anthropic/claude-haiku-4-5", "groq/openai/gpt-oss-20b"
MODEL_OF = {"searched": CLAUDE, "searched, streamed": CLAUDE, "browsed": BROWSING}
"""Kinds whose models search the web, which is billed by the piece."""
SEARCHED, OPENED = 10_000_000, 5_000_000 + 1_000_000
"""What a search of Anthropic's costs at least, and a search and an opened page of Groq's."""
REPORTED = "openrouter/openai/gpt-4o-mini"
"""Has a price only where its provider reports a cost, which a budget can't be checked against."""


class Kind(NamedTuple):
    """How many of the thousand requests go this way, what their clients and records say, and whether they cost for certain."""

    amount: int
    answer: int | None
    record: str = "ok"
    costs: bool = True


KINDS = {
    "whole": Kind(250, 200),
    "streamed": Kind(220, 200),
    "usage not asked": Kind(130, 200),
    "searched": Kind(40, 200),
    "searched, streamed": Kind(30, 200),
    "browsed": Kind(30, 200),
    "no usage": Kind(30, 200),
    "retried": Kind(60, 200),
    "cut": Kind(50, 200, "cut"),
    "cut at once": Kind(20, 502, "error"),
    "400": Kind(60, 400, "error", costs=False),
    "500": Kind(30, 500, "error", costs=False),
    "timed out": Kind(10, 504, "error", costs=False),
    "left": Kind(25, None, "cut"),
    "left before": Kind(15, None, "cut"),
}


class Provider:
    """Answers each request as its text says: `<kind> <number>`."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self.never = upstream.gate()
        self.tried: Counter[str] = Counter()
        self.lock = Lock()

    def __call__(self, call: Call) -> Reply:
        said = call.json["messages"][0]["content"]
        text = said if isinstance(said, str) else said[0]["text"]
        kind, _, number = text.rpartition(" ")
        with self.lock:
            self.tried[text] += 1
        counts = COUNTS[int(number) % len(COUNTS)]
        if call.json["model"] == REPORTED.partition("/")[2]:
            counts = counts | {"cost": int(number) / 7e6}
        match kind:
            case "searched" | "searched, streamed":
                uses = {"server_tool_use": {"web_search_requests": 1}, "inference_geo": "us"}
                answer = ant(1_000 + int(number), 100, **uses)
                return Reply.sse(anthropic_events(answer), done=False) if "stream" in call.json else Reply.json(200, answer)
            case "browsed":
                browsed = openai_wire.completion(usage=counts)
                tools = [{"index": at, "type": name} for at, name in enumerate(("browser.search", "browser.open"))]
                browsed["choices"][0]["message"]["executed_tools"] = tools
                return Reply.json(200, browsed)
            case "400" | "500":
                return Reply.json(int(kind), openai_wire.error())
            case "retried" if self.tried[text] == 1:
                return Reply.json(503, openai_wire.error(), headers={"retry-after": "0"})
            case "timed out" | "left before":
                return plays(counts)(call).after(self.never)
            case "left":
                return Reply.sse([*chunks()[:3], self.never])
            case "cut":
                return Reply.sse(chunks(["Some", " text"], usage=counts)).cut(after_events=3)
            case "cut at once":
                return Reply.sse(chunks(usage=counts)).cut(after_events=0)
            case "no usage":
                return Reply.sse(chunks())
            case _:
                return plays(counts)(call)


def ask(desk: Desk, key: str, model: str, kind: str, number: int) -> httpx.Response | None:
    """The response to one of the thousand; None where the client left before its end."""
    streams = kind not in ("whole", "searched", "browsed", "400", "timed out", "left before")
    options = ({"stream": True} if kind == "usage not asked" else ASKS_USAGE) if streams else {}
    if kind in MODEL_OF:
        model, options = MODEL_OF[kind], {**options, "web_search_options": {"search_context_size": "low"}, "max_tokens": 200}
    request = desk.http.build_request(
        "POST",
        "/chat/completions",
        json=chat_body(model, f"{kind} {number}", **options),
        headers={"authorization": f"Bearer {key}"},
    )
    if kind == "timed out":
        request.headers["x-stainless-read-timeout"] = "1"
    if kind == "left before":
        request.extensions["timeout"] = {"connect": 9, "write": 9, "pool": 9, "read": 0.3}
        with pytest.raises(httpx.ReadTimeout):
            desk.http.send(request)
        return None
    response = desk.http.send(request, stream=True)
    if kind == "left":
        next(response.iter_raw())
        response.close()
        return None
    response.read()
    return response


@pytest.fixture
def upstream():
    with FakeUpstream() as upstream:
        upstream.answers(Provider(upstream))
        yield upstream


@pytest.fixture(params=["sqlite", "dynalite"])
def desk(request, tmp_path, upstream):
    config = tmp_path / "gateway.toml"
    config.write_text(OWN_PRICES)
    anthropic = {"ANTHROPIC_BASE_URL": upstream.url, "ANTHROPIC_API_KEY": "sk-upstream"}
    with store_of(request.param) as store:
        with serving(tmp_path, upstream, HAIMAKER_CONFIG=str(config), **anthropic, **store) as desk:
            yield desk


def test_a_thousand_mixed_requests_add_up(desk: Desk):
    limits = {
        "model_max_budget": {MODEL: 40, CLAUDE: {"budget_limit": 30, "time_period": "1d"}},
        "model_rpm_limit": {BROWSING: 999},
    }
    keys = [
        desk.key(),
        desk.key(max_budget=50),
        desk.key(max_budget=90, budget_duration="1d", **limits),
        desk.key(max_parallel_requests=99),
    ]
    kinds = [name for name, kind in KINDS.items() for _ in range(kind.amount)]
    random.Random(7).shuffle(kinds)
    assert len(kinds) == 1000

    def send(item: tuple[int, str]) -> tuple[str, httpx.Response | None]:
        number, kind = item
        models = MODELS if number % 4 in (1, 2) else (*MODELS, REPORTED)
        return kind, ask(desk, keys[number % 4], models[number % len(models)], kind, number)

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(send, enumerate(kinds)))
    wait_until(lambda: sum(len(desk.records(key)) for key in keys) == 1000)
    desk.settled(*keys)
    records = {record.request_id: record for key in keys for record in desk.records(key)}
    told, silent = 0, dict(records)
    for kind, response in answers:
        if response is not None:
            record = records[response.headers["x-request-id"]]
            assert (kind, response.status_code, record.status) == (kind, KINDS[kind].answer, KINDS[kind].record)
            assert record.cost_nanousd >= {CLAUDE: SEARCHED, BROWSING: OPENED}.get(MODEL_OF.get(kind, ""), 0)
            assert record.cost_nanousd > 0 or not KINDS[kind].costs or record.detail["cost_usd"] is None
            if said := cost_told(response, record):
                told += said
                del silent[record.request_id]
    left = records.keys() - {response.headers["x-request-id"] for _, response in answers if response is not None}
    assert Counter(records[request_id].status for request_id in left) == {"cut": 40}
    total = sum(record.cost_nanousd for record in records.values())
    assert 0 < told < total == told + sum(record.cost_nanousd for record in silent.values())
    for key in keys:
        costs = sum(record.cost_nanousd for record in desk.records(key))
        assert desk.money(key) == (costs, 0, costs)
        assert (nanousd(desk.info(key)["spend"]), desk.info(key)["parallel_requests"]) == (costs, 0)
    served = Counter[str]()
    for record in desk.records(keys[2]):
        served[f"{record.detail['provider']}/{record.detail['model']}"] += record.cost_nanousd
    spent = {model: nanousd(cost) for model, cost in desk.info(keys[2])["model_spend"].items()}
    assert spent == {model: served[model] for model in (MODEL, CLAUDE, BROWSING)}


def cost_told(response: httpx.Response, record: Record) -> int:
    """In nano-dollars, as body, header and record agree; 0 where the body tells none, or that it is not known."""
    said = usage_of(response)
    if said is None:
        return 0
    told = (said["cost"] or 0, response.headers.get("x-haimaker-cost", said["cost"] or 0), record.detail["cost_usd"] or 0)
    assert {nanousd(cost) for cost in told} == {record.cost_nanousd}
    assert (said["cost"] is None) is (record.detail["cost_usd"] is None)
    return record.cost_nanousd
