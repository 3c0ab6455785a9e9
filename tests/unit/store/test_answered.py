"""What a provider has answered already, and bills, is charged by every store, whatever became of its account."""

from dataclasses import replace

from haimaker.store import Granted, ModelHold, ModelLimit, Reservation
from tests.unit.store.test_contract import POOL, open_pool


def test_what_was_answered_already_is_charged_whatever_became_of_its_account(scene):
    limits = {"daily/model": ModelLimit(budget_nanousd=50, budget_window_s=3_600, rpm_limit=1, tpm_limit=5)}
    account = scene.account(
        budget_nanousd=1_000, budget_window_s=86_400, rpm_limit=1, tpm_limit=5, parallel_limit=1, model_limits=limits
    )
    open_pool(scene, account, 500)
    held = scene.admitted(account, 400, 5)
    assert scene.store.update(replace(account, blocked=True))

    def answered(amount: int, pool: str = POOL) -> Reservation:
        wanted = scene.reservation(account, amount, 0)
        outcome = scene.store.reserve(
            replace(wanted, pool=pool, answered=True, models=(ModelHold("daily/model", amount, 0, requests=0),))
        )
        assert isinstance(outcome, Granted), outcome
        return outcome.reservation

    first = answered(300)
    assert scene.store.reserve(first), "a repeated try takes nothing more"
    assert scene.money(account) == (0, 900, 0)
    scene.settle(first, 120, 0, {"daily/model": [120, 7]})
    assert scene.money(account) == (120, 600, 120)
    scene.settle(answered(900), 650, 0)  # 200 of the pool, 300 of the rest, and more than there is
    assert scene.money(account) == (770, 400, 770)
    scene.settle(held, 0, 5)
    assert scene.store.close_pool(account.id, POOL) == 0
    scene.clock.now_s += 86_401
    scene.settle(answered(100, pool=""), 30, 0)
    assert scene.money(account) == (30, 0, 800), "its window began anew"
    assert scene.store.update(replace(account, version=2))
    newest = replace(account, version=3)
    of_model = ModelHold("daily/model", 10, 5, newest.model_limits["daily/model"])
    outcome = scene.store.reserve(replace(scene.reservation(newest, 10, 5), models=(of_model,)))
    assert isinstance(outcome, Granted), "the minute's request and tokens are left, also those of the model"
