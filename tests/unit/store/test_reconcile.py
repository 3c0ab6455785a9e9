"""Counters against records: what is right stays, what is wrong is told, and repaired where that is asked for; on each store."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from haimaker.batches import Batch, BatchDirectory
from haimaker.billing import admission
from haimaker.billing.pending import refund_lost
from haimaker.store import Account, Record
from haimaker.store.sqlite import SQLiteStore
from local.command_line.reconcile import Reconciliation
from tests.unit.store.conftest import START_S, Scene, record

ROOT = Path(__file__).parents[3]


class Books:
    """A key, its team and a user in a store of which other accounts are left alone."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.key, self.team, self.user = (self._account(name) for name in ("key", "team", "user"))

    def _account(self, kind: str) -> Account:
        name = f"{kind}-{self.scene.kind}"
        account = Account(f"{kind}#{self.scene.kind}", kind, int(START_S), alias=name, budget_nanousd=10**6)
        assert self.scene.store.put(account)
        return account

    def spend(self, *costs: int) -> None:
        for cost in costs:
            reservation = self.reservation()
            detail = {"charged": [self.team.id, self.user.id]}
            assert self.scene.store.settle(
                reservation, Record(reservation.request_id, reservation.account_id, reservation.now_s, "ok", cost, detail), 10
            )

    def reservation(self, **options: int):
        return admission.reserve(self.scene.store, self.scene.reservations(self.key, self.team, self.user, **options)).reservation

    def totals(self) -> list[int]:
        return [self.scene.store.get(account.id).total_spend_nanousd for account in (self.key, self.team, self.user)]

    def reconcile(self, *, check: bool = False) -> tuple[int, list[str]]:
        """The exit status, and what is said of these accounts."""
        said: list[str] = []
        status = Reconciliation(self.scene.store, check, said.append, self.scene.clock, lambda _: None).run()
        return status, [line for line in said if self.scene.kind in line]


@pytest.fixture
def books(scene):
    books = Books(scene)
    books.reconcile()  # what other tests of the same tables have left to be refunded
    yield books
    for account in (books.key, books.team, books.user):
        scene.store.delete(account.id)


def test_what_is_right_is_proven_and_stays(books):
    books.spend(40, 60, 7)
    balances = [books.scene.store.get(account.id) for account in (books.key, books.team, books.user)]
    assert books.reconcile() == (0, [])
    assert [books.scene.store.get(account.id) for account in (books.key, books.team, books.user)] == balances


@pytest.mark.parametrize("wrong", [-30, 50])
@pytest.mark.parametrize("whose", ["key", "team", "user"])
def test_a_counter_that_is_wrong_is_told_and_repaired(books, whose, wrong):
    books.spend(40, 60)
    account = getattr(books, whose)
    assert books.scene.store.correct(account.id, 100, wrong)
    status, said = books.reconcile(check=True)
    assert (status, len(said)) == (1, 1)
    assert f"{whose} {account.alias}: the total is {(100 + wrong) / 1e9:.9f} USD, its records say 0.000000100 USD." == said[0]
    assert books.totals() != [100] * 3, "a check changes nothing"
    assert books.reconcile()[0] == 0
    assert books.totals() == [100] * 3
    assert books.scene.money(account) == (100, 0, 100)
    assert books.reconcile(check=True) == (0, [])


def test_holds_that_nobody_settled_are_charged(books):
    books.reservation(lasts_s=60)
    assert books.reconcile(check=True) == (0, []), "it is still under way"
    books.scene.clock.now_s += 60
    status, said = books.reconcile(check=True)
    assert (status, len(said), books.totals()) == (1, 3, [0, 0, 0])
    assert books.reconcile()[0] == 0
    assert books.totals() == [100] * 3
    assert books.reconcile(check=True) == (0, [])


def test_a_batch_that_nobody_works_on_gives_back_what_it_holds(books):
    """A day after its end: until then its gateway may come back, and ends it itself."""
    store, expires_at = books.scene.store, int(START_S) + 86_400
    batch_id = f"batch_hm-{books.scene.kind}"
    pools, fields = [books.key.id, books.team.id], {"status": "in_progress", "expires_at": expires_at, "pooled_nanousd": 500}
    BatchDirectory(store.documents, "a home").add(Batch(batch_id, books.team.id, 0, {**fields, "pools": pools}))
    for account in (books.key, books.team):
        assert store.open_pool(replace(books.scene.reservation(account, 500, 0), request_id=batch_id)) is None
    books.scene.clock.now_s = expires_at + 86_400
    assert books.reconcile() == (0, [])
    books.scene.clock.now_s += 1
    status, [said] = books.reconcile(check=True)
    assert (status, said) == (1, f"{batch_id}: nobody works on it any more; at most 0.000000500 USD was held.")
    assert books.scene.money(books.key) == books.scene.money(books.team) == (0, 500, 0)
    status, [said] = books.reconcile()
    assert (status, said) == (0, f"{batch_id}: nobody works on it any more; 0.000000500 USD was held.")
    assert books.scene.money(books.key) == books.scene.money(books.team) == (0, 0, 0)
    assert books.reconcile(check=True) == (0, [])


def test_a_lost_request_that_was_settled_after_all_is_refunded(books):
    reservation = books.reservation(lasts_s=60)
    books.scene.clock.now_s += 60
    for account in (books.key, books.team, books.user):
        assert books.scene.store.charge_lost(account.id, books.scene.clock.now_s) == 1
    detail = {"charged": [books.team.id, books.user.id]}
    assert books.scene.store.settle(reservation, replace(record(reservation, 30), detail=detail), 10) is None
    assert books.reconcile(check=True)[0] == 1
    assert books.totals() == [100] * 3
    assert books.reconcile()[0] == 0
    assert books.totals() == [30] * 3
    assert books.scene.store.record(reservation.request_id).status == "ok"
    assert books.reconcile(check=True) == (0, [])


@pytest.mark.parametrize("at_once", [False, True], ids=["later", "when it is settled"])
@pytest.mark.parametrize("is_over", [False, True], ids=["the same window", "a later one"])
def test_a_refund_is_of_the_window_that_was_charged(books, is_over, at_once):
    """What an earlier window was charged too much is not spent again in this one."""
    accounts = (books.key, books.team, books.user)
    for account in accounts:
        assert books.scene.store.update(replace(account, budget_window_s=1_000))
    books.key, books.team, books.user = (books.scene.store.get(account.id).account for account in accounts)
    reservation = books.reservation(lasts_s=60)
    books.scene.clock.now_s += 60
    for account in accounts:
        assert books.scene.store.charge_lost(account.id, books.scene.clock.now_s) == 1
    detail = {"charged": [books.team.id, books.user.id]}
    assert books.scene.store.settle(reservation, replace(record(reservation, 30), detail=detail), 10) is None
    if is_over:
        books.scene.clock.now_s += 1_000
        books.spend(50)
        assert [books.scene.money(account) for account in accounts] == [(50, 0, 150)] * 3
    if at_once:
        refund_lost(books.scene.store, reservation.request_id)
    else:
        assert books.reconcile()[0] == 0
    assert [books.scene.money(account) for account in accounts] == [(50, 0, 80) if is_over else (30, 0, 30)] * 3
    assert books.reconcile(check=True) == (0, [])


def test_a_regenerated_key_is_proven_with_what_it_took_over(books):
    books.spend(40)
    books.reservation()
    old = books.scene.store.get(books.key.id)
    new = replace(books.key, id=f"{books.key.id}-new")
    assert books.scene.store.put(new, old)
    assert books.scene.store.delete(books.key.id)
    assert books.scene.settle(books.scene.admitted(new), 7)
    assert books.scene.money(new)[2] == 147
    assert books.reconcile(check=True) == (0, [])
    assert books.scene.store.delete(new.id)


def test_a_death_between_the_two_writes_of_a_settle_is_mended(books):
    reservation, detail = books.reservation(lasts_s=60), {"charged": [books.team.id, books.user.id]}
    kept = Record(reservation.request_id, reservation.account_id, reservation.now_s, "ok", 9, detail)
    assert books.scene.store.settle(replace(reservation, siblings=()), kept, 10)
    assert books.totals() == [9, 0, 0]
    books.scene.clock.now_s += 60
    assert books.reconcile()[0] == 0
    assert books.totals() == [9, 9, 9]


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_the_command_says_what_it_found(tmp_path, arguments):
    store = SQLiteStore(tmp_path / "haimaker.sqlite")
    assert store.put(Account("key#1", "sk-hm-abcd...wxyz", int(START_S)))
    assert store.correct("key#1", 0, 5)
    store.close()
    command = [sys.executable, "-m", "local.command_line", "reconcile", *arguments]
    environment = {"HAIMAKER_HOME": str(tmp_path), "PYTHONPATH": "shared", "PATH": "/usr/bin"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == (1 if arguments else 0), done.stderr
    assert re.search(r"1 accounts, 0 proven, .*1 wrong", done.stdout), done.stdout
