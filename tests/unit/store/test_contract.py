"""What every store promises, on each of them: SQLite, DynamoDB on moto, DynamoDB on dynalite."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from threading import Barrier
from typing import get_args

import pytest

from haimaker.store import (
    MAX_MODEL_LIMITS,
    MAX_MODELS_HELD,
    NEVER_S,
    SUCCESSOR,
    UNLIMITED,
    Account,
    Denied,
    Granted,
    ModelBalance,
    ModelLimit,
    Record,
    Reservation,
    ledger,
)
from haimaker.store.account_query import ORDERS, STATUSES, AccountQuery
from haimaker.store.totals import By, keep_top, sum_over_days, sum_records, to_day, truncate_name
from tests.unit.store.conftest import START_S, record

DAY_S = 86_400
ODD_TEXT = "ünï \ud800 \x00 \U0001f600"


def full_account(scene) -> Account:
    return scene.account(
        role="admin", alias=ODD_TEXT, models=("openai/*", "gpt-4o"), expires_s=int(START_S) + 9 * DAY_S, budget_nanousd=10**15,
        budget_window_s=DAY_S, rpm_limit=7, tpm_limit=700, parallel_limit=3, team_id="t", user_id="u", tags=("a", "b"),
        metadata={"nested": {"list": [1, 2.5, None, ODD_TEXT]}},
        model_limits={ODD_TEXT: ModelLimit(5, 600), "o/gpt": ModelLimit(rpm_limit=1, tpm_limit=0), "m": ModelLimit(1, None, 1)},
    )  # fmt: skip


def test_an_account_comes_back_as_it_was_put(scene):
    account = full_account(scene)
    balance = scene.store.get(account.id)
    assert balance.account == account
    assert (balance.window_end_s, balance.reservations) == (int(START_S) + DAY_S, 0)
    ends = {model: each.window_end_s for model, each in balance.models.items()}
    october = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
    assert ends == {ODD_TEXT: int(START_S) + 600, "o/gpt": int(START_S) + DAY_S, "m": october}
    assert scene.money(account) == (0, 0, 0)
    assert not scene.store.put(replace(account, alias="other"))
    assert scene.store.get(account.id).account == account


def test_update_needs_the_version_it_read(scene):
    account = scene.account(budget_nanousd=100)
    assert scene.store.update(replace(account, alias="new", models=("x",)))
    assert not scene.store.update(replace(account, alias="late"))
    assert scene.store.get(account.id).account == replace(account, alias="new", models=("x",), version=2)
    assert not scene.store.update(replace(account, id=f"{scene.kind}#none"))


POOL = "batch-1"


def open_pool(scene, account: Account, amount: int) -> Denied | None:
    return scene.store.open_pool(replace(scene.reservation(account, amount, 0), request_id=POOL))


def drawing(scene, account: Account, amount: int) -> Reservation:
    outcome = scene.store.reserve(replace(scene.reservation(account, amount), pool=POOL))
    assert isinstance(outcome, Granted), outcome
    return outcome.reservation


def test_a_pool_is_held_beside_requests_and_takes_no_slot(scene):
    account = scene.account(budget_nanousd=1_000, parallel_limit=1, rpm_limit=2)
    assert open_pool(scene, account, 700) is None
    assert open_pool(scene, account, 700) is None, "it is there"
    assert scene.money(account) == (0, 700, 0)
    assert scene.store.reserve(scene.reservation(account, 301)).reason == "budget"
    scene.settle(scene.admitted(account, 300), 10)
    assert scene.store.charge_lost(account.id, NEVER_S) == 0
    assert scene.money(account) == (10, 700, 10)
    assert scene.store.close_pool(account.id, POOL) == 700
    assert scene.store.close_pool(account.id, POOL) is None
    assert scene.money(account) == (10, 0, 10)


def test_a_pool_that_is_too_large_is_refused(scene):
    account = scene.account(budget_nanousd=1_000)
    assert open_pool(scene, account, 1_001) == Denied("budget", account, 1_000)
    assert scene.store.close_pool(account.id, POOL) is None
    assert open_pool(scene, replace(account, id=f"{account.id}x"), 1) == Denied("unknown")


def test_requests_draw_from_a_pool_and_what_is_unused_is_free(scene):
    account = scene.account(budget_nanousd=1_000)
    open_pool(scene, account, 1_000)
    assert scene.store.reserve(scene.reservation(account, 1)).reason == "budget"
    first, second = drawing(scene, account, 400), drawing(scene, account, 500)
    assert scene.money(account) == (0, 1_000, 0)
    scene.settle(first, 150)
    assert scene.money(account) == (150, 600, 150), "the rest is the account's again"
    third = drawing(scene, account, 300)  # 100 of the pool, 200 of the rest
    assert scene.store.reserve(replace(scene.reservation(account, 51), pool=POOL)).reason == "budget"
    assert scene.money(account) == (150, 800, 150)
    scene.settle(second, 500)
    scene.settle(third, 0)
    assert scene.store.close_pool(account.id, POOL) == 0
    assert scene.money(account) == (650, 0, 650)


def test_what_a_failed_or_unsent_request_did_not_use_is_in_the_pool_again(scene):
    account = scene.account(budget_nanousd=1_000)
    open_pool(scene, account, 1_000)
    assert scene.store.release(drawing(scene, account, 400))
    assert scene.store.reserve(scene.reservation(account, 1)).reason == "budget"
    failed = drawing(scene, account, 400)
    scene.store.settle(failed, replace(record(failed, 30), status="error"), 10)
    assert scene.store.reserve(scene.reservation(account, 1)).reason == "budget"
    assert scene.store.close_pool(account.id, POOL) == 970
    assert scene.money(account) == (30, 0, 30)
    assert scene.store.release(drawing(scene, account, 970)), "it is closed"
    assert scene.money(account) == (30, 0, 30)


def test_a_repeated_request_draws_once_and_a_lost_one_is_charged(scene):
    account = scene.account(budget_nanousd=1_000)
    open_pool(scene, account, 1_000)
    lost = drawing(scene, account, 400)
    assert isinstance(scene.store.reserve(lost), Granted)
    assert scene.money(account) == (0, 1_000, 0)
    scene.clock.now_s += 400
    assert scene.store.charge_lost(account.id, scene.clock.now_s) == 1
    assert scene.money(account) == (400, 600, 400)
    assert scene.store.close_pool(account.id, POOL) == 600


def test_what_is_known_to_be_dead_is_charged_before_its_deadline(scene):
    account = scene.account(budget_nanousd=1_000)
    dead, more, alive = (scene.reservation(account, amount) for amount in (100, 20, 3))
    more = replace(more, request_id=f"{dead.request_id}+1")
    for each in (dead, more, alive):
        assert isinstance(scene.store.reserve(each), Granted)
    assert scene.store.charge_lost(account.id, scene.clock.now_s, {dead.request_id}) == 2
    assert scene.money(account) == (120, 3, 120)
    assert [scene.store.record(each.request_id) is None for each in (dead, alive)] == [False, True]


def test_a_pool_outlives_its_budgets_window(scene):
    account = scene.account(budget_nanousd=1_000, budget_window_s=3_600)
    open_pool(scene, account, 600)
    scene.settle(drawing(scene, account, 200), 200)
    assert scene.money(account) == (200, 400, 200)
    scene.clock.now_s += 3_601
    assert scene.money(account) == (0, 400, 200)
    scene.settle(drawing(scene, account, 100), 50)
    assert scene.money(account) == (50, 300, 250)
    assert scene.store.update(replace(account, budget_nanousd=900))
    assert scene.money(account) == (50, 300, 250)
    assert scene.store.close_pool(account.id, POOL) == 300
    assert scene.store.delete(account.id)


def test_delete_keeps_records_and_takes_later_ones(scene):
    account = scene.account()
    settled, late = scene.admitted(account), scene.admitted(account)
    assert scene.settle(settled, 5)
    assert scene.store.delete(account.id)
    assert not scene.store.delete(account.id)
    assert scene.store.get(account.id) is None
    assert scene.store.reserve(scene.reservation(account)) == Denied("unknown")
    assert scene.settle(late, 7)
    assert not scene.settle(late, 7)
    found, _ = scene.store.records(account.id)
    assert sorted(kept.cost_nanousd for kept in found) == [5, 7]
    assert scene.store.charge_lost(account.id, NEVER_S) == 0


def test_accounts_in_pages_oldest_first(scene):
    ids = []
    for number in range(5):
        scene.clock.now_s = START_S - number // 2
        ids.append(scene.account().id)
    pages, after = [], None
    while True:
        page, after = scene.store.accounts(scene.kind, after, 2)
        pages.append([balance.account.id for balance in page])
        if after is None:
            break
    assert pages == [[ids[4], ids[2]], [ids[3], ids[0]], [ids[1]]]
    assert scene.store.accounts(scene.kind[:-1]) == ([], None)


def test_accounts_that_a_query_finds_in_its_order(scene):
    """As it finds them by itself among all of them."""
    made = []
    for number, settings in enumerate(LISTED):
        scene.clock.now_s = START_S - number % 2
        made.append(scene.account(**settings))
    scene.settle(scene.admitted(made[0], 100), 60)
    scene.admitted(made[1], 300)
    scene.settle(scene.admitted(made[2], 50), 50)
    assert scene.store.update(replace(made[3], alias="renamed", blocked=False, tags=("new",)))
    assert scene.store.update(replace(made[4], metadata={SUCCESSOR: made[0].id}))
    assert scene.store.delete(made[5].id)
    scene.clock.now_s = START_S + 2 * DAY_S
    some = QUERIES if scene.name == "sqlite" else QUERIES[::9]  # all others find them as `select` does
    everybody = [balance for account in made if (balance := scene.store.get(account.id))]
    for wanted in ({}, {"account_id": made[2].id}, {"account_id": "key#none"}, {"search": made[1].id[-3:]}, *some):
        query = AccountQuery(scene.kind, **wanted)
        expected, (found, total) = query.select(everybody, scene.clock.now_s), scene.store.find_accounts(query)
        assert found == expected, wanted
        assert total == len(expected) or (scene.name != "sqlite" and not query.reads_accounts() and total == len(expected) + 1)
    found = AccountQuery(scene.kind).select(everybody, scene.clock.now_s)
    for descending in (False, True):
        page, total = scene.store.find_accounts(AccountQuery(scene.kind, descending=descending, search="hm"), 1, 2)
        assert (page, total) == ((found[::-1] if descending else found)[1:3], len(found))
    assert scene.store.find_accounts(AccountQuery(scene.kind), 0, 2)[0] == found[:2]
    assert scene.store.find_accounts(AccountQuery(scene.kind[:-1])) == ([], 0)


LISTED = (
    {"alias": "Ada", "team_id": "research", "budget_nanousd": 1_000},
    {"alias": "bob", "user_id": ODD_TEXT, "budget_nanousd": 400, "budget_window_s": 9 * DAY_S},
    {"team_id": "Product", "expires_s": int(START_S) + DAY_S, "budget_nanousd": 100, "budget_window_s": DAY_S},
    {"alias": "Zoë", "blocked": True, "tags": ("nightly", ODD_TEXT)},
    {"alias": "stands for another", "team_id": "research"},
    {"alias": "gone", "team_id": "research"},
    {"alias": ODD_TEXT, "budget_nanousd": 0},
)
QUERIES = (
    *({"sort_by": order, "descending": descending} for order in ORDERS for descending in (False, True)),
    *({"status": status} for status in STATUSES),
    *({"search": part} for part in ("ADA", "prod", "ZOË", "nightly", "new", "sk-hm", "renamed", ODD_TEXT, "no such", "%", "_")),
    {"alias": "Ada"},
    {"alias": "ada"},
    {"team_id": "research"},
    {"team_id": "research", "status": "active", "search": "a"},
    {"user_id": ODD_TEXT, "sort_by": "used"},
)


def test_the_dearest_records_in_pages(scene):
    account, other = scene.account(), scene.account()
    start_s = START_S + int(scene.kind[1:6], 16) * DAY_S
    kept = []
    for number, cost in enumerate((5, 900, 7, 900, 0, 12)):
        scene.clock.now_s = start_s + number
        reservation = scene.admitted((account, other)[number % 2])
        kept.append(record(reservation, cost, model=ODD_TEXT))
        assert scene.store.settle(reservation, kept[-1], 10)
    span, dearest = (start_s, start_s + 100), [kept[number] for number in (3, 1, 5, 2, 0, 4)]
    first, after, looked_at = scene.store.dearest(None, *span, limit=4)
    rest, end, _ = scene.store.dearest(None, *span, after, 4)
    assert ([*first, *rest], end, looked_at) == (dearest, None, None)
    assert scene.store.dearest(other.id, *span) == ([kept[3], kept[1], kept[5]], None, None)
    assert scene.store.dearest(None, start_s + 1, start_s + 3) == ([kept[1], kept[2]], None, None)
    assert scene.store.dearest(account.id, start_s + 50, start_s + 60) == ([], None, None)


def test_records_by_account_and_time_in_pages(scene):
    account, other = scene.account(), scene.account()
    scene.clock.now_s = start_s = START_S + int(scene.kind[1:6], 16) * DAY_S
    kept = []
    for number in range(6):
        scene.clock.now_s = start_s + number * DAY_S / 2 + 0.123456
        reservation = scene.admitted((account, other)[number % 2])
        kept.append(record(reservation, number, model=ODD_TEXT, attempts=[{"status": 200}]))
        assert scene.store.settle(reservation, kept[-1], 10)
    window = {"since_s": start_s, "until_s": start_s + 4 * DAY_S}
    first, after = scene.store.records(**window, limit=4)
    rest, end = scene.store.records(**window, after=after, limit=4)
    assert ([*first, *rest], end) == (kept, None)
    assert scene.store.records(account.id) == (kept[::2], None)
    assert scene.store.records(account.id, kept[2].started_s, kept[4].started_s) == ([kept[2]], None)
    assert scene.store.records(account.id, kept[4].started_s, kept[2].started_s) == ([], None)
    assert scene.store.record(kept[3].request_id) == kept[3]
    assert scene.store.record("none") is None


def test_the_newest_records_come_first_where_asked(scene):
    account = scene.account()
    scene.clock.now_s = start_s = START_S + int(scene.kind[1:6], 16) * DAY_S
    kept = []
    for number in range(5):
        scene.clock.now_s = start_s + number // 2 * DAY_S
        kept.append(record(scene.admitted(account), number))
        assert scene.store.settle(scene.reservation(account), kept[-1], 10)
    kept.sort(key=lambda one: ledger.sort_key(one.started_s, one.request_id), reverse=True)
    for whose in (account.id, None):
        pages, after = [], None
        while True:
            page, after = scene.store.records(whose, start_s, start_s + 9 * DAY_S, after, 2, newest_first=True)
            pages.append(list(page))
            if after is None:
                break
        assert pages == [kept[:2], kept[2:4], kept[4:]]
        middle = ledger.sort_key(kept[2].started_s, kept[2].request_id)
        assert scene.store.records(whose, start_s, start_s + 9 * DAY_S, middle, newest_first=True) == (kept[3:], None)
        assert scene.store.records(whose, start_s, start_s + 9 * DAY_S, middle) == (kept[1::-1], None)
    assert scene.store.records(account.id, kept[0].started_s, kept[-1].started_s, newest_first=True) == ([], None)


def test_totals_of_days_and_names_are_the_sums_of_records(scene):
    """On DynamoDB after the roll-up, which comes with the stream of new records; where there is none, at once."""
    days = int(scene.kind[1:6], 16) * DAY_S
    first, last = to_day(START_S + days), to_day(START_S + days + DAY_S)
    accounts = [scene.account(), scene.account()]
    for number in range(6):
        scene.clock.now_s = START_S + days + number % 2 * DAY_S
        detail = {"team_id": "t", "user": "ada" if number % 3 else None, "tags": ["a", "a", ODD_TEXT][: number % 4]}
        if number:
            detail |= {"provider": "openai", "model": f"m{number % 2}", "input_tokens": number, "output_tokens": 10}
        reservation = scene.admitted(accounts[number % 2])
        assert scene.store.settle(
            reservation,
            Record(reservation.request_id, reservation.account_id, reservation.now_s, "ok" if number else "cut", number, detail),
            9,
        )
    scene.roll_up(START_S + days, START_S + days + 2 * DAY_S)
    found, _ = scene.store.records(None, START_S + days, START_S + days + 2 * DAY_S)
    for by in get_args(By):
        assert scene.store.totals(by, first, last) == sum_records(found, by), by
        assert scene.store.totals(by, first, first) == [row for row in sum_records(found, by) if row.day == first]
    own = [one for one in found if one.account_id == accounts[0].id]
    for by in get_args(By):
        assert scene.store.totals(by, first, last, accounts[0].id) == sum_records(own, by), by
    assert [row.cost_nanousd for row in scene.store.totals("day", first, last)] == [0 + 2 + 4, 1 + 3 + 5]
    assert {row.name for row in scene.store.totals("tag", first, last)} == {"a", truncate_name(ODD_TEXT)}
    assert scene.store.totals("model", "1999-01-01", "1999-12-31") == []
    rows = sum_records(found, "tag")
    assert scene.store.sums("tag", first, last, top=9) == (rows, 0)
    assert scene.store.sums("tag", first, last, top=1) == keep_top(rows, 1)
    whole = sorted(sum_over_days(keep_top(rows, 1)[0]), key=lambda row: (not row.name, row.name))
    assert scene.store.sums("tag", first, last, daily=False, top=1) == (whole, 1)


LIMITED = {"budget_nanousd": 250, "rpm_limit": 2, "tpm_limit": 25, "parallel_limit": 2}


@pytest.mark.parametrize(
    ("settings", "reason", "retry_after_s"),
    [
        ({"budget_nanousd": 250}, "budget", 0),
        ({"budget_nanousd": 250, "budget_window_s": 600}, "budget", 600),
        ({"rpm_limit": 2}, "rpm", 40),
        ({"tpm_limit": 25}, "tpm", 40),
        ({"parallel_limit": 2}, "parallel", 1),
        (LIMITED, "budget", 0),
        (LIMITED | {"budget_nanousd": None}, "rpm", 40),
        (LIMITED | {"budget_nanousd": None, "rpm_limit": None}, "tpm", 40),
        (LIMITED | {"blocked": True}, "blocked", 0),
        (LIMITED | {"expires_s": int(START_S)}, "expired", 0),
    ],
)
def test_the_third_hold_is_refused_and_consumes_nothing(scene, settings, reason, retry_after_s):
    account = scene.account(**settings)
    if reason not in ("blocked", "expired"):
        scene.admitted(account)
        scene.admitted(account)
    before = scene.store.get(account.id)
    for _ in range(2):
        refused = scene.store.reserve(scene.reservation(account))
        assert refused == Denied(reason, account, 50 if reason == "budget" else 0, retry_after_s)
    assert scene.store.get(account.id) == before


M, N = "gpt-4o", "openai/gpt-4o"


@pytest.mark.parametrize(
    ("limit", "reason", "retry_after_s"),
    [
        (ModelLimit(250), "budget", 0),
        (ModelLimit(250, 600), "budget", 600),
        (ModelLimit(250, None, 1), "budget", 812_800),
        (ModelLimit(rpm_limit=2), "rpm", 40),
        (ModelLimit(tpm_limit=25), "tpm", 40),
    ],
)
def test_the_third_hold_of_a_model_is_refused_and_others_pass(scene, limit, reason, retry_after_s):
    account = scene.account(budget_nanousd=1_000, model_limits={M: limit, N: ModelLimit(1_000)})
    scene.admitted(account, models=[M])
    scene.admitted(account, models=[N, M])
    before = scene.store.get(account.id)
    for models in ([M], [N, M]):
        refused = scene.store.reserve(scene.reservation(account, models=models))
        assert refused == Denied(reason, account, 50 if reason == "budget" else 0, retry_after_s, M)
    assert scene.store.get(account.id) == before
    scene.admitted(account, models=[N])
    scene.admitted(account)
    assert scene.store.get(account.id).models[N].held_nanousd == 200


def test_a_model_is_charged_what_it_cost_and_given_back_where_another_served(scene):
    account = scene.account(model_limits={M: ModelLimit(1_000, 600, rpm_limit=3, tpm_limit=30), N: ModelLimit(1_000, rpm_limit=1)})
    reservation = scene.admitted(account, models=[M, N])
    assert scene.settle(reservation, 70, 4, {M: [70, 4]})
    end_s = int(START_S) + 600
    assert scene.store.get(account.id).models == {M: ModelBalance(70, 0, end_s), N: ModelBalance(0, 0, NEVER_S)}
    released = scene.admitted(account, amount=930, tokens=26, models=[M, N])
    assert scene.store.release(released)
    lost = scene.admitted(account, amount=930, tokens=26, models=[M, N], lasts_s=60)
    assert scene.store.reserve(scene.reservation(account, amount=0, models=[N])).reason == "rpm"
    scene.clock.now_s += 60
    assert scene.store.charge_lost(account.id, scene.clock.now_s) == 1
    assert scene.store.get(account.id).models == {M: ModelBalance(1_000, 0, end_s), N: ModelBalance(930, 0, NEVER_S)}
    assert not scene.settle(lost, 1, 1)
    scene.clock.now_s += 600
    scene.admitted(account, amount=1_000, models=[M])
    assert scene.store.get(account.id).models[M] == ModelBalance(0, 1_000, end_s + 600)


def test_a_models_budget_without_a_window_is_renewed_with_the_keys(scene):
    account = scene.account(budget_nanousd=10**6, budget_window_s=600, model_limits={M: ModelLimit(200), N: ModelLimit(200, 60)})
    assert scene.settle(scene.admitted(account, models=[M, N]), 200)
    scene.clock.now_s += 599
    assert scene.store.reserve(scene.reservation(account, amount=1, models=[M])).reason == "budget"
    scene.admitted(account, amount=1, models=[N])
    scene.clock.now_s += 1
    scene.admitted(account, amount=200, models=[M])
    assert scene.money(account) == (0, 201, 200)


def test_limits_of_models_change_while_they_are_used(scene):
    account = scene.account(model_limits={M: ModelLimit(200)})
    late = scene.admitted(account, models=[M])
    assert scene.settle(scene.admitted(account, models=[M]), 90)
    assert scene.store.update(replace(account, model_limits={M: ModelLimit(195), N: ModelLimit(rpm_limit=0)}))
    account = scene.store.get(account.id).account
    assert scene.store.reserve(scene.reservation(account, amount=6, models=[M])).remaining_nanousd == 5
    assert scene.store.reserve(scene.reservation(account, models=[N])).reason == "rpm"
    assert scene.store.update(replace(account, model_limits={}))
    account = scene.store.get(account.id).account
    assert scene.settle(late, 100)
    assert scene.store.update(replace(account, model_limits={M: ModelLimit(50)}))
    account = scene.store.get(account.id).account
    assert scene.store.get(account.id).models == {M: ModelBalance(0, 0, NEVER_S)}, "one that was not limited begins anew"
    scene.admitted(account, amount=50, models=[M])


def test_many_models_are_limited_at_once_and_changed_at_once(scene):
    models = [f"provider/{number}-{'x' * 80}" for number in range(MAX_MODEL_LIMITS)]
    account = scene.account(model_limits={model: ModelLimit(100, 60, rpm_limit=9, tpm_limit=99) for model in models})
    held = models[:MAX_MODELS_HELD]
    assert scene.settle(scene.admitted(account, models=held), 60)
    assert scene.store.reserve(scene.reservation(account, models=held)).model == models[0]
    assert scene.store.update(replace(account, model_limits={model: ModelLimit(160, 90) for model in models}))
    account = scene.store.get(account.id).account
    reservation = scene.admitted(account, amount=160, models=held)
    assert scene.settle(reservation, 160)
    assert {each.spend_nanousd for each in scene.store.get(account.id).models.values()} == {0, 160}


def test_what_is_left_in_the_minute_is_told(scene):
    limited, free = scene.account(rpm_limit=5, tpm_limit=100), scene.account()
    reservation = scene.reservation(limited, tokens=30)
    assert scene.store.reserve(reservation) == Granted(reservation, 4, 70)
    outcome = scene.store.reserve(scene.reservation(free))
    assert (outcome.requests_left, outcome.tokens_left) == (UNLIMITED, UNLIMITED)


def test_a_hold_of_nothing_passes_an_overdrawn_budget(scene):
    account = scene.account(budget_nanousd=100)
    assert scene.settle(scene.admitted(account), 150)
    assert scene.money(account) == (150, 0, 150)
    assert scene.store.reserve(scene.reservation(account, amount=1)).remaining_nanousd == -50
    assert scene.settle(scene.admitted(account, 0), 0)


@pytest.mark.parametrize(
    ("limits", "cost", "tokens", "reason"),
    [({"budget_nanousd": 157}, 200, 10, "budget"), ({"tpm_limit": 60}, 0, 90, "tpm")],
)
def test_what_took_more_than_was_held_leaves_nothing(scene, limits, cost, tokens, reason):
    """Whichever part of a split account has the rest."""
    account = scene.account(**limits)
    assert scene.settle(scene.admitted(account, 100, 10), cost, tokens)
    outcomes = [scene.store.reserve(scene.reservation(account, 1, 1)) for _ in range(5)]
    assert [isinstance(outcome, Denied) and outcome.reason for outcome in outcomes] == [reason] * 5


def test_what_is_charged_afterwards_leaves_nothing(scene):
    account = scene.account(budget_nanousd=157)
    assert scene.settle(scene.admitted(account, 100, 10), 100)
    assert scene.store.correct(account.id, 100, 90)
    outcomes = [scene.store.reserve(scene.reservation(account, 1, 1)) for _ in range(5)]
    assert [isinstance(outcome, Denied) and outcome.reason for outcome in outcomes] == ["budget"] * 5


def test_a_changed_account_refuses_who_has_not_read_it(scene):
    account = scene.account()
    assert scene.store.update(replace(account, rpm_limit=9))
    changed = replace(account, rpm_limit=9, version=2)
    assert scene.store.reserve(scene.reservation(account)) == Denied("version", changed)
    reservation = scene.admitted(changed)
    assert scene.store.update(replace(changed, blocked=True))
    assert scene.store.reserve(scene.reservation(changed)).reason == "blocked"
    assert scene.settle(reservation, 3), "what was admitted before still settles"


def test_admitting_and_settling_twice_changes_nothing(scene):
    account = scene.account(budget_nanousd=1000, parallel_limit=1)
    reservation = scene.admitted(account)
    assert isinstance(scene.store.reserve(reservation), Granted)
    assert scene.money(account) == (0, 100, 0)
    assert [scene.settle(reservation, 40), scene.settle(reservation, 40), scene.settle(reservation, 99)] == [True, False, False]
    assert scene.money(account) == (40, 0, 40)
    assert scene.store.record(reservation.request_id).cost_nanousd == 40
    released = scene.admitted(account)
    assert [scene.settle(released), scene.settle(released)] == [True, False]
    assert scene.money(account) == (40, 0, 40)


def test_a_refused_hold_with_the_id_of_another_is_not_admitted(scene):
    account = scene.account(parallel_limit=1)
    reservation = scene.admitted(account)
    assert scene.store.reserve(replace(reservation, amount_nanousd=7)).reason == "parallel"
    assert scene.money(account) == (0, 100, 0)


@pytest.mark.parametrize(
    "settings",
    [
        {"budget_nanousd": 1000},
        {"rpm_limit": 10},
        {"tpm_limit": 100},
        {"parallel_limit": 10},
        {"model_limits": {M: ModelLimit(1000), N: ModelLimit()}},
        {"model_limits": {M: ModelLimit(rpm_limit=10), N: ModelLimit(tpm_limit=100)}},
    ],
    ids=str,
)
def test_of_many_at_once_ten_pass(scene, settings):
    account = scene.account(**settings)
    reservations = [scene.reservation(account, models=list(account.model_limits)) for _ in range(scene.many)]
    start = Barrier(scene.many)

    def race(reservation):
        start.wait()
        return scene.store.reserve(reservation)

    with ThreadPoolExecutor(scene.many) as pool:
        outcomes = list(pool.map(race, reservations))
        granted = [outcome.reservation for outcome in outcomes if isinstance(outcome, Granted)]
        assert len(granted) == 10
        assert len({outcome.reason for outcome in outcomes if isinstance(outcome, Denied)}) == 1
        assert scene.money(account) == (0, 1000, 0)
        assert all(pool.map(lambda reservation: scene.settle(reservation, 7), granted))
    assert scene.money(account) == (70, 0, 70)
    assert {each.spend_nanousd for each in scene.store.get(account.id).models.values()} <= {70}


def test_a_window_that_ended_is_renewed_by_whole_windows(scene):
    account = scene.account(budget_nanousd=250, budget_window_s=600)
    scene.admitted(account, lasts_s=5000)
    assert scene.settle(scene.admitted(account), 150)
    assert scene.store.reserve(scene.reservation(account)).reason == "budget"
    scene.clock.now_s += 3 * 600 + 1
    shown = scene.store.get(account.id)
    assert (shown.spend_nanousd, shown.held_nanousd, shown.window_end_s) == (0, 100, int(START_S) + 4 * 600)
    scene.admitted(account)
    assert scene.money(account) == (0, 200, 150)
    assert scene.store.get(account.id).window_end_s == int(START_S) + 4 * 600


def test_a_late_settle_counts_in_the_window_it_arrives_in(scene):
    account = scene.account(budget_nanousd=250, budget_window_s=600)
    late = scene.admitted(account, lasts_s=5000)
    assert scene.settle(scene.admitted(account), 150)
    scene.clock.now_s += 601
    assert scene.settle(scene.admitted(account), 20)
    assert scene.money(account) == (20, 100, 170)
    assert scene.settle(late, 90)
    assert scene.money(account) == (110, 0, 260)
    assert scene.store.reserve(scene.reservation(account, amount=141)).remaining_nanousd == 140
    scene.admitted(account, 140)


def test_an_ended_window_is_renewed_once_by_many(scene):
    account = scene.account(budget_nanousd=1000, budget_window_s=600)
    assert scene.settle(scene.admitted(account), 950)
    scene.clock.now_s += 600
    with ThreadPoolExecutor(30) as pool:
        outcomes = list(pool.map(scene.store.reserve, [scene.reservation(account) for _ in range(30)]))
    assert sum(isinstance(outcome, Granted) for outcome in outcomes) == 10
    assert scene.money(account) == (0, 1000, 950)


def test_expired_holds_are_charged_once_by_many(scene):
    account = scene.account(budget_nanousd=1000)
    lost = [scene.admitted(account, lasts_s=60) for _ in range(5)]
    live = scene.admitted(account, lasts_s=600)
    assert scene.store.charge_lost(account.id, START_S + 59) == 0
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: scene.store.charge_lost(account.id, START_S + 60), range(8)))
    assert sum(counts) == 5
    assert scene.money(account) == (500, 100, 500)
    assert [scene.settle(reservation, 1) for reservation in lost] == [False] * 5
    assert scene.settle(live, 1)
    assert scene.money(account) == (501, 0, 501)
    kept = scene.store.record(lost[0].request_id)
    assert (kept.account_id, kept.started_s, kept.status, kept.cost_nanousd) == (account.id, START_S, "lost", 100)
    assert kept.detail["deadline_s"] == lost[0].deadline_s


def test_an_expired_hold_gives_its_slot_to_the_next(scene):
    account = scene.account(parallel_limit=1, budget_nanousd=250)
    scene.admitted(account, lasts_s=60)
    scene.clock.now_s += 60
    scene.admitted(account)
    assert scene.money(account) == (100, 100, 100)
    scene.clock.now_s += 3600
    assert scene.store.reserve(scene.reservation(account)).reason == "budget"
    assert scene.money(account) == (200, 0, 200)


def test_tokens_are_corrected_in_their_minute_only(scene):
    account = scene.account(tpm_limit=100)
    early, other = scene.admitted(account, tokens=60), scene.admitted(account, tokens=40)
    assert scene.store.reserve(scene.reservation(account, tokens=1)).reason == "tpm"
    assert scene.settle(early, tokens=50)
    assert scene.store.reserve(scene.reservation(account, tokens=11)).reason == "tpm"
    assert scene.store.reserve(scene.reservation(account, tokens=10)).tokens_left == 0
    scene.clock.now_s += 60
    assert scene.store.reserve(scene.reservation(account, tokens=1)).tokens_left == 99
    assert scene.settle(other, tokens=0)
    assert scene.store.reserve(scene.reservation(account, tokens=1)).tokens_left == 98


@pytest.mark.parametrize("lasts_s", [15, 900])
def test_what_is_charged_late_counts_in_the_window_that_lasts(scene, lasts_s):
    """Of a model, where a request that holds nothing of it was the first after the window's end. Lost, or settled after it."""
    limits = {"m": ModelLimit(), "other": ModelLimit()}
    account = scene.account(model_limits=limits)
    late = scene.admitted(account, 7, lasts_s=lasts_s, models=("m",))
    limits = {**limits, "m": ModelLimit(budget_window_s=45)}
    assert scene.store.update(replace(account, model_limits=limits))
    scene.clock.now_s += 61
    scene.admitted(replace(account, version=2, model_limits=limits))
    scene.store.charge_lost(account.id, scene.clock.now_s)
    assert scene.settle(late, 7) is (lasts_s > 61)
    assert scene.store.get(account.id).models["m"].spend_nanousd == 7


def test_limits_move_by_their_difference(scene):
    account = scene.account()
    assert scene.settle(scene.admitted(account), 150)
    scene.admitted(account)
    limits = {"budget_nanousd": 400, "rpm_limit": 4, "tpm_limit": 40, "parallel_limit": 2}
    assert scene.store.update(replace(account, **limits))
    account = replace(account, version=2, **limits)
    assert scene.money(account) == (150, 100, 150), "what was spent before there was a budget counts"
    assert scene.store.reserve(scene.reservation(account, amount=151)).remaining_nanousd == 150
    outcome = scene.store.reserve(scene.reservation(account, amount=150, tokens=20))
    assert (outcome.requests_left, outcome.tokens_left) == (1, 0)
    assert scene.store.reserve(scene.reservation(account, amount=0, tokens=0)).reason == "parallel"
    assert scene.store.update(replace(account, **dict.fromkeys(limits)))
    assert scene.money(account) == (150, 250, 150)
    scene.admitted(replace(account, version=3), 10**12, 10**9)


def test_a_new_budget_window_starts_now(scene):
    account = scene.account(budget_nanousd=200)
    assert scene.settle(scene.admitted(account), 90)
    scene.clock.now_s += 100
    assert scene.store.update(replace(account, budget_window_s=600))
    assert scene.store.get(account.id).window_end_s == int(START_S) + 700
    assert scene.money(account) == (0, 0, 90), "what was spent before is of no window"
    scene.admitted(replace(account, version=2), 200)
    scene.clock.now_s += 600
    assert scene.money(account) == (0, 200, 90)
    assert scene.store.update(replace(account, budget_window_s=None, version=2))
    assert scene.money(account) == (0, 200, 90)
    assert scene.store.get(account.id).window_end_s == NEVER_S


@pytest.mark.parametrize(
    ("months", "ends"), [(1, ["2026-10-01", "2026-11-01", "2027-01-01"]), (3, ["2026-12-01", "2026-12-01", "2027-03-01"])]
)
def test_a_budget_of_months_is_renewed_on_the_first(scene, months, ends):
    def resets_at() -> str:
        return datetime.fromtimestamp(scene.store.get(account.id).window_end_s, UTC).isoformat()

    account = scene.account(budget_nanousd=200, budget_months=months)
    assert scene.settle(scene.admitted(account), 90)
    for moment, end in zip(("2026-09-30T23:59:59", "2026-10-01T00:00:00", "2026-12-31T12:00:00"), ends, strict=True):
        scene.clock.now_s = datetime.fromisoformat(f"{moment}+00:00").timestamp()
        assert resets_at() == f"{end}T00:00:00+00:00"
    assert scene.money(account) == (0, 0, 90)
    assert scene.settle(scene.admitted(account, 200), 10)
    assert scene.money(account) == (10, 0, 100)


def test_a_successor_starts_with_what_was_spent_and_held(scene):
    old = scene.account(budget_nanousd=1000, budget_window_s=600, parallel_limit=1, model_limits={M: ModelLimit(500)})
    assert scene.settle(scene.admitted(old, 300, models=[M]), 150)
    scene.admitted(old, 200, models=[M])
    scene.clock.now_s += 100
    new = replace(old, id=f"{old.id}-new")
    assert scene.store.put(new, scene.store.get(old.id))
    assert not scene.store.put(new, scene.store.get(old.id))
    assert scene.money(new) == (350, 0, 350)
    assert scene.store.get(new.id).window_end_s == int(START_S) + 600
    assert scene.store.get(new.id).models == {M: ModelBalance(350, 0, int(START_S) + 600)}
    assert scene.store.reserve(scene.reservation(new, amount=651)).remaining_nanousd == 650
    assert scene.settle(scene.admitted(new, 650), 650)
    scene.clock.now_s += 500
    assert scene.money(new) == (0, 0, 1000)


def test_a_successor_of_an_ended_window_starts_in_the_next(scene):
    old = scene.account(budget_nanousd=1000, budget_window_s=600)
    assert scene.settle(scene.admitted(old, 300), 150)
    scene.admitted(old, 200, lasts_s=5000)
    scene.clock.now_s += 700
    new = replace(old, id=f"{old.id}-new", budget_nanousd=None)
    assert scene.store.put(new, scene.store.get(old.id))
    assert scene.money(new) == (200, 0, 350)
    assert scene.store.get(new.id).window_end_s == int(START_S) + 1200
