"""An account that was split: it grows while it is used, is changed and deleted as a whole, and nobody who has not heard of it errs.

What holds of every account is tested with a split one in the other modules, by the scene `split`."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from haimaker.billing import admission
from haimaker.store import Account, Denied, Granted, StoreThrottled, StoreUnavailable, tables
from haimaker.store.dynamodb import DynamoStore
from tests.support.bearing import bear
from tests.support.dynamodb_emulators import failure, scripted
from tests.unit.store.conftest import TABLES, Clock, Scene, SplitStore, client, record
from tests.unit.store.test_dynamodb import Losing


@pytest.fixture
def split(moto, monkeypatch):
    monkeypatch.setattr("haimaker.store.dynamo_shards.GROW_EVERY_S", 0)
    dynamo, clock = client(moto, Losing, total_timeout_s=5), Clock()
    dynamo.lose, dynamo.calls = [], []
    yield Scene(SplitStore(TABLES["accounts"], TABLES["records"], dynamo, clock), clock, "moto")
    dynamo.close()


def another(scene: Scene) -> DynamoStore:
    """Of another process, which knows nothing yet."""
    return DynamoStore(TABLES["accounts"], TABLES["records"], scene.store.dynamo, scene.clock)


def items(scene: Scene, account: Account) -> list[tables.Item]:
    return another(scene).shards.read_all(account.id)


def test_the_parts_of_each_limit_are_the_limit(split):
    account = split.account(budget_nanousd=1_001, rpm_limit=7, parallel_limit=5)
    found = items(split, account)
    assert [tables.account_and_shard(item) for item in found] == [(account.id, number) for number in range(4)]
    for name, limit in tables.limits_of_item(found[0]).items():
        assert sum(item[name] for item in found) == limit, name
    assert max(item["budget"] for item in found) - min(item["budget"] for item in found) <= 2


def test_who_has_not_heard_of_it_spends_what_is_elsewhere(split):
    account = split.account(budget_nanousd=1_000)
    reservations = [split.reservation(account, amount=90) for _ in range(12)]
    outcomes = [another(split).reserve(reservation) for reservation in reservations]
    assert [isinstance(outcome, Granted) for outcome in outcomes] == [True] * 11 + [False]
    assert outcomes[-1] == Denied("budget", account, 10, 0)


def test_a_limit_that_became_smaller_holds_for_all_shards_together(split):
    """Also where the shard that has a reservation owes, and the others have something left."""
    for _ in range(6):
        account = split.account()
        split.admitted(account)
        assert split.store.update(replace(account, parallel_limit=2, budget_nanousd=250))
        account = replace(account, version=2, parallel_limit=2, budget_nanousd=250)
        outcomes = [split.store.reserve(split.reservation(account, amount=10)) for _ in range(8)]
        assert sum(isinstance(outcome, Granted) for outcome in outcomes) == 1
        assert all(item["free_slots"] >= 0 and item["remaining"] >= 0 for item in items(split, account))


def test_it_grows_while_it_is_used(moto, split):
    plain = Scene(another(split), split.clock, "moto")
    account = plain.account(budget_nanousd=4_000, parallel_limit=30)
    done = threading.Event()

    def grow() -> None:
        store = another(split)
        for _ in range(3):
            store.shards.grow(account.id)
        done.set()

    def spend(_: int) -> int:
        store = another(split)
        try:
            outcome = store.reserve(reservation := split.reservation(account))
        except StoreThrottled:
            return 0
        if not isinstance(outcome, Granted):
            return 0
        assert store.settle(outcome.reservation, record(reservation, 100), 10)
        return 1

    growing = threading.Thread(target=grow)
    growing.start()
    with ThreadPoolExecutor(8) as threads:
        passed = sum(threads.map(spend, range(60)))
    growing.join()
    assert done.is_set()
    while isinstance(outcome := plain.store.reserve(reservation := split.reservation(account)), Granted):
        assert plain.store.settle(outcome.reservation, record(reservation, 100), 10)
        passed += 1
    assert (passed, outcome.reason) == (40, "budget")
    assert plain.money(account) == (4_000, 0, 4_000)
    assert len(items(split, account)) == 8


def test_what_was_in_flight_before_is_charged_where_it_is(moto, split):
    plain = Scene(another(split), split.clock, "moto")
    account = plain.account(budget_nanousd=4_000)
    for _ in range(8):
        plain.admitted(account, lasts_s=60)
    split.store.shards.grow(account.id)
    split.clock.now_s += 60
    assert another(split).charge_lost(account.id, split.clock.now_s) == 8
    assert plain.money(account) == (800, 0, 800)


def test_many_who_need_the_last_of_it_do_not_take_it_from_each_other(split):
    """Each shard has half of what a request needs."""
    account = split.account(budget_nanousd=200)
    with ThreadPoolExecutor(20) as threads:
        outcomes = [*threads.map(split.store.reserve, [split.reservation(account, amount=100) for _ in range(20)])]
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, Denied)] == ["budget"] * 18


def test_it_has_so_many_and_no_more(split, monkeypatch):
    monkeypatch.setattr("haimaker.store.dynamo_shards.MOST_SHARDS", 8)
    account = split.account()
    for _ in range(3):
        split.store.shards.grow(account.id)
    assert len(items(split, account)) == 8


@pytest.mark.parametrize("change", [{"blocked": True}, {"budget_nanousd": 40}, {"rpm_limit": 1}])
def test_a_change_that_did_not_reach_all_reaches_who_asks(split, monkeypatch, change):
    account = split.account(budget_nanousd=4_000)
    monkeypatch.setattr(SplitStore, "_follow", lambda *_: (_ for _ in ()).throw(StoreUnavailable("died")))
    with pytest.raises(StoreUnavailable):
        split.store.update(replace(account, **change))
    monkeypatch.undo()
    changed = replace(account, **change, version=2)
    reasons = []
    for _ in range(30):
        outcome = another(split).reserve(split.reservation(changed))
        reasons.append(outcome.reason if isinstance(outcome, Denied) else "")
        if isinstance(outcome, Granted):
            assert another(split).settle(outcome.reservation, record(outcome.reservation, 30), 10)
    expected = {"blocked": {"blocked"}, "budget_nanousd": {"budget"}, "rpm_limit": {"", "rpm"}}[next(iter(change))]
    assert {*reasons} == expected
    assert reasons.count("") == ("rpm_limit" in change)
    found = items(split, account)
    for name, limit in tables.limits_of_item(found[0]).items():
        if all(item["version"] == 2 for item in found):
            assert sum(item[name] for item in found) == limit, name
    assert split.store.update(replace(changed, blocked=False, rpm_limit=None, budget_nanousd=10_000))
    assert all(item["version"] == 3 for item in items(split, account))
    assert sum(item["budget"] for item in items(split, account)) == 10_000


def test_it_is_deleted_as_a_whole_and_made_anew(split):
    account = split.account(budget_nanousd=4_000)
    old = another(split)
    assert old.get(account.id)
    assert split.store.delete(account.id)
    assert [
        split.store.dynamo.call("GetItem", {"TableName": TABLES["accounts"], "Key": tables.key(account.id, number)})
        for number in range(4)
    ] == [{}] * 4
    assert old.reserve(split.reservation(account)) == Denied("unknown")
    assert another(split).put(account)
    assert all(isinstance(old.reserve(split.reservation(account)), Granted) for _ in range(8))


def test_a_lost_answer_is_no_second_hold(split):
    account = split.account(budget_nanousd=4_000)
    for _ in range(2):
        store = another(split)
        store.get(account.id)
        split.store.dynamo.lose = ["UpdateItem", "UpdateItem"]
        with pytest.raises(StoreUnavailable):
            store.reserve(reservation := split.reservation(account))
        split.store.shards.grow(account.id)
        assert store.get(account.id)
        assert isinstance(store.reserve(reservation), Granted)
        assert store.release(reservation)
    balance = split.store.get(account.id)
    assert balance is not None
    assert (balance.reservations, balance.held_nanousd) == (0, 0)


def test_a_correction_needs_what_every_shard_had(split, monkeypatch):
    account = split.account(budget_nanousd=4_000)
    for _ in range(6):
        assert split.settle(split.admitted(account), 50)
    read = split.store.shards.read_all

    def read_and_spend(account_id: str) -> list[tables.Item]:
        found = read(account_id)
        monkeypatch.undo()
        assert split.settle(split.admitted(account), 50)
        return found

    monkeypatch.setattr(type(split.store.shards), "read_all", lambda _, account_id: read_and_spend(account_id))
    assert not split.store.correct(account.id, 300, -100)
    assert split.money(account) == (350, 0, 350)
    assert split.store.correct(account.id, 350, -100)
    assert split.money(account) == (250, 0, 250)
    assert split.store.correct(account.id, 250, -100, -60)
    assert split.money(account) == (210, 0, 150)


@pytest.mark.parametrize(
    ("requests_a_second", "answer_s", "fills_s"),
    [pytest.param(12, 0.5, 8, id="writes"), pytest.param(3, 20, 18, id="size")],
)
def test_an_account_that_is_asked_for_more_than_one_item_bears_grows_by_itself(requests_a_second, answer_s, fills_s):
    """A fiftieth of DynamoDB's throughput, at which one item bears 5 requests a second of half a second. Time is virtual."""
    borne = bear(requests_a_second, answer_s, 2, 0.02, before_s=fills_s)
    assert borne.counts["admitted"] == borne.counts["settled"] == borne.counts["asked"] == requests_a_second * 2
    assert (borne.counts["lost"], borne.counts["broken"], borne.held_nanousd) == (0, 0, 0)
    assert borne.shards > 1


def test_an_account_with_much_in_flight_is_split_before_it_is_throttled(split, monkeypatch):
    """And no further than that: what was in flight before stays where it is."""
    monkeypatch.setattr("haimaker.store.dynamo_shards.MANY_HOLDS", 3)
    plain = Scene(another(split), split.clock, "moto")
    account = plain.account()
    numbers = []
    for _ in range(6):
        plain.admitted(account)
        split.clock.now_s += 3
        numbers.append(len(items(split, account)))
    assert numbers == [1, 1, 1, 2, 2, 2]


def test_what_was_refused_for_load_is_not_written_again_to_be_given_back(split):
    account = split.account(budget_nanousd=4_000)
    with scripted(failure("ProvisionedThroughputExceededException")) as url:
        throttled = DynamoStore(TABLES["accounts"], TABLES["records"], client(url, total_timeout_s=0))
        asked = []
        throttled.release = asked.append  # type: ignore[method-assign]
        with pytest.raises(StoreThrottled):
            admission.reserve(throttled, [split.reservation(account)])
    assert asked == []
