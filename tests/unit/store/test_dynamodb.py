"""What only DynamoDB can meet: answers that get lost, a process that dies between two writes, throttling, half an answer."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from haimaker.aws.client import AWSClient
from haimaker.aws_lambda.rollup import DailyTotals
from haimaker.observability.observer import Observer
from haimaker.store import Account, Granted, Record, Reservation, StoreThrottled, StoreUnavailable, minute_of, tables
from haimaker.store.dynamodb import MOST_CHARGED, DynamoStore
from haimaker.store.ledger import lost_record
from haimaker.store.tables import TABLES as DEFINITIONS
from haimaker.store.tables import from_attributes, to_attributes
from local.command_line.totals_repair import STREAM_S, repair_totals
from tests.support.dynamodb_emulators import answer, failure, scripted
from tests.unit.store.conftest import START_S, TABLES, Clock, Scene, client, record

ACCOUNT = Account("key#1", "sk-hm-abcd...wxyz", int(START_S))
HOLD = Reservation("r1", "key#1", 1, 100, 10, START_S, int(START_S) + 300)
WHAT = Record("r1", "key#1", START_S, "ok", 5, {})
CALLS = {
    "put": lambda store: store.put(ACCOUNT),
    "get": lambda store: store.get("key#1"),
    "update": lambda store: store.update(ACCOUNT),
    "delete": lambda store: store.delete("key#1"),
    "accounts": lambda store: store.accounts("key"),
    "admit": lambda store: store.reserve(HOLD),
    "settle": lambda store: store.settle(HOLD, WHAT, 10),
    "charge_lost": lambda store: store.charge_lost("key#1", START_S),
    "record": lambda store: store.record("r1"),
    "records": lambda store: store.records(since_s=START_S),
}


class Losing(AWSClient):
    """Loses answers: the next call whose operation is in `lose` is carried out, and then its connection breaks."""

    lose: list[str]
    calls: list[str]

    def _exchange(self, connection, credentials, operation, body):
        self.calls.append(operation)
        status, text = super()._exchange(connection, credentials, operation, body)
        if operation in self.lose:
            self.lose.remove(operation)
            raise ConnectionResetError
        return status, text


@pytest.fixture
def losing(endpoint):
    dynamo, clock = client(endpoint, Losing, total_timeout_s=5), Clock()
    dynamo.lose, dynamo.calls = [], []
    scene = Scene(DynamoStore(TABLES["accounts"], TABLES["records"], dynamo, clock), clock, "losing")
    yield scene, dynamo
    dynamo.close()


def test_a_request_charges_a_few_of_many_lost_holds_and_all_are_charged_in_the_end(losing):
    """Each takes four calls before the first byte of an answer."""
    scene, dynamo = losing
    account = scene.account(budget_nanousd=10**6)
    for _ in range(30):
        scene.admitted(account, 7)
    scene.clock.now_s += 10_000
    dynamo.calls.clear()
    assert isinstance(scene.store.reserve(scene.reservation(account, 1)), Granted)
    assert len(dynamo.calls) <= 1 + 4 * MOST_CHARGED
    assert scene.store.get(account.id).expired_reservations == 30 - MOST_CHARGED
    assert scene.store.charge_lost(account.id, scene.clock.now_s) == 30 - MOST_CHARGED
    assert scene.store.get(account.id).spend_nanousd == 30 * 7


def test_records_that_the_stream_did_not_add_are_added_once(moto):
    """A day's records, of which the stream delivered one: reported by a check, added by a repair, and by no second one."""
    dynamo, clock = client(moto), Clock()
    clock.now_s += 4_321 * 86_400  # days of no other test
    scene = Scene(DynamoStore(TABLES["accounts"], TABLES["records"], dynamo, clock), clock, "moto")
    account, day = scene.account(), tables.day(clock.now_s)
    for cost in (3, 4, 5):
        scene.settle(scene.admitted(account), cost)
    first = next(scene.store.kept.not_in_totals(clock.now_s - 10, clock.now_s + 10))
    changes = [{"eventName": "INSERT", "dynamodb": {"NewImage": to_attributes(first)}}]
    DailyTotals(dynamo, TABLES["accounts"], TABLES["records"], Observer()).add({"Records": changes})
    names, later = (TABLES["accounts"], TABLES["records"]), clock.now_s + 2 * STREAM_S
    said = []
    assert [repair_totals(scene.store, names, check, said.append, lambda: later) for check in (True, False, False)] == [2, 2, 0]
    assert said[0].startswith("2 records are missing")
    (total,) = scene.store.totals("day", day, day, account.id)
    assert (total.requests, total.cost_nanousd) == (3, 12)
    dynamo.close()


def test_a_lost_answer_is_no_second_write(losing):
    scene, dynamo = losing
    account = scene.account(budget_nanousd=250, rpm_limit=2)
    dynamo.lose = ["UpdateItem"]
    first = scene.admitted(account)
    assert scene.money(account) == (0, 100, 0)
    second = scene.admitted(account)
    assert scene.store.reserve(scene.reservation(account)).reason == "budget"
    for reservation, lose in ((first, ["PutItem"]), (second, ["UpdateItem"])):
        dynamo.lose = lose
        assert scene.settle(reservation, 30)
        assert not scene.settle(reservation, 30)
        assert dynamo.lose == []
    assert scene.money(account) == (60, 0, 60)


def test_a_lost_answer_of_administration_is_still_a_yes(losing):
    scene, dynamo = losing
    scene.account()
    dynamo.lose = ["PutItem"]
    account = scene.account()
    dynamo.lose = ["UpdateItem"]
    assert scene.store.update(account)
    dynamo.lose = ["DeleteItem"]
    assert scene.store.delete(account.id)
    assert scene.store.get(account.id) is None


def test_an_admission_that_failed_may_be_asked_again(losing):
    scene, dynamo = losing
    account = scene.account(budget_nanousd=250)
    reservation = scene.reservation(account)
    dynamo.close()
    dynamo.lose = ["UpdateItem"]
    with pytest.raises(StoreUnavailable):
        scene.store.reserve(reservation)
    assert isinstance(scene.store.reserve(reservation), Granted)
    assert scene.money(account) == (0, 100, 0)


def test_writes_per_request(losing):
    scene, dynamo = losing
    account = scene.account(budget_nanousd=10**6, rpm_limit=100, tpm_limit=1000, parallel_limit=3)
    dynamo.calls.clear()
    reservation = scene.admitted(account)
    assert dynamo.calls == ["UpdateItem"]
    assert scene.settle(reservation, 7, tokens=3)
    assert dynamo.calls == ["UpdateItem", "PutItem", "UpdateItem"]


@pytest.mark.parametrize("finish", ["settle", "charge_lost", "admit"])
def test_a_settle_that_died_between_its_writes_is_finished_with_its_own_cost(losing, finish):
    scene, _ = losing
    account = scene.account(budget_nanousd=1000)
    reservation = scene.admitted(account, lasts_s=60)
    scene.store.kept.keep(record(reservation, 30))
    assert scene.money(account) == (0, 100, 0)
    scene.clock.now_s += 60
    if finish == "settle":
        assert scene.settle(reservation, 30)
    elif finish == "charge_lost":
        assert scene.store.charge_lost(account.id, scene.clock.now_s) == 1
    else:
        assert scene.settle(scene.admitted(account), 0)
    assert scene.money(account) == (30, 0, 30)
    assert scene.store.record(reservation.request_id).status == "ok"


def test_a_settle_finishes_a_charge_that_died_between_its_writes(losing):
    scene, _ = losing
    account = scene.account(budget_nanousd=1000)
    reservation = scene.admitted(account)
    scene.store.kept.keep(lost_record(reservation))
    assert not scene.settle(reservation, 1)
    assert scene.money(account) == (100, 0, 100)


def test_settling_and_charging_at_once_charges_what_the_record_says(losing):
    scene, _ = losing
    account = scene.account(budget_nanousd=10**6)
    reservations = [scene.admitted(account, lasts_s=0) for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        charging = [pool.submit(scene.store.charge_lost, account.id, START_S) for _ in range(3)]
        settled = list(pool.map(lambda reservation: scene.settle(reservation, 1), reservations))
        for task in charging:
            task.result()
    kept = [scene.store.record(reservation.request_id) for reservation in reservations]
    assert settled == [one.status == "ok" for one in kept]
    assert scene.money(account) == (sum(one.cost_nanousd for one in kept), 0, sum(one.cost_nanousd for one in kept))


def test_counters_of_old_minutes_do_not_pile_up(losing):
    scene, dynamo = losing
    account = scene.account(rpm_limit=5, tpm_limit=100)
    late = scene.admitted(account, lasts_s=10**6)
    for number in range(12):
        scene.clock.now_s += 60 if number % 3 else 60_000
        scene.settle(scene.admitted(account), 1, tokens=4)
    scene.settle(late, 1, tokens=4)
    item = dynamo.call("GetItem", {"TableName": TABLES["accounts"], "Key": to_attributes({"pk": account.id, "sk": "account"})})[
        "Item"
    ]
    minutes = {int(name[1:]) for name in item if name[1:].isdigit()}
    assert max(minutes) == minute_of(scene.clock.now_s)
    assert len(minutes) <= 3
    assert minute_of(START_S) not in minutes
    assert from_attributes(item)["holds"] == {}


FAILURES = [
    pytest.param(failure("ThrottlingException"), StoreThrottled, "ThrottlingException", id="throttled"),
    pytest.param(failure("ProvisionedThroughputExceededException"), StoreThrottled, "ProvisionedThroughput", id="hot item"),
    pytest.param(failure("AccessDeniedException"), StoreUnavailable, "AccessDeniedException", id="denied"),
    pytest.param(failure("ResourceNotFoundException"), StoreUnavailable, "ResourceNotFoundException", id="no table"),
    pytest.param(failure("InternalServerError", 500), StoreUnavailable, "InternalServerError", id="500"),
    pytest.param(answer(502, b"<html>"), StoreUnavailable, "not JSON, status 502", id="HTML"),
    pytest.param(answer(200, b"{}")[:-1], StoreUnavailable, "IncompleteRead|TimeoutError", id="half an answer"),
    pytest.param(None, StoreUnavailable, "RemoteDisconnected", id="no answer"),
]


@pytest.mark.parametrize(("raw", "error", "cause"), FAILURES)
@pytest.mark.parametrize("call", CALLS)
def test_failures_are_the_right_exception_and_name_no_address(call, raw, error, cause):
    with scripted(raw) as address:
        dynamo = client(address, total_timeout_s=0.02)
        dynamo._timeout_s = 0.1
        with pytest.raises(StoreUnavailable, match=cause) as raised:
            CALLS[call](DynamoStore("accounts", "records", dynamo, Clock()))
    assert type(raised.value) is error
    assert str(raised.value).startswith("DynamoDB ")
    assert "127.0.0.1" not in str(raised.value)


def test_nothing_is_opened_before_the_first_call():
    store = DynamoStore("accounts", "records", client("http://127.0.0.1:1", total_timeout_s=0), Clock())
    with pytest.raises(StoreUnavailable, match=r"^DynamoDB GetItem: ConnectionRefusedError$"):
        store.get("key#1")


def test_every_key_attribute_of_the_tables_is_defined():
    for definition in DEFINITIONS.values():
        schemas = [definition["KeySchema"], *(index["KeySchema"] for index in definition["GlobalSecondaryIndexes"])]
        used = {key["AttributeName"] for schema in schemas for key in schema}
        assert used == {attribute["AttributeName"] for attribute in definition["AttributeDefinitions"]}


@pytest.mark.parametrize("item", [{"a": 1, "b": -(10**17), "c": 1.25, "d": True, "e": "1", "f": {"g": "", "h": {}}}])
def test_items_survive_dynamodbs_form(item):
    assert from_attributes(to_attributes(item)) == item
