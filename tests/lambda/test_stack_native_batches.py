"""Lines of the stack's batches in batches of their providers' own: planned, followed, read and settled by functions that may die at
any call, each line charged once."""

import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from haimaker.accounts import keys as auth
from haimaker.batches.heart import Heart
from haimaker.batches.queued import Message, read_message
from haimaker.batches.steps import Steps
from haimaker.lean_dataclasses import replace
from haimaker.store.dynamodb import DynamoStore
from tests.contract.test_batches import begin, rows
from tests.contract.test_native_batches import (
    BEDROCK,
    CLAUDE,
    FIREWORKS,
    OPENAI,
    PRICES,
    REFUSAL,
    VERTEX,
    all_of,
    asked,
    to_converse,
    vendor_of,
)
from tests.contract.test_native_batches import answers as answers_of
from tests.support.bucket_vendors import BedrockBesideS3
from tests.support.reply import JSON, Reply
from tests.support.stack import PARAMETERS, UPSTREAM_KEY, put_secrets
from tests.support.stack_batches import OF_BEDROCKS_BATCHES, Killed, StackBatches, outlive

WRITES = ("reserve", "release", "settle", "PutItem", "DeleteItem", "UpdateItem", "TransactWriteItems")
NATIVE = {"metadata": {"haimaker_mode": "native"}}
TEXTS = ("one", "bad", "two", "busy", "late", "three", "four", "five")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haimaker.batches.native.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("haimaker.batches.native.LONGEST_PAUSE_S", 0.03)
    monkeypatch.setattr("haimaker.batches.part_run.WRITES_EVERY_S", 0.05)
    monkeypatch.setattr("haimaker.batches.asking._retry_wait_s", lambda *_, **__: None)
    monkeypatch.setattr("haimaker.batches.parts.PART_LINES", 3)


@pytest.fixture(autouse=True)
def worker(batches: StackBatches, tmp_path: Path) -> None:
    """It has keys of three providers, and a token of Google's, the account of one and a bucket of another."""
    keys = {"OPENAI_API_KEY": UPSTREAM_KEY, "ANTHROPIC_API_KEY": "sk-ant", "FIREWORKS_AI_API_KEY": "fw-1"}
    keys |= {"VERTEX_AI_ACCESS_TOKEN": "ya29.token"}
    put_secrets(batches.address, batches.stack.secrets, keys)
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[batches.accounts]\nfireworks_ai = { account = "my-account" }\nvertex_ai = { bucket = "my-bucket/some/folder" }\n'
    )
    providers = ("ANTHROPIC", "FIREWORKS_AI", "VERTEX_AI")
    addresses = dict.fromkeys((f"{name}_BASE_URL" for name in providers), batches.stack.upstream.url)
    batches.functions["batch_worker"] = batches.load("batch_worker", **addresses, HAIMAKER_CONFIG=str(file))


def ids_of(client: Any, file_id: str | None) -> list[str]:
    return [row["custom_id"] for row in rows(client, file_id)] if file_id else []


def check_money(batches: StackBatches, key: str, batch: Any) -> list[Any]:
    """Nothing is held, what was spent is what the records say, and neither lines nor answers are left in the bucket. Returns the
    records."""
    records, _ = batches.stack.store.records(auth.account_id_of(key), limit=1_000)
    spent, is_held, costs = batches.stack.money(key)
    assert (spent, is_held) == (sum(costs), False)
    assert spent == round(batch.usage.to_dict()["cost"] * 1e9)
    assert batches.stack.balance(key).reservations == 0
    assert not [name for name in batches.objects() if ".native." in name or ".answers." in name or name.endswith(".lines")]
    return list(records)


@pytest.mark.parametrize("model", [OPENAI, CLAUDE, FIREWORKS, VERTEX, "vertex_ai/claude-sonnet-4-5"])
def test_lines_are_answered_by_a_batch_of_their_provider(batches: StackBatches, model: str) -> None:
    vendor = vendor_of(model, batches.stack.upstream, ends_at=3)
    key = batches.stack.key(budget_nanousd=10**10)
    client = batches.openai_client(key)
    batch = begin(client, [asked(model, text) for text in TEXTS], **NATIVE)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.to_dict()) == ("completed", {"total": 8, "completed": 7, "failed": 1}), batch
    assert len(vendor.batches) == 1
    assert ids_of(client, batch.output_file_id) == [text for text in TEXTS if text != "bad"]
    assert ids_of(client, batch.error_file_id) == ["bad"]
    records = {record.detail["custom_id"]: record for record in check_money(batches, key, batch)}
    [sent] = vendor.batches.values()
    [told] = batch.model_extra["provider_batches"]
    natively = {name for name, each in records.items() if each.detail.get("provider_batch") == told["id"]}
    assert (natively, told["id"].endswith(sent.id)) == ({*TEXTS} - {"busy", "late"}, True)
    assert {records[name].cost_nanousd for name in ("one", "two", "three", "four", "five")} == {PRICES[model]}
    assert all(records[name].cost_nanousd > PRICES[model] for name in ("busy", "late"))
    assert (told["provider"], told["status"], told["lines"]) == (model.split("/")[0], "done", 8)


def bedrock_of(batches: StackBatches, **options: Any) -> BedrockBesideS3:
    """Bedrock, and a worker with the names that the template gives it."""
    function = batches.stack.template["Resources"]["BatchWorkerFunction"]["Properties"]
    given = {name: PARAMETERS.get(value.get("Ref")) for name, value in function["Environment"]["Variables"].items()}
    environment = {name: value for name, value in given.items() if value}
    assert sorted(environment.values()) == sorted(PARAMETERS.values())
    environment |= {"HAIMAKER_SIGNED_PROVIDERS": "bedrock,bedrock_invoke", "BEDROCK_BASE_URL": batches.stack.front.url}
    batches.functions["batch_worker"] = batches.load("batch_worker", **environment)
    vendor = BedrockBesideS3(answers_of(to_converse, REFUSAL), batches.s3, **options)
    assert (vendor.bucket, vendor.role) == tuple(PARAMETERS.values())
    batches.stack.upstream.answers(vendor)
    return vendor


def test_bedrocks_own_batches_are_in_the_bucket_and_by_the_role_of_the_parameters(
    batches: StackBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One whose begin is not answered, and one by an inference profile that is cancelled: all that the role may do for them."""
    monkeypatch.setattr("haimaker.batches.parts.PART_LINES", 200)
    vendor = bedrock_of(batches)
    vendor.swallows = 1
    key = batches.stack.key(budget_nanousd=10**10)
    client = batches.openai_client(key)
    texts = all_of(BEDROCK, ["one", "bad", "two"])
    batch = begin(client, [asked(BEDROCK, text) for text in texts], **NATIVE)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed, vendor.ordinary) == ("completed", 99, []), batch
    assert (ids_of(client, batch.output_file_id), ids_of(client, batch.error_file_id)) == ([*texts[:1], *texts[2:]], ["bad"])
    records = check_money(batches, key, batch)
    assert {record.detail["provider_batch"] for record in records} == vendor.batches.keys()
    assert sorted(record.cost_nanousd for record in records) == [0, *[PRICES[BEDROCK]] * 99]

    vendor.ends_at = 10**6
    profile = BEDROCK.replace("/", "/us.")
    batch = begin(client, [asked(profile, text) for text in texts], **NATIVE)
    while len(vendor.batches) < 2:
        batches.step()
    client.batches.cancel(batch.id)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, [each.is_cancelled for each in vendor.batches.values()]) == ("cancelled", [False, True])
    role = batches.stack.role("batch_worker")
    assert (role.refused, role.unused() & OF_BEDROCKS_BATCHES) == ([], set())


def test_lines_of_several_kinds_are_in_their_order(batches: StackBatches) -> None:
    """Those of ordinary requests are answered while a provider's batch runs."""
    vendor = vendor_of(OPENAI, batches.stack.upstream, ends_at=10**6)
    key = batches.stack.key()
    client = batches.openai_client(key)
    lines = [asked(OPENAI if number % 3 else "demo/echo", str(number)) for number in range(10)]
    batch = begin(client, lines, **NATIVE)
    while client.batches.retrieve(batch.id).request_counts.completed < 4:
        batches.step()
    assert client.batches.retrieve(batch.id).status == "in_progress"
    vendor.ends_at = 1
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, vendor.ordinary) == ("completed", [])
    assert ids_of(client, batch.output_file_id) == [str(number) for number in range(10)]
    assert sorted(record.cost_nanousd for record in check_money(batches, key, batch)) == [0] * 4 + [PRICES[OPENAI]] * 6


def refuses(vendor: Any) -> None:
    vendor.refusals = [Reply.json(400, {"error": {"message": "No batches for you.", "code": None}})]


def fails(vendor: Any) -> None:
    vendor.fails = "The enqueued tokens are too many."


def swallows(vendor: Any) -> None:
    vendor.swallows = 1


def is_busy(vendor: Any) -> None:
    vendor.refusals = [Reply.json(429, {"error": {"message": "later", "code": None}})]


@pytest.mark.parametrize(("trouble", "ordinary"), [(refuses, 8), (fails, 8), (swallows, 0), (is_busy, 0)])
def test_what_a_provider_does_not_take_is_asked_otherwise(batches: StackBatches, trouble: Any, ordinary: int) -> None:
    vendor = vendor_of(OPENAI, batches.stack.upstream)
    trouble(vendor)
    key = batches.stack.key()
    client = batches.openai_client(key)
    batch = begin(client, [asked(OPENAI, str(number)) for number in range(8)], **NATIVE)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed, len(vendor.ordinary)) == ("completed", 8, ordinary), batch
    assert len(vendor.batches) == (0 if trouble is refuses else 1)
    assert len(check_money(batches, key, batch)) == 8


def begin_to_run(batches: StackBatches, client: Any, vendor: Any, *more: JSON) -> Any:
    batch = begin(client, [*(asked(OPENAI, text) for text in ("one", "two", "three", "four")), *more], **NATIVE)
    while not (told := client.batches.retrieve(batch.id).model_extra["provider_batches"]) or told[0]["status"] != "running":
        batches.step()
    assert len(vendor.batches) == 1
    return batch


@pytest.mark.parametrize("end", ["cancelled", "expired"])
def test_the_end_of_a_batch_is_that_of_its_providers(batches: StackBatches, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    vendor = vendor_of(OPENAI, batches.stack.upstream, ends_at=10**6)
    key = batches.stack.key(budget_nanousd=10**10)
    client = batches.openai_client(key)
    batch = begin_to_run(batches, client, vendor, asked("demo/echo", "echo"))
    while client.batches.retrieve(batch.id).request_counts.completed < 1:
        batches.step()
    now = time.time
    if end == "cancelled":
        client.batches.cancel(batch.id)
    else:
        monkeypatch.setattr(time, "time", lambda: now() + 86_401)
        batches.ring(auth.account_id_of(key), batch.id)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, [each.is_cancelled for each in vendor.batches.values()]) == (end, [True])
    assert ids_of(client, batch.output_file_id) == ["echo"]
    assert [(row["custom_id"], row["error"]["code"]) for row in rows(client, batch.error_file_id)] == [
        (name, f"batch_{end}") for name in ("one", "two", "three", "four")
    ]
    assert len(check_money(batches, key, batch)) == 1


def test_what_a_provider_answered_before_its_key_was_blocked_is_charged(batches: StackBatches) -> None:
    vendor = vendor_of(OPENAI, batches.stack.upstream, ends_at=10**6)
    key = batches.stack.key(budget_nanousd=10**10)
    client = batches.openai_client(key)
    begun = begin_to_run(batches, client, vendor)
    batches.stack.store.update(replace(batches.stack.balance(key).account, blocked=True))
    vendor.ends_at = 1
    batches.functions["batch_worker"] = batches.load("batch_worker")
    batches.deliver()
    batches.stack.store.update(replace(batches.stack.balance(key).account, blocked=False))
    batch = client.batches.retrieve(begun.id)
    records = check_money(batches, key, batch)
    assert [record.cost_nanousd for record in records if record.detail.get("provider_batch")] == [PRICES[OPENAI]] * 4
    assert ids_of(client, batch.output_file_id) == ["one", "two", "three", "four"]


def test_a_batch_that_its_provider_forgot_is_charged_by_estimate(batches: StackBatches) -> None:
    vendor = vendor_of(OPENAI, batches.stack.upstream, ends_at=10**6)
    key = batches.stack.key()
    client = batches.openai_client(key)
    batch = begin_to_run(batches, client, vendor)
    vendor.batches.clear()
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.failed) == ("completed", 4)
    assert {row["response"]["status_code"] for row in rows(client, batch.error_file_id)} == {504}
    assert all(record.detail["cost_estimated"] and record.cost_nanousd for record in check_money(batches, key, batch))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_answer_whose_record_was_written_and_not_charged_is_charged(
    batches: StackBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor_of(OPENAI, batches.stack.upstream)
    key = batches.stack.key(budget_nanousd=10**10)
    client = batches.openai_client(key)
    batch, end, deaths = begin(client, [asked(OPENAI, text) for text in ("one", "two")], **NATIVE), DynamoStore._end, [Killed()]

    def dies(*arguments: Any) -> Any:
        if deaths:
            raise deaths.pop()
        return end(*arguments)

    monkeypatch.setattr(DynamoStore, "_end", dies)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.completed, deaths) == ("completed", 2, [])
    assert [record.cost_nanousd for record in check_money(batches, key, batch)] == [PRICES[OPENAI]] * 2


def test_answers_that_can_not_be_read_at_once_are_read_later(batches: StackBatches) -> None:
    vendor, failures = vendor_of(OPENAI, batches.stack.upstream), [500, 503, 404]
    batches.stack.upstream.answers(
        lambda call: Reply.json(failures.pop(), {}) if "/content" in call.path and failures else vendor(call)
    )
    client = batches.openai_client(batches.stack.key())
    batch = begin(client, [asked(OPENAI, "one"), asked(OPENAI, "two")], **NATIVE)
    batches.deliver()
    batch = client.batches.retrieve(batch.id)
    assert (batch.request_counts.completed, vendor.ordinary, failures) == (2, [], [])


def test_the_state_of_a_line_costs_no_write_more_than_its_request(batches: StackBatches, monkeypatch: pytest.MonkeyPatch) -> None:
    number = 60
    monkeypatch.setattr("haimaker.batches.parts.PART_LINES", 200)
    vendor = vendor_of(OPENAI, batches.stack.upstream, ends_at=3)
    key = batches.stack.key(budget_nanousd=10**10)
    client = batches.openai_client(key)
    batch = begin(client, [asked(OPENAI, str(each)) for each in range(number)])
    batches.stack.front.take()
    batches.deliver()
    calls = batches.stack.front.take()
    assert client.batches.retrieve(batch.id).request_counts.completed == number
    assert vendor.ordinary == []
    assert calls.count("PutItem") == number
    assert sum(call in WRITES for call in calls) <= 4 * number, calls


def test_a_provider_that_takes_hours_is_looked_at_every_five_minutes(
    batches: StackBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By one message, and three writes for all lines together."""
    monkeypatch.setattr("haimaker.batches.native.FIRST_PAUSE_S", 10.0)
    monkeypatch.setattr("haimaker.batches.native.LONGEST_PAUSE_S", 300.0)
    passed_s, now, looks = 0.0, time.time, 0
    monkeypatch.setattr(time, "time", lambda: now() + passed_s)
    vendor = vendor_of(OPENAI, batches.stack.upstream, ends_at=10**6)
    client = batches.openai_client(batches.stack.key())
    begin(client, [asked(OPENAI, str(each)) for each in range(12)], **NATIVE)
    tools, sent = batches.worker().handler._get_tools(), list[tuple[Message, float]]()
    monkeypatch.setattr(tools.queue.queue, "send", lambda body, delay_s=0: sent.append((read_message(body), delay_s)))
    batches.step()
    follow = next(message for message, _ in sent if message.is_follow)
    batches.stack.front.take()
    while passed_s < 20_000:
        sent.clear()
        Steps(tools, 4, lambda: 900.0, Heart(lambda _: None, tools.queue.directory)).do(follow)
        [(follow, pause_s)] = sent
        looks, passed_s = looks + 1, passed_s + pause_s + 1
    assert [each.looks for each in vendor.batches.values()] == [looks - 1]
    assert looks < 20_000 / 300 + 10
    assert sum(call in WRITES for call in batches.stack.front.take()) <= 3 * looks + 3


@pytest.mark.parametrize("seed", [int(each) for each in os.environ.get("STACK_BATCH_SEEDS", "1 2").split()])
def test_a_batch_of_a_provider_outlives_functions(batches: StackBatches, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Nothing is sent twice, and each answer is charged once, whatever function died at whatever call."""
    vendor = vendor_of(OPENAI, batches.stack.upstream, ends_at=3)
    key = batches.stack.key(budget_nanousd=10**10)
    client = batches.openai_client(key)
    texts = [*TEXTS, *map(str, range(12))]
    batch = begin(
        client, [asked("demo/echo" if text.isdigit() and int(text) % 3 == 0 else OPENAI, text) for text in texts], **NATIVE
    )
    kills = outlive(batches, monkeypatch, random.Random(seed), auth.account_id_of(key), batch.id, most_calls=60)
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, len(vendor.batches), kills >= 5) == ("completed", 1, True), (batch, kills)
    assert ids_of(client, batch.output_file_id) == [text for text in texts if text != "bad"]
    assert ids_of(client, batch.error_file_id) == ["bad"]
    records = check_money(batches, key, batch)
    natively = [record for record in records if record.detail.get("provider_batch")]
    assert sorted(record.detail["custom_id"] for record in natively) == sorted(
        text for text in texts if text not in ("busy", "late") and not (text.isdigit() and int(text) % 3 == 0)
    )
    assert {record.cost_nanousd for record in natively} == {0, PRICES[OPENAI]}
