"""Sixty requests at the same moment against a limit that ten of them fill, on each store: ten pass, and money is exact.

The provider answers nobody until all sixty are decided, so that a limit which is checked before it is taken would let more pass.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from decimal import Decimal
from itertools import count

import httpx
import pytest

from tests.contract.money_support import MODEL, Desk, error_of, exact_json, nanousd, serving, store_of, usage_of, wait_until
from tests.support import openai_wire
from tests.support.fake_upstream import Call, FakeUpstream, Gate, Reply

ASKED, PASSING = 60, 10
TEXT, MAX_TOKENS = "Hello there", 64
RACE_S = 8
"""More than a race lasts: none begins so late in a minute that it could end in the next."""


@pytest.fixture(scope="module", params=["sqlite", "dynalite"])
def desk(request, tmp_path_factory):
    with store_of(request.param) as store, FakeUpstream() as upstream:
        with serving(tmp_path_factory.mktemp("home"), upstream, **store) as desk:
            yield desk


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("limit", "refusal"),
    [
        ("max_budget", (402, "budget_exceeded")),
        ("rpm_limit", (429, "rate_limit_exceeded")),
        ("tpm_limit", (429, "rate_limit_exceeded")),
        ("max_parallel_requests", (429, "rate_limit_exceeded")),
    ],
)
def test_of_sixty_at_once_ten_pass(desk: Desk, limit, refusal, stream):
    reservation, tokens = one_reservation(desk, stream=stream)
    fits = {"max_budget": float(reservation * PASSING), "tpm_limit": tokens * PASSING}.get(limit, PASSING)
    key = desk.key(**{limit: fits})
    if limit in ("rpm_limit", "tpm_limit"):
        wait_for_room_in_the_minute()
    responses = race(desk, key, stream=stream)
    answered = [response for response in responses if response.status_code == 200]
    refused = [response for response in responses if response.status_code != 200]
    assert Counter(map(error_of, refused)) == {refusal: ASKED - PASSING}, {response.text for response in refused}
    assert {response.headers.get("x-should-retry") for response in refused} == {"false" if refusal[0] == 402 else None}
    assert all(int(response.headers["retry-after"]) >= 1 for response in refused if refusal[0] == 429)
    costs = [nanousd(usage_of(response)["cost"]) for response in answered]
    assert sorted(costs) == [150 * 10 + 600 * completion for completion in range(1, PASSING + 1)]
    assert desk.money(key) == (sum(costs), 0, sum(costs))
    assert sorted(record.cost_nanousd for record in desk.records(key)) == sorted(costs)
    assert desk.info(key)["parallel_requests"] == 0


def test_tokens_that_were_not_used_are_given_back(desk: Desk):
    key = desk.key(tpm_limit=10_000, rpm_limit=50)
    desk.upstream.answers(openai_wire.plays_openai(usage=openai_wire.usage(10, 5)))
    wait_for_room_in_the_minute()
    first, second = (ask(desk, key, stream=False).headers for _ in range(2))
    reserved = 10_000 - int(first["x-ratelimit-remaining-tokens"])
    assert int(second["x-ratelimit-remaining-tokens"]) == 10_000 - 15 - reserved
    assert [answer["x-ratelimit-remaining-requests"] for answer in (first, second)] == ["49", "48"]
    assert (first["x-ratelimit-limit-tokens"], first["x-ratelimit-limit-requests"]) == ("10000", "50")


def one_reservation(desk: Desk, *, stream: bool) -> tuple[Decimal, int]:
    """The USD and the tokens per minute that each request of a race reserves."""
    gate = desk.upstream.gate()
    desk.upstream.answers(withheld(gate, stream=stream))
    key, seen = desk.key(tpm_limit=10**9), len(desk.upstream.calls)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, desk, key, stream=stream)
        desk.upstream.wait_for_calls(seen + 1)
        reservation = desk.info(key)["reserved"]
        gate.open()
        left = int(answer.result().headers["x-ratelimit-remaining-tokens"])
    assert reservation > 0
    return reservation, 10**9 - left


def wait_for_room_in_the_minute() -> None:
    left_s = 60 - time.time() % 60
    if left_s < RACE_S:
        time.sleep(left_s)


def race(desk: Desk, key: str, *, stream: bool) -> list[httpx.Response]:
    gate, seen = desk.upstream.gate(), len(desk.upstream.calls)
    desk.upstream.answers(withheld(gate, stream=stream))
    with ThreadPoolExecutor(ASKED) as pool:
        asked: list[Future[httpx.Response]] = [pool.submit(ask, desk, key, stream=stream) for _ in range(ASKED)]
        try:
            wait_until(lambda: len(desk.upstream.calls) - seen + sum(future.done() for future in asked) == ASKED)
        finally:
            gate.open()
        wait(asked)
    return [future.result() for future in asked]


def ask(desk: Desk, key: str, *, stream: bool) -> httpx.Response:
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    return desk.chat(key, MODEL, TEXT, max_tokens=MAX_TOKENS, **options)


def withheld(gate: Gate, *, stream: bool) -> Callable[[Call], Reply]:
    """Answers of different lengths, none before the gate is open."""
    completions = count(1)

    def answer(call: Call) -> Reply:
        usage = openai_wire.usage(10, next(completions))
        if stream:
            return Reply.sse(openai_wire.chunks(usage=usage)).after(gate)
        return Reply.json(200, openai_wire.completion(usage=usage)).after(gate)

    return answer


def test_a_refused_request_asks_no_provider(desk: Desk):
    key, seen = desk.key(rpm_limit=0), len(desk.upstream.calls)
    response = desk.chat(key)
    assert response.status_code == 429
    assert "requests per minute" in exact_json(response)["error"]["message"]
    assert len(desk.upstream.calls) == seen
    assert desk.records(key) == []
