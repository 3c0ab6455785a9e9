"""A page of accounts, which SQLite reads in one go: each is as it is when it is read alone."""

from pathlib import Path

from haimaker.store import ModelLimit
from haimaker.store.sqlite import SQLiteStore
from tests.unit.store.conftest import Clock, Scene


def test_a_page_has_what_is_reserved_and_what_models_have_used(tmp_path: Path) -> None:
    clock = Clock()
    scene = Scene(SQLiteStore(tmp_path / "store.sqlite", clock), clock, "sqlite", "key")
    accounts = []
    for number in range(5):
        clock.now_s += 1
        limits = {"m/a": ModelLimit(budget_nanousd=1_000), "b": ModelLimit(rpm_limit=9)} if number % 2 else {}
        accounts.append(scene.account(model_limits=limits))
    held = [scene.admitted(account, 10 + number, models=tuple(account.model_limits)) for number, account in enumerate(accounts)]
    assert scene.settle(held[3], 7)
    scene.admitted(accounts[1], 5, models=("b",))
    shown, after = [], None
    while True:
        page, after = scene.store.accounts("key", after, 2)
        shown += page
        if after is None:
            break
    assert shown == [scene.store.get(account.id) for account in accounts]
    assert [balance.reservations for balance in shown] == [1, 2, 1, 0, 1]
