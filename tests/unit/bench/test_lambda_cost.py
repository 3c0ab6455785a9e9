"""The formulas of the deployment's cost: against sums done by hand, and against the sizes that they assume."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench import capacity, lambda_cost
from haimaker.aws_lambda.rollup import record_totals
from haimaker.observability.observer import Observer
from haimaker.store import Account, Record, Reservation, ledger, tables
from tests.support import builders


@pytest.mark.parametrize(("memory_mb", "wait_s", "usd_per_million"), [(512, 5, 33.53), (1024, 1, 13.53), (256, 60, 200.20)])
def test_waiting_is_gigabyte_seconds_and_an_invocation(memory_mb, wait_s, usd_per_million):
    assert 1e6 * lambda_cost.waiting_usd(memory_mb, wait_s) == pytest.approx(usd_per_million, abs=0.01)


def test_at_the_break_even_both_cost_the_same():
    requests = lambda_cost.break_even_requests(512, 5)
    assert requests * lambda_cost.waiting_usd(512, 5) == pytest.approx(lambda_cost.container_month_usd())


def test_at_the_break_even_instances_cost_the_same():
    """About $206 a month, against $1,335 for ten million requests of 20 seconds."""
    requests = lambda_cost.break_even_on_instances(512, 20)
    managed = lambda_cost.instances_month_usd() + requests * lambda_cost.INVOCATION_USD
    assert requests * lambda_cost.waiting_usd(512, 20) == pytest.approx(managed)
    assert lambda_cost.instances_month_usd() == pytest.approx(205.5, abs=0.1)
    assert 1e7 * lambda_cost.waiting_usd(512, 20) == pytest.approx(1_335, abs=1)


def test_the_guide_shows_what_it_prints():
    guide = (Path(__file__).parents[3] / "docs/deploy.md").read_text()
    assert "\n".join(lambda_cost.lines()) in guide


ROOT = Path(__file__).parents[3]


def size(value):
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""
    match value:
        case bool():
            return 1
        case str():
            return len(value.encode())
        case dict():
            return 3 + sum(len(name) + size(item) + 1 for name, item in value.items())
    return (len(str(value)) + 1) // 2 + 1


def test_items_are_as_small_as_the_formulas_take_them_for():
    limits = {"budget_nanousd": 10**11, "rpm_limit": 60, "models": ("openai/*",), "tags": ("prod",)}
    account = Account(f"key#{'a' * 64}", "sk-hm-abcd...wxyz", 1_790_000_000, alias="a team", **limits)
    reservation = Reservation("r" * 36, account.id, 1, 10**8, 2_000, 1_790_000_000.123, 1_790_000_910)
    item = tables.account_item(account) | {
        "holds": {reservation.request_id: ledger.encode_reservation(reservation)},
        "r29833333": 59,
    }
    attempt = {"target": "openai/gpt-4o-mini", "status": 200, "code": None, "duration_ms": 5_200, "cost_usd": 0.00034}
    detail = {"provider": "openai", "model": "gpt-4o-mini", "tags": ["prod"], "attempts": [attempt], "key_name": account.name}
    record = tables.record_item(Record("r" * 36, account.id, 1_790_000_000.123, "ok", 340_000, detail))
    assert size(item) <= 1_024
    assert size(record) <= 700, "the rest of a real record's detail takes 300 bytes"
    assert len(record_totals(record).places) == lambda_cost.TOTALS


def test_holds_are_as_small_as_the_ceilings_take_them_for():
    key, team = f"key#{'a' * 64}", "team#payments"
    hold = Reservation("r" * 36, key, 1, 10**8, 2_000, 1_790_000_000.123456, 1_790_000_910)
    shared = replace(hold, billed=(key, team))
    for kept, most in ((hold, capacity.HOLD_BYTES), (shared, capacity.SHARED_HOLD_BYTES)):
        assert most - 8 <= size({kept.request_id: ledger.encode_reservation(kept)}) - 3 <= most
    item = tables.account_item(Account(key, "sk-hm-abcd...wxyz", 1_790_000_000, alias="a team", models=("openai/*",)))
    assert size(item) <= capacity.ITEM_BYTES


def test_the_page_on_scale_has_the_ceilings_as_they_are_computed():
    assert "\n".join(capacity.lines()) in (ROOT / "docs" / "scale.md").read_text("utf-8")


LAMBDAS_LINES = "START RequestId: {0} Version: $LATEST\nEND RequestId: {0}\nREPORT RequestId: {0} " + "Duration: 5000.12 ms " * 6
EVENT_BYTES = 26
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: what each line costs besides its own."""


def test_a_request_writes_as_little_as_the_formula_takes_it_for(capsys):
    Observer("haimaker-of-somebody", metrics_on=True).request(builders.record())
    lines = (capsys.readouterr().out + LAMBDAS_LINES.format("r" * 36)).splitlines()
    assert len(lines) == 4
    assert sum(len(line) + EVENT_BYTES for line in lines) <= lambda_cost.LOG_BYTES
