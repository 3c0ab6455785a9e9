"""Files and batches of the deployed stack: the official SDKs through its functions, each with its role, the worker by its queue."""

import json
import os
import random
import tempfile
import threading
import time
from typing import Any

import httpx
import openai
import pytest

from haimaker.accounts import keys as auth
from haimaker.accounts.kinds import END_USER
from haimaker.api import keys
from haimaker.batches import OPEN, QUEUE_HOME, successors
from haimaker.batches.abandoned import end_abandoned, find_abandoned
from haimaker.batches.asking import Asking
from haimaker.batches.parts import KIND
from haimaker.http.values import Request
from haimaker.store import Account, Reservation, StoreUnavailable
from haimaker.store.dynamodb import DynamoStore
from local.command_line.__main__ import main
from tests.support.documentation import Guide
from tests.support.openai_wire import completion
from tests.support.reply import Reply
from tests.support.stack import BUCKETS, UPSTREAM_KEY, Stack, put_secrets
from tests.support.stack_batches import OF_BEDROCKS_BATCHES, Killed, Mortal, StackBatches, outlive

CHAT = "/v1/chat/completions"
COST = 4_500
"""Of one answer of the scripted provider, 10 and 5 tokens of gpt-4o-mini, in nano-dollars."""


def line(name: str, **fields: Any) -> dict[str, Any]:
    body = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": name}], "max_tokens": 50, **fields}
    return {"custom_id": name, "method": "POST", "url": CHAT, "body": body}


def begin(client: openai.OpenAI, lines: list[dict[str, Any]], **options: Any) -> Any:
    data = "\n".join(map(json.dumps, lines)).encode()
    file = client.files.create(file=("lines.jsonl", data), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=lines[0].get("url", CHAT), completion_window="24h", **options)


def rows(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    return [json.loads(row) for row in client.files.content(file_id).text.splitlines()] if file_id else []


def answers_its_line(call):
    text = call.json["messages"][0]["content"]
    if text.endswith("7"):
        return Reply.json(400, {"error": {"message": "no", "code": None}})
    return Reply.json(200, completion(f"answer {text}"))


def test_files_are_kept_listed_read_and_deleted(batches):
    client = batches.openai_client(batches.stack.key())
    data = bytes(range(256)) * 1_000
    file = client.files.create(file=("notes.bin", data), purpose="user_data")
    assert client.files.retrieve(file.id) == file
    assert [each.id for each in client.files.list().data] == [file.id]
    assert client.files.content(file.id).read() == data
    with pytest.raises(openai.NotFoundError):
        batches.openai_client(batches.stack.key()).files.retrieve(file.id)
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.content(file.id)
    claude = batches.anthropic_client(client.api_key)
    file = claude.files.upload(file=("a.txt", b"Hi", "text/plain"))
    assert ([each.id for each in claude.files.list()], claude.files.download(file.id).read()) == ([file.id], b"Hi")
    assert claude.files.delete(file.id).type == "file_deleted"
    assert batches.objects() == []


def test_a_batch_is_answered_in_order(batches):
    batches.stack.upstream.answers(answers_its_line)
    key = batches.stack.key(budget_nanousd=1_000_000_000)
    client = batches.openai_client(key)
    names = [f"line-{number}" for number in range(30)]
    batch = begin(client, [line(name) for name in names])
    assert (batch.status, client.batches.retrieve(batch.id).status) == ("validating", "validating")
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.errors) == ("completed", None)
    assert batch.request_counts.to_dict() == {"total": 30, "completed": 27, "failed": 3}
    assert batch.model == line("one")["body"]["model"]
    output, errors = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert [row["custom_id"] for row in output] == [name for name in names if not name.endswith("7")]
    assert [row["custom_id"] for row in errors] == ["line-7", "line-17", "line-27"]
    assert all(row["response"]["body"]["choices"][0]["message"]["content"] == f"answer {row['custom_id']}" for row in output)
    assert batch.usage.to_dict()["cost"] == 27 * COST / 1e9
    assert batches.stack.money(key)[:2] == (27 * COST, False)
    assert sorted(name.partition("/")[0] for name in batches.objects()) == ["files"] * 3


def held(batches: StackBatches, key: str) -> tuple[int, bool]:
    """What a key spent, and whether anything is held or put aside; its records say the same."""
    spent, is_held, costs = batches.stack.money(key)
    assert spent == sum(costs)
    return spent, is_held


def test_a_large_file_comes_by_a_link_and_is_read_by_one(batches):
    """By the program of the guide."""
    client = batches.openai_client(batches.stack.key())
    data = b'{"custom_id": "1"}\n' * 300_000
    (program,) = Guide.read("docs/batches.md").written_in("py")
    names: dict[str, Any] = {}
    exec(program, names)
    with tempfile.NamedTemporaryFile() as kept:
        kept.write(data)
        kept.flush()
        file = names["send"](client, kept.name)
    assert (file.bytes, file.purpose, file.filename) == (len(data), "batch", "lines.jsonl")
    answer = httpx.get(f"{batches.url}/v1/files/{file.id}/content", headers={"authorization": f"Bearer {client.api_key}"})
    assert (answer.status_code, answer.content) == (302, b"")
    assert client.files.content(file.id).read() == data
    assert [name.partition("/")[0] for name in batches.objects()] == ["files"]


def test_the_role_of_files_has_what_it_does_and_no_more(batches):
    key = batches.stack.key()
    client = batches.openai_client(key)
    split = batches.stack.key()
    batches.stack.store.shards.grow(auth.account_id_of(split))
    assert batches.openai_client(split).files.list().data == []
    upload = client.uploads.create(filename="a.bin", purpose="user_data", bytes=9_000_000, mime_type="application/octet-stream")
    parts = [client.uploads.parts.create(upload.id, data=bytes([number]) * 3_000_000).id for number in range(3)]
    for wrong in ({"part_ids": parts[:2]}, {"part_ids": [*parts, "part_hm"]}, {"part_ids": []}, {"part_ids": parts, "md5": "0"}):
        with pytest.raises(openai.BadRequestError):
            client.uploads.complete(upload.id, **wrong)
    with pytest.raises(openai.NotFoundError):
        batches.openai_client(split).uploads.complete(upload.id, part_ids=parts)
    file = client.uploads.complete(upload.id, part_ids=parts[::-1]).file
    assert client.files.content(file.id).read() == b"".join(bytes([number]) * 3_000_000 for number in (2, 1, 0))
    linked = client.uploads.create(filename="a.txt", purpose="user_data", bytes=2, mime_type="text/plain")
    assert httpx.put(linked.upload_url, content=b"Hi").status_code == 200
    assert client.files.content(client.uploads.complete(linked.id, part_ids=[]).file.id).text == "Hi"
    other = client.uploads.create(filename="b.txt", purpose="user_data", bytes=2, mime_type="text/plain")
    assert client.uploads.cancel(other.id).status == "cancelled"
    with pytest.raises(openai.BadRequestError):
        client.uploads.parts.create(other.id, data=b"Hi")
    for each in client.files.list().data:
        client.files.delete(each.id)
    assert batches.objects() == []
    role = batches.stack.role("files")
    assert (role.refused, role.unused()) == ([], set())


def test_message_batches_are_answered_and_their_roles_have_what_they_do_and_no_more(batches):
    key = batches.stack.key()
    client = batches.anthropic_client(key)
    split = batches.stack.key()
    batches.stack.store.shards.grow(auth.account_id_of(split))
    assert batches.openai_client(split).batches.list().data == []
    params = {"model": "openai/gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    batch = client.messages.batches.create(requests=[{"custom_id": name, "params": params} for name in ("one", "two")])
    batches.deliver()
    assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
    found = list(client.messages.batches.results(batch.id))
    assert [(each.custom_id, each.result.message.content[0].text) for each in found] == [("one", "Hello!"), ("two", "Hello!")]
    assert batches.openai_client(key).batches.retrieve(batch.id).status == "completed"
    open_batch = begin(batches.openai_client(key), [line("one")])
    admin = {"authorization": f"Bearer {batches.stack.key(role='admin')}"}
    listed = httpx.get(f"{batches.url}/v1/batch/list", headers=admin).json()["data"]
    assert [each["id"] for each in listed] == [open_batch.id]
    assert httpx.post(f"{batches.url}/v1/batch/{open_batch.id}/cancel", headers=admin).json()["status"] == "cancelling"
    batches.deliver()
    for file in batches.openai_client(key).batches.retrieve(open_batch.id), open_batch:
        batches.openai_client(key).files.delete(file.error_file_id or file.input_file_id)
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    assert (held(batches, key), batches.objects()) == ((2 * COST, False), [])
    role = batches.stack.role("batches")
    assert (role.refused, role.unused()) == ([], set())


@pytest.mark.parametrize(
    ("lines", "budget", "code"),
    [
        ([line("one"), line("one")], 10**9, "duplicate_custom_id"),
        ([line("one"), {"custom_id": "two"}], 10**9, "missing_required_parameter"),
        ([line("one"), line("two", model="no/such-model")], 10**9, "model_not_found"),
        ([line("one", max_tokens=16_000), line("two")], 5_000_000, "insufficient_quota"),
    ],
)
def test_what_is_wrong_with_a_batch_is_told_before_anything_is_asked(batches, lines, budget, code):
    key = batches.stack.key(budget_nanousd=budget)
    client = batches.openai_client(key)
    batch = begin(client, lines)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.errors.data[0].code) == ("failed", code)
    assert (batches.stack.upstream.calls, held(batches, key)) == ([], (0, False))


def ids_of(found: list[dict[str, Any]]) -> list[str]:
    return [row["custom_id"] for row in found]


@pytest.mark.parametrize("moment", ["before", "within"])
def test_a_batch_that_is_cancelled_keeps_what_was_answered(batches, monkeypatch, moment):
    monkeypatch.setattr("haimaker.batches.part_run.LOOKS_EVERY_S", 0.05)
    monkeypatch.setattr("haimaker.batches.part_run.AT_ONCE", 2)
    key = batches.stack.key(budget_nanousd=10**9)
    client = batches.openai_client(key)
    names = [f"line-{number}" for number in range(40)]
    batch = begin(client, [line(name) for name in names])
    if moment == "before":
        client.batches.cancel(batch.id)

    def cancels(call):
        if len(batches.stack.upstream.calls) == 4:
            client.batches.cancel(batch.id)
            time.sleep(0.5)
        return answers_its_line(call)

    batches.stack.upstream.answers(cancels)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "cancelled"
    output, errors = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    asked = [row for row in errors if row["response"]]
    if moment == "before":
        assert (output, ids_of(errors), held(batches, key)) == ([], names, (0, False))
        assert {row["error"]["code"] for row in errors} == {"batch_cancelled"}
        assert batch.request_counts.to_dict() == {"total": 40, "completed": 0, "failed": 0}
        return
    assert 0 < len(output) < 40
    assert sorted(ids_of(output) + ids_of(errors), key=names.index) == names
    assert {row["error"]["code"] for row in errors if not row["response"]} == {"batch_cancelled"}
    assert batch.request_counts.to_dict() == {"total": 40, "completed": len(output), "failed": len(asked)}
    assert held(batches, key) == (round(batch.usage.to_dict()["cost"] * 1e9), False)


def test_a_batch_goes_on_under_the_key_that_replaced_its_own(batches, monkeypatch):
    """Also if lines are refused in the moment in which the old one is blocked, and the new one is not there."""
    monkeypatch.setattr("haimaker.batches.part_run.AT_ONCE", 4)
    key, take_pools, renewed = batches.stack.key(budget_nanousd=10**9), successors.take_pools, []
    client = batches.openai_client(key)
    batch = begin(client, [line(f"line-{number}") for number in range(20)])

    def is_slow(*arguments):
        time.sleep(0.2)
        return take_pools(*arguments)

    def regenerates(call):
        if len(batches.stack.upstream.calls) == 6:
            request = Request("", body=json.dumps({"key": key}).encode())
            renewed.append(keys.regenerate(batches.stack.store, Account("key#a", "", 0, role="admin"), request)["key"])
        return answers_its_line(call)

    monkeypatch.setattr(successors, "take_pools", is_slow)
    batches.stack.upstream.answers(regenerates)
    batches.deliver()
    client = batches.openai_client(*renewed)
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 18, 2)
    assert len(batches.stack.upstream.calls) == 20
    spent, is_held, costs = batches.stack.money(*renewed)
    assert not is_held
    assert spent - sum(costs) >= 6 * COST, "what was being asked counts as spent with its worst case"


def test_a_batch_whose_time_is_over_has_each_line_in_its_error_file(batches, monkeypatch):
    key = batches.stack.key(budget_nanousd=10**9)
    client = batches.openai_client(key)
    batch = begin(client, [line("one"), line("two")])
    batches.give(batches.worker(), batches.receive())  # it is begun
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 86_401)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    errors = rows(client, batch.error_file_id)
    assert (batch.status, ids_of(errors), held(batches, key)) == ("expired", ["one", "two"], (0, False))
    assert {row["error"]["code"] for row in errors} == {"batch_expired"}


def test_messages_that_come_twice_do_nothing(batches):
    """The second at the same moment as the first, and once more after it."""
    batches.stack.upstream.answers(answers_its_line)
    key = batches.stack.key()
    client = batches.openai_client(key)
    batch, workers = (
        begin(client, [line(f"line-{number}") for number in range(20)]),
        [batches.load("batch_worker") for _ in range(2)],
    )
    while message := batches.receive():
        threads = [threading.Thread(target=batches.give, args=(worker, message)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        batches.give(workers[0], message)
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 18, 2)
    assert ids_of(rows(client, batch.output_file_id)) == [f"line-{n}" for n in range(20) if n % 10 != 7]
    assert len(batches.stack.upstream.calls) == 20
    assert held(batches, key) == (18 * COST, False)


def test_a_part_that_takes_longer_than_a_function_is_gone_on_with_by_the_next(batches, monkeypatch):
    monkeypatch.setattr("haimaker.batches.part_run.AT_ONCE", 1)
    monkeypatch.setattr("haimaker.batches.parts.PART_LINES", 8)
    monkeypatch.setattr("haimaker.batches.part_run.ASKS_PART", 0.005)
    batches.stack.upstream.answers(answers_its_line)
    key = batches.stack.key()
    client = batches.openai_client(key)
    batch = begin(client, [line(f"line-{number}") for number in range(20)])
    assert batches.deliver(lasts_s=10) > 4, "there are three parts, and each function has 0.05 s"
    batch = client.batches.retrieve(batch.id)
    assert ids_of(rows(client, batch.output_file_id)) == [f"line-{n}" for n in range(20) if n % 10 != 7]
    assert (len(batches.stack.upstream.calls), held(batches, key)) == (20, (18 * COST, False))


@pytest.mark.parametrize("tables", ["batches", "batches_on_dynalite"])
def test_the_state_of_a_batch_costs_a_fraction_of_a_write_a_line(request, tables):
    """Besides the three of any request: its reservation, its record and its end."""
    batches, number = request.getfixturevalue(tables), 60
    batches.stack.upstream.answers(answers_its_line)
    key = batches.stack.key(budget_nanousd=10**9)
    client = batches.openai_client(key)
    batch = begin(client, [line(f"line-{each}") for each in range(number)], metadata={"haimaker_mode": "now"})
    batches.stack.front.take()
    batches.deliver()
    calls = batches.stack.front.take()
    assert client.batches.retrieve(batch.id).status == "completed"
    writes = sum(call in ("reserve", "release", "PutItem", "DeleteItem", "TransactWriteItems") for call in calls)
    assert calls.count("PutItem") == number
    assert writes <= 3.5 * number, calls


def test_what_nobody_ended_is_ended_by_who_reconciles(batches):
    key = batches.stack.key(budget_nanousd=10**9)
    client = batches.openai_client(key)
    batch = begin(client, [line("one"), line("two")])
    batches.give(batches.worker(), batches.receive())
    assert batches.stack.balance(key).held_nanousd
    store, late_s = batches.stack.store, time.time() + 3 * 86_400
    (found,) = find_abandoned(store, auth.account_id_of(key), late_s)
    assert end_abandoned(store, found, late_s) > 0
    assert (client.batches.retrieve(batch.id).status, held(batches, key)) == ("expired", (0, False))
    assert batches.deliver() > 0
    assert batches.stack.upstream.calls == []
    assert (store.documents.all(f"{KIND}{batch.id}"), store.documents.all(f"{OPEN}{QUEUE_HOME}")) == ([], [])


def test_the_command_line_runs_a_large_batch_of_the_stack(batches, tmp_path, monkeypatch):
    """It sends the file to the bucket, and reads what is large from there; the key stays with the gateway."""
    monkeypatch.setattr("local.command_line.batches.FIRST_LOOK_S", 0.05)
    batches.stack.upstream.answers(lambda call: Reply.json(200, completion("long " * 500_000)))
    lines = tmp_path / "lines.jsonl"
    lines.write_text("\n".join(json.dumps({**line(name), "more": "x" * 1_500_000}) for name in ("one", "two", "three")))
    monkeypatch.setenv("HAIMAKER_KEY", batches.stack.key())
    monkeypatch.setattr("sys.argv", ["haimaker", "batches", "run", str(lines), "--url", f"{batches.url}/v1"])
    ended = threading.Event()

    def deliver() -> None:
        while not ended.wait(0.05):
            batches.deliver()

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        assert main() == 0
    finally:
        ended.set()
        thread.join()
    found = [json.loads(row) for row in (tmp_path / "lines.output.jsonl").read_text().splitlines()]
    assert ids_of(found) == ["one", "two", "three"]
    assert all(len(row["response"]["body"]["choices"][0]["message"]["content"]) == 2_500_000 for row in found)


EMBEDDED = {"user": "ada", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}
OPTIONS = {
    "HAIMAKER_USER_BUDGET": "5",
    "HAIMAKER_SIGNED_PROVIDERS": "bedrock,bedrock_invoke",
    "HAIMAKER_CONTENT_BUCKET": BUCKETS["Content"],
}
"""As the template sets them with every option on."""


def leave_hold(stack: Stack, *account_ids: str) -> None:
    """What a function leaves that was killed: holds that nobody settles, whose deadlines have passed."""
    request_id, began_s = f"killed-{time.time()}", time.time() - 2_000
    for account_id in account_ids:
        assert stack.store.reserve(Reservation(request_id, account_id, 1, 1_000, 0, began_s, int(began_s) + 1_000, account_ids))


def test_the_role_of_the_worker_has_what_it_does_and_no_more(batches_and_content, monkeypatch):
    """Lines of each endpoint that needs something of its own, of a key of a team whose account a killed function left behind."""
    batches, stack = batches_and_content, batches_and_content.stack
    put_secrets(batches.address, stack.secrets, {"OPENAI_API_KEY": UPSTREAM_KEY, "CEREBRAS_API_KEY": "c-1"})
    put_secrets(batches.address, f"{stack.secrets}-2", {"GROQ_API_KEY": "gsk-1"})
    team = f"team#{stack.secrets}"
    assert stack.store.put(Account(team, "team", 1))
    key = stack.key(team_id=team.removeprefix("team#"), log_content=True)
    leave_hold(stack, auth.account_id_of(key), team)
    split = stack.key()
    stack.store.shards.grow(auth.account_id_of(split))
    addresses = {"BEDROCK_BASE_URL": stack.front.url, "CEREBRAS_BASE_URL": stack.upstream.url}
    worker, client = batches.load("batch_worker", **OPTIONS, **addresses), batches.openai_client(key)

    def answers(bodies: dict[str, dict[str, Any]], endpoint: str, client: openai.OpenAI = client) -> dict[str, dict[str, Any]]:
        batch = begin(
            client, [{"custom_id": name, "method": "POST", "url": endpoint, "body": each} for name, each in bodies.items()]
        )
        batches.deliver(worker)
        batch = client.batches.retrieve(batch.id)
        assert batch.status == "completed", batch
        found = rows(client, batch.output_file_id) + rows(client, batch.error_file_id)
        return {row["custom_id"]: row["response"]["body"] for row in found}

    file = client.files.create(file=("a.pdf", b"%PDF-1.7"), purpose="user_data")
    part = {"type": "file", "file": {"file_id": file.id}}
    answers(
        {
            "one": {"model": "openai/gpt-4o-mini", **EMBEDDED},
            "file": {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": [part]}], "max_tokens": 50},
            "profile": {"model": "bedrock/us.amazon.nova-lite-v1:0", **EMBEDDED},
        },
        CHAT,
    )
    answers({"one": line("one")["body"]}, CHAT, batches.openai_client(split))
    stored = answers({"one": {"model": "cerebras/any", "input": "Hi", "max_output_tokens": 50}}, "/v1/responses")["one"]
    more = {"previous_response_id": stored["id"], "model": "cerebras/any", "input": "Ho", "max_output_tokens": 50}
    item = {"model": "openai/gpt-4o-mini", "input": [{"type": "item_reference", "id": "rs_1"}], "max_output_tokens": 50}
    assert answers({"more": more, "item": item}, "/v1/responses")["more"]["previous_response_id"] == stored["id"]
    answers({"one": {"model": "bedrock/guardrail-1", "input": "Hi"}}, "/v1/moderations")
    monkeypatch.setattr("haimaker.batches.parts.PART_LINES", 2)
    begin(client, [line(f"line-{number}") for number in range(4)])
    monkeypatch.setattr("haimaker.blobs.s3.PART_BYTES", 300)
    while message := batches.receive():
        for name in batches.objects():  # of the second part
            if name.startswith("batches/") and ".0001." in name:
                batches.s3.delete_object(Bucket=BUCKETS["Files"], Key=name)
        batches.give(worker, message)
    role = stack.role("batch_worker")
    assert (role.refused, role.unused()) == ([], OF_BEDROCKS_BATCHES), "these are used in test_stack_native_batches.py"


@pytest.mark.parametrize("seed", [int(each) for each in os.environ.get("STACK_BATCH_SEEDS", "1 2").split()])
def test_a_batch_outlives_its_functions(batches, monkeypatch, seed):
    """Killed at random calls. What takes a quarter of an hour in the stack, until a part is given to another, passes at once."""
    monkeypatch.setattr("haimaker.batches.parts.PART_LINES", 12)
    monkeypatch.setattr("haimaker.batches.part_run.WRITES_EVERY_S", 0.05)
    batches.stack.upstream.answers(answers_its_line)
    key = batches.stack.key(budget_nanousd=10**9)
    client = batches.openai_client(key)
    names = [f"line-{number}" for number in range(45)]
    batch = begin(client, [line(name) for name in names])
    kills = outlive(batches, monkeypatch, random.Random(seed), auth.account_id_of(key), batch.id)
    assert kills >= 5
    check(batches, key, client, client.batches.retrieve(batch.id), names)


def test_what_was_answered_before_the_store_failed_is_not_asked_again(batches, monkeypatch):
    ask, failures = Asking.ask, [StoreUnavailable("gone for a moment")]

    def fails_at_the_last(asking, number, *arguments):
        if number == 19 and failures:
            time.sleep(1.0)
            raise failures.pop()
        return ask(asking, number, *arguments)

    monkeypatch.setattr(Asking, "ask", fails_at_the_last)
    monkeypatch.setattr("haimaker.batches.part_run.WRITES_EVERY_S", 60.0)
    batches.stack.upstream.answers(answers_its_line)
    key = batches.stack.key(budget_nanousd=10**9)
    client = batches.openai_client(key)
    names = [f"line-{number}" for number in range(20)]
    batch = begin(client, [line(name) for name in names])
    batches.deliver()
    assert (len(batches.stack.upstream.calls), failures) == (20, [])
    check(batches, key, client, client.batches.retrieve(batch.id), names)


def test_what_a_function_had_that_died_is_anothers_after_a_minute_and_a_half(batches, monkeypatch):
    """Though it could have lived for a quarter of an hour, for which what it had reserved is held."""
    passed_s, now, hidden = 0.0, time.time, []
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(time, "time", lambda: now() + passed_s)
    monkeypatch.setattr(DynamoStore.__init__, "__defaults__", (lambda: time.time(),))
    monkeypatch.setattr("haimaker.aws.queue.MessageQueue.hide", lambda *arguments: hidden.append(arguments[-1]))
    upstream = batches.stack.upstream
    upstream.answers(answers_its_line)
    key, user = batches.stack.key(budget_nanousd=10**9), END_USER.account_id("ada")
    client = batches.openai_client(key)
    assert batches.stack.store.put(Account(user, "ada", 1))
    names = [f"line-{number}" for number in range(20)]
    lines = [line(name) for name in names]
    batch = begin(client, [each | {"body": each["body"] | {"user": "ada"}} for each in lines])
    batches.step()
    message, mortal = batches.receive(), Mortal(monkeypatch, random.Random(1))
    mortal.left = 100
    with pytest.raises(Killed):
        batches.give(batches.worker(), message, 900.0)
    mortal.is_dead, mortal.left, asked = False, 10**9, len(upstream.calls)
    assert (hidden[-1], 0 < asked < 20) == (90, True)
    passed_s = 30.0
    another = batches.load("batch_worker")
    assert batches.give(another, message, 900.0)
    assert len(upstream.calls) == asked, "it may be alive"
    passed_s = 90.0
    batches.tell(batch.id, auth.account_id_of(key), 0)
    batches.deliver(another, 900.0)
    check(batches, key, client, client.batches.retrieve(batch.id), names)
    records, _ = batches.stack.store.records(auth.account_id_of(key))
    assert {record.status for record in records} >= {"ok", "lost"}
    balance = batches.stack.store.get(user)
    assert balance
    charged = sum(each.cost_nanousd for each in records if each.status != "lost" or user in each.detail["charged"])
    assert (balance.reservations, balance.held_nanousd, balance.spend_nanousd) == (0, 0, charged), "an end user's holds end as well"
    assert any(user in record.detail.get("charged", ()) for record in records)


def check(batches: StackBatches, key: str, client: openai.OpenAI, batch: Any, names: list[str]) -> None:
    output, errors = rows(client, batch.output_file_id), rows(client, batch.error_file_id)
    assert ids_of(output) == [name for name in names if not name.endswith("7")]
    assert ids_of(errors) == [name for name in names if name.endswith("7")]
    records, _ = batches.stack.store.records(auth.account_id_of(key), limit=1_000)
    found = {record.request_id: record for record in records}
    assert held(batches, key) == (round(batch.usage.to_dict()["cost"] * 1e9), False)
    answered = {row["response"]["request_id"] for row in (*output, *errors)}
    assert answered <= found.keys()
    asked_before = {name for record in records for name in record.detail.get("asked_before", ())}
    assert found.keys() - answered == asked_before, "whoever was asked twice is named by the second record"
    assert batches.stack.balance(key).reservations == 0
    assert sorted(name.partition("/")[0] for name in batches.objects()) == ["files"] * 3
