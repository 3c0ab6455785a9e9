"""Anthropic's SDK has batches answered, as in its documentation: of any model, with a result for each request."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.contract.money_support import Desk, wait_until
from tests.contract.sdk_support import MODEL, price
from tests.contract.test_batches import GOOD, begin, nothing_is_left, waiting
from tests.contract.test_batches import ended as all_ended
from tests.contract.test_messages import sdk
from tests.support.fake_upstream import FakeUpstream
from tests.support.openai_wire import completion
from tests.support.reply import JSON, Reply


@pytest.fixture
def claude(desk: Desk, key: str) -> anthropic.Anthropic:
    return sdk(desk, key)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def asked(custom_id: str, model: str = MODEL, **more: Any) -> Any:
    params = {"model": model, "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}], **more}
    return {"custom_id": custom_id, "params": params}


def ended(claude: anthropic.Anthropic, batch: Any) -> Any:
    return until(claude, batch, lambda now: now.processing_status == "ended")


def until(claude: anthropic.Anthropic, batch: Any, is_so: Callable[[Any], bool]) -> Any:
    give_up_s = time.monotonic() + 15
    while not is_so(now := claude.messages.batches.retrieve(batch.id)):
        assert time.monotonic() < give_up_s, now
        time.sleep(0.02)
    return now


def results(claude: anthropic.Anthropic, batch: Any) -> dict[str, Any]:
    return {each.custom_id: each.result for each in claude.messages.batches.results(batch.id)}


def test_a_batch_is_made_listed_read_and_deleted(
    claude: anthropic.Anthropic, client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream
) -> None:
    upstream.answers(Reply.json(200, completion("Hello.")))
    batch = claude.messages.batches.create(
        requests=[asked("a"), asked("b", "demo/echo"), asked("c", messages=7), asked("d", container="container_1")]
    )
    assert (batch.type, batch.processing_status, batch.results_url, batch.ended_at) == ("message_batch", "in_progress", None, None)
    assert batch.request_counts.to_dict() == {"processing": 4, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    assert (batch.expires_at - batch.created_at).total_seconds() == 86_400
    batch = ended(claude, batch)
    assert batch.request_counts.to_dict() == {"processing": 0, "succeeded": 2, "errored": 2, "canceled": 0, "expired": 0}
    found = results(claude, batch)
    assert (found["a"].type, found["a"].message.content[0].text, found["a"].message.type) == ("succeeded", "Hello.", "message")
    assert found["b"].message.content[0].text == "Hi"
    assert (found["c"].type, found["c"].error.error.type) == ("errored", "invalid_request_error")
    assert (found["d"].type, found["d"].error.error.type) == ("errored", "not_found_error")
    assert desk.money(key)[0] == price(10, 5)
    nothing_is_left(desk, key, client.batches.retrieve(batch.id))
    assert claude.messages.batches.cancel(batch.id).processing_status == "ended"
    assert [each.id for each in claude.messages.batches.list()] == [batch.id]
    assert claude.messages.batches.delete(batch.id).type == "message_batch_deleted"
    assert list(claude.messages.batches.list()) == []
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve(batch.id)
    assert client.files.list().data == []


def test_batches_are_listed_in_pages_without_those_of_other_endpoints(claude: anthropic.Anthropic, client: openai.OpenAI) -> None:
    ids = [claude.messages.batches.create(requests=[asked("a", "demo/echo")]).id for _ in range(2)]
    other = begin(client, [GOOD])
    ids += [claude.messages.batches.create(requests=[asked("a", "demo/echo")]).id for _ in range(2)]
    assert [each.id for each in claude.messages.batches.list(limit=3)] == ids[::-1], "the SDK asks for the next page"
    assert [each.id for each in claude.messages.batches.list(limit=1, after_id=ids[2]).data] == [ids[1]]
    page = claude.messages.batches.list(limit=2, before_id=ids[0])
    assert ([each.id for each in page.data], page.has_more) == ([ids[2], ids[1]], True)
    assert [each.id for each in page] == [ids[2], ids[1], ids[3]], "the SDK goes on before the first"
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.batches.list(before_id=ids[0], after_id=ids[1])
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.batches.retrieve(other.id)
    for each in claude.messages.batches.list():
        ended(claude, each)
    all_ended(client, other)


def test_a_cancelled_batch_says_of_each_request_what_became_of_it(
    claude: anthropic.Anthropic, desk: Desk, upstream: FakeUpstream, gate: threading.Event
) -> None:
    upstream.answers(waiting(gate))
    before = len(upstream.calls)
    batch = claude.messages.batches.create(requests=[asked(f"n{number}") for number in range(50)])
    wait_until(lambda: len(upstream.calls) > before)
    assert claude.messages.batches.cancel(batch.id).processing_status == "canceling"
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.batches.delete(batch.id)
    gate.set()
    batch = ended(claude, batch)
    counts = batch.request_counts
    assert (counts.succeeded + counts.canceled, counts.canceled > 0, batch.cancel_initiated_at is not None) == (50, True, True)
    kinds = [result.type for result in results(claude, batch).values()]
    assert (kinds.count("succeeded"), kinds.count("canceled")) == (counts.succeeded, counts.canceled)


def test_each_request_of_a_batch_that_is_cancelled_before_it_begins_has_a_result(
    claude: anthropic.Anthropic, idle: Callable[[], None]
) -> None:
    batch = claude.messages.batches.create(requests=[asked("a"), asked("b")])
    assert claude.messages.batches.cancel(batch.id).processing_status == "canceling"
    idle()
    batch = ended(claude, batch)
    assert batch.request_counts.to_dict() == {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 2, "expired": 0}
    assert {name: result.type for name, result in results(claude, batch).items()} == {"a": "canceled", "b": "canceled"}


def test_betas_of_a_batch_are_those_of_its_requests(claude: anthropic.Anthropic, upstream: FakeUpstream) -> None:
    seen = len(upstream.calls)
    requests = [asked("a", "anthropic/claude-sonnet-4-5"), asked("b", MODEL)]
    upstream.answers(Reply.json(400, {"error": {"message": "no"}}))
    ended(claude, claude.messages.batches.create(requests=requests, extra_headers={"anthropic-beta": "new-1,new-2"}))
    told = {call.json["model"]: call.headers.get("anthropic-beta") for call in upstream.calls[seen:]}
    assert told == {"claude-sonnet-4-5": "new-1,new-2", MODEL.partition("/")[2] or MODEL: None}
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.batches.create(requests=requests, extra_headers={"anthropic-beta": "x" * 513})


def test_a_batch_that_can_not_begin_tells_each_request_why(claude: anthropic.Anthropic) -> None:
    batch = ended(claude, claude.messages.batches.create(requests=[asked("a", "no-such-model"), asked("b", "demo/echo")]))
    assert batch.request_counts.errored == 2
    found = results(claude, batch)
    assert found.keys() == {"a", "b"}
    assert "no-such-model" in found["a"].error.error.message


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["{no", "[]", '{"custom_id": 7}', "{}", '{"custom_id": "a"}'], {"a"}),
        (["\ufeff{}", "\x00"], set()),
    ],
)
def test_lines_of_a_file_that_are_none_spoil_no_results(
    claude: anthropic.Anthropic, client: openai.OpenAI, lines: list[str], named: set[str]
) -> None:
    """A batch of OpenAI's that failed for its file is one of Anthropic's too."""
    batch = all_ended(client, begin(client, lines, "/v1/messages"))
    assert batch.status == "failed"
    assert results(claude, batch).keys() == named


def test_a_batch_that_is_refused_leaves_no_file(desk: Desk, client: openai.OpenAI) -> None:
    poor = desk.key(max_budget=0)
    with pytest.raises(anthropic.APIStatusError) as raised:
        sdk(desk, poor).messages.batches.create(requests=[asked("a")])
    assert raised.value.status_code == 402
    assert desk.ask("GET", "/files", key=poor).json()["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requests": []},
        {"requests": [{"params": {}}]},
        {"requests": [asked("x" * 65)]},
        {"requests": [asked("")]},
        {"requests": [asked("a b")]},
        {"requests": [asked("a\n")]},
        {"requests": [asked("ü")]},
        {"requests": [asked("a"), asked("a")]},
        {"requests": [{"custom_id": "a"}]},
        {"requests": [asked("a", stream=True)]},
    ],
)
def test_what_is_no_batch_is_an_error_of_anthropics(desk: Desk, key: str, body: JSON) -> None:
    answer = httpx.post(f"{desk.url}/messages/batches", json=body, headers={"x-api-key": key})
    assert (answer.status_code, answer.json()["type"], answer.json()["error"]["type"]) == (400, "error", "invalid_request_error")


def test_batches_of_others_are_not_there(claude: anthropic.Anthropic, desk: Desk) -> None:
    batch = claude.messages.batches.create(requests=[asked("a", "demo/echo")])
    other = sdk(desk, desk.key())
    for act in (other.messages.batches.retrieve, other.messages.batches.cancel, other.messages.batches.delete):
        with pytest.raises(anthropic.NotFoundError):
            act(batch.id)
    ended(claude, batch)
