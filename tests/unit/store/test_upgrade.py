"""What a release of the time before records had parts left in the tables of a stack, as this one finds it, index by index.

`release_before_parts.json` is its tables, a key of a team, twelve records, of which nine were rolled up, and a lost process's hold.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from haimaker.accounts import keys as auth
from haimaker.aws_lambda.rollup import DailyTotals
from haimaker.observability.observer import Observer
from haimaker.store import Denied, Granted, Reservation, tables
from haimaker.store.dynamodb import DynamoStore
from haimaker.store.tables import TABLES, to_attributes
from local.command_line.records_move import move_records
from local.command_line.totals_repair import repair_totals
from tests.unit.store.conftest import Clock, client, record

OLD = json.loads((Path(__file__).parent / "release_before_parts.json").read_text())
NAMES = {"accounts": "old-accounts", "records": "old-records"}
KEY, TEAM = auth.account_id_of(OLD["key"]), "team#blue"
COSTS = [1_000 + number for number in range(12)]


@pytest.fixture(scope="module")
def dynamo(moto):
    dynamo = client(moto)
    for table, name in NAMES.items():
        dynamo.call("CreateTable", {"TableName": name, "BillingMode": "PAY_PER_REQUEST", **OLD["tables"][table]})
        for item in OLD["items"][table]:
            dynamo.call("PutItem", {"TableName": name, "Item": item})
    yield dynamo
    dynamo.close()


def store(dynamo, *, by_day, later_s=60.0):
    clock = Clock()
    clock.now_s = OLD["time_s"] + later_s
    return DynamoStore(*NAMES.values(), dynamo, clock, by_day=by_day)


def change_index(dynamo, change):
    """As CloudFormation does it: DynamoDB takes one of them in an update."""
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "account", "day", "part", "started")]
    update = {"TableName": NAMES["records"], "AttributeDefinitions": definitions, "GlobalSecondaryIndexUpdates": [change]}
    dynamo.call("UpdateTable", update)


def ids(store, **options):
    """Of all records, read three at a time."""
    found, after = [], None
    while True:
        page, after = store.records(None, after=after, limit=3, **options)
        found += [one.request_id for one in page]
        if after is None:
            return found


def test_an_upgrade_keeps_everything_and_reads_it_from_both_indexes_meanwhile(dynamo, monkeypatch):
    for module in ("tables", "dynamo_records"):  # fewer days to look through
        monkeypatch.setattr(f"haimaker.store.{module}.RETENTION_S", 6 * tables.DAY_S)
    later_s = 3_600.0
    (by_part,) = [index for index in TABLES["records"]["GlobalSecondaryIndexes"] if index["IndexName"] == "by_part"]
    change_index(dynamo, {"Create": by_part})
    both = store(dynamo, by_day=True, later_s=later_s)
    everything = [f"request-{number}" for number in range(12)]
    assert ids(both) == everything
    assert ids(both, newest_first=True) == everything[::-1]

    balance, team = both.get(KEY), both.get(TEAM)
    assert (balance.spend_nanousd, balance.held_nanousd, balance.total_spend_nanousd) == (sum(COSTS), 7_000, sum(COSTS))
    assert (balance.account.team_id, balance.account.budget_nanousd, team.spend_nanousd) == ("blue", 10**6, sum(COSTS))
    assert sum(one.requests for one in both.totals("team", "2026-01-01", "2026-12-31")) == 9

    now_s = OLD["time_s"] + later_s
    reservation = Reservation("request-13", KEY, balance.account.version, 500, 10, now_s, int(now_s) + 900)
    granted = both.reserve(reservation)
    assert isinstance(granted, Granted), "it charged the hold that the release before had left"
    assert both.settle(granted.reservation, record(granted.reservation, 321, model="gpt-4o", provider="openai"), 10)
    assert both.get(KEY).spend_nanousd == sum(COSTS) + 7_000 + 321
    assert isinstance(both.reserve(replace(reservation, request_id="request-14", amount_nanousd=10**7)), Denied)
    everything += ["request-12", "request-13"]
    assert ids(both) == everything, "the lost one is of the time when it was asked"

    added = DailyTotals(dynamo, *NAMES.values(), Observer(), part=3)
    new = list(both.kept.not_in_totals(0, now_s + 1))
    added.add({"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": to_attributes(item)}} for item in new]})
    assert repair_totals(both, tuple(NAMES.values()), True, print, lambda: now_s + 10_000) == 0
    assert sum(one.cost_nanousd for one in both.totals("day", "2026-01-01", "2026-12-31", KEY)) == sum(COSTS) + 7_000 + 321

    assert [move_records(both, print, lambda: now_s) for _ in range(2)] == [12, 0]
    change_index(dynamo, {"Delete": {"IndexName": "by_day"}})
    after = store(dynamo, by_day=False, later_s=later_s)
    assert ids(after) == everything
    assert after.get(KEY).spend_nanousd == sum(COSTS) + 7_000 + 321
