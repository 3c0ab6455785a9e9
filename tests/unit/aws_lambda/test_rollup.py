"""Daily totals: what a record adds to, how records share transactions, and that no delivery changes a total twice."""

import os
import random
import runpy
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haimaker.aws.client import AWSClient
from haimaker.aws.sigv4 import Credentials
from haimaker.aws_lambda.rollup import (
    MAX_ACTIONS,
    DailyTotals,
    RecordTotals,
    TotalKey,
    group_for_transactions,
    record_totals,
    sum_totals,
)
from haimaker.observability.observer import Observer
from haimaker.store import Record, StoreUnavailable, tables
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.totals import AMOUNTS, By
from haimaker.validation.settings import SettingsError
from tests.support.dynamodb_emulators import answer, failure, moto_locked, scripted

ROOT = Path(__file__).parents[3]
NAMES = {"accounts": "test-rollup-accounts", "records": "test-rollup-records"}
STARTED_S = 1_790_000_000.0
DAY = "2026-09-21"
DETAIL = {"provider": "openai", "model": "gpt-4o", "tags": ["a", "b"], "input_tokens": 3, "output_tokens": 5}


def record(number, status="ok", cost=7, account="key#1", **detail):
    return Record(f"r{number}", account, STARTED_S + number, status, cost, {**DETAIL, **detail})


def change(item, name="INSERT"):
    return {"eventName": name, "dynamodb": {"NewImage": tables.to_attributes(tables.record_item(item))}}


def event(*records):
    return {"Records": [change(item) for item in records]}


@pytest.mark.parametrize(
    ("item", "places"),
    [
        (record(1, tags=[]), {("total", f"provider#{DAY}#openai"), ("total", f"model#{DAY}#openai/gpt-4o")}),
        (record(1, tags=[], model=None, team_id="t", user="u"), {("total", f"team#{DAY}#t"), ("total", f"user#{DAY}#u")}),
        (record(1, tags=["x", "x"], provider=None, model=None), {("total", f"tag#{DAY}#x")}),
        (Record("r", "key#1", STARTED_S, "lost", 7, {"deadline_s": 1}), set()),
        (record(1, tags=["é" * 3_000, "\ud800"], model=None), {("total", f"tag#{DAY}#{'é' * 450}"), ("total", f"tag#{DAY}#")}),
    ],
)
def test_a_record_adds_to_its_key_to_all_and_to_its_names(item, places):
    found = record_totals(tables.record_item(item))
    assert found.places == places | {("key#1", f"day#{DAY}"), ("total", f"day#{DAY}"), ("total", f"key#{DAY}#key#1")}
    assert found.amounts["cost_nanousd"] == 7
    assert found.amounts["errors"] == (item.status != "ok")


@given(st.lists(st.sets(st.integers(0, 300), min_size=1, max_size=90), max_size=60))
def test_a_transaction_holds_all_that_its_records_touch_and_no_record_is_left_out(touched):
    additions = [
        RecordTotals(str(number), False, frozenset(TotalKey("total", str(place)) for place in places), {"requests": 1})
        for number, places in enumerate(touched)
    ]
    found = list(group_for_transactions(additions))
    assert [added for group in found for added in group] == additions
    assert all(len(group) + len(sum_totals(group)) <= MAX_ACTIONS for group in found)


@pytest.fixture(scope="module")
def dynamo():
    with moto_locked() as endpoint:
        client = AWSClient("dynamodb", "us-east-1", Credentials("AKID", "secret"), endpoint, timeout_s=20)
        tables.create_tables(client, NAMES)
        yield client
        client.close()


@pytest.fixture
def rollup(dynamo):
    yield DailyTotals(dynamo, NAMES["accounts"], NAMES["records"], Observer())
    for name, keys in (("accounts", ("pk", "sk")), ("records", ("id",))):
        for item in dynamo.call("Scan", {"TableName": NAMES[name]})["Items"]:
            dynamo.call("DeleteItem", {"TableName": NAMES[name], "Key": {key: item[key] for key in keys}})


def keep(dynamo, *records):
    for item in records:
        dynamo.call("PutItem", {"TableName": NAMES["records"], "Item": tables.to_attributes(tables.record_item(item))})


def stored(dynamo):
    """The totals as the store reads them: with their parts added up."""
    store, found = DynamoStore(NAMES["accounts"], NAMES["records"], dynamo), {}
    for by in get_args(By):
        for total in store.totals(by, DAY, DAY):
            found["total", f"{by}#{DAY}" + (f"#{total.name}" if by != "day" else "")] = amounts(total)
            if by == "key":
                (of_key,) = store.totals("day", DAY, DAY, total.name)
                found[total.name, f"day#{DAY}"] = amounts(of_key)
    return found


def amounts(total):
    return Counter({name: getattr(total, name) for name in AMOUNTS})


def expected(*records):
    return {
        tuple(place): amounts for place, amounts in sum_totals(record_totals(tables.record_item(item)) for item in records).items()
    }


def test_any_batches_with_any_repetition_give_the_exact_totals(dynamo, rollup):
    source = random.Random(7)
    records = [
        record(number, source.choice(["ok", "error"]), source.randrange(10**10), f"key#{number % 3}", tags=[f"t{number % 30}"])
        for number in range(70)
    ]
    keep(dynamo, *records)
    delivered = records + source.sample(records, 40)
    source.shuffle(delivered)
    while delivered:
        rollup.part = source.randrange(3)
        batch = [delivered.pop() for _ in range(min(len(delivered), source.randrange(1, 45)))]
        rollup.add(event(*batch))
    assert stored(dynamo) == expected(*records)


def test_only_records_that_are_new_and_readable_count(dynamo, rollup):
    good, changed, gone = record(1), record(2), record(3)
    keep(dynamo, good, changed)
    broken = {"eventName": "INSERT", "dynamodb": {"NewImage": {"id": {"S": "r9"}}}}
    removed = {"eventName": "REMOVE", "dynamodb": {"Keys": {"id": {"S": "r4"}}}}
    rollup.add({"Records": [broken, change(changed, "MODIFY"), removed, change(good), change(gone), change(good)]})
    assert stored(dynamo) == expected(good)


def test_a_record_that_was_counted_is_still_the_same_record(dynamo, rollup):
    keep(dynamo, record(1))
    rollup.add(event(record(1)))
    item = dynamo.call("GetItem", {"TableName": NAMES["records"], "Key": {"id": {"S": "r1"}}})["Item"]
    assert tables.record(tables.from_attributes(item)) == record(1)


CONFLICT = (
    b'{"__type": "x#TransactionCanceledException", "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}]}'
)


DONE = answer(200, b"{}")


@pytest.mark.parametrize(
    ("answers", "fails"),
    [
        ([failure("AccessDeniedException")], True),
        ([failure("ValidationException")], True),
        ([answer(400, CONFLICT)], True),
        ([answer(400, CONFLICT), DONE], False),
        ([failure("ThrottlingException"), DONE], False),
        ([None, DONE], True),
    ],
)
def test_what_can_not_be_written_has_to_come_again(answers, fails):
    with scripted(*answers) as endpoint:
        client = AWSClient("dynamodb", "us-east-1", Credentials("AKID", "secret"), endpoint)
        rollup = DailyTotals(client, "a", "r", Observer())
        if fails:
            with pytest.raises(StoreUnavailable):
                rollup.add(event(record(1)))
        else:
            rollup.add(event(record(1)))
        client.close()


def test_the_function_builds_without_asking_anything(monkeypatch):
    monkeypatch.setattr("os.environ", {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"})
    with pytest.raises(SettingsError, match="HAIMAKER_ACCOUNTS_TABLE"):
        DailyTotals.from_environment()
    os.environ.update(HAIMAKER_ACCOUNTS_TABLE="a", HAIMAKER_RECORDS_TABLE="r", HAIMAKER_ALERT_WEBHOOK="https://example.com/alerts")
    assert DailyTotals.from_environment().observer.alert_webhook == "https://example.com/alerts", "which lost requests are told"
    handler = runpy.run_path(str(ROOT / "functions/rollup/app.py"))["handler"]
    assert handler({"Records": []}, None) is None
