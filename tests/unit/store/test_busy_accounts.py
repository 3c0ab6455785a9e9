"""An account that is asked for more than one item bears: how fast it is split, and where its records are then."""

import pytest

from haimaker.store.dynamodb import DynamoStore
from haimaker.store.tables import shard_name
from tests.unit.store.conftest import TABLES, Clock, Scene, SplitStore, client, record


@pytest.fixture
def dynamo(moto):
    dynamo = client(moto)
    yield dynamo
    dynamo.close()


def test_each_split_is_longer_in_coming_than_the_one_before(dynamo):
    """One item is throttled all the time, such as one with much in flight."""
    clock = Clock()
    store = DynamoStore(TABLES["accounts"], TABLES["records"], dynamo, clock)
    account = Scene(store, clock, "moto").account()
    start_s, numbers = clock.now_s, []
    for _ in range(14):
        store.shards.grow(account.id)
        numbers.append(store.shards.number(account.id))
        clock.now_s += 1
    grown = [second for second, number in enumerate(numbers) if not second or number > numbers[second - 1]]
    assert (grown, numbers[-1], clock.now_s - start_s) == ([0, 2, 6, 12], 16, 14)


def test_the_records_of_an_account_that_was_split_are_in_parts(dynamo, monkeypatch):
    """A partition of an index bears 1,000 records a second. Who reads them has not heard of it."""
    monkeypatch.setattr("haimaker.store.dynamo_shards.GROW_EVERY_S", 0)
    clock = Clock()
    split = Scene(SplitStore(TABLES["accounts"], TABLES["records"], dynamo, clock), clock, "moto")
    account = split.account(budget_nanousd=4_000)
    kept = []
    for number in range(24):
        clock.now_s += 1
        reservation = split.admitted(account)
        kept.append(record(reservation, number))
        assert split.store.settle(reservation, kept[-1], 10)
    before_s = clock.now_s
    lost = split.admitted(account, lasts_s=1)
    clock.now_s += 60
    assert split.store.charge_lost(account.id, clock.now_s) == 1
    keys = [{"TableName": TABLES["records"], "Key": {"id": {"S": one.request_id}}} for one in kept]
    stored = {dynamo.call("GetItem", key)["Item"]["account"]["S"] for key in keys}
    assert stored == {account.id, *(shard_name(account.id, part) for part in range(1, 4))}

    reader = DynamoStore(TABLES["accounts"], TABLES["records"], dynamo, clock)
    assert reader.records(account.id, 0, before_s, limit=30) == (kept[:-1], None)
    first, after = reader.records(account.id, limit=9, newest_first=True)
    assert [one.request_id for one in first] == [lost.request_id, *(one.request_id for one in kept[:-9:-1])]
    assert after
    assert reader.record(kept[3].request_id) == kept[3]
    split.roll_up(0, clock.now_s)
    found = reader.totals("day", "2026-01-01", "2026-12-31", account.id)
    assert sum(one.requests for one in found) == 25
    assert split.store.delete(account.id)
    assert len(reader.records(account.id, limit=30)[0]) == 25
