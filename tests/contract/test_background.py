"""`background: true` of Responses: made by the gateway for any model, or by a provider that has such responses itself."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest

from haimaker.api import background, background_polls, background_reading, background_worker
from haimaker.billing.pending import KIND, load_all
from tests.contract.money_support import Desk, serving, wait_until
from tests.contract.sdk_support import MODEL, environment, only_record, price
from tests.contract.test_messages import chat_reply
from tests.contract.test_responses import GPT, GUIDE, OUTPUT, WHOLE, events_of, named
from tests.support.fake_upstream import FakeUpstream
from tests.support.reply import JSON, Gate, Reply

ACTIVE = ("queued", "in_progress")


@pytest.fixture(scope="module")
def keeping(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A gateway whose deployer allows content to be kept."""
    folder = tmp_path_factory.mktemp("background")
    with serving(folder, upstream, **environment(upstream, folder), HAIMAKER_LOG_CONTENT="true") as desk:
        yield desk


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_worker, "LOOK_S", 0.02)
    monkeypatch.setattr(background_reading, "LOOK_S", 0.02)
    monkeypatch.setattr(background_worker, "FIRST_FLUSH_S", 0.0)


def sdk(desk: Desk, **fields: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=desk.url, api_key=desk.key(**fields), max_retries=0)


def wait_for(client: openai.OpenAI, identifier: str) -> Any:
    give_up_s = time.monotonic() + 10
    while (response := client.responses.retrieve(identifier)).status in ACTIVE:
        assert time.monotonic() < give_up_s
        time.sleep(0.02)
    return response


def paused(reply: Reply, events: int, gate: Gate) -> Reply:
    """Silent after so many events."""
    return replace(reply, body=(*reply.body[:events], gate, *reply.body[events:]))


def is_forgotten(desk: Desk) -> bool:
    return not desk.gateway.store.documents.all(KIND)


def test_any_model_answers_in_the_background(keeping: Desk, upstream: FakeUpstream) -> None:
    """Who asked may leave. It is paid for once, and a conversation goes on from it."""
    client, gate, seen = sdk(keeping, max_budget=1), upstream.gate(), len(upstream.calls)
    upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=True).after(gate))
    created = client.responses.create(model=MODEL, input="Weather?", background=True)
    assert (created.status, created.background, created.store, created.usage) == ("queued", True, True, None)
    call = upstream.wait_for_calls(seen + 1)[-1]
    assert client.responses.retrieve(created.id).status in ACTIVE
    spent, held, _ = keeping.money(client.api_key)
    assert (spent, held > 0, call.json["stream"]) == (0, True, True)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=MODEL, input="And?", previous_response_id=created.id)
    gate.open()
    done = wait_for(client, created.id)
    assert (done.status, done.output_text, done.background, done.error) == ("completed", "Rain.", True, None)
    assert done.usage is not None
    assert done.usage.model_dump()["cost"] == price(12, 5) / 1e9
    record = only_record(keeping, client.api_key)
    assert (record.cost_nanousd, record.status, f"resp_{record.request_id}") == (price(12, 5), "ok", created.id)
    assert keeping.money(client.api_key) == (price(12, 5), 0, price(12, 5))
    wait_until(lambda: is_forgotten(keeping))
    upstream.answers(chat_reply({"content": "Yes."}, "stop", stream=False))
    client.responses.create(model=MODEL, input="Really?", previous_response_id=created.id)
    assert [turn["content"] for turn in upstream.calls[-1].json["messages"]] == ["Weather?", "Rain.", "Really?"]
    with pytest.raises(openai.NotFoundError):
        sdk(keeping).responses.retrieve(created.id)
    client.responses.delete(created.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(created.id)


def test_a_stream_is_gone_on_with_from_any_event(keeping: Desk, upstream: FakeUpstream) -> None:
    client, gate = sdk(keeping), upstream.gate()
    pieces = chat_reply({"content": "Rain."}, "stop", stream=True)
    upstream.answers(paused(pieces, 1, gate))
    stream = client.responses.create(model=MODEL, input="Weather?", background=True, stream=True)
    seen = [next(iter(stream))]
    identifier = seen[0].response.id  # type: ignore[union-attr]
    stream.close()
    gate.open()
    whole = list(client.responses.retrieve(identifier, stream=True))
    assert [event.sequence_number for event in whole] == list(range(len(whole)))
    assert whole[0].to_dict() == seen[0].to_dict()
    assert (whole[-1].type, whole[-1].response.output_text) == ("response.completed", "Rain.")  # type: ignore[union-attr]
    assert whole[-1].response.id == identifier  # type: ignore[union-attr]
    for after in (0, 3, len(whole) - 1):
        rest = list(client.responses.retrieve(identifier, stream=True, starting_after=after))
        assert [event.to_dict() for event in rest] == [event.to_dict() for event in whole[after + 1 :]]
    assert wait_for(client, identifier).to_dict() == whole[-1].response.to_dict()  # type: ignore[union-attr]
    assert only_record(keeping, client.api_key).cost_nanousd == price(12, 5)
    for number in ("x", "²", "9" * 5_000):
        with pytest.raises(openai.BadRequestError):
            client.get(f"/responses/{identifier}?stream=true&starting_after={number}", cast_to=object)


def test_what_was_not_begun_as_a_stream_is_none(keeping: Desk, upstream: FakeUpstream) -> None:
    client = sdk(keeping)
    upstream.answers(chat_reply({"content": "Rain."}, "stop", stream=True))
    created = client.responses.create(model=MODEL, input="Weather?", background=True)
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(created.id, stream=True)
    wait_for(client, created.id)
    with pytest.raises(openai.BadRequestError):
        client.responses.retrieve(created.id, stream=True)
    assert client.responses.cancel(created.id).status == "completed"


@pytest.mark.parametrize("stream", [False, True])
def test_a_cancelled_answer_is_paid_for_as_far_as_it_came(keeping: Desk, upstream: FakeUpstream, stream: bool) -> None:
    client, gate, seen = sdk(keeping, max_budget=1), upstream.gate(), len(upstream.calls)
    upstream.answers(paused(chat_reply({"content": "Rain."}, "stop", stream=True), 1, gate))
    asked: Any = {"model": MODEL, "input": "Weather?", "background": True}
    if stream:
        first = next(iter(client.responses.create(**asked, stream=True)))
        identifier = first.response.id  # type: ignore[union-attr]
    else:
        identifier = client.responses.create(**asked).id
    upstream.wait_for_calls(seen + 1)
    cancelled = client.responses.cancel(identifier)
    assert cancelled.status == "cancelled"
    gate.open()
    assert client.responses.cancel(identifier).status == "cancelled"
    assert client.responses.retrieve(identifier).status == "cancelled"
    record = only_record(keeping, client.api_key)
    assert (record.status, keeping.money(client.api_key)[1]) == ("cut", 0)
    if stream:
        *_, last = client.responses.retrieve(identifier, stream=True)
        assert (last.type, last.response.status) == ("response.incomplete", "cancelled")  # type: ignore[union-attr]


def test_an_answer_that_fails_says_why(keeping: Desk, upstream: FakeUpstream) -> None:
    client = sdk(keeping, max_budget=1)
    upstream.answers(Reply.json(400, {"error": {"message": "no such thing", "type": "invalid_request_error"}}))
    failed = wait_for(client, client.responses.create(model=MODEL, input="Hi", background=True).id)
    assert (failed.status, failed.error is not None and "no such thing" in failed.error.message) == ("failed", True)
    assert keeping.money(client.api_key) == (0, 0, 0)
    assert failed.model == MODEL


@pytest.mark.parametrize("stream", [False, True])
def test_a_worker_that_died_leaves_an_answer_that_failed(
    keeping: Desk, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    """All that was reserved is charged, as of any request whose process was killed; nothing stays held."""
    client = sdk(keeping, max_budget=1)
    monkeypatch.setattr(background_worker.Worker, "run", lambda worker: None)
    created: Any = client.responses.create(model=MODEL, input="Hi", background=True, stream=stream)
    identifier = client.responses.create(model=MODEL, input="Hi", background=True).id
    wait_until(lambda: client.responses.retrieve(identifier).status == "in_progress")
    held = keeping.money(client.api_key)[1]
    monkeypatch.setattr(background_reading, "SILENT_S", 0.0)
    if stream:
        *_, last = created
        assert (last.type, last.response.status) == ("response.failed", "failed")
    failed = client.responses.retrieve(identifier)
    assert (failed.status, failed.error is not None and failed.error.code) == ("failed", "server_error")
    background_polls.settle_all(keeping.gateway)
    assert keeping.money(client.api_key) == (held, 0, held)
    assert {record.status for record in keeping.records(client.api_key)} == {"lost"}
    assert is_forgotten(keeping)


def test_the_guide_works(keeping: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    [program] = [text for text in GUIDE.written_in("python") if "background=True" in text]
    exec(program, {"client": sdk(keeping)})
    assert capsys.readouterr().out.startswith("completed ")


PENDING: JSON = {**WHOLE, "background": True, "status": "queued", "output": [], "usage": None}


def test_a_provider_that_has_it_makes_it(keeping: Desk, upstream: FakeUpstream) -> None:
    """What it costs is known, and charged, when it is first seen to have ended."""
    client = sdk(keeping, max_budget=100)
    upstream.answers(Reply.json(200, PENDING), Reply.json(200, {**PENDING, "status": "in_progress"}))
    created = client.responses.create(model=GPT, input="Hi", background=True)
    assert (created.status, created.usage, upstream.calls[-1].json["background"]) == ("queued", None, True)
    assert client.responses.retrieve(created.id).status == "in_progress"
    spent, held, _ = keeping.money(client.api_key)
    assert (spent, held > 0, keeping.records(client.api_key)) == (0, True, [])
    upstream.answers(Reply.json(200, {**WHOLE, "background": True}))
    done = client.responses.retrieve(created.id)
    assert (done.status, done.id, done.output_text) == ("completed", created.id, "Rain.")
    record = only_record(keeping, client.api_key)
    assert done.usage is not None
    assert (record.status, done.usage.model_dump()["cost"]) == ("ok", record.cost_nanousd / 1e9)
    assert keeping.money(client.api_key) == (record.cost_nanousd, 0, record.cost_nanousd)
    assert is_forgotten(keeping)
    upstream.answers(Reply.json(200, {**WHOLE, "background": True}), Reply.json(200, WHOLE))
    client.responses.retrieve(created.id)
    assert client.responses.create(model=GPT, input="Hi", previous_response_id=created.id).status == "completed"
    assert len(keeping.records(client.api_key)) == 2


def test_the_same_costs_the_same_in_the_background(keeping: Desk, upstream: FakeUpstream) -> None:
    client = sdk(keeping)
    upstream.answers(Reply.json(200, WHOLE), Reply.json(200, PENDING), Reply.json(200, WHOLE))
    client.responses.create(model=GPT, input="Hi")
    client.responses.retrieve(client.responses.create(model=GPT, input="Hi", background=True).id)
    one, other = keeping.records(client.api_key)
    assert (one.cost_nanousd, one.detail["input_tokens"]) == (other.cost_nanousd, other.detail["input_tokens"])
    assert one.detail.keys() == other.detail.keys()


@pytest.mark.parametrize("leaves", [False, True])
def test_a_providers_stream_ends_where_it_does(keeping: Desk, upstream: FakeUpstream, leaves: bool) -> None:
    client, gate = sdk(keeping, max_budget=1), upstream.gate()
    events = events_of({**WHOLE, "background": True, "output": OUTPUT[-1:]})
    upstream.answers(paused(named(events), 2, gate))
    stream = client.responses.create(model=GPT, input="Hi", background=True, stream=True)
    if leaves:
        first = next(iter(stream))
        stream.close()
        assert (len(load_all(keeping.gateway.store)), keeping.money(client.api_key)[1] > 0) == (1, True)
        upstream.answers(named(events[3:]))
        told = list(client.responses.retrieve(first.response.id, stream=True, starting_after=2))  # type: ignore[union-attr]
        assert upstream.calls[-1].path.endswith("/responses/resp_01?starting_after=2&stream=true")
    else:
        gate.open()
        told = list(stream)
    assert told[-1].response.usage.model_dump()["cost"] > 0  # type: ignore[union-attr]
    record = only_record(keeping, client.api_key)
    assert told[-1].response.id == f"resp_{record.request_id}"  # type: ignore[union-attr]
    assert keeping.money(client.api_key) == (record.cost_nanousd, 0, record.cost_nanousd)
    assert is_forgotten(keeping)


ENDS: list[tuple[str, JSON, str]] = [
    ("incomplete", {"incomplete_details": {"reason": "max_output_tokens"}}, "ok"),
    ("failed", {"error": {"code": "server_error", "message": "it broke"}, "output": [], "usage": None}, "error"),
    ("cancelled", {"output": [], "usage": None}, "cut"),
]


@pytest.mark.parametrize(("status", "fields", "noted"), ENDS)
def test_how_a_provider_may_end_it(keeping: Desk, upstream: FakeUpstream, status: str, fields: JSON, noted: str) -> None:
    client = sdk(keeping, max_budget=1)
    upstream.answers(Reply.json(200, PENDING), Reply.json(200, {**WHOLE, **fields, "status": status}))
    created = client.responses.create(model=GPT, input="Hi", background=True)
    ended = client.responses.cancel(created.id) if status == "cancelled" else client.responses.retrieve(created.id)
    record = only_record(keeping, client.api_key)
    assert (ended.status, record.status, keeping.money(client.api_key)[1]) == (status, noted, 0)
    assert (record.cost_nanousd == 0) == (status == "failed")
    assert record.detail["cost_estimated"] == (status == "cancelled")


def test_nobody_asks_for_it_any_more(keeping: Desk, upstream: FakeUpstream) -> None:
    """It is asked for when accounts are reconciled; also one that was charged as lost, when the gateway was started anew."""
    client = sdk(keeping, max_budget=1)
    upstream.answers(*[Reply.json(200, PENDING)] * 3)
    for _ in range(3):
        client.responses.create(model=GPT, input="Hi", background=True)
    lost, gone, ended = load_all(keeping.gateway.store)
    held = keeping.money(client.api_key)[1]
    lost.charge_as_lost()
    assert keeping.money(client.api_key)[0] == held // 3
    not_found = Reply.json(404, {"error": {"message": "gone", "type": "invalid_request_error"}})
    upstream.answers(Reply.json(200, WHOLE), not_found, Reply.json(200, PENDING))
    assert background_polls.settle_all(keeping.gateway) == 2
    upstream.answers(Reply.json(200, WHOLE))
    assert background_polls.settle_all(keeping.gateway) == 1
    costs = {record.request_id: record.cost_nanousd for record in keeping.records(client.api_key)}
    assert (costs[gone.request_id], costs[lost.request_id]) == (held // 3, costs[ended.request_id])
    assert keeping.money(client.api_key) == (sum(costs.values()), 0, sum(costs.values()))


@pytest.mark.parametrize("allowed", [False, True])
def test_what_may_not_be_kept_is_refused(
    desk: Desk, key: str, client: openai.OpenAI, keeping: Desk, upstream: FakeUpstream, allowed: bool
) -> None:
    """A provider that keeps it itself needs nobody's leave."""
    asked = len(upstream.calls)
    one = sdk(keeping) if allowed else client
    with pytest.raises(openai.BadRequestError) as raised:
        one.responses.create(model=MODEL, input="Hi", background=True, store=False)
    assert raised.value.param == "background"
    if not allowed:
        with pytest.raises(openai.BadRequestError) as raised:
            one.responses.create(model=MODEL, input="Hi", background=True)
        assert (raised.value.param, raised.value.code) == ("background", "response_not_stored")
    assert len(upstream.calls) == asked
    upstream.answers(Reply.json(200, PENDING), Reply.json(200, WHOLE))
    assert one.responses.retrieve(one.responses.create(model=GPT, input="Hi", background=True).id).status == "completed"


def test_a_budget_that_is_spent_refuses_it_at_once(keeping: Desk, upstream: FakeUpstream) -> None:
    client, asked = sdk(keeping, max_budget=0.000000001), len(upstream.calls)
    for model in (MODEL, GPT):
        with pytest.raises(openai.APIStatusError) as raised:
            client.responses.create(model=model, input="Hi", background=True)
        assert raised.value.status_code == 402
    assert (len(upstream.calls), is_forgotten(keeping)) == (asked, True)


def test_a_key_has_so_many_at_once(keeping: Desk, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background.workers, "each", 0)
    client = sdk(keeping, max_budget=1)
    with pytest.raises(openai.APIStatusError) as raised:
        client.responses.create(model=MODEL, input="Hi", background=True)
    assert (raised.value.status_code, json.loads(raised.value.response.text)["error"]["code"]) == (429, "gateway_busy")
    assert (keeping.money(client.api_key), is_forgotten(keeping)) == ((0, 0, 0), True)
