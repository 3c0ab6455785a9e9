"""OpenAI's SDK has batches answered, as in its documentation: of every endpoint, mixed models, with exact money, to every end."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import openai
import pytest

from tests.contract.money_support import Desk, wait_until
from tests.contract.sdk_support import MODEL, OUTPUT_NANOUSD, price, sdk
from tests.support.fake_upstream import Call, FakeUpstream
from tests.support.openai_wire import completion
from tests.support.reply import JSON, Reply

CHAT = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "Hi"}]
ENDS = ("completed", "failed", "cancelled", "expired")


def line(custom_id: str, model: str = MODEL, url: str = CHAT, **body: Any) -> JSON:
    asked = body or {"messages": MESSAGES, "max_tokens": 10}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": model, **asked}}


def upload(client: openai.OpenAI, lines: Iterable[JSON | str]) -> str:
    text = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    return client.files.create(file=("lines.jsonl", io.BytesIO(text.encode("utf-8", "surrogatepass"))), purpose="batch").id


def begin(client: openai.OpenAI, lines: Iterable[JSON | str], endpoint: Any = CHAT, **options: Any) -> Any:
    return client.batches.create(input_file_id=upload(client, lines), endpoint=endpoint, completion_window="24h", **options)


def ended(client: openai.OpenAI, batch: Any, *, within_s: float = 15) -> Any:
    return until(client, batch, lambda now: now.status in ENDS, within_s)


def until(client: openai.OpenAI, batch: Any, is_so: Callable[[Any], bool], within_s: float = 15) -> Any:
    give_up_s = time.monotonic() + within_s
    while not is_so(now := client.batches.retrieve(batch.id)):
        assert time.monotonic() < give_up_s, now
        time.sleep(0.02)
    return now


def rows(client: openai.OpenAI, file_id: str | None) -> list[JSON]:
    assert file_id
    return [json.loads(each) for each in client.files.content(file_id).text.splitlines()]


def nothing_is_left(desk: Desk, key: str, batch: Any) -> None:
    """Nothing is held, the records are what was spent, and the folder of the batch is gone, a moment after its end is told."""
    spent, held, total = desk.money(key)
    assert (held, spent, total) == (0, sum(record.cost_nanousd for record in desk.records(key)), spent)
    assert round(batch.usage.cost * 10**9) == spent
    folder = desk.gateway.settings.stored_folder
    assert folder
    wait_until(lambda: not (folder / "batches" / batch.id).exists())


def test_a_batch_of_several_models_is_answered_line_by_line(client: openai.OpenAI, desk: Desk, key: str, upstream: FakeUpstream):
    upstream.answers(Reply.json(200, completion("hi")))
    lines = [line("a"), line("b", "demo/echo"), line("c", messages=7), line("d")]
    lasts: Any = {"anchor": "created_at", "seconds": 7_200}
    batch = begin(client, lines, metadata={"a": "b"}, output_expires_after=lasts)
    assert (batch.status, batch.endpoint, batch.metadata) == ("validating", CHAT, {"a": "b"})
    assert (batch.output_file_id, batch.expires_at) == (None, batch.created_at + 86_400)
    batch = ended(client, batch)
    assert (batch.status, batch.model) == ("completed", None), batch.errors
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (4, 3, 1)
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
    output, errors = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert [row["custom_id"] for row in output] == ["a", "b", "d"]
    assert all(row["response"]["status_code"] == 200 and row["error"] is None for row in output)
    assert output[1]["response"]["body"]["choices"][0]["message"]["content"] == "Hi"
    [wrong] = errors
    assert (wrong["custom_id"], wrong["response"]["status_code"], wrong["error"]) == ("c", 400, None)
    assert wrong["response"]["body"]["error"]["param"] == "messages"
    files = {file.id: file for file in client.files.list(purpose="batch_output")}
    assert files.keys() == {batch.output_file_id, batch.error_file_id}
    assert {(file.expires_at or 0) - file.created_at for file in files.values()} == {7_200}
    records = {record.detail["custom_id"]: record for record in desk.records(key)}
    assert {(record.detail["batch"], record.detail["batch_line"]) for record in records.values()} == {
        (batch.id, 1), (batch.id, 2), (batch.id, 4),
    }  # fmt: skip
    assert output[0]["response"]["request_id"] == records["a"].request_id
    assert batch.usage.input_tokens == sum(record.detail["input_tokens"] for record in records.values())
    nothing_is_left(desk, key, batch)


BODIES: list[tuple[str, str, JSON]] = [
    ("/v1/completions", "demo/echo", {"prompt": "Hi", "max_tokens": 9}),
    ("/v1/embeddings", "demo/embedding", {"input": "Hi"}),
    ("/v1/responses", "demo/echo", {"input": "Hi"}),
    ("/v1/messages", "demo/echo", {"messages": MESSAGES, "max_tokens": 9}),
    ("/v1/moderations", "demo/moderation", {"input": "Hi"}),
]


@pytest.mark.parametrize(("endpoint", "model", "body"), BODIES)
def test_every_endpoint_has_batches(client: openai.OpenAI, endpoint: str, model: str, body: JSON) -> None:
    batch = ended(client, begin(client, [line("one", model, endpoint, **body)], endpoint))
    assert (batch.status, batch.request_counts.completed, batch.model) == ("completed", 1, model)
    assert batch.error_file_id is None
    [row] = rows(client, batch.output_file_id)
    assert row["response"]["body"]["object" if endpoint != "/v1/messages" and endpoint != "/v1/moderations" else "id"]


GOOD = line("good", "demo/echo")


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([], [("empty_file", None, None)]),
        ([GOOD, "{not json", GOOD | {"custom_id": "2"}], [("invalid_json_line", None, 2)]),
        ([GOOD, "[]"], [("invalid_json_line", None, 2)]),
        (["", GOOD, " \t\r", "", "{not json", "", GOOD], [("invalid_json_line", None, 5), ("duplicate_custom_id", "custom_id", 7)]),
        ([GOOD, GOOD], [("duplicate_custom_id", "custom_id", 2)]),
        ([{name: value for name, value in GOOD.items() if name != "custom_id"}], [("missing_required_parameter", "custom_id", 1)]),
        ([GOOD | {"custom_id": 7}], [("invalid_value", "custom_id", 1)]),
        ([GOOD | {"custom_id": "x" * 513}], [("invalid_value", "custom_id", 1)]),
        ([GOOD | {"method": "GET"}], [("invalid_method", "method", 1)]),
        ([GOOD | {"url": "/v1/embeddings"}], [("url_mismatch", "url", 1)]),
        ([GOOD | {"body": "Hi"}], [("invalid_value", "body", 1)]),
        ([line("a", "demo/echo", messages=MESSAGES, stream=True)], [("invalid_value", "body.stream", 1)]),
        (
            [line("a", "no-such-model"), GOOD, line("b", "nobody/gpt")],
            [("model_not_found", "body.model", 1), ("model_not_found", "body.model", 3)],
        ),
    ],
)
def test_what_is_wrong_with_lines_is_told_before_anything_is_asked(
    client: openai.OpenAI, desk: Desk, key: str, lines: list[Any], wanted: list[tuple[str, str | None, int | None]]
) -> None:
    batch = ended(client, begin(client, lines))
    assert (batch.status, batch.failed_at is not None) == ("failed", True)
    assert [(error.code, error.param, error.line) for error in batch.errors.data] == wanted
    assert (batch.output_file_id, batch.error_file_id, desk.records(key)) == (None, None, [])
    nothing_is_left(desk, key, batch)


def test_a_batch_of_too_many_lines_fails(client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haimaker.batches.beginning.MAX_LINES", 2)
    batch = ended(client, begin(client, [line(str(number), "demo/echo") for number in range(3)]))
    assert [(error.code, error.line) for error in batch.errors.data] == [("too_many_tasks", 3)]


@pytest.mark.parametrize(
    ("change", "status", "code", "param"),
    [
        ({"input_file_id": None}, 400, "missing_required_parameter", "input_file_id"),
        ({"input_file_id": "file-hm0"}, 404, "file_not_found", "input_file_id"),
        ({"endpoint": "/v1/audio/speech"}, 400, "invalid_value", "endpoint"),
        ({"endpoint": ["/v1/chat/completions"]}, 400, "invalid_value", "endpoint"),
        ({"completion_window": "1h"}, 400, "invalid_value", "completion_window"),
        ({"metadata": {"a": 1}}, 400, "invalid_value", "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, 400, "invalid_value", "output_expires_after.seconds"),
        ({"webhook": "x"}, 400, "unknown_parameter", "webhook"),
    ],
)
def test_what_is_wrong_with_a_batch_is_an_error(
    client: openai.OpenAI, desk: Desk, key: str, change: JSON, status: int, code: str, param: str
) -> None:
    body = {"input_file_id": upload(client, [GOOD]), "endpoint": CHAT, "completion_window": "24h", **change}
    answer = desk.ask("POST", "/batches", body, key=key)
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["param"]) == (status, code, param)
    assert client.batches.list().data == []


def test_files_and_batches_of_others_are_not_there(client: openai.OpenAI, desk: Desk) -> None:
    other = sdk(desk, desk.key())
    with pytest.raises(openai.NotFoundError):
        other.batches.create(input_file_id=upload(client, [GOOD]), endpoint=CHAT, completion_window="24h")
    batch = ended(client, begin(client, [GOOD]))
    for act in (other.batches.retrieve, other.batches.cancel):
        with pytest.raises(openai.NotFoundError):
            act(batch.id)
    assert other.batches.list().data == []
    notes = client.files.create(file=("a", b"{}"), purpose="user_data")
    with pytest.raises(openai.BadRequestError):
        client.batches.create(input_file_id=notes.id, endpoint=CHAT, completion_window="24h")


def test_batches_are_listed_in_pages(client: openai.OpenAI) -> None:
    ids = [ended(client, begin(client, [GOOD])).id for _ in range(3)]
    assert [batch.id for batch in client.batches.list(limit=2)] == ids[::-1], "the SDK asks for the next page"
    assert [batch.id for batch in client.batches.list(after=ids[2], extra_query={"order": "desc"})] == ids[1::-1]
    assert [batch.id for batch in client.batches.list(limit=2, extra_query={"order": "asc"})] == ids


WORST = 10 * OUTPUT_NANOUSD
"""Of a line's answer; its prompt comes to it."""


def test_the_worst_case_is_held_while_a_batch_runs_and_no_more_is_begun(
    desk: Desk, upstream: FakeUpstream, gate: threading.Event
) -> None:
    key = desk.key(max_budget=0.001)
    client = sdk(desk, key)
    upstream.answers(waiting(gate))
    batch = until(client, begin(client, [line(str(number)) for number in range(4)]), lambda now: now.status == "in_progress")
    spent, held, _ = desk.money(key)
    assert (spent, held >= 4 * WORST) == (0, True)
    refused = ended(client, begin(client, [line(str(number)) for number in range(40)]))
    assert [error.code for error in refused.errors.data] == ["insufficient_quota"]
    assert desk.money(key) == (0, held, 0)
    gate.set()
    batch = ended(client, batch)
    assert desk.money(key)[0] == 4 * price(10, 5)
    nothing_is_left(desk, key, batch)


def test_a_key_without_budget_begins_no_batch(desk: Desk) -> None:
    client = sdk(desk, desk.key(max_budget=0))
    with pytest.raises(openai.APIStatusError) as raised:
        begin(client, [line("a")])
    assert (raised.value.status_code, raised.value.code, raised.value.type) == (402, "insufficient_quota", "insufficient_quota")


@pytest.fixture
def gate() -> Iterable[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def waiting(gate: threading.Event) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        gate.wait(10)
        return Reply.json(200, completion("hi"))

    return answer


def test_a_cancelled_batch_keeps_what_was_answered(
    desk: Desk, key: str, client: openai.OpenAI, upstream: FakeUpstream, gate: threading.Event
) -> None:
    upstream.answers(waiting(gate))
    lines, before = [line("first", "demo/echo"), *(line(str(number)) for number in range(60))], len(upstream.calls)
    batch = until(client, begin(client, lines), lambda now: len(upstream.calls) > before)
    batch = client.batches.cancel(batch.id)
    assert (batch.status, batch.cancelling_at is not None) == ("cancelling", True)
    assert client.batches.cancel(batch.id).status == "cancelling"
    gate.set()
    batch = ended(client, batch)
    assert (batch.status, batch.completed_at) == ("cancelled", None)
    output, errors = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert 1 <= len(output) == batch.request_counts.completed < 61
    assert [row["custom_id"] for row in (*output, *errors)] == [each["custom_id"] for each in lines]
    assert {(row["response"], row["error"]["code"]) for row in errors} == {(None, "batch_cancelled")}
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)
    nothing_is_left(desk, key, batch)


def test_a_batch_that_is_cancelled_before_it_begins_tells_of_each_line(
    client: openai.OpenAI, desk: Desk, key: str, idle: Callable[[], None]
) -> None:
    batch = begin(client, [line("a"), "", line("b", "no-such-model"), "{no"])
    assert client.batches.cancel(batch.id).status == "cancelling"
    idle()
    batch = ended(client, batch)
    assert (batch.status, batch.in_progress_at, batch.output_file_id) == ("cancelled", None, None)
    assert batch.cancelling_at <= batch.finalizing_at <= batch.cancelled_at
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (2, 0, 0)
    found = [(row["custom_id"], row["error"]["code"]) for row in rows(client, batch.error_file_id)]
    assert found == [("a", "batch_cancelled"), ("b", "batch_cancelled")]
    assert desk.records(key) == []
    nothing_is_left(desk, key, batch)


def test_a_batch_that_ends_while_it_is_looked_at_is_not_worked_on_again(
    desk: Desk, client: openai.OpenAI, upstream: FakeUpstream, gate: threading.Event
) -> None:
    """Who looks for work read it before its end, and comes to it after."""
    upstream.answers(waiting(gate))
    batch = until(client, begin(client, [line("a"), line("b")]), lambda now: now.status == "in_progress")
    runner: Any = desk.gateway.batches
    [seen] = [each for each in runner.directory.open() if each.id == batch.id]
    gate.set()
    batch = ended(client, batch)
    wait_until(lambda: batch.id not in runner._running)
    runner._begin_run(seen)
    wait_until(lambda: batch.id not in runner._running)
    assert client.batches.retrieve(batch.id) == batch
    assert [row["custom_id"] for row in rows(client, batch.output_file_id)] == ["a", "b"]
    assert not (desk.gateway.settings.stored_folder / "batches" / batch.id).exists()


def test_what_has_no_answer_in_its_time_expires(
    desk: Desk, key: str, client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haimaker.api.batches.COMPLETION_WINDOW_S", -1)
    batch = ended(client, begin(client, [line("a"), line("b")]))
    assert (batch.status, batch.output_file_id, batch.expired_at is not None) == ("expired", None, True)
    errors = rows(client, batch.error_file_id)
    assert [(row["custom_id"], row["error"]["code"]) for row in errors] == [("a", "batch_expired"), ("b", "batch_expired")]
    nothing_is_left(desk, key, batch)


def test_a_key_that_is_blocked_ends_its_batches(
    desk: Desk, client: openai.OpenAI, key: str, upstream: FakeUpstream, gate: threading.Event
) -> None:
    upstream.answers(waiting(gate))
    batch = until(client, begin(client, [line(str(number)) for number in range(50)]), lambda now: now.status == "in_progress")
    desk.admin("/key/block", key=key)
    assert desk.gateway.batches
    directory = desk.gateway.batches.directory
    wait_until(lambda: all(now.status == "cancelling" for now in directory.open() if now.id == batch.id))
    gate.set()
    desk.admin("/key/unblock", key=key)
    batch = ended(client, batch)
    assert batch.status == "cancelled"
    assert batch.request_counts.completed <= 32
    assert batch.request_counts.failed == 0


def test_failures_are_tried_again_and_what_stays_one_is_told(
    desk: Desk, key: str, client: openai.OpenAI, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haimaker.batches.asking.LONGEST_WAIT_S", 0.01)
    failures = {"once": [429, 500], "always": [500] * 99}

    def answer(call: Call) -> Reply:
        name = call.json["messages"][0]["content"]
        status = failures[name].pop(0) if failures.get(name) else 200
        return (
            Reply.json(200, completion("hi")) if status == 200 else Reply.json(status, {"error": {"message": "no", "code": None}})
        )

    upstream.answers(answer)
    lines = [line(name, "once", messages=[{"role": "user", "content": name}], max_tokens=9) for name in ("once", "always", "never")]
    batch = ended(client, begin(client, lines))
    assert [row["custom_id"] for row in rows(client, batch.output_file_id)] == ["once", "never"]
    assert [row["response"]["status_code"] for row in rows(client, batch.error_file_id)] == [500]
    asked = [record for record in desk.records(key) if record.detail["custom_id"] == "once"]
    assert sorted(len(record.detail.get("asked_before", [])) for record in asked) == [0, 1, 2]
    nothing_is_left(desk, key, batch)


def test_a_batch_leaves_half_of_a_minutes_requests(desk: Desk) -> None:
    wait_for_a_minute_with(3)
    key = desk.key(rpm_limit=10)
    client = sdk(desk, key)
    batch = begin(client, [line(str(number), "demo/echo") for number in range(10)])
    until(client, batch, lambda now: now.request_counts.completed == 5)
    assert desk.chat(key, "demo/echo").status_code == 200
    client.batches.cancel(batch.id)
    assert ended(client, batch).request_counts.completed == 5


def wait_for_a_minute_with(seconds_left: float) -> None:
    left_s = 60 - time.time() % 60
    time.sleep(left_s if left_s < seconds_left else 0)


def test_an_account_in_parallel_keeps_half(desk: Desk, upstream: FakeUpstream, gate: threading.Event) -> None:
    key = desk.key(max_parallel_requests=4)
    client = sdk(desk, key)
    upstream.answers(waiting(gate))
    batch = begin(client, [line(str(number)) for number in range(9)])
    until(client, batch, lambda now: desk.info(key)["parallel_requests"] == 2)
    assert desk.chat(key, "demo/echo").status_code == 200
    gate.set()
    assert ended(client, batch).request_counts.completed == 9


def test_a_batch_under_way_goes_on_under_the_key_that_replaced_its_own(
    desk: Desk, upstream: FakeUpstream, gate: threading.Event
) -> None:
    """Only the line that was being asked counts as spent with its worst case."""
    key = desk.key(max_parallel_requests=2, max_budget=1)
    upstream.answers(waiting(gate))
    batch = begin(sdk(desk, key), [line(str(number)) for number in range(5)])
    until(sdk(desk, key), batch, lambda now: desk.info(key)["parallel_requests"] == 1)
    renewed = desk.admin("/key/regenerate", key=key)["key"]
    asked_nanousd = desk.money(renewed)[0]
    gate.set()
    batch = ended(sdk(desk, renewed), batch)
    assert (batch.status, batch.request_counts.completed) == ("completed", 5)
    records = [record.cost_nanousd for record in desk.records(renewed)]
    assert len(records) == 4
    assert desk.money(renewed)[:2] == (asked_nanousd + sum(records), 0)
    assert 0 < asked_nanousd < 10 * sum(records)


@pytest.mark.parametrize("grace", [{}, {"grace_period": "1h"}], ids=["at once", "with grace"])
def test_a_key_that_is_made_anew_goes_on_with_its_files_batches_and_responses(desk: Desk, upstream: FakeUpstream, grace: JSON):
    upstream.answers(Reply.json(200, completion("hi")))
    old = desk.key()
    batch = ended(sdk(desk, old), begin(sdk(desk, old), [line("a")]))
    shown = desk.chat(old).headers["x-request-id"]
    renewed = desk.admin("/key/regenerate", key=old, **grace)["key"]
    last = desk.admin("/key/regenerate", key=renewed, **grace)["key"]
    asked = [last, renewed, old] if grace else [last]
    for key in asked:
        client = sdk(desk, key)
        assert [each.id for each in client.batches.list()] == [batch.id]
        assert rows(client, batch.output_file_id)[0]["custom_id"] == "a"
        assert desk.ask("GET", f"/v1/generation?id={shown}", key=key).status_code == 200
    assert upload(sdk(desk, last), [line("b")]) in [file.id for file in sdk(desk, asked[-1]).files.list()]
    assert list(sdk(desk, desk.key()).files.list()) == []
    [event] = desk.ask("GET", f"/audit?object_id={desk.info(last)['token_id']}").json()["data"]
    assert len(event["updated_values"]["replaces"]) == 2
