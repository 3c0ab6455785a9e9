"""A disk that is full while the gateway serves: what can't be written down is refused in words, what was admitted before costs what
it cost, and all goes on once there is room again. SQLite's own limits of pages and of writing stand for the disk."""

import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import openai
import pytest

from haimaker.batches import journal, run, runner
from haimaker.billing import unsettled
from haimaker.store import StoreFull
from haimaker.store.documents import Document
from haimaker.store.sqlite import SQLiteStore
from tests.contract import sdk_support
from tests.contract.money_support import ASKS_USAGE, MODEL, Desk, serving, wait_until
from tests.contract.test_batches import begin, ended, line, rows
from tests.support.fake_upstream import FakeUpstream, Reply
from tests.support.openai_wire import chunks, completion, plays_openai, usage

COST = 10 * 150 + 5 * 600


def pragma(desk: Desk, name: str, value: int) -> None:
    assert isinstance(desk.gateway.store, SQLiteStore)
    desk.gateway.store._connection.execute(f"PRAGMA {name} = {value}")


@contextmanager
def nothing_can_be_written(desk: Desk) -> Iterator[None]:
    pragma(desk, "query_only", 1)
    yield
    pragma(desk, "query_only", 0)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsettled, "FIRST_PAUSE_S", 0.05)


@pytest.mark.parametrize("asks", [{}, ASKS_USAGE], ids=["whole", "streamed"])
@pytest.mark.parametrize("ends", ["in time", "after it was charged as lost", "with the process"])
def test_what_was_admitted_before_costs_what_it_cost(tmp_path, soon, asks, ends) -> None:
    with FakeUpstream() as upstream, serving(tmp_path, upstream) as desk, ThreadPoolExecutor(2) as pool:
        team = desk.admin("/team/new", max_budget=5)["team_id"]
        key = desk.key(max_budget=5, team_id=team)
        gate = upstream.gate()
        pieces = chunks(usage=usage(10, 5))
        upstream.answers(Reply.sse([*pieces[:2], gate, *pieces[2:]]) if asks else Reply.json(200, completion()).after(gate))
        answers = [pool.submit(desk.chat, key, max_tokens=64, **asks) for _ in range(2)]
        upstream.wait_for_calls(2)
        held = desk.money(key)[1]
        assert held > 2 * COST
        with nothing_can_be_written(desk):
            gate.open()
            for answer in answers:
                assert answer.result().status_code == 200
            assert desk.money(key)[:2] == (0, held)
            assert desk.chat(key).status_code == 503
        if ends == "after it was charged as lost":
            assert isinstance(desk.gateway.store, SQLiteStore)
            with desk.gateway.unsettled._lock:  # they wait
                desk.gateway.store.charge_all_lost(0.0)
            assert desk.money(key)[0] in (held, 2 * COST)
        if ends == "with the process":
            desk.gateway.unsettled.close()
        wait_until(lambda: desk.money(key) == (2 * COST, 0, 2 * COST))
        assert sorted(record.cost_nanousd for record in desk.records(key)) == [COST, COST]
        info = desk.ask("GET", f"/team/info?team_id={team}").json()
        assert info["team_info"]["spend"] == pytest.approx(2 * COST / 10**9)


@pytest.mark.parametrize("asks", [{}, ASKS_USAGE], ids=["whole", "streamed"])
def test_what_was_charged_as_lost_while_it_went_on_costs_what_it_cost(tmp_path, soon, asks) -> None:
    """A clock that is set ahead, or a laptop that slept, ends every reservation's time."""
    with FakeUpstream() as upstream, serving(tmp_path, upstream) as desk, ThreadPoolExecutor(1) as pool:
        team = desk.admin("/team/new", max_budget=5)["team_id"]
        key, gate, pieces = desk.key(max_budget=5, team_id=team), upstream.gate(), chunks(usage=usage(10, 5))
        upstream.answers(Reply.sse([*pieces[:2], gate, *pieces[2:]]) if asks else Reply.json(200, completion()).after(gate))
        answer = pool.submit(desk.chat, key, max_tokens=64, **asks)
        upstream.wait_for_calls(1)
        assert isinstance(desk.gateway.store, SQLiteStore)
        desk.gateway.store.charge_all_lost(0.0)
        assert desk.money(key)[0] > COST
        gate.open()
        assert answer.result().status_code == 200
        wait_until(lambda: desk.money(key) == (COST, 0, COST))
        assert [(record.status, record.cost_nanousd) for record in desk.records(key)] == [("ok", COST)]
        assert desk.ask("GET", f"/team/info?team_id={team}").json()["team_info"]["spend"] == pytest.approx(COST / 10**9)


@contextmanager
def no_file_grows() -> Iterator[None]:
    """https://man7.org/linux/man-pages/man2/getrlimit.2.html"""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_lines_of_a_batch_that_were_answered_are_not_asked_again(tmp_path, soon, monkeypatch) -> None:
    monkeypatch.setattr(journal, "NO_ROOM_PAUSE_S", 0.05)
    monkeypatch.setattr(run, "TELLS_EVERY_S", 0.1)
    monkeypatch.setattr(runner, "FIRST_PAUSE_S", 0.05)
    with FakeUpstream() as upstream, serving(tmp_path, upstream, **sdk_support.environment(upstream, tmp_path)) as desk:
        key, gate = desk.key(max_budget=5), upstream.gate()
        upstream.answers(Reply.json(200, completion(usage=usage(10, 5))).after(gate))
        client = openai.OpenAI(base_url=desk.url, api_key=key, max_retries=0)
        batch = begin(client, [line(str(number), MODEL) for number in range(12)], metadata={"haimaker_mode": "now"})
        upstream.wait_for_calls(4)
        with no_file_grows():
            gate.open()
            time.sleep(0.5)
        batch = ended(client, batch)
        assert (batch.status, batch.request_counts.completed) == ("completed", 12)
        assert sorted(int(row["custom_id"]) for row in rows(client, batch.output_file_id)) == list(range(12))
        assert len(upstream.calls) == 12
        wait_until(lambda: desk.money(key) == (12 * COST, 0, 12 * COST))
        assert round(batch.usage.cost * 10**9) == 12 * COST


def test_a_full_disk_is_said_and_what_is_there_can_be_read(tmp_path) -> None:
    with FakeUpstream() as upstream, serving(tmp_path, upstream) as desk:
        upstream.answers(plays_openai())
        key = desk.key(max_budget=5)
        assert desk.chat(key).status_code == 200
        pragma(desk, "max_page_count", 1)
        with pytest.raises(StoreFull):
            all(
                desk.gateway.store.documents.put("filling", Document(str(number), {"text": "x" * 3_000}, 0))
                for number in range(100)
            )
        for path, body in (
            ("/key/generate", {"metadata": {"why": "x" * 9_000}}),
            ("/team/new", {"models": [f"demo/{number:0200}" for number in range(50)]}),
        ):
            answer = desk.ask("POST", path, body)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "30"), path
            assert "disk is full" in answer.json()["error"]["message"]
        for path in (f"/key/info?key={key}", "/key/list", "/spend/logs", "/audit", "/models"):
            assert desk.ask("GET", path).status_code == 200, path
        pragma(desk, "max_page_count", 2**30)
        assert desk.chat(key).status_code == 200
        assert desk.ask("POST", "/key/generate", {}).status_code == 200
