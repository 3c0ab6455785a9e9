from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Thread

import pytest

from haimaker.billing.settlement import STORE_TRIES, AttemptLog, Settlement
from haimaker.http.errors import RateLimitError
from haimaker.models.catalog import ModelInfo
from haimaker.pricing.amounts import to_usd
from haimaker.pricing.usage import Usage
from haimaker.store import BudgetAlert, Record, Reservation, Settled, StoreThrottled, StoreUnavailable
from tests.support.builders import attempt

PRICED = ModelInfo("hosted_vllm", "m", rates={"input_cost_per_token": "2e-9", "output_cost_per_token": "3e-9"})
FREE = ModelInfo("hosted_vllm", "m", rates={"input_cost_per_token": "0", "output_cost_per_token": "0"})
UNKNOWN = ModelInfo.unknown("hosted_vllm", "m")
HOLD = Reservation("req-1", "key#1", 1, 100, 10, 1_000.0, 2_000)


@dataclass
class Books:
    """The one method of a store that settling needs; it fails as often as it is told to."""

    failures: list[Exception] = field(default_factory=list)
    charges: list[tuple[Record, int]] = field(default_factory=list)

    def settle(self, reservation: Reservation, record: Record, tokens: int) -> Settled:
        assert reservation is HOLD
        if self.failures:
            raise self.failures.pop(0)
        self.charges.append((record, tokens))
        return Settled((BudgetAlert(reservation.account_id, 9, 8),))


def attempt_log(model_info: ModelInfo, tokens: Usage | None, estimated: bool = False) -> AttemptLog:
    return AttemptLog(attempt("hosted_vllm/m", model_info=model_info), 1_000.0, 200, tokens=tokens, estimated=estimated)


def settlement(store: Books, attempt_logs: Sequence[AttemptLog] = ()) -> Settlement:
    return Settlement(store, HOLD, {"operation": "chat", "asked_model": "m"}, 1_000.0, list(attempt_logs))  # type: ignore[arg-type]


USED = Usage(input=10, output=5, cached=2)


@pytest.mark.parametrize(
    ("attempt_logs", "cost", "told", "tokens"),
    [
        ([], 0, 0.0, 0),
        ([attempt_log(PRICED, None)], 0, 0.0, 0),
        ([attempt_log(PRICED, USED)], 24 + 15, 39e-9, 17),
        ([attempt_log(PRICED, Usage(input=1)), attempt_log(PRICED, USED)], 2 + 39, 41e-9, 18),
        ([attempt_log(FREE, USED)], 0, 0.0, 17),
        ([attempt_log(UNKNOWN, None), attempt_log(PRICED, USED)], 39, 39e-9, 17),
        ([attempt_log(UNKNOWN, USED), attempt_log(PRICED, USED)], 0, None, 34),
    ],
)
def test_the_charge_is_the_sum_of_all_attempts(attempt_logs: list[AttemptLog], cost: int, told: float | None, tokens: int) -> None:
    store = Books()
    record = settlement(store, attempt_logs).settle("ok", 1_002.5)
    assert store.charges == [(record, tokens)]
    assert (record.cost_nanousd, record.detail["cost_usd"]) == (cost, told)
    assert record.detail["input_tokens"] + record.detail["output_tokens"] == tokens
    assert record.detail["duration_ms"] == 2_500
    assert len(record.detail["attempts"]) == len(attempt_logs)


def test_only_the_first_call_counts() -> None:
    store = Books()
    settling = settlement(store, [attempt_log(PRICED, USED)])
    records: list[Record] = []
    threads = [Thread(target=lambda: records.append(settling.settle("cut", 1_001.0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settling.attempt_logs.append(attempt_log(PRICED, USED))
    assert settling.settle("ok", 1_009.0) is records[0]
    assert len(store.charges) == 1
    assert all(record is records[0] for record in records)


@pytest.mark.parametrize(
    ("failures", "charged", "failed"),
    [
        ([], 1, False),
        ([StoreUnavailable()], 1, False),
        ([StoreThrottled()] * (STORE_TRIES - 1), 1, False),
        ([StoreUnavailable()] * STORE_TRIES, 0, True),
    ],
)
def test_a_store_that_fails_is_tried_again_and_then_left_with_the_hold(
    failures: list[Exception], charged: int, failed: bool
) -> None:
    store = Books(list(failures))
    settling = settlement(store, [attempt_log(PRICED, USED)])
    record = settling.settle("ok", 1_001.0)
    assert (len(store.charges), settling.store_failed, record.cost_nanousd) == (charged, failed, 39)


@pytest.mark.parametrize(
    ("used", "over", "unpriced", "estimated"),
    [
        (attempt_log(PRICED, USED), False, False, False),
        (attempt_log(PRICED, Usage(input=50)), False, False, False),
        (attempt_log(PRICED, Usage(input=51)), True, False, False),
        (attempt_log(FREE, USED), False, False, False),
        (
            attempt_log(ModelInfo("p", "m", rates={"input_cost_per_token": "0", "output_cost_per_token": "1e-9"}), Usage(input=9)),
            False,
            True,
            False,
        ),
        (attempt_log(PRICED, USED, estimated=True), False, False, True),
    ],
)
def test_what_somebody_has_to_look_at_is_marked(used: AttemptLog, over: bool, unpriced: bool, estimated: bool) -> None:
    detail = settlement(Books(), [used]).settle("ok", 1_001.0).detail
    assert (detail["over_hold"], detail["unpriced"], detail["cost_estimated"]) == (over, unpriced, estimated)


def test_a_record_tells_who_served_and_why_it_failed_but_no_message() -> None:
    tried = attempt_log(PRICED, None)
    tried.status, tried.code = 429, "rate_limit_exceeded"
    record = settlement(Books(), [tried]).settle("error", 1_001.0, RateLimitError("the provider's own words"))
    assert (record.status, record.detail["error"], record.detail["provider"], record.detail["model"]) == (
        "error", "rate_limit_exceeded", "hosted_vllm", "m",
    )  # fmt: skip
    assert record.detail["http_status"] == 429
    assert record.detail["attempts"] == [
        {
            "target": "hosted_vllm/m",
            "status": 429,
            "code": "rate_limit_exceeded",
            "duration_ms": 0,
            "first_byte_ms": None,
            "cost_usd": 0.0,
        }
    ]
    assert "own words" not in repr(record)


@pytest.mark.parametrize(
    ("nanousd", "shown"), [(None, "None"), (0, "0.0"), (1, "1e-09"), (123_456_789, "0.123456789"), (4 * 10**15, "4000000.0")]
)
def test_usd_for_json(nanousd: int | None, shown: str) -> None:
    assert repr(to_usd(nanousd)) == shown


def test_a_soft_budget_that_was_reached_is_known_afterwards() -> None:
    settling = settlement(Books([StoreUnavailable("x")]))
    settling.settle("ok", 1_001.0)
    assert settling.alerts == (BudgetAlert("key#1", 9, 8),)
