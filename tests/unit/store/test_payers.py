"""Requests that several accounts pay for, a key, its team and its user, on every store: all of them reserve, or none."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from haimaker.billing import admission
from haimaker.store import BudgetAlert, Denied, Granted, ModelHold, ModelLimit, StoreThrottled, StoreUnavailable, ledger
from haimaker.store.dynamo_records import DynamoRecords
from tests.unit.store.conftest import START_S, record


def granted(scene, *accounts, **options):
    outcome = admission.reserve(scene.store, scene.reservations(*accounts, **options))
    assert isinstance(outcome, Granted), outcome
    return outcome.reservation


def test_all_payers_are_charged_and_there_is_one_record(scene):
    key, team, user = scene.account(budget_nanousd=1_000), scene.account(tpm_limit=100), scene.account(parallel_limit=1)
    reservation = granted(scene, key, team, user)
    assert [scene.money(account) for account in (key, team, user)] == [(0, 100, 0)] * 3
    assert scene.settle(reservation, 40, tokens=3)
    assert not scene.settle(reservation, 70)
    assert [scene.money(account) for account in (key, team, user)] == [(40, 0, 40)] * 3
    assert scene.store.reserve(scene.reservation(team, tokens=97)).tokens_left == 0
    assert [kept.cost_nanousd for kept in scene.store.records(key.id)[0]] == [40]
    assert scene.store.records(team.id)[0] == []


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"budget_nanousd": 99}, "budget"),
        ({"rpm_limit": 0}, "rpm"),
        ({"tpm_limit": 9}, "tpm"),
        ({"parallel_limit": 0}, "parallel"),
        ({"blocked": True}, "blocked"),
    ],
)
def test_a_refusal_gives_back_what_the_earlier_ones_took(scene, limits, reason):
    everything = {"budget_nanousd": 100, "rpm_limit": 1, "tpm_limit": 10, "parallel_limit": 1}
    key, team, user = scene.account(**everything), scene.account(**everything), scene.account(**limits)
    before = [scene.store.get(account.id) for account in (key, team)]
    for _ in range(2):
        refused = admission.reserve(scene.store, scene.reservations(key, team, user))
        assert isinstance(refused, Denied)
        assert (refused.reason, refused.account) == (reason, user)
        assert [scene.store.get(account.id) for account in (key, team)] == before
    assert isinstance(scene.store.reserve(scene.reservation(key)), Granted), "the request and its tokens are given back, too"
    assert scene.store.records(key.id)[0] == []


def test_a_hold_is_given_back_once(scene):
    account = scene.account(rpm_limit=3)
    reservation = scene.admitted(account)
    assert [scene.store.release(reservation), scene.store.release(reservation)] == [True, False]
    assert scene.store.reserve(scene.reservation(account)).requests_left == 2
    assert not scene.store.release(scene.reservation(account))
    settled = scene.admitted(account)
    assert scene.settle(settled, 5)
    assert not scene.store.release(settled)
    assert scene.money(account)[0] == 5


def test_a_teams_budget_spent_from_two_keys_at_once_is_never_overspent(scene):
    team = scene.account(budget_nanousd=1_000)
    keys = [scene.account(), scene.account(budget_nanousd=10**6, parallel_limit=60)]
    wanted = [scene.reservations(keys[number % 2], team) for number in range(scene.many)]
    start = Barrier(scene.many)

    def race(reservations):
        start.wait()
        return admission.reserve(scene.store, reservations)

    with ThreadPoolExecutor(scene.many) as pool:
        outcomes = list(pool.map(race, wanted))
        passed = [outcome.reservation for outcome in outcomes if isinstance(outcome, Granted)]
        assert len(passed) == 10
        assert Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Denied)) == {"budget": scene.many - 10}
        assert {outcome.account.id for outcome in outcomes if isinstance(outcome, Denied)} == {team.id}
        assert scene.money(team) == (0, 1_000, 0)
        assert sum(scene.money(key)[1] for key in keys) == 1_000
        assert all(pool.map(lambda reservation: scene.settle(reservation, 7), passed))
    assert scene.money(team) == (70, 0, 70)
    assert sum(scene.money(key)[2] for key in keys) == 70
    assert [scene.store.get(key.id).reservations for key in keys] == [0, 0]


@pytest.mark.parametrize("first", [0, 1])
def test_what_nobody_settled_is_charged_to_all_of_its_payers_with_one_record(scene, first):
    key, team = scene.account(budget_nanousd=1_000), scene.account()
    reservation = granted(scene, key, team, lasts_s=60)
    order = (key, team) if first == 0 else (team, key)
    assert [scene.store.charge_lost(account.id, START_S + 60) for account in order] == [1, 1]
    assert [scene.money(account) for account in (key, team)] == [(100, 0, 100)] * 2
    (kept,) = scene.store.records(key.id)[0]
    assert (kept.status, kept.cost_nanousd, kept.detail["charged"]) == ("lost", 100, [team.id])
    assert not scene.settle(reservation, 1)
    assert [scene.money(account) for account in (key, team)] == [(100, 0, 100)] * 2


def test_a_payer_that_was_not_reached_is_charged_what_the_record_says(scene):
    key, team = scene.account(), scene.account(budget_nanousd=1_000)
    reservation = granted(scene, key, team, lasts_s=60)
    assert scene.settle(replace(reservation, siblings=()), 30)
    assert scene.money(team) == (0, 100, 0)
    scene.clock.now_s += 60
    assert scene.settle(scene.admitted(team), 0)
    assert scene.money(team) == (30, 0, 30)
    assert scene.store.record(reservation.request_id).status == "ok"


def test_a_soft_budget_is_told_once_when_it_is_reached(scene):
    key, team = scene.account(soft_budget_nanousd=100), scene.account(soft_budget_nanousd=70, budget_nanousd=10**6)
    told = []
    for cost in (40, 30, 29, 2, 50):
        reservation = granted(scene, key, team)
        told.append(scene.store.settle(reservation, record(reservation, cost), 10).alerts)
    assert told == [(), (BudgetAlert(team.id, 70, 70),), (), (BudgetAlert(key.id, 101, 100),), ()]


def test_the_parts_of_a_budget_are_told_once_in_each_window(scene):
    team = scene.account(budget_nanousd=1_000, budget_window_s=600)

    def spend(cost: int) -> list[tuple[int, int | None]]:
        reservation = granted(scene, team, amount=cost)
        alerts = scene.store.settle(reservation, record(reservation, cost), 10).alerts
        assert all(alert.window_end_s == scene.store.get(team.id).window_end_s for alert in alerts)
        return [(alert.reached_nanousd, alert.percent) for alert in alerts]

    first = [spend(cost) for cost in (499, 1, 100, 300, 100)]
    assert first == [[], [(500, 50)], [], [(800, 80)], [(1_000, 100)]]
    scene.clock.now_s += 600
    assert spend(900) == [(500, 50), (800, 80)]


def test_what_became_of_a_lost_request_is_noted_and_can_take_its_place(scene):
    key = scene.account()
    reservation = scene.admitted(key, lasts_s=60)
    assert scene.store.get(key.id).expired_reservations == 0
    scene.clock.now_s += 60
    assert scene.store.get(key.id).expired_reservations == 1
    assert scene.store.charge_lost(key.id, scene.clock.now_s) == 1
    for cost in (40, 50):
        assert scene.store.settle(reservation, record(reservation, cost, model="m"), 10) is None
    lost = scene.store.record(reservation.request_id)
    assert (lost.status, lost.cost_nanousd, lost.detail["late"]["cost_nanousd"]) == ("lost", 100, 40)
    outcome = ledger.outcome_of_lost(lost)
    assert [scene.store.amend(outcome), scene.store.amend(outcome)] == [True, False]
    assert scene.store.record(reservation.request_id) == outcome
    assert (outcome.status, outcome.cost_nanousd, outcome.detail) == ("ok", 40, {"model": "m", "lost_nanousd": 100})
    assert ledger.outcome_of_lost(outcome) is None


WINDOWS = {
    "for ever": (ModelLimit(1_000), 10**9, 30),
    "the same seconds": (ModelLimit(1_000, 600), 0, 30),
    "later seconds": (ModelLimit(1_000, 600), 600, 0),
    "the same month": (ModelLimit(1_000, budget_months=1), 0, 30),
    "a later month": (ModelLimit(1_000, budget_months=1), 32 * 86_400, 0),
}


@pytest.mark.parametrize(("limit", "wait_s", "left"), WINDOWS.values(), ids=WINDOWS)
def test_a_lost_request_that_cost_less_is_given_back_to_its_models_windows(scene, limit, wait_s, left):
    """On each account that limits the model, while the window lasts: what an earlier one was charged is no part of the next."""
    key, team, user = (scene.account(model_limits=limits) for limits in ({"o/m": limit, "n": limit}, {"m": limit}, {}))
    reservations = [
        replace(reservation, models=tuple(ModelHold(model, 100, 10, limit) for model in account.model_limits))
        for reservation, account in zip(scene.reservations(key, team, user, lasts_s=60), (key, team, user), strict=True)
    ]

    def taken() -> list[int]:
        return [each.spend_nanousd for account in (key, team) for each in scene.store.get(account.id).models.values()]

    reservation = admission.reserve(scene.store, reservations).reservation
    scene.clock.now_s += 60
    assert [scene.store.charge_lost(account.id, scene.clock.now_s) for account in (key, team, user)] == [1, 1, 1]
    assert scene.store.settle(reservation, record(reservation, 30, model_limits={"o/m": [30, 5], "m": [30, 5]}), 10) is None
    assert taken() == [100, 100, 100]
    scene.clock.now_s += wait_s
    for account in (key, team):
        assert scene.settle(scene.admitted(account, 0, models=list(account.model_limits)))  # renews a window that has ended
    outcome = ledger.outcome_of_lost(scene.store.record(reservation.request_id))
    assert [scene.store.amend(outcome), scene.store.amend(outcome)] == [True, False]
    assert taken() == [left, 0, left]


def test_a_correction_needs_the_total_that_it_was_made_for(scene):
    key = scene.account(budget_nanousd=1_000)
    assert scene.settle(scene.admitted(key), 70)
    assert not scene.store.correct(key.id, 69, -30)
    assert not scene.store.correct(f"{key.id}x", 0, 1)
    assert scene.store.correct(key.id, 70, -30)
    assert scene.money(key) == (40, 0, 40)
    assert scene.store.correct(key.id, 40, 60)
    assert scene.money(key) == (100, 0, 100)
    assert scene.store.reserve(scene.reservation(key, amount=901)).remaining_nanousd == 900
    assert scene.store.correct(key.id, 100, -30, -20)
    assert scene.money(key) == (90, 0, 70)


@pytest.mark.parametrize("first", ["charge_lost", "release"])
@pytest.mark.parametrize("place", ["before", "between", "after"])
def test_what_is_given_back_while_it_is_charged_as_lost_is_one_of_the_two(scene, monkeypatch, first, place):
    """Each does its part before, between or after the writes of the other, where it has several."""
    limit = ModelLimit(budget_nanousd=500, budget_window_s=3_600)
    key, team = scene.account(budget_nanousd=1_000), scene.account(model_limits={"m": limit})
    parts = scene.reservations(key, team, models=[])
    parts[1] = replace(parts[1], models=(ModelHold("m", 100, 10, limit),))
    reservation = admission.reserve(scene.store, parts).reservation
    scene.clock.now_s += 400

    def charge_lost():
        for account in (key, team):
            scene.store.charge_lost(account.id, scene.clock.now_s)

    def release():
        admission.release(scene.store, [reservation, *reservation.siblings])

    one, other = (charge_lost, release) if first == "charge_lost" else (release, charge_lost)
    if place == "between" and scene.name != "sqlite":
        join = DynamoRecords.join

        def join_and_meanwhile(*arguments):
            monkeypatch.setattr(DynamoRecords, "join", join)
            kept = join(*arguments)
            other()
            return kept

        monkeypatch.setattr(DynamoRecords, "join", join_and_meanwhile)
        one()
    else:
        for act in (other, one) if place == "before" else (one, other):
            act()
    kept = scene.store.record(reservation.request_id)
    payers = (kept.account_id, *kept.detail.get("charged", ())) if kept else ()
    spent = [kept.cost_nanousd if kept and account.id in payers else 0 for account in (key, team)]
    assert [scene.money(account) for account in (key, team)] == [(cost, 0, cost) for cost in spent]
    assert spent[0] in (0, 100)


def test_who_was_never_reached_is_not_charged_for_what_was_lost(scene):
    """A process died between the two: the team's counters know nothing of the request."""
    key, team = scene.account(), scene.account(budget_nanousd=50)
    reservation, _ = scene.reservations(key, team, lasts_s=60)
    assert isinstance(scene.store.reserve(reservation), Granted)
    assert scene.store.charge_lost(key.id, START_S + 60) == 1
    assert [scene.money(account)[2] for account in (key, team)] == [100, 0]
    assert scene.store.record(reservation.request_id).detail["charged"] == []


def test_who_gives_back_late_what_it_never_had_is_not_named_in_the_record(scene):
    """An admission that was not answered gives back what it may have reserved."""
    key, team = scene.account(), scene.account()
    reservation, unanswered = scene.reservations(key, team, lasts_s=60)
    assert isinstance(scene.store.reserve(reservation), Granted)
    scene.clock.now_s += 60
    assert scene.store.charge_lost(key.id, scene.clock.now_s) == 1
    assert not scene.store.release(unanswered)
    assert scene.money(team) == (0, 0, 0)
    assert scene.store.record(reservation.request_id).detail["charged"] == []


@pytest.mark.parametrize("place", ["deleted", "settled", "given back"])
def test_a_request_that_was_given_back_by_half_costs_nobody(scene, place):
    """Its process died, or the store failed, between the two writes. A key that is gone may have held it until then."""
    key, team = scene.account(), scene.account()
    reservation = granted(scene, key, team, lasts_s=60)
    if place == "deleted":
        assert scene.store.delete(key.id)
    elif place == "settled":
        assert scene.settle(replace(reservation, siblings=()), 30)
    else:
        assert scene.store.release(reservation)
    assert scene.store.charge_lost(team.id, START_S + 60) == 1
    kept, cost = scene.store.record(reservation.request_id), {"deleted": 100, "settled": 30, "given back": 0}[place]
    assert scene.money(team) == (cost, 0, cost)
    assert (kept.cost_nanousd, kept.status) == (cost, {"deleted": "lost", "settled": "ok", "given back": "error"}[place])
    assert place == "deleted" or scene.money(key) == (cost, 0, cost)


def test_what_an_unanswered_try_reserved_is_given_back_though_the_next_is_refused_for_load(scene, monkeypatch):
    key, team = scene.account(), scene.account()
    reserve, answers = scene.store.reserve, [None, StoreUnavailable(), StoreThrottled()]
    answers[2].untouched = True

    def reserve_and_lose(reservation):
        error = answers.pop(0)
        outcome = reserve(reservation) if not isinstance(error, StoreThrottled) else None
        if error:
            raise error
        return outcome

    monkeypatch.setattr(scene.store, "reserve", reserve_and_lose)
    with pytest.raises(StoreThrottled):
        admission.reserve(scene.store, scene.reservations(key, team))
    assert [scene.money(account) for account in (key, team)] == [(0, 0, 0)] * 2
